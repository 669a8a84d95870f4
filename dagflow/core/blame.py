"""Where in the user's own code a mistake was made."""

from __future__ import annotations

import contextlib
import os
import sys

__all__ = ["user_location"]

_CONTEXTLIB = contextlib.__file__
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def user_location() -> str:
    """
    Return `` (file.py, line 3)`` for the nearest frame outside dagflow, an empty string when there is none.

    Error messages end with it, so that the line to mend is named even where the traceback is long.
    """
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((_PACKAGE, "<frozen")) and name != _CONTEXTLIB:
            return f" ({os.path.basename(name)}, line {frame.f_lineno})"
        frame = frame.f_back  # type: ignore[assignment]
    return ""
