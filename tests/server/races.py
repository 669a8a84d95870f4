"""Two servers on one PostgreSQL that do something at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import text

from dagflow.server.database.engine import Tx
from dagflow.testing import InProcessServer

__all__ = ["at_once"]

T, U = TypeVar("T"), TypeVar("U")


def at_once(server: InProcessServer, do: Callable[[Tx], T], ask: Callable[[], U]) -> tuple[T, U]:
    """
    Return the outcomes of *do*, a write on *server*, and of *ask*, which asks another one before that is committed.

    The write is committed when *ask* is done, or waits for what the write has locked.
    """
    going, go_on = threading.Event(), threading.Event()

    def write(tx: Tx) -> T:
        outcome = do(tx)
        going.set()
        assert go_on.wait(30)
        return outcome

    with ThreadPoolExecutor(1) as thread:
        written = server.backend.database.submit(write)
        assert going.wait(30)
        asked = thread.submit(ask)
        while not asked.done() and not _somebody_waits(server):
            time.sleep(0.01)
        go_on.set()
        return written.result(30), asked.result(30)


def _somebody_waits(server: InProcessServer) -> bool:
    """Tell whether a connection to the PostgreSQL waits for what another one has locked."""
    waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1")
    return server.backend.database.read(lambda connection: connection.execute(waiting).first()) is not None
