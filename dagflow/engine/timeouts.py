"""
Limits on the user's function: time, and where its prints go.

A time limit is kept in one of three ways. In the main thread a timer interrupts the function. In a worker thread, which
nothing can interrupt, the function runs in a process of its own that is killed. Where neither is possible (a daemonic
process, Windows) the limit is soft: the work goes on in the background and its result is dropped.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from dagflow.engine.coroutines import called
from dagflow.exceptions import TaskTimeoutSignal
from dagflow.utilities.context import current_layer, pop_layer, push_layer

if TYPE_CHECKING:
    from dagflow.engine.run_context import TaskRun

__all__ = ["call_with_limits", "wants_prints"]


def call_with_limits(run: TaskRun) -> Any:
    """
    Call the run's function under its time limit, its prints sent to the log when it asks for that.

    Raises:
        TaskTimeoutSignal: when the time is up.
    """
    if wants_prints(run):
        from dagflow.utilities.logging import get_logger
        from dagflow.utilities.prints import prints_to_log

        with prints_to_log(get_logger(run.full_name)):
            return _call_in_time(run)
    return _call_in_time(run)


def wants_prints(run: TaskRun) -> bool:
    """Tell whether the run's prints are logged: what the task says beats what the flow says."""
    task = run.task
    if task.log_prints is not None:
        return task.log_prints
    return task.log_stdout or run.scope.log_prints


def _call_in_time(run: TaskRun) -> Any:
    seconds: float | None = run.task.timeout
    if run.scope.deadline is not None:
        left = run.scope.deadline - run.scope.now()
        if left <= 0:
            raise TaskTimeoutSignal(f"Task {run.full_name!r} did not start: the time of the flow run is up.")
        seconds = min(seconds, left) if seconds else left
    if not seconds:
        return called(run.task.run, run.inputs)
    if sys.platform != "win32":
        if threading.current_thread() is threading.main_thread():
            return _interrupted(run, seconds)
        import multiprocessing

        if not multiprocessing.current_process().daemon:
            from dagflow.engine.isolation import call_isolated

            return call_isolated(run, seconds)
    return _abandoned(run, seconds)


def _time_is_up(run: TaskRun, seconds: float) -> TaskTimeoutSignal:
    if seconds != run.task.timeout:
        return TaskTimeoutSignal(f"Task {run.full_name!r} was stopped: the time of the flow run is up.")
    return TaskTimeoutSignal(f"Task {run.full_name!r} ran longer than its timeout of {seconds} s.")


def _interrupted(run: TaskRun, seconds: float) -> Any:
    """Let a timer interrupt the main thread; a timer set by somebody else goes on afterwards."""
    import signal
    import time

    def interrupt(number: int, frame: Any) -> None:
        raise _time_is_up(run, seconds)

    before = signal.signal(signal.SIGALRM, interrupt)
    began = time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return called(run.task.run, run.inputs)
    finally:
        rest = max(left - (time.monotonic() - began), 0.001) if left else 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if rest:
            signal.setitimer(signal.ITIMER_REAL, rest, interval)


def _abandoned(run: TaskRun, seconds: float) -> Any:
    """Wait for the function in another thread, and stop waiting when the time is up."""
    import concurrent.futures
    import warnings

    warnings.warn(
        f"Task {run.full_name!r} (process {os.getpid()}) cannot be stopped here: past its timeout of {seconds} s "
        "its result is dropped while the work goes on.",
        stacklevel=2,
    )
    outcome: concurrent.futures.Future[Any] = concurrent.futures.Future()
    layer = current_layer()

    def work() -> None:
        token = push_layer(layer) if layer is not None else None
        try:
            outcome.set_result(called(run.task.run, run.inputs))
        except BaseException as error:
            outcome.set_exception(error)
        finally:
            if token is not None:
                pop_layer(token)

    threading.Thread(target=work, daemon=True).start()
    try:
        return outcome.result(timeout=seconds)
    except concurrent.futures.TimeoutError:
        if outcome.done():  # the function's own TimeoutError
            raise
        raise _time_is_up(run, seconds) from None
