"""
Log lines of tasks on workers, on their way to the driver.

On a worker whatever would be printed during a batch is collected instead; it travels with the batch's report and goes
through the loggers of the same names on the driver, where the user is.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from dagflow.utilities.logging import StdoutHandler, get_logger

__all__ = ["collecting", "follow_level", "hand_on"]

_PLAIN = (str, int, float, bool, type(None))


class Collector(Protocol):
    """Takes records."""

    def note(self, record: dict[str, Any]) -> None:
        """Take the attributes of one record."""


class _Diversion(logging.Filter):
    """
    Gives the records that reach our handler to whoever collects on their thread.

    What changes: who collects, by thread. Records of threads that a task started go to a collector that is there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.collectors: dict[int, Collector] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep *record* from being printed here when somebody collects."""
        collector = self.collectors.get(threading.get_ident()) or next(iter(self.collectors.values()), None)
        if collector is None:
            return True
        try:
            fields = _attributes(record)
        except Exception:  # a line that cannot be written is the handler's to complain of, and no reason to fail
            return True
        collector.note(fields)
        return False


_diversion = _Diversion()


@contextlib.contextmanager
def collecting(collector: Collector) -> Iterator[None]:
    """Give *collector* the records of this thread inside the block."""
    for handler in get_logger().handlers:
        if isinstance(handler, StdoutHandler) and _diversion not in handler.filters:
            handler.addFilter(_diversion)
    here = threading.get_ident()
    before = _diversion.collectors.get(here)
    _diversion.collectors[here] = collector
    try:
        yield
    finally:
        if before is None:
            _diversion.collectors.pop(here, None)
        else:
            _diversion.collectors[here] = before


def follow_level(level: int) -> None:
    """Log on this worker what the driver logs."""
    if get_logger().level != level:
        get_logger().setLevel(level)


def _attributes(record: logging.LogRecord) -> dict[str, Any]:
    """Return what can travel of *record*: the message and the traceback as text, plain attributes as they are."""
    fields = {key: value if type(value) in _PLAIN else repr(value) for key, value in record.__dict__.items()}
    fields["msg"], fields["args"] = record.getMessage(), None
    if record.exc_info:
        fields["exc_text"] = record.exc_text or logging.Formatter().formatException(record.exc_info)
    fields["exc_info"] = None
    return fields


def hand_on(records: Iterable[dict[str, Any]]) -> None:
    """Log on the driver what was collected on a worker."""
    for fields in records:
        record = logging.makeLogRecord(fields)
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
