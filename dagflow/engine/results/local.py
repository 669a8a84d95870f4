"""Results kept as files on a disk that the tasks share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dagflow.engine.results._stored import StoredResult
from dagflow.utilities.filesystems import write_bytes_atomically

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LocalResult"]


class LocalResult(StoredResult):
    """
    Keep results as files below *dir*.

    *dir* defaults to `results` in the home directory of dagflow; so does every *dir* inside that home.
    With *validate_dir* the directory is made absolute, `~` is expanded, and it is created.

    A template may be an absolute path. Whatever fills it can only choose a name below the directory that the template
    itself names: an input such as `"../../etc/passwd"` raises `ValueError`.

    Writes are atomic: readers see the old file or the new one, also after a power cut.

    >>> import tempfile
    >>> store = LocalResult(dir=tempfile.mkdtemp(), location="{name}.pkl")
    >>> written = store.write([1, 2], name="a")
    >>> store.read(written.location).value
    [1, 2]
    """

    def __init__(self, dir: str | None = None, validate_dir: bool = True, **kwargs: Any) -> None:
        self.dir = _directory(dir)
        if validate_dir:
            self.dir = os.path.abspath(os.path.expanduser(self.dir))
            os.makedirs(self.dir, exist_ok=True)
        super().__init__(**kwargs)

    def _format_location(self, template: str | Callable[..., str], kwargs: dict[str, Any]) -> str:
        location = os.fspath(super()._format_location(template, kwargs))
        if isinstance(template, str) and os.path.isabs(expanded := os.path.expanduser(template)):
            base = os.path.dirname(expanded.partition("{")[0])
            return _below(base, os.path.expanduser(location), named=template)
        if not isinstance(template, str) and os.path.isabs(os.path.expanduser(location)):
            # A function is the user's own code, which may write where it likes.
            return location
        _below(self.dir, location, named=location if callable(template) else template)
        return location

    def _resolve(self, location: str) -> str:
        expanded = os.path.expanduser(location)
        return expanded if os.path.isabs(expanded) else _below(self.dir, location, named=location)

    def _load(self, location: str) -> bytes:
        try:
            with open(location, "rb") as file:
                return file.read()
        except FileNotFoundError as error:
            raise FileNotFoundError(
                error.errno, "No result is stored there (never written, or removed since)", location
            ) from None

    def _store(self, location: str, data: bytes) -> None:
        write_bytes_atomically(location, data)

    def _present(self, location: str) -> bool:
        return os.path.isfile(location)


def _directory(dir: str | None) -> str:
    from dagflow.configuration import config

    home = os.path.abspath(os.path.expanduser(str(config.home_dir)))
    if dir is None:
        return os.path.join(home, "results")
    dir = os.fspath(dir)
    chosen = os.path.abspath(os.path.expanduser(dir))
    # Below the home there are flows, logs and settings too; results keep to their own corner.
    return os.path.join(home, "results") if chosen == home or chosen.startswith(home + os.sep) else dir


def _below(base: str, location: str, named: str) -> str:
    """Return *location* seen from *base*, which it must not leave."""
    root = os.path.abspath(os.path.expanduser(base))
    full = os.path.abspath(os.path.join(root, location))
    if not full.startswith(root.rstrip(os.sep) + os.sep):
        raise ValueError(
            f"The result location {named!r} leads to {full!r}, which is outside {root!r}. "
            "Inputs may not lead out of the directory; name another one with LocalResult(dir=...)."
        )
    return os.path.join(base, os.path.relpath(full, root))
