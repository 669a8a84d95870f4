"""
One run in a process of its own, whose memory and traffic are then those of the client alone.

    python -m benchmarks.cluster_client ADDRESS NAME

Prints a line of JSON. Bytes are counted where Python hands them to and takes them from the system, at
``socket.send`` and ``socket.recv``: whatever this process exchanged with the scheduler or a worker is in it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import cluster_flows as flows
from benchmarks.engine import level
from dagflow import Flow


class Traffic:
    """Bytes that this process read from and wrote to its sockets."""

    def __init__(self) -> None:
        self.read = self.written = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Count from now on, in every socket there is or will be."""
        for name in ("recv", "recv_into", "send", "sendall", "sendmsg"):
            setattr(socket.socket, name, self._counting(name, getattr(socket.socket, name)))

    def _counting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(self_: Any, data: Any, *args: Any) -> Any:
            answer = method(self_, data, *args)
            with self._lock:
                if name.startswith("recv"):
                    self.read += answer if isinstance(answer, int) else len(answer)
                else:
                    self.written += len(data) if answer is None else answer
            return answer

        return counted


class Complaints(logging.Handler):
    """Warnings and log records of Dask or the event loop."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note *record*."""
        self.found.append(f"{record.name}: {record.getMessage()}")

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to ``distributed``, ``asyncio`` and ``warnings.warn``."""
        loggers = [logging.getLogger(name) for name in ("distributed", "asyncio", "tornado")]
        for logger in loggers:
            logger.addHandler(self)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
        finally:
            for logger in loggers:
                logger.removeHandler(self)
        self.found += [f"{one.category.__name__}: {one.message}" for one in caught]


def memory(field: str) -> int:
    """Return ``VmRSS`` or ``VmHWM`` in bytes; unlike ``ru_maxrss``, the latter knows nothing of the parent's."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))


def flow_named(name: str) -> Flow:
    """Return the flow that *name* stands for, such as ``mapped:100000``."""
    kind, _, count = name.partition(":")
    if kind == "mapped":
        return flows.mapped(flows.noop, list(range(int(count))))
    if kind == "plain":
        return flows.independent(int(count))
    if kind == "slow":
        return flows.independent(int(count), 0.06)
    return flows.big_values(chained=kind == "chained")


def last_result(flow: Flow, state: Any) -> Any:
    """Return the result of the one task that ends *flow*."""
    (last,) = flow.terminal_tasks()
    return state.result[last].result


def added_up(value: Any) -> int:
    """Return the sum of a list, a number as it is."""
    return sum(value) if isinstance(value, list) else int(value)


def measure(run: Callable[[Flow], Any], name: str) -> dict[str, Any]:
    """Run a flow and return what it took."""
    traffic, complaints = Traffic(), Complaints()
    run(flow_named("mapped:10"))
    flow, before = flow_named(name), memory("VmRSS")
    traffic.begin()
    with complaints.listening():
        begin = time.perf_counter()
        state = run(flow)
        seconds = time.perf_counter() - begin
    assert state.is_successful(), state
    return {
        "seconds": seconds,
        "read": traffic.read,
        "written": traffic.written,
        "growth": memory("VmHWM") - before,
        "complaints": complaints.found,
        "sum": None if name.startswith(("plain", "slow")) else added_up(last_result(flow, state)),
    }


def main(address: str, name: str) -> None:
    """Print what running *name* on the cluster at *address* took."""
    from dagflow.executors import DaskExecutor

    with level("CRITICAL"):
        print(json.dumps(measure(lambda flow: flow.run(executor=DaskExecutor(address=address)), name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
