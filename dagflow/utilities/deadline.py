"""A time limit for work in Python that nobody can look into while it goes on."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["within"]

T = TypeVar("T")


class _TimeIsUp(BaseException):
    """Ends the work; not an ``Exception``, so that the work itself does not catch it."""


def within(seconds: float, do: Callable[[], T]) -> T:
    """
    Return what *do* returns, or raise what it raises, if that takes no longer than *seconds*.

    The work is done on a thread of its own, which is ended when the time is up. A call that waits outside of Python
    ends only when it comes back.

    Raises:
        TimeoutError: when the time is up.

    >>> within(10, lambda: "soon done")
    'soon done'
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(do())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, name="dagflow-deadline", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_TimeIsUp))
        raise TimeoutError(f"It took longer than {seconds:g} s.")
    if failure:
        raise failure[0]
    return outcome[0]
