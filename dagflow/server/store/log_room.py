"""
How many more log lines a run may have.

Lines are counted in the database once for each run and in memory from there. Beyond the most lines one line of the
server's own says how many were dropped.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections import OrderedDict
from typing import Any

from sqlalchemy import Engine, func, insert, select, update

from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.text import dumped, loaded

__all__ = ["LogRoom"]

_LOG = tables.log
MOST_RUNS_REMEMBERED = 1_000
_DROPPED = '{"dropped":'


@dataclasses.dataclass
class _Room:
    lines: int
    dropped: int = 0
    note: int | None = None


_ROOMS: weakref.WeakKeyDictionary[Engine, OrderedDict[str, _Room]] = weakref.WeakKeyDictionary()


class LogRoom:
    """What one transaction may still write to the logs of runs."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self._rooms = _ROOMS.setdefault(tx.connection.engine, OrderedDict())
        self._overflowing: dict[str, int] = {}

    def takes(self, run_id: str, most: int) -> bool:
        """Tell whether there is room for another line of a run, and count it."""
        room = self._rooms.get(run_id) or self._read(run_id)
        if room.lines < most:
            room.lines += 1
            return True
        room.dropped += 1
        self._overflowing[run_id] = most
        return False

    def note(self) -> None:
        """Write down how many lines were dropped."""
        for run_id, most in self._overflowing.items():
            self._note(run_id, self._rooms[run_id], most)
        while len(self._rooms) > MOST_RUNS_REMEMBERED:
            self._rooms.popitem(last=False)

    def _read(self, run_id: str) -> _Room:
        lines = self.tx.execute(select(func.count()).where(_LOG.c.flow_run_id == run_id)).scalar_one()
        room = self._rooms[run_id] = _Room(lines)
        ours = select(_LOG.c.seq, _LOG.c.info).where(
            _LOG.c.flow_run_id == run_id, _LOG.c.name == "server", _LOG.c.info.startswith(_DROPPED, autoescape=True)
        )
        found = self.tx.execute(ours).first() if lines else None
        if found is not None:
            room.note, room.dropped = found.seq, loaded(found.info)["dropped"]
            room.lines -= 1
        return room

    def _note(self, run_id: str, room: _Room, most: int) -> None:
        values: dict[str, Any] = {
            "timestamp": self.tx.stamp,
            "message": f"{room.dropped:,} lines were dropped: a run keeps {most:,} at most (server.max_logs_per_run).",
            "info": dumped({"dropped": room.dropped}),
        }
        if room.note is not None:
            again = update(_LOG).where(_LOG.c.seq == room.note).values(values)
            if self.tx.execute(again).rowcount:
                return
        row = {"flow_run_id": run_id, "level": "WARNING", "name": "server", **values}
        room.note = self.tx.execute(insert(_LOG).returning(_LOG.c.seq), row).scalar_one()
