"""The other end of :mod:`dagflow.engine.isolation`: reads a function from stdin, calls it, answers on stdout."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any

__all__ = ["main"]


def main() -> None:
    """
    Do what the parent asks.

    The answer is any number of ``("printed", text)``, then ``("returned", value)`` or ``("raised", error)``.
    """
    work = sys.stdin.buffer.read()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the function prints must not mix with the answer
    with answers:
        answers.write(_answer(work, answers))


def _answer(work: bytes, answers: IO[bytes]) -> bytes:
    import pickle

    from dagflow.configuration import config
    from dagflow.engine.coroutines import called
    from dagflow.utilities.context import context
    from dagflow.utilities.logging import get_logger
    from dagflow.utilities.pickling import dumps

    try:
        settings, keys, name, function, inputs, log_stdout = pickle.loads(work)
        config.update(settings)
        prints = _sent_to(answers) if log_stdout else nullcontext()
        with context(keys, logger=get_logger(name)), prints:
            outcome: tuple[str, Any] = ("returned", called(function, inputs))
    except BaseException as error:
        outcome = ("raised", error)
    try:
        return dumps(outcome)
    except Exception as error:
        reason = TypeError(f"The task's result could not be sent back from its process: {error!r}")
        return dumps(("raised", reason))


def _sent_to(answers: IO[bytes]) -> AbstractContextManager[None]:
    """Send what is printed at once, so that it is not lost when the time is up."""
    import pickle

    from dagflow.utilities.prints import prints_to_log

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            answers.write(pickle.dumps(("printed", record.getMessage())))
            answers.flush()

    logger = logging.Logger("prints")
    logger.addHandler(Sender())
    return prints_to_log(logger)


if __name__ == "__main__":
    main()
