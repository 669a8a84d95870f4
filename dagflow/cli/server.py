"""``dagflow server``: start and stop the backend, and look after its database."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from dagflow.cli.talk import Failure, NotFound, say

__all__ = ["server"]

READY_SECONDS = 30.0
DATABASES = ("sqlite", "postgresql")


@click.group()
def server() -> None:
    """Start and stop the backend, and look after its database."""


def _settings(**changes: Any) -> Any:
    from dagflow.server.settings import ServerSettings

    settings = ServerSettings.from_config(**changes)
    if settings.kind not in DATABASES:
        raise click.UsageError(
            f"A database of kind {settings.kind!r} cannot be used. server.database_url is to be "
            "sqlite:////path/of/file or postgresql://user:password@host/name."
        )
    return settings


def _address(settings: Any) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _without_password(url: str) -> str:
    from sqlalchemy.engine import make_url

    return make_url(url).render_as_string(hide_password=True)


def _pid_file() -> str:
    from dagflow.configuration import config

    return os.path.join(os.path.expanduser(config.home_dir), "server.pid")


@server.command()
@click.option("--host", help="The address to listen on; default this machine only.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.")
@click.option("--expose", is_flag=True, help="Listen on all addresses, and ask everybody for an API key.")
@click.option("--database-url", envvar="DAGFLOW_DATABASE_URL", help="Such as postgresql://user:password@host/name.")
@click.option("--no-ui", is_flag=True, help="Answer the API only.")
@click.option("--no-services", is_flag=True, help="Leave scheduling and the like to another server.")
@click.option("--detach", is_flag=True, help="Run in the background; `dagflow server stop` ends it.")
@click.option("--log-level", help="Such as DEBUG.")
def start(
    host: str | None,
    port: int | None,
    expose: bool,
    database_url: str | None,
    no_ui: bool,
    no_services: bool,
    detach: bool,
    log_level: str | None,
) -> None:
    """Start the backend: API, scheduler and database, in one process."""
    from dagflow.server.process import PublicWithoutKey, check_exposure, serve

    if log_level:
        _set_level(log_level)
    settings = _settings(
        host=host or ("0.0.0.0" if expose else None),
        port=port,
        database_url=database_url,
        services=False if no_services else None,
        ui=False if no_ui else None,
        require_key=True if expose else None,
    )
    try:
        check_exposure(settings)
    except PublicWithoutKey as error:
        raise click.UsageError(str(error)) from error
    with _opened(settings):
        pass
    if expose:
        _warn_without_keys(settings)
    if detach:
        _detach(settings, sys.argv[1:])
        return
    serve(settings, ready=_tell_ready)
    say("The server has stopped.")


def _set_level(level: str) -> None:
    import logging

    from dagflow.utilities.logging import get_logger

    if not isinstance(logging.getLevelName(level.upper()), int):
        raise click.UsageError(f"--log-level is DEBUG, INFO, WARNING, ERROR or CRITICAL, found {level!r}.")
    get_logger().setLevel(level.upper())


def _warn_without_keys(settings: Any) -> None:
    from dagflow.server.store.keys import has_keys

    with opened_database(settings) as database:
        if not database.read(has_keys):
            say(
                "WARNING: the server is open to other machines and there is no API key yet, so nobody can use it. "
                "Create one on this machine: dagflow auth create-key --name me --local",
                style="yellow",
            )


def _tell_ready(settings: Any) -> None:
    address = _address(settings)
    say(f"UI:       {address}")
    say(f"API:      {address}/api")
    say(f"Database: {_without_password(settings.database_url)}")
    say("The server is ready. Press Ctrl-C to stop it.", style="green")


def _detach(settings: Any, arguments: list[str]) -> None:
    """Start the same command in the background and wait until it answers."""
    from dagflow.server.process import listening_socket

    if settings.port == 0:
        raise click.UsageError("A server in the background needs a port of its own: --port 4200, not 0.")
    # Else a server that is there already would answer for the new one, which ends meanwhile.
    listening_socket(settings.host, settings.port).close()
    pid_file = _pid_file()
    other = _detached()
    if other is not None and _is_server(other):
        raise Failure(
            f"A server of this home runs in the background already (process {other}). Stop it with `dagflow server "
            "stop`, or give this one a home of its own: DAGFLOW__HOME_DIR."
        )
    os.makedirs(os.path.dirname(pid_file), mode=0o700, exist_ok=True)
    log = os.path.join(os.path.dirname(pid_file), "server.log")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    own_part = os.fstat(descriptor).st_size
    command = [sys.executable, "-m", "dagflow", *(one for one in arguments if one != "--detach")]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor, start_new_session=True
    )
    os.close(descriptor)
    _wait_for_health(settings, process, log, own_part)
    descriptor = os.open(pid_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, str(process.pid).encode())
    os.close(descriptor)
    say(f"The server is ready at {_address(settings)} (process {process.pid}, log {log}).", style="green")


def _detached() -> int | None:
    """Return the number of the process that was started last in the background, if there was one."""
    try:
        with open(_pid_file(), encoding="utf-8") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _wait_for_health(settings: Any, process: Any, log: str, own_part: int) -> None:
    """Wait until a server answers; what it wrote to its log from *own_part* on says why it ended, if it did."""
    import urllib.error
    import urllib.request

    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            with open(log, "rb") as lines:
                lines.seek(own_part)
                last = b"".join(lines.readlines()[-5:]).decode(errors="replace").strip()
            raise Failure(f"The server ended at once: {last}")
        try:
            with urllib.request.urlopen(f"{_address(settings)}/api/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise Failure(f"The server did not answer within {READY_SECONDS:g} s; see {log}.")


@server.command()
def stop() -> None:
    """Stop the server that runs in the background."""
    pid = _detached()
    if pid is None:
        raise NotFound(f"No server was started with --detach here: there is no {_pid_file()}.")
    if _is_server(pid):
        _end(pid)
        say("The server has stopped.", style="green")
    else:
        say("The server was not running any more.", style="yellow")
    os.unlink(_pid_file())


def _end(pid: int) -> None:
    """Tell a process to stop, and wait until it has."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise Failure(f"Process {pid} belongs to another user, who must stop it.") from error
    end = time.monotonic() + READY_SECONDS
    while _is_alive(pid):
        if time.monotonic() > end:
            raise Failure(f"Process {pid} does not stop; look into its log, then end it with `kill -9 {pid}`.")
        time.sleep(0.05)


def _is_server(pid: int) -> bool:
    """Tell whether a process is a server of ours: after a crash its number may be that of somebody else's."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False
    return b"server" in words and any(b"dagflow" in word for word in words)


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@server.command()
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on.")
@click.option("--runs", type=click.IntRange(0, 1_000_000), default=300, show_default=True, help="How many flow runs.")
@click.option("--seed", type=int, default=1, show_default=True, help="What everything that is made up follows from.")
def demo(port: int | None, runs: int, seed: int) -> None:
    """Start a server with made-up flows and runs, to look around; all of it is deleted at the end."""
    import tempfile

    from dagflow.server.demo import fill, living_agents
    from dagflow.server.process import serve

    with tempfile.TemporaryDirectory(prefix="dagflow-demo-") as folder:
        # Nobody executes the runs that seem to go on, so none of them is to count as lost.
        settings = _settings(database_url=f"sqlite:///{folder}/demo.db", port=port, lost_after=1e9)
        with opened_database(settings) as database:
            fill(database, runs, seed)
            with living_agents(database):
                serve(settings, ready=_tell_ready)
    say("The server has stopped, and the demo is deleted.")


@server.command()
def config() -> None:
    """Print the settings a server would start with, as JSON; passwords and keys are left out."""
    settings = dataclasses.asdict(_settings())
    settings["database_url"] = _without_password(settings["database_url"])
    settings["secrets_key"] = "set" if settings["secrets_key"] else ""
    click.echo(json.dumps(settings, indent=2, sort_keys=True))


@server.command()
@click.option("--database-url", envvar="DAGFLOW_DATABASE_URL", help="The database of the servers.")
def services(database_url: str | None) -> None:
    """Run only the services: scheduling, lost runs, automations, retention. For PostgreSQL with several servers."""
    import threading

    from dagflow.server.backend import Backend
    from dagflow.server.database.upgrade import upgrade
    from dagflow.server.services.timetable import Services

    settings = _settings(database_url=database_url)
    if settings.kind == "sqlite":
        raise Failure("With SQLite the services run in the server itself; a second process cannot have its database.")
    with _opened(settings):
        pass
    backend = Backend(settings)
    upgrade(backend.database.writer, settings.database_url)
    running = Services(backend)
    running.start()
    say("The services run. Press Ctrl-C to stop them.", style="green")
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    try:
        end.wait()
    except KeyboardInterrupt:
        pass
    finally:
        running.stop()
        backend.close()
    say("The services have stopped.")


# --- database --------------------------------------------------------------------------------------------------


@server.group()
def database() -> None:
    """Look after the database of the server."""


_url = click.option("--database-url", envvar="DAGFLOW_DATABASE_URL", help="Another database than the configured one.")


@contextlib.contextmanager
def _opened(settings: Any) -> Iterator[Any]:
    """Give the database of the settings as it is; a database that cannot be used ends the command with the reason."""
    from sqlalchemy.exc import SQLAlchemyError

    from dagflow.server.database.engine import Database

    opened = None
    try:
        opened = Database(settings.database_url)
        with opened.writer.connect():
            pass
        yield opened
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0].rstrip(".")
        raise Failure(
            f"The database {_without_password(settings.database_url)} cannot be used: {reason}. Is "
            "server.database_url right, and its server running?"
        ) from error
    finally:
        if opened is not None:
            opened.close()


@contextlib.contextmanager
def opened_database(settings: Any = None) -> Iterator[Any]:
    """Give the database of the settings, up to date."""
    from dagflow.server.database.upgrade import upgrade

    settings = settings or _settings()
    with _opened(settings) as opened:
        upgrade(opened.writer, settings.database_url)
        yield opened


def _alone(settings: Any) -> contextlib.AbstractContextManager[None]:
    """Refuse to go on while a server has a SQLite database."""
    from dagflow.server.process import single_holder

    return single_holder(_file_of(settings)) if settings.kind == "sqlite" else contextlib.nullcontext()


def _file_of(settings: Any) -> str:
    from dagflow.server.database.upgrade import path_of

    if settings.kind != "sqlite":
        raise Failure("That is for SQLite; PostgreSQL has tools of its own, such as pg_dump and VACUUM.")
    return path_of(settings.database_url)


@database.command()
@_url
def path(database_url: str | None) -> None:
    """Print where the database is."""
    settings = _settings(database_url=database_url)
    click.echo(_file_of(settings) if settings.kind == "sqlite" else _without_password(settings.database_url))


@database.command()
@_url
def upgrade(database_url: str | None) -> None:
    """Bring the schema up to date; a server does that too when it starts."""
    from dagflow.server.database.upgrade import upgrade as apply

    settings = _settings(database_url=database_url)
    with _opened(settings) as opened:
        applied = apply(opened.writer, settings.database_url)
    say(f"Applied: {', '.join(reversed(applied))}." if applied else "The schema is up to date.", style="green")


@database.command()
@click.argument("file", type=click.Path(dir_okay=False))
@_url
def backup(file: str, database_url: str | None) -> None:
    """Copy the database to FILE; the server may go on meanwhile."""
    from dagflow.server.database.upgrade import backup as copy

    try:
        copy(_file_of(_settings(database_url=database_url)), file)
    except OSError as error:
        raise Failure(str(error)) from error
    say(f"Copied to {file}.", style="green")


@database.command()
@_url
def vacuum(database_url: str | None) -> None:
    """Give space that deleted rows left back to the file system."""
    import sqlite3

    path = _file_of(_settings(database_url=database_url))
    if not os.path.exists(path):
        raise Failure(f"There is no database at {path}.")
    before = os.path.getsize(path)
    connection = sqlite3.connect(path, timeout=30)
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        raise Failure(f"The database could not be vacuumed: {error}.") from error
    finally:
        connection.close()
    say(f"{before:,} bytes became {os.path.getsize(path):,}.", style="green")


@database.command()
@_url
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def reset(database_url: str | None, yes: bool) -> None:
    """Delete everything in the database; a server that has it must be stopped before."""
    from dagflow.server.database import tables
    from dagflow.server.database.migrations.views import drop_views
    from dagflow.server.database.upgrade import upgrade as apply

    settings = _settings(database_url=database_url)
    if not yes:
        click.confirm(f"Delete everything in {_without_password(settings.database_url)}?", abort=True, err=True)
    with _alone(settings), _opened(settings) as opened:
        with opened.writer.connect() as connection:
            drop_views(connection)
            tables.metadata.drop_all(connection)
            connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
            connection.commit()
        apply(opened.writer, settings.database_url)
    say("The database is empty.", style="green")
