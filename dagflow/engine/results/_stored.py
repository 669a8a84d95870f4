"""
What all results that keep bytes at a place have in common: templates, checksums, and words for what went wrong.

A kind of store is four small methods: `_resolve`, `_load`, `_store` and `_present`. It speaks of bytes and full
locations only and knows nothing of serializers or templates.
"""

from __future__ import annotations

import hashlib
from typing import Any, Self

from dagflow.engine.result import Result, ResultCorruptError


class StoredResult(Result):
    """A result whose value is kept as bytes somewhere; see `Result` for what it guarantees."""

    def _resolve(self, location: str) -> str:
        """Return the full location that a formatted *location* stands for."""
        return location

    def _load(self, location: str) -> bytes:
        """Return the bytes at the full *location*, or raise `FileNotFoundError`."""
        raise NotImplementedError

    def _store(self, location: str, data: bytes) -> None:
        """Put *data* at the full *location*, all or nothing, and return once they are safe."""
        raise NotImplementedError

    def _present(self, location: str) -> bool:
        """Tell whether there is something at the full *location*."""
        raise NotImplementedError

    def _describe(self, location: str) -> str:
        return repr(location)

    def exists(self, location: str, **kwargs: Any) -> bool:
        """Tell whether something is stored at *location*, a template filled by *kwargs*."""
        return self._present(self._resolve(self._format_location(location, kwargs)))

    def write(self, value_: Any, **kwargs: Any) -> Self:
        """Store *value_* and return a copy that holds it and its final location; *kwargs* fill the template."""
        new = self.format(**kwargs)
        if new.location is None:
            raise ValueError(f"{type(self).__name__}'s location function returned None; it must return a location.")
        location = self._resolve(new.location)
        data = self.serializer.serialize(value_)
        self._store(location, data)
        new.value, new.location = value_, location
        new._sha256, new._size = hashlib.sha256(data).hexdigest(), len(data)
        return new

    def read(self, location: str) -> Self:
        """
        Return a copy that holds the value found at *location*.

        The bytes are checked before they are deserialized: by the checksum inside them, if the serializer puts one
        there, and by `sha256` of this object, if it knows what is at that location.
        """
        place = self._resolve(location)
        data = self._load(place)
        digest = hashlib.sha256(data).hexdigest()
        if self._sha256 is not None and self.location in (location, place) and digest != self._sha256:
            raise self._corrupt(
                place, f"found {len(data)} bytes with sha256 {digest}, expected {self._size} with {self._sha256}"
            )
        new = self.copy()
        new.value, new.location = self._deserialize(data, place), place
        new._sha256, new._size = digest, len(data)
        return new

    def _deserialize(self, data: bytes, location: str) -> Any:
        try:
            return self.serializer.deserialize(data)
        except (ImportError, AttributeError, MemoryError):
            # The bytes are as they were written; it is the reader who lacks something.
            raise
        except Exception as error:
            raise self._corrupt(location, f"{self.serializer!r} says: {error!r}") from error

    def _corrupt(self, location: str, finding: str) -> ResultCorruptError:
        return ResultCorruptError(
            f"The result at {self._describe(location)} is damaged or not of the expected format: {finding}. "
            "Delete it to let the task run again, or restore it from a backup."
        )
