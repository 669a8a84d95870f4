"""
Where a task's value is kept, and how it is asked for.

A `Result` holds a value, a place (`location`) and a way to write it (`serializer`). A result given to a task or flow
is a recipe: nothing ever changes it. `format`, `write`, `read` and `from_value` return new objects.

`NoResult` means "never computed", which is not the same as the value None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from dagflow.engine.serializers import PickleSerializer, ResultCorruptError, Serializer

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

__all__ = ["NoResult", "NoResultType", "Result", "ResultCorruptError", "ResultNotImplementedError"]

# Serializers without settings hold no state, so all results may share one.
_PICKLE = PickleSerializer()


class ResultNotImplementedError(NotImplementedError):
    """This kind of result cannot be read, written or asked; give the task a stored one such as `LocalResult`."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class Result:
    """
    A value and where it is kept; the base class keeps it nowhere.

    *location* is a template such as `"{date:%Y}/{task_name}.pkl"`, a callable that takes the same keywords and
    returns a location, or None for a fresh location at each write. Its keywords are flow parameters, context, inputs.

    Guarantees of a stored kind (see `dagflow.engine.results`):

    1. `write` returns only once the value can be read back by any process that reaches the store;
    2. a reader sees the old value or the new one, never a part;
    3. `exists` answers for the formatted location and changes nothing;
    4. `read` of something missing raises `FileNotFoundError`, of something damaged `ResultCorruptError`;
    5. clients are made at first use and dropped when pickled.

    >>> Result(5)
    <Result: 5>
    >>> Result(5) == Result(5, location="x")
    False
    """

    def __init__(
        self,
        value: Any = None,
        location: str | Callable[..., str] | None = None,
        serializer: Serializer | None = None,
    ) -> None:
        self.value = value
        self.location: str | None = None
        self.serializer = _PICKLE if serializer is None else serializer
        self._formatter: Callable[..., str] | None = None
        # What was last written to or read from `location`: not part of what a result *is*, so not of its equality.
        self._sha256: str | None = None
        self._size: int | None = None
        if callable(location):
            self._formatter = location
        else:
            self.location = location

    @property
    def logger(self) -> logging.Logger:
        """The logger named after the class."""
        from dagflow.utilities.logging import get_logger

        return get_logger(type(self).__name__)

    @property
    def sha256(self) -> str | None:
        """Hex digest of the stored bytes, once written or read; a later `read` of the location is checked by it."""
        return self._sha256

    @property
    def size(self) -> int | None:
        """Number of stored bytes, once written or read."""
        return self._size

    @property
    def default_location(self) -> str:
        """A new location that no other result has."""
        from datetime import UTC, datetime
        from uuid import uuid4

        # The time lets people find a file, the uuid keeps simultaneous writers apart.
        return f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}-{uuid4().hex}.dagflow-result"

    def copy(self) -> Self:
        """Return a shallow copy."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def expecting(self, other: Result) -> Self:
        """Return a copy for reading what *other* tells of: at its location, and with its checksum where it has one."""
        new = self.copy()
        new._sha256, new._size, new.location = other.sha256, other.size, other.location
        return new

    def from_value(self, value: Any) -> Self:
        """
        Return a copy that holds *value* and has no location yet.

        >>> Result(1, location="here").from_value(2).location is None
        True
        """
        new = self.copy()
        new.value, new.location, new._sha256, new._size = value, None, None, None
        return new

    def format(self, **kwargs: Any) -> Self:
        """
        Return a copy whose location is filled in; a missing keyword raises `KeyError`.

        >>> Result(location="{x}.txt").format(x="a").location
        'a.txt'
        """
        new = self.copy()
        new._formatter, new._sha256, new._size = None, None, None
        if self.location is not None:
            new.location = self._format_location(self.location, kwargs)
        elif self._formatter is not None:
            new.location = self._format_location(self._formatter, kwargs)
        else:
            new.location = self.default_location
        return new

    def _format_location(self, template: str | Callable[..., str], kwargs: dict[str, Any]) -> str:
        return template.format(**kwargs) if isinstance(template, str) else template(**kwargs)

    def read(self, location: str) -> Self:
        """Return a copy that holds the value found at *location*."""
        raise ResultNotImplementedError(self._cannot("read"))

    def write(self, value_: Any, **kwargs: Any) -> Self:
        """
        Store *value_* and return a copy that holds it and its final location; *kwargs* fill the template.

        The parameter ends in an underscore so that templates can use an input named `value`.
        """
        raise ResultNotImplementedError(self._cannot("write"))

    def exists(self, location: str, **kwargs: Any) -> bool:
        """Tell whether something is stored at *location*, a template filled by *kwargs*."""
        raise ResultNotImplementedError(self._cannot("exists"))

    def _cannot(self, verb: str) -> str:
        return (
            f"{type(self).__name__} does not implement `{verb}`: it keeps nothing. "
            "Give the task or flow a stored result, e.g. result=LocalResult()."
        )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _public(self) == _public(other)

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.value!r}>"


def _public(result: object) -> dict[str, Any]:
    return {name: value for name, value in vars(result).items() if not name.startswith("_")}


class NoResultType(Result):
    """The type of `NoResult`; there is one object of it, also after pickling."""

    def __init__(self) -> None:
        super().__init__(value=None)

    def copy(self) -> NoResultType:
        """Return itself: there is only one."""
        return self

    def from_value(self, value: Any) -> Any:
        """Return a plain `Result` that holds *value*."""
        return Result(value)

    def format(self, **kwargs: Any) -> NoResultType:
        """Return itself: it has no location to fill."""
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NoResultType)

    __hash__ = object.__hash__

    def __reduce__(self) -> str:
        return "NoResult"

    def __repr__(self) -> str:
        return "<No result>"


NoResult = NoResultType()
