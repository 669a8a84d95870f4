"""Finding out what is wrong with a flow."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagflow.utilities.context import context

__all__ = ["is_serializable", "raise_on_exception"]

_LOAD = "import sys, cloudpickle; cloudpickle.loads(sys.stdin.buffer.read())"


@contextmanager
def raise_on_exception() -> Iterator[None]:
    """
    Let the first error of a run leave ``flow.run()``, so that a debugger stops where it happened.

    >>> with raise_on_exception():
    ...     context.raise_on_exception
    True
    """
    with context(raise_on_exception=True):
        yield


def is_serializable(obj: Any, raise_on_error: bool = False) -> bool:
    """
    Tell whether *obj* can be pickled here and loaded in a fresh Python process, as workers do.

    With *raise_on_error* the reason is raised instead: what pickling raised, or a ``subprocess.CalledProcessError``
    whose notes end with what the other process said. ``OSError`` on Windows.

    >>> is_serializable(open)
    True
    """
    import subprocess

    import cloudpickle

    if sys.platform == "win32":
        raise OSError("is_serializable() does not work on Windows.")
    try:
        pickled = cloudpickle.dumps(obj)
        # No ``python -I``: a worker, too, finds modules through PYTHONPATH and the working directory.
        subprocess.run([sys.executable, "-c", _LOAD], input=pickled, capture_output=True, check=True)
    except subprocess.CalledProcessError as error:
        if raise_on_error:
            error.add_note(error.stderr.decode(errors="replace").strip())
            raise
        return False
    except Exception:
        if raise_on_error:
            raise
        return False
    return True
