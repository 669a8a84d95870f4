"""Log lines of runs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, insert, select

from dagflow.server.clock import at, stamp
from dagflow.server.database import tables
from dagflow.server.database.engine import Tx
from dagflow.server.store import records
from dagflow.server.store.log_room import LogRoom
from dagflow.server.text import dumped, loaded

__all__ = ["add_log", "add_logs", "list_logs"]

_LOG = tables.log
LEVELS = {"CRITICAL": 50, "ERROR": 40, "WARNING": 30, "INFO": 20, "DEBUG": 10}
MOST_TEXT = 1_000_000


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


def list_logs(
    connection: Connection,
    flow_run_id: str | None,
    *,
    task_run_id: str | None = None,
    after_seq: int | None = None,
    since: str | None = None,
    until: str | None = None,
    level: str | None = None,
    limit: int = 1000,
) -> dict[str, Any]:
    """Return log lines in the order of their time; with *after_seq*, those that arrived later, in order of arrival."""
    statement = select(_LOG)
    if flow_run_id is not None:
        statement = statement.where(_LOG.c.flow_run_id == flow_run_id)
    if task_run_id is not None:
        statement = statement.where(_LOG.c.task_run_id == task_run_id)
    if since is not None:
        statement = statement.where(_LOG.c.timestamp > since)
    if until is not None:
        statement = statement.where(_LOG.c.timestamp <= until)
    if level is not None:
        least = LEVELS.get(level.upper(), 0)
        statement = statement.where(_LOG.c.level.in_([name for name, value in LEVELS.items() if value >= least]))
    if after_seq is not None:
        statement = statement.where(_LOG.c.seq > after_seq).order_by(_LOG.c.seq)
    else:
        statement = statement.order_by(_LOG.c.timestamp, _LOG.c.number, _LOG.c.seq)
    rows = connection.execute(statement.limit(limit)).all()
    items = []
    for row in rows:
        item = records.record(row)
        item["info"] = loaded(item["info"]) if item["info"] else None
        items.append(item)
    last = max((one["seq"] for one in items), default=after_seq or 0)
    return {"items": items, "cursor": None, "last_seq": last}


def count_logs(connection: Connection, flow_run_id: str) -> int:
    """Return how many lines a run has."""
    return int(connection.execute(select(func.count()).where(_LOG.c.flow_run_id == flow_run_id)).scalar_one())
