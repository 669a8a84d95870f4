"""
Pickling for code that travels to another process or into a file.

It is cloudpickle, save that the context and the configuration travel by name: a function that uses them finds those of
the process it arrives in. Plain pickling of the context stays an error, because its values would be left behind.

>>> import pickle
>>> from dagflow.utilities.context import context
>>> pickle.loads(dumps(lambda: context))() is context
True
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from dagflow.configuration import config
from dagflow.utilities.context import context

__all__ = ["dumps"]

_pickler: Any = None


def _context() -> Any:
    return context


def _config() -> Any:
    return config


def _pickler_class() -> Any:
    global _pickler
    if _pickler is None:
        import cloudpickle

        class Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]
            replace: Callable[[Any], Any] | None = None

            def reducer_override(self, obj: Any) -> Any:
                if obj is context:
                    return _context, ()
                if obj is config:
                    return _config, ()
                if self.replace is not None:
                    found = self.replace(obj)
                    if found is not None:
                        return found
                return super().reducer_override(obj)

        _pickler = Pickler
    return _pickler


def dumps(
    value: Any, replace: Callable[[Any], Any] | None = None, buffers: list[pickle.PickleBuffer] | None = None
) -> bytes:
    """
    Return *value* in bytes that ``pickle.loads`` reads.

    Args:
        replace: asked about every object inside that is no plain number, text or container: returns how to rebuild it,
            as ``(function, arguments)``, or ``None`` for the usual way.
        buffers: takes the memory of arrays and the like, which is then not copied.

    Raises:
        TypeError, pickle.PicklingError: when something in it does not pickle.
    """
    buffer = io.BytesIO()
    pickler = _pickler_class()(
        buffer, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=None if buffers is None else buffers.append
    )
    pickler.replace = replace
    pickler.dump(value)
    return buffer.getvalue()
