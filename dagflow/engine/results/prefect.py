"""Results so small that their location can be the value itself."""

from __future__ import annotations

from typing import Any

from dagflow.engine.result import Result
from dagflow.engine.serializers import DateTimeSerializer, JSONSerializer, Serializer

__all__ = ["PrefectResult"]


class PrefectResult(Result):
    """
    Keep the value as JSON text in the location, which travels with the state: no store is needed.

    >>> PrefectResult().write({"a": 1}).location
    '{"a": 1}'
    >>> PrefectResult().read('{"a": 1}').value
    {'a': 1}
    """

    def __init__(self, value: Any = None, *, serializer: Serializer | None = None, **kwargs: Any) -> None:
        if serializer is not None and not isinstance(serializer, JSONSerializer | DateTimeSerializer):
            raise TypeError(
                f"PrefectResult cannot use {serializer!r}: its location is text, so the serializer must be a "
                "JSONSerializer or a DateTimeSerializer."
            )
        super().__init__(value, serializer=serializer or JSONSerializer(), **kwargs)

    def read(self, location: str) -> PrefectResult:
        """Return a copy that holds the value which the text *location* stands for."""
        new = self.copy()
        new.value, new.location = self.serializer.deserialize(location.encode()), location
        return new

    def write(self, value_: Any, **kwargs: Any) -> PrefectResult:
        """Return a copy that holds *value_*, with its text as location; `TypeError` when it has none."""
        new = self.copy()
        new.value, new.location = value_, self.serializer.serialize(value_).decode()
        return new

    def exists(self, location: str, **kwargs: Any) -> bool:
        """Tell whether the text *location* can be read."""
        try:
            self.serializer.deserialize(location.encode())
        except ValueError:
            return False
        return True
