"""
Values that are not at hand: packed in bytes, or left on the worker that made them.

The driver passes them on without looking. A message to a worker is *sealed*: what is packed travels as the bytes it is,
what lies on a worker as a reference that the executor turns into the value. On the worker the message is opened, and
everything in it is an ordinary value again.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from typing import Any

from dagflow.exceptions import ValueLostError
from dagflow.utilities.pickling import dumps

__all__ = [
    "Broken",
    "Carried",
    "Packed",
    "Parcel",
    "Remote",
    "RemoteItem",
    "RemoteItems",
    "Stub",
    "inner_items",
    "is_gone",
    "opened",
    "sealed",
    "unsealed",
]


class Carried:
    """A value to be opened by whoever looks at it."""

    __slots__ = ()

    def open(self) -> Any:
        """Return the value."""
        raise NotImplementedError


class Packed(Carried):
    """A value still in the bytes it travelled in."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self) -> Any:
        """Return the value."""
        return pickle.loads(self.data)


class Stub:
    """
    What a worker tells of a value it kept.

    Args:
        key: the name under which it is kept.
        place: its place, when several are kept together.
        kind: ``sequence`` for what can be mapped over and flattened, ``whole`` for what can be mapped over and is one
            item when it is flattened, as text is, ``mapping``, or ``other``.
        length: the number of items, of what can be mapped over.
        size: in bytes, about.
        data: the value itself as well, when the driver asked for it.
        inner: of a list of lists, how many items each has, when the driver has to know; none of a list with items that
            have no items.
    """

    __slots__ = ("data", "inner", "key", "kind", "length", "place", "size")

    def __init__(
        self,
        key: str,
        place: int | None,
        kind: str,
        length: int,
        size: int,
        data: bytes | None = None,
        inner: Sequence[int] | None = None,
    ) -> None:
        self.key = key
        self.place = place
        self.kind = kind
        self.length = length
        self.size = size
        self.data = data
        self.inner = inner

    def __reduce__(self) -> Any:
        return Stub, (self.key, self.place, self.kind, self.length, self.size, self.data, self.inner)


class Parcel:
    """
    A value as a worker keeps it for others.

    One that does not pickle is found out when it has to travel. Dask would try for ever; so the error travels instead.

    Args:
        value: the value.
        size: in bytes, about.
    """

    __slots__ = ("_error", "_size", "_value")

    def __init__(self, value: Any, size: int, error: str = "") -> None:
        self._value = value
        self._size = size
        self._error = error

    def value(self, place: int | None) -> Any:
        """
        Return the value, or one of several that are kept together.

        Raises:
            TypeError: when it could not travel here.
        """
        if self._error:
            raise TypeError(f"The value cannot be sent from one worker to another: {self._error}")
        return self._value if place is None else self._value[place]

    def __sizeof__(self) -> int:
        return self._size

    def __reduce_ex__(self, protocol: Any) -> Any:
        buffers: list[pickle.PickleBuffer] = []
        try:
            data = dumps(self._value, buffers=buffers if protocol >= 5 else None)
        except Exception as error:
            return Parcel, (None, 0, self._error or repr(error))
        return _parcel, (data, buffers, self._size, self._error)


def _parcel(data: bytes, buffers: list[Any], size: int, error: str) -> Parcel:
    return Parcel(pickle.loads(data, buffers=buffers), size, error)


class Remote(Carried):
    """
    A value on a worker, seen from the driver.

    What changes: the value may be let go, be lost with its worker, and be made again; whoever holds this object sees
    that. ``handle`` is the executor's word for where it is, ``stored`` a result to read when it is gone.
    """

    __slots__ = ("_fetch", "data", "handle", "inner", "key", "kind", "length", "place", "size", "stored", "why")

    def __init__(self, stub: Stub, handle: Any, fetch: Callable[[Any], Any]) -> None:
        self._fetch = fetch
        self.stored: Any = None
        self.why = ""
        self._take(stub, handle)

    def _take(self, stub: Any, handle: Any) -> None:
        self.key, self.place, self.kind, self.length = stub.key, stub.place, stub.kind, stub.length
        self.size, self.data, self.inner, self.handle = stub.size, stub.data, stub.inner, handle

    def revive(self, other: Any) -> None:
        """Point to where the value is after it was made again; *other* is another one of these, or the value."""
        if isinstance(other, Remote):
            self._take(other, other.handle)
        else:
            self.data = other.data if isinstance(other, Packed) else dumps(other)
        self.why = ""

    def let_go(self, why: str) -> None:
        """Give the value up; *why* is told to those who ask for it later."""
        self.handle, self.why = None, why

    def keep(self, parcel: Parcel) -> None:
        """Take the value itself, which was fetched."""
        try:
            self.data, self.handle = dumps(parcel.value(self.place)), None
        except TypeError as error:
            self.let_go(str(error))

    @property
    def is_mappable(self) -> bool:
        """Whether it has items that can be taken by number."""
        return self.kind in ("sequence", "whole")

    @property
    def is_flat(self) -> bool:
        """Whether flattening makes nothing else of it, as far as is known."""
        shallow = self.inner is not None and len(self.inner) < self.length
        return self.kind in ("whole", "mapping") or shallow

    @property
    def is_gone(self) -> bool:
        """Whether it can only be had by making it again."""
        return self.handle is None and self.data is None and self.stored is None

    def open(self) -> Any:
        """
        Fetch the value.

        Raises:
            ValueLostError: when it is gone.
        """
        if self.data is not None:
            return pickle.loads(self.data)
        if self.handle is not None:
            try:
                return self._fetch(self.handle).value(self.place)
            except Exception as error:
                if self.stored is None:
                    raise ValueLostError(f"A value on a worker cannot be fetched: {error}") from error
        if self.stored is not None:
            return self.stored.read(self.stored.location).value
        raise ValueLostError(self.why or "The value was lost with the worker that held it.")

    def __reduce__(self) -> Any:
        try:
            return Packed, (dumps(self.open()),)
        except ValueLostError as error:
            return Gone, (str(error),)


class Gone(Carried):
    """A value that is no more, in a state that was pickled."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why

    def open(self) -> Any:
        """Raise :class:`~dagflow.exceptions.ValueLostError`."""
        raise ValueLostError(self.why)

    def __reduce__(self) -> Any:
        return Gone, (self.why,)


class RemoteItem(Carried):
    """One item of a sequence on a worker, or one item of an item."""

    __slots__ = ("inner", "number", "remote")

    def __init__(self, remote: Remote, number: int, inner: int | None = None) -> None:
        self.remote = remote
        self.number = number
        self.inner = inner

    def open(self) -> Any:
        """Fetch the sequence and return the item."""
        item = self.remote.open()[self.number]
        return item if self.inner is None else item[self.inner]


class RemoteItems(Sequence[Any]):
    """The items of a sequence on a worker."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote

    def __len__(self) -> int:
        return int(self.remote.length)

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < self.remote.length:
            raise IndexError(number)
        return RemoteItem(self.remote, number)


class Broken:
    """A value that could not travel, or an item that could not be taken from its sequence, on a worker."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def inner_items(remote: Remote) -> list[RemoteItem] | None:
    """Return the items of the items of a list of lists; ``None`` when the driver does not know them."""
    if remote.inner is None or len(remote.inner) < remote.length:
        return None
    return [RemoteItem(remote, number, inner) for number, length in enumerate(remote.inner) for inner in range(length)]


def is_gone(value: Any) -> bool:
    """Tell whether *value* stands for one that is no more."""
    return type(value) is Gone or type(value) is Remote and value.is_gone


def unsealed(value: Any) -> Any:
    """Return what *value* stands for, itself when it is no stand-in."""
    return value.open() if isinstance(value, Carried) else value


def sealed(content: Any) -> tuple[bytes, list[Any]]:
    """
    Return *content* as bytes, and the handles of values on workers that it refers to.

    Raises:
        ValueLostError: for a value that is gone; its first argument after the message is the :class:`Remote`.
    """
    handles: dict[str, tuple[int, Any]] = {}

    def reference(remote: Remote, number: tuple[int, int | None] | None) -> Any:
        if remote.handle is not None:
            place, _ = handles.setdefault(remote.key, (len(handles), remote.handle))
            return _from_worker, (place, remote.place, number)
        if remote.data is not None:
            return _from_bytes, (remote.data, number)
        if remote.stored is not None:
            return _from_store, (remote.stored, number)
        raise ValueLostError(remote.why or "The value is gone.")

    def replace(item: Any) -> Any:
        kind = type(item)
        if kind is Packed:
            return _from_bytes, (item.data, None)
        if kind is Remote:
            return reference(item, None)
        if kind is RemoteItem:
            return reference(item.remote, (item.number, item.inner))
        if kind is Gone:
            raise ValueLostError(item.why)
        return None

    data = dumps(content, replace)
    return data, [handle for _, handle in handles.values()]


class _AtHand(threading.local):
    values: Sequence[Any] = ()


_at_hand = _AtHand()


def opened(data: bytes, values: Sequence[Any]) -> Any:
    """Return what was sealed; *values* are the parcels its handles stood for."""
    _at_hand.values = values
    try:
        return pickle.loads(data)
    finally:
        _at_hand.values = ()


def _from_worker(place: int, inner: int | None, number: Any) -> Any:
    try:
        value = _at_hand.values[place].value(inner)
    except TypeError as error:
        return Broken(error)
    return _item(value, number)


def _from_bytes(data: bytes, number: Any) -> Any:
    return _item(pickle.loads(data), number)


def _from_store(stored: Any, number: Any) -> Any:
    return _item(stored.read(stored.location).value, number)


def _item(value: Any, number: Any) -> Any:
    if number is None:
        return value
    outer, inner = number
    try:
        return value[outer] if inner is None else value[outer][inner]
    except Exception as error:
        return Broken(error)
