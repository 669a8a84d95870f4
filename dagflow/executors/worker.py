"""The worker's end of :mod:`dagflow.executors.processes`: reads jobs from a pipe, runs them, answers."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from typing import IO, Any

from dagflow.executors import published
from dagflow.executors.processes import read_message, write_message
from dagflow.utilities.pickling import dumps

__all__ = ["main"]


def main() -> None:
    """Serve until the driver closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    jobs = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what tasks print must not mix with the answers
    sys.stdin = os.fdopen(0, closefd=False)
    _configure(pickle.loads(read_message(jobs)))
    serve(jobs, answers)


def _configure(settings: dict[str, Any]) -> None:
    from dagflow.configuration import config
    from dagflow.utilities.logging import get_logger

    config.update(settings["config"])
    get_logger().setLevel(settings["log_level"])


def serve(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Answer every job until there are no more."""
    while True:
        try:
            message = read_message(jobs)
        except EOFError:
            return
        job = _opened(message)
        if job[0] == "publish":
            published.receive(job[1], job[2])
            continue
        write_message(answers, _answer(job))


def _opened(message: bytes) -> Any:
    try:
        return pickle.loads(message)
    except Exception as error:
        return ("broken", error)


def _answer(job: Any) -> bytes:
    try:
        if job[0] == "broken":
            raise job[1]
        _, fn, args, kwargs = job
        outcome: tuple[str, Any] = ("returned", fn(*args, **kwargs))
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        outcome = ("raised", error)
    try:
        return dumps(outcome)
    except Exception as error:
        return pickle.dumps(("raised", TypeError(f"The result could not be sent back: {error!r}")))


if __name__ == "__main__":
    main()
