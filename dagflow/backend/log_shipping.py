"""
Log lines of a run, on their way to the server.

Lines are gathered and sent together every few seconds. While the server is away, or slower than they come, they wait,
up to a limit; beyond it the oldest go, and a line says how many. A line that the server will never take is left out, so
that it holds up no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any, Self

from dagflow.configuration import config
from dagflow.exceptions import ClientError, InvalidRequestError
from dagflow.serialization.common import sendable
from dagflow.utilities.context import context
from dagflow.utilities.logging import ROOT, get_logger

__all__ = ["LogShipper"]

MOST_WAITING = 50_000
"""Lines kept while the server is away."""

MOST_AT_ONCE = 2_000
MOST_BYTES_AT_ONCE = 4_000_000
LONGEST_LINE = 1_000_000


class LogShipper(logging.Handler):
    """
    A handler that sends the lines of one flow run to the server, for a ``with`` block.

    Args:
        client: the way to the server.
        flow_run_id: the run.
        interval: seconds between sendings; default ``cloud.logging_heartbeat``.
    """

    def __init__(self, client: Any, flow_run_id: str, interval: float | None = None) -> None:
        super().__init__()
        self._client = client
        self._flow_run_id = flow_run_id
        self._interval = float(config.cloud.logging_heartbeat if interval is None else interval)
        self._lines: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._refused = 0
        self._number = 0
        self._second = (-1, "")
        self._wake = threading.Condition()
        self._closed = False
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="dagflow-logs", daemon=True)

    def __enter__(self) -> Self:
        for name in (ROOT, *config.logging.extra_loggers):
            logging.getLogger(name).addHandler(self)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        for name in (ROOT, *config.logging.extra_loggers):
            logging.getLogger(name).removeHandler(self)
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join(timeout=30.0)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record along."""
        if threading.current_thread() is self._thread:
            return  # what sending itself says would go round in circles
        try:
            line = self._line(record)
        except Exception:
            self.handleError(record)
            return
        with self._wake:
            self._number += 1
            line["seq"] = self._number
            if len(self._lines) >= MOST_WAITING:
                self._lines.popleft()
                self._dropped += 1
            self._lines.append(line)
            if len(self._lines) == MOST_AT_ONCE:
                self._wake.notify_all()

    def _line(self, record: logging.LogRecord) -> dict[str, Any]:
        message = record.getMessage()
        if record.exc_info or record.exc_text:
            text = record.exc_text or logging.Formatter().formatException(record.exc_info)  # type: ignore[arg-type]
            message = f"{message}\n{text}"
        if len(message) > LONGEST_LINE:
            message = f"{message[: LONGEST_LINE - 100]}… ({len(message):,} characters, cut here)"
        return {
            "flow_run_id": self._flow_run_id,
            "task_run_id": getattr(record, "task_run_id", None) or context.get("task_run_id"),
            "timestamp": self._stamp(record.created),
            "name": record.name,
            "level": record.levelname,
            "message": sendable(message),
        }

    def _stamp(self, created: float) -> str:
        """Return a moment as the server writes it; what all lines of one second have in common is made once."""
        second, text = self._second
        if second != int(created):
            second, text = int(created), time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created))
            self._second = second, text
        return f"{text}.{int((created - second) * 1e6):06d}Z"

    def flush(self) -> None:
        """Have what is there sent soon."""
        with self._wake:
            self._wake.notify_all()

    def _work(self) -> None:
        while True:
            with self._wake:
                if not self._closed and len(self._lines) < MOST_AT_ONCE:
                    self._wake.wait(self._interval)
                ends = self._closed
            self._send_all(last=ends)
            if ends:
                return

    def _send_all(self, *, last: bool) -> None:
        end = time.monotonic() + 20.0
        while batch := self._batch():
            left = self._send(batch)
            if left:
                with self._wake:
                    self._lines.extendleft(reversed(left))
                if not last or time.monotonic() > end:
                    return
                time.sleep(0.5)

    def _send(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send lines and return those that are to be sent again."""
        try:
            self._client.post("logs", {"logs": batch})
        except InvalidRequestError as error:
            if len(batch) == 1:
                # What only says that lines are missing has no number, and is not missed itself.
                self._refused += "seq" in batch[0]
                get_logger("LogShipper").warning("A log line was left out, because it cannot be sent: %s", error)
                return []
            middle = len(batch) // 2
            left = self._send(batch[:middle])
            return [*left, *batch[middle:]] if left else self._send(batch[middle:])
        except ClientError as error:
            if not self._warned:
                self._warned = True
                get_logger("LogShipper").warning("Log lines could not be sent, and are kept: %s", error)
            return batch
        self._warned = False
        return []

    def _batch(self) -> list[dict[str, Any]]:
        with self._wake:
            self._note_lost()
            batch: list[dict[str, Any]] = []
            size = 0
            while self._lines and len(batch) < MOST_AT_ONCE:
                size += _size(self._lines[0])
                if batch and size > MOST_BYTES_AT_ONCE:
                    break
                batch.append(self._lines.popleft())
            return batch

    def _note_lost(self) -> None:
        """Put lines in front that say how many are missing, and why."""
        for number, why in (
            (self._dropped, "dropped, because they came faster than they could be sent or the server was away"),
            (self._refused, "left out, because the server did not accept them"),
        ):
            if number:
                gap = {"flow_run_id": self._flow_run_id, "level": "WARNING", "name": "dagflow.LogShipper"}
                self._lines.appendleft({**gap, "message": f"{number:,} log lines were {why}."})
        self._dropped = self._refused = 0


def _size(line: dict[str, Any]) -> int:
    """Return about how many bytes *line* has on its way."""
    message = line["message"]
    # JSON writes what is not ASCII as six letters each.
    return 300 + len(message) * (1 if message.isascii() else 6)
