"""Callables that remember their arguments, so that they can be compared, shown, pickled and stored."""

from __future__ import annotations

from typing import Any


class Parametrised:
    """
    Base of the callables that a factory of filters or adjustments returns; `__slots__` names the arguments in order.

    A nested function would do the same work, but two of them never compare equal and none can be stored.
    """

    __slots__: tuple[str, ...] = ()

    def arguments(self) -> dict[str, Any]:
        """Return the arguments it was made with, by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.arguments() == other.arguments()

    def __hash__(self) -> int:
        return hash((type(self), *self.arguments().values()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self.arguments().values())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.arguments().values()))})"
