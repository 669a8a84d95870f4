"""Log lines of runs."""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, or_, select, tuple_

from dagflow.server.clock import at, stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.store import records
from dagflow.server.store.log_room import LogRoom
from dagflow.server.text import dumped, loaded

__all__ = ["Place", "Wanted", "add_log", "add_logs", "list_logs", "text_of_logs"]

_LOG, _TASK_RUN, _TASK = tables.log, tables.task_run, tables.task
LEVELS = {"CRITICAL": 50, "ERROR": 40, "WARNING": 30, "INFO": 20, "DEBUG": 10}
MOST_TEXT = 1_000_000
TEXT_LINES = 2_000
"""Lines read at once for a log as text."""


def add_log(tx: Tx, flow_run_id: str, level: str, message: str, task_run_id: str | None = None) -> None:
    """Write a line of the server's own to the log of a run."""
    row = {"flow_run_id": flow_run_id, "task_run_id": task_run_id, "level": level, "message": message, "name": "server"}
    tx.execute(insert(_LOG), {**row, "timestamp": tx.stamp})
    tx.news.append(("log", flow_run_id))


def add_logs(tx: Tx, requests: list[tuple[list[Any], int]]) -> list[dict[str, Any]]:
    """
    Write the lines of several requests, each with the most lines that a run may have; return the answer to each.

    A line that makes no sense is reported and spoils no other. Beyond the most lines of a run one line says so.
    """
    ids = {str(one.get("flow_run_id")) for lines, _ in requests for one in lines if isinstance(one, dict)}
    room = LogRoom(tx)
    runs = tables.flow_run
    known = set(tx.execute(select(runs.c.id).where(runs.c.id.in_(ids))).scalars())
    answers, rows = [], []
    for lines, most in requests:
        errors = []
        for number, line in enumerate(lines):
            problem = _problem(line, known)
            if problem is None:
                if room.takes(line["flow_run_id"], most):
                    rows.append(_row(line, tx.stamp))
            else:
                errors.append({"number": number, "message": problem})
        answers.append({"success": True, "written": len(lines) - len(errors), "errors": errors})
    if rows:
        tx.execute(insert(_LOG), rows)
    room.note()
    if rows:
        tx.news += [("log", id) for id in {row["flow_run_id"] for row in rows}]
    return answers


def _problem(line: Any, known: set[str]) -> str | None:
    if not isinstance(line, dict):
        return "A log line is an object."
    if not isinstance(line.get("flow_run_id"), str) or line["flow_run_id"] not in known:
        return f"There is no flow run {line.get('flow_run_id')!r}."
    return None


def _row(line: dict[str, Any], now: str) -> dict[str, Any]:
    level = line.get("level")
    number = line.get("seq")
    task_run_id = line.get("task_run_id")
    info = line.get("info")
    return {
        "flow_run_id": line["flow_run_id"],
        "task_run_id": task_run_id if isinstance(task_run_id, str) and len(task_run_id) <= 36 else None,
        "timestamp": _moment(line.get("timestamp"), now),
        "number": number if isinstance(number, int) and abs(number) < 2**62 else None,
        "name": _text(line.get("name"), 200),
        "level": str(level).upper() if str(level).upper() in LEVELS else "INFO",
        "message": _text(line.get("message"), MOST_TEXT),
        "info": None if info is None else dumped(info)[:MOST_TEXT],
    }


def _moment(value: Any, now: str) -> str:
    if not isinstance(value, str):
        return now
    try:
        return stamp(at(value))
    except (ValueError, OverflowError):
        return now


def _text(value: Any, most: int) -> str | None:
    return None if value is None else str(value)[:most]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which log lines are wanted; *text* is looked for in them, whatever the case of its letters."""

    flow_run_id: str | None = None
    task_run_id: str | None = None
    task_slug: str | None = None
    since: str | None = None
    until: str | None = None
    level: str | None = None
    text: str | None = None

    def conditions(self) -> list[Any]:
        """Return the conditions that such lines fulfil."""
        found: list[Any] = []
        if self.flow_run_id is not None:
            found.append(_LOG.c.flow_run_id == self.flow_run_id)
        if self.task_run_id is not None:
            found.append(_LOG.c.task_run_id == self.task_run_id)
        if self.task_slug is not None:
            found.append(_TASK.c.slug == self.task_slug)
        if self.since is not None:
            found.append(_LOG.c.timestamp > self.since)
        if self.until is not None:
            found.append(_LOG.c.timestamp <= self.until)
        if self.level is not None:
            least = LEVELS.get(self.level.upper(), 0)
            found.append(_LOG.c.level.in_([name for name, value in LEVELS.items() if value >= least]))
        if self.text:
            # Databases know the small letters of few alphabets, so the text as it was written is looked for too.
            small = func.lower(_LOG.c.message).contains(self.text.lower(), autoescape=True)
            found.append(or_(small, _LOG.c.message.contains(self.text, autoescape=True)))
        return found


_SELECT: Select[Any] = (
    select(_LOG, _TASK.c.slug.label("task_slug"), _TASK_RUN.c.map_index)
    .outerjoin(_TASK_RUN, _TASK_RUN.c.id == _LOG.c.task_run_id)
    .outerjoin(_TASK, _TASK.c.id == _TASK_RUN.c.task_id)
)


def list_logs(
    connection: Connection,
    wanted: Wanted,
    *,
    after_seq: int | None = None,
    before_seq: int | None = None,
    newest: bool = False,
    limit: int = 1000,
) -> dict[str, Any]:
    """
    Return log lines in the order of their time.

    Args:
        connection: to the database.
        wanted: which lines.
        after_seq: those that arrived after this line, in order of arrival.
        before_seq: those directly before this line.
        newest: the newest first, instead of the oldest.
        limit: how many.
    """
    statement = _SELECT.where(*wanted.conditions())
    backwards = newest or before_seq is not None
    if after_seq is not None:
        statement = statement.where(_LOG.c.seq > after_seq)
    if before_seq is not None:
        statement = statement.where(_before(connection, before_seq))
    if backwards:
        statement = statement.order_by(_LOG.c.timestamp.desc(), _LOG.c.seq.desc())
    elif after_seq is not None:
        statement = statement.order_by(_LOG.c.seq)
    else:
        statement = statement.order_by(_LOG.c.timestamp, _LOG.c.number, _LOG.c.seq)
    items = [_record(row) for row in connection.execute(statement.limit(limit))]
    if backwards and not newest:
        items.reverse()
    last = max((one["seq"] for one in items), default=after_seq or 0)
    return {"items": items, "cursor": None, "last_seq": last}


def _record(row: Any) -> dict[str, Any]:
    item = records.record(row)
    item["info"] = loaded(item["info"]) if item["info"] else None
    return item


def _before(connection: Connection, seq: int) -> Any:
    """Return the condition for lines before the one with the number *seq*, by time, as they are shown."""
    timestamp = connection.execute(_TIMESTAMP, {"seq": seq}).scalar()
    if timestamp is None:
        return _LOG.c.seq < seq
    return tuple_(_LOG.c.timestamp, _LOG.c.seq) < tuple_(timestamp, seq)


_TIMESTAMP = select(_LOG.c.timestamp).where(_LOG.c.seq == bindparam("seq"))

Place = tuple[str, int]
"""Where a line stands: its time, and its number."""


def text_of_logs(connection: Connection, wanted: Wanted, behind: Place | None) -> tuple[str, Place | None]:
    """Return a part of a log as text, and where it ends; ``None`` when that is the end of the log."""
    statement = _SELECT.where(*wanted.conditions()).order_by(_LOG.c.timestamp, _LOG.c.seq).limit(TEXT_LINES)
    if behind is not None:
        statement = statement.where(tuple_(_LOG.c.timestamp, _LOG.c.seq) > tuple_(*behind))
    rows = connection.execute(statement).all()
    text = "".join(map(_line, rows))
    return text, (rows[-1].timestamp, rows[-1].seq) if len(rows) == TEXT_LINES else None


def _line(row: Any) -> str:
    index = f"[{row.map_index}]" if row.map_index is not None and row.map_index >= 0 else ""
    where = f" {row.task_slug}{index}" if row.task_slug else ""
    return f"{row.timestamp} {row.level:<8}{where} | {row.message or ''}\n"


def count_logs(connection: Connection, flow_run_id: str) -> int:
    """Return how many lines a run has."""
    return int(connection.execute(select(func.count()).where(_LOG.c.flow_run_id == flow_run_id)).scalar_one())
