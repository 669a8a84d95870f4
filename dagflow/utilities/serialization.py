"""Names of objects, and objects of names."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["from_qualified_name", "to_qualified_name"]


def to_qualified_name(obj: Any) -> str:
    """
    Return the dotted name of a class or function.

    >>> import fractions
    >>> to_qualified_name(fractions.Fraction)
    'fractions.Fraction'
    """
    return f"{obj.__module__}.{obj.__qualname__}"


def from_qualified_name(obj_str: str) -> Any:
    """
    Return what a dotted name stands for, looking only into modules that are already imported.

    Importing nothing is the point: the name may come from a file or a server. A name that is not there is a
    ``ValueError``; use :func:`dagflow.utilities.importtools.import_object` for names you trust.

    >>> from_qualified_name("pathlib.Path").__name__
    'Path'
    """
    parts = obj_str.split(".")
    for length in range(len(parts), 0, -1):
        module = sys.modules.get(".".join(parts[:length]))
        if module is None:
            continue
        found: Any = module
        try:
            for name in parts[length:]:
                found = getattr(found, name)
        except AttributeError:
            continue
        return found
    raise ValueError(f"{obj_str!r} is in no module that is imported so far. Import its module first.")
