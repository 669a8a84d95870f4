"""
Running one function in a process of its own, so that it can be killed.

The child is started as a fresh interpreter that is handed the function over a pipe. It never imports the user's script
again, so scripts need no ``if __name__ == "__main__"`` guard.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from dagflow.exceptions import TaskTimeoutSignal

if TYPE_CHECKING:
    from dagflow.engine.run_context import TaskRun

__all__ = ["call_isolated", "child_environment"]

_START_ALLOWANCE = 0.5
"""Seconds granted for starting the interpreter, so that a limit of one second is a limit on the work."""

_STEP = 0.2
"""Seconds after which a waiting thread looks up."""


def child_environment() -> dict[str, str]:
    """Return the environment in which a child finds the same modules as this process."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def call_isolated(run: TaskRun, seconds: float) -> Any:
    """
    Call the run's function in another process and return what it returns.

    Raises:
        TaskTimeoutSignal: when the time is up; the process and all it started are killed.
        BaseException: what the function raised, signals included.
    """
    from dagflow.configuration import config
    from dagflow.engine.timeouts import wants_prints
    from dagflow.utilities.context import visible
    from dagflow.utilities.pickling import dumps

    keys = {key: value for key, value in visible(run).items() if key not in ("logger", "config", "caches")}
    work = dumps((config.to_dict(), keys, run.full_name, run.task.run, run.inputs, wants_prints(run)))
    command = [sys.executable, "-m", "dagflow.engine.isolated_child"]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environment(), start_new_session=True
    )
    try:
        answer = _talk(child, work, seconds + _START_ALLOWANCE)
    except subprocess.TimeoutExpired as late:
        _outcome_in(late.output or b"")
        raise _timed_out(run, seconds) from None
    finally:
        _kill(child)
    return _opened(run, _outcome_in(answer), child.returncode)


def _talk(child: subprocess.Popen[bytes], work: bytes, seconds: float) -> bytes:
    """Send *work* and return the answer; in short steps, because a thread is interrupted only between two of them."""
    import time

    until = time.monotonic() + seconds
    given: bytes | None = work
    while True:
        left = until - time.monotonic()
        try:
            return child.communicate(given, timeout=max(0.0, min(left, _STEP)))[0]
        except subprocess.TimeoutExpired:
            if left <= _STEP:
                raise
        given = None


def _timed_out(run: TaskRun, seconds: float) -> TaskTimeoutSignal:
    return TaskTimeoutSignal(f"Task {run.full_name!r} ran longer than its timeout of {seconds} s.")


def _outcome_in(answers: bytes) -> tuple[str, Any] | None:
    """Print here what the function printed there; return how it ended, ``None`` when it did not get that far."""
    import io
    import pickle

    stream = io.BytesIO(answers)
    while True:
        try:
            kind, value = pickle.load(stream)
        except (EOFError, pickle.UnpicklingError):  # the process ended, perhaps in the middle of a word
            return None
        except Exception as error:
            return "raised", TypeError(f"The task's result could not be opened: {error!r}")
        if kind != "printed":
            return kind, value
        print(value)


def _opened(run: TaskRun, outcome: tuple[str, Any] | None, code: int | None) -> Any:
    if outcome is None:
        raise RuntimeError(f"The process that ran task {run.full_name!r} ended with exit code {code} and no answer.")
    kind, value = outcome
    if kind == "raised":
        raise value
    return value


def _kill(child: subprocess.Popen[bytes]) -> None:
    import contextlib
    import signal

    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
