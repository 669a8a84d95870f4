"""Bringing a database up to date: numbered migrations, with a copy of the file before any of them."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, Engine, inspect

from dagflow.exceptions import PrefectException
from dagflow.utilities.logging import get_logger

__all__ = ["backup", "path_of", "upgrade"]

HERE = os.path.join(os.path.dirname(__file__), "migrations")


def path_of(url: str) -> str:
    """
    Return the file of a SQLite database.

    >>> path_of("sqlite:////tmp/one.db")
    '/tmp/one.db'
    """
    return url.removeprefix("sqlite:///")


def upgrade(engine: Engine, url: str) -> list[str]:
    """
    Apply the migrations that are missing and return their numbers.

    Raises:
        PrefectException: when the database was written by a later version of dagflow.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    settings = _settings()
    script = ScriptDirectory.from_config(settings)
    head = script.get_current_head()
    with engine.connect() as connection:
        current = _current(connection)
        if current == head:
            return []
        known = {one.revision for one in script.walk_revisions()}
        if current is not None and current not in known:
            raise PrefectException(
                f"The database has the schema {current}, which this version of dagflow does not know; it knows up to "
                f"{head}. It was written by a later version: install that one, or start with another database."
            )
        if current is not None and url.startswith("sqlite"):
            copy = backup(path_of(url), f"{path_of(url)}.before-{head}-{time.strftime('%Y%m%d-%H%M%S')}")
            get_logger("server").info("The database was copied to %s before its schema is changed.", copy)
        before = [one.revision for one in script.walk_revisions()]
        _apply(connection, command, settings, is_sqlite=url.startswith("sqlite"))
        return before if current is None else before[: before.index(current)]


def _apply(connection: Connection, command: Any, settings: Any, *, is_sqlite: bool) -> None:
    """Apply all or nothing: also SQLite changes a schema within a transaction, if it is begun by hand."""
    settings.attributes["connection"] = connection
    if not is_sqlite:
        command.upgrade(settings, "head")
        connection.commit()
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        command.upgrade(settings, "head")
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise


def _settings() -> Any:
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", HERE)
    settings.set_main_option("path_separator", "os")
    return settings


def _current(connection: Connection) -> str | None:
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def backup(path: str, target: str) -> str:
    """
    Copy a SQLite database, which may be in use, to *target* and return that.

    Raises:
        FileNotFoundError: when there is no database.
        FileExistsError: when the target is there.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no database at {path}.")
    if os.path.exists(target):
        raise FileExistsError(f"{target} is there already; choose another name.")
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    source, copy = sqlite3.connect(path), sqlite3.connect(target)
    try:
        source.backup(copy)
    except BaseException:
        copy.close()
        os.unlink(target)
        raise
    finally:
        source.close()
        copy.close()
    return target
