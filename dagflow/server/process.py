"""A server as a process: it listens, tells when it is ready, and ends in order."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator

from dagflow.exceptions import PrefectException
from dagflow.server.database.upgrade import path_of
from dagflow.server.settings import ServerSettings

__all__ = ["PortInUse", "PublicWithoutKey", "listening_socket", "serve", "single_holder"]

DRAIN_SECONDS = 4


class PortInUse(PrefectException, OSError):
    """Somebody listens on the port already."""


class PublicWithoutKey(PrefectException, ValueError):
    """A server that others can reach needs API keys."""


def serve(settings: ServerSettings, *, ready: Callable[[ServerSettings], None] = lambda settings: None) -> None:
    """
    Run a server until it is told to stop.

    Args:
        settings: what it is told.
        ready: called when requests are answered.

    Raises:
        PortInUse: with the port and how to change it.
        PublicWithoutKey: when other machines could reach it and it asks nobody for a key.
        PrefectException: when another server has the database.
    """
    check_exposure(settings)
    with contextlib.ExitStack() as exits:
        if settings.kind == "sqlite":
            exits.enter_context(single_holder(path_of(settings.database_url)))
        listener = exits.enter_context(contextlib.closing(listening_socket(settings.host, settings.port)))
        _run(settings, listener, ready)


def check_exposure(settings: ServerSettings) -> None:
    """Refuse to let others in without a key."""
    if not settings.is_local and not settings.require_key:
        raise PublicWithoutKey(
            f"A server on {settings.host} can be reached from other machines, and it asks nobody for a key. Create one "
            "with `dagflow auth create-key --name me --local`, then start the server with --expose, or set "
            "server.require_key to true."
        )


def _run(settings: ServerSettings, listener: socket.socket, ready: Callable[[ServerSettings], None]) -> None:
    import uvicorn

    from dagflow.server.app import create_app
    from dagflow.server.protocol import PatientProtocol

    class Server(uvicorn.Server):
        """Tells when it is ready, and lets streams end before it waits for them."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            # Not the original, which raises the signal again at the end: a server that was told to stop, and did, is
            # no failure.
            before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for one, handler in before.items():
                    signal.signal(one, handler)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready(settings)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            backend = getattr(app.state, "backend", None)
            if backend is not None:
                backend.stop_waiting()
            await super().shutdown(sockets)

    app = create_app(settings)
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        server_header=False,
        backlog=2048,
    )
    server = Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise PrefectException("The server could not start; see the lines above.")


def listening_socket(host: str, port: int) -> socket.socket:
    """
    Return a socket that listens.

    Raises:
        PortInUse: when somebody listens there already.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortInUse(
            f"Port {port} on {host} cannot be used: {error.strerror}. Another server may be running there; choose "
            "another port with --port, or stop it with `dagflow server stop`."
        ) from error
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


@contextlib.contextmanager
def single_holder(path: str) -> Iterator[None]:
    """
    Hold a SQLite database for this process alone.

    Raises:
        PrefectException: which names the process that has it.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
            raise PrefectException(
                f"The database {path} is in use by {holder}. One server at a time can have a SQLite database; stop "
                "that one, or give this one another with --database-url."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()} ({sys.argv[0]})".encode(), 0)
        yield
    finally:
        os.close(descriptor)
