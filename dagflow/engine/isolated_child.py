"""The other end of :mod:`dagflow.engine.isolation`: reads a function from stdin, calls it, answers on stdout."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Do what the parent asks and answer ``("returned", value)`` or ``("raised", error)``."""
    work = sys.stdin.buffer.read()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the function prints must not mix with the answer
    with answers:
        answers.write(_answer(work))


def _answer(work: bytes) -> bytes:
    import pickle

    from dagflow.configuration import config
    from dagflow.engine.coroutines import called
    from dagflow.utilities.context import context
    from dagflow.utilities.logging import get_logger
    from dagflow.utilities.pickling import dumps

    try:
        settings, keys, name, function, inputs = pickle.loads(work)
        config.update(settings)
        with context(keys, logger=get_logger(name)):
            outcome: tuple[str, Any] = ("returned", called(function, inputs))
    except BaseException as error:
        outcome = ("raised", error)
    try:
        return dumps(outcome)
    except Exception as error:
        reason = TypeError(f"The task's result could not be sent back from its process: {error!r}")
        return dumps(("raised", reason))


if __name__ == "__main__":
    main()
