"""
How a value becomes bytes, and how it comes back.

A `Serializer` knows nothing of places; a `Result` knows nothing of formats. Unpickling runs whatever the bytes say, so
pickles carry a *seal*: length and sha256 of what follows, checked before the first byte is unpickled. The seal sits in
front and is itself made of pickle opcodes (push a byte string, drop it), so `pickle.load` of any other program still
reads the file, and pickles that others wrote, which have no seal, are still read here. A seal at the end would be lost
with the very truncation that it should reveal.

Text formats carry no seal: they run no code, and other programs want to read them. For those the digest is kept on the
`Result` that wrote them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from dagflow.exceptions import PrefectException

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BytesIO, StringIO

__all__ = [
    "CompressedSerializer",
    "DateTimeSerializer",
    "JSONSerializer",
    "PandasSerializer",
    "PickleSerializer",
    "ResultCorruptError",
    "Serializer",
]


class ResultCorruptError(PrefectException, ValueError):
    """Stored bytes are not the ones that were written, so they were not loaded."""


_DIGEST_BYTES = 32
_LENGTH_BYTES = 8
_SEAL_NAME = b"dagflow sha256:"
# PROTO 5, then SHORT_BINBYTES with the count of the bytes it pushes; POP closes the seal.
_SEAL_START = b"\x80\x05C" + bytes([len(_SEAL_NAME) + _DIGEST_BYTES + _LENGTH_BYTES]) + _SEAL_NAME
_SEAL_END = b"0"
_SEAL_SIZE = len(_SEAL_START) + _DIGEST_BYTES + _LENGTH_BYTES + len(_SEAL_END)
# A seal whose own first bytes are damaged must not pass for a pickle without a seal: this many may be wrong.
_SEAL_DAMAGE = 6


def seal(pickled: bytes) -> bytes:
    """
    Put the length and the sha256 of *pickled* in front of it, so that it stays a pickle.

    >>> import pickle
    >>> pickle.loads(seal(pickle.dumps([1, 2])))
    [1, 2]
    """
    digest = hashlib.sha256(pickled).digest()
    return b"".join((_SEAL_START, digest, len(pickled).to_bytes(_LENGTH_BYTES, "big"), _SEAL_END, pickled))


def unseal(data: bytes) -> bytes | None:
    """
    Return the pickle behind an intact seal, or None when *data* never had one.

    >>> unseal(seal(b"abc"))
    b'abc'
    >>> unseal(b"abc") is None
    True
    """
    if not data:
        raise ResultCorruptError("Found no bytes at all, expected a pickle; nothing was unpickled.")
    if not _looks_sealed(data):
        return None
    payload = data[_SEAL_SIZE:]
    if not data.startswith(_SEAL_START) or data[_SEAL_SIZE - 1 : _SEAL_SIZE] != _SEAL_END:
        raise ResultCorruptError("The checksum in front of the pickle is damaged; nothing was unpickled.")
    start = len(_SEAL_START)
    expected = data[start : start + _DIGEST_BYTES]
    length = int.from_bytes(data[start + _DIGEST_BYTES : _SEAL_SIZE - 1], "big")
    if len(payload) != length:
        raise ResultCorruptError(f"Found {len(payload)} bytes of pickle, expected {length}; nothing was unpickled.")
    found = hashlib.sha256(payload).digest()
    if found != expected:
        raise ResultCorruptError(
            f"Found sha256 {found.hex()}, expected {expected.hex()}; nothing was unpickled.",
        )
    return payload


def _looks_sealed(data: bytes) -> bool:
    head = data[: len(_SEAL_START)]
    # The first two bytes say no more than "a pickle", and a foreign pickle can be as short as that and complete.
    if len(head) < len(_SEAL_START):
        return len(head) > 2 and _SEAL_START.startswith(head)
    wrong = sum(found != expected for found, expected in zip(head, _SEAL_START, strict=True))
    return wrong <= _SEAL_DAMAGE


class Serializer:
    """
    Turn values into bytes and back; two serializers of one type are equal.

    A subclass implements `serialize(value) -> bytes` and `deserialize(bytes) -> value`, so that the second undoes the
    first. It must be picklable, because it travels with its `Result`.
    """

    def serialize(self, value: Any) -> bytes:
        """Return *value* as bytes."""
        raise NotImplementedError(f"{type(self).__name__} must implement serialize(value) -> bytes.")

    def deserialize(self, value: bytes) -> Any:
        """Return the object that the bytes *value* stand for."""
        raise NotImplementedError(f"{type(self).__name__} must implement deserialize(bytes) -> value.")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class PickleSerializer(Serializer):
    """
    Any Python object, by cloudpickle, behind a checksum that is verified before anything is unpickled.

    >>> PickleSerializer().deserialize(PickleSerializer().serialize({"a": 1}))
    {'a': 1}
    """

    def serialize(self, value: Any) -> bytes:
        """Return the sealed pickle of *value*."""
        import cloudpickle

        return seal(cloudpickle.dumps(value))

    def deserialize(self, value: bytes) -> Any:
        """Unpickle *value*: a sealed pickle, a plain one, or a plain one as base64 text."""
        import cloudpickle

        sealed = unseal(value)
        if sealed is not None:
            return cloudpickle.loads(sealed)
        try:
            return cloudpickle.loads(value)
        except Exception:
            from base64 import b64decode
            from contextlib import suppress

            # Not only pickles: early users stored them as base64. The first error tells more than the second.
            with suppress(Exception):
                return cloudpickle.loads(b64decode(value))
            raise


class JSONSerializer(Serializer):
    """
    Values that JSON knows, as UTF-8 text.

    >>> JSONSerializer().serialize([1, None])
    b'[1, null]'
    """

    def serialize(self, value: Any) -> bytes:
        """Return *value* as JSON; `TypeError` when JSON has no word for it."""
        import json

        return json.dumps(value).encode()

    def deserialize(self, value: bytes | str) -> Any:
        """Return what the JSON text says."""
        import json

        return json.loads(value)


class DateTimeSerializer(Serializer):
    """
    One date-time as ISO 8601 text, read back as a pendulum DateTime.

    >>> import pendulum
    >>> DateTimeSerializer().serialize(pendulum.datetime(2024, 2, 29))
    b'2024-02-29T00:00:00Z'
    """

    def serialize(self, value: Any) -> bytes:
        """Return the date-time *value* as text."""
        import pendulum

        text: str = pendulum.instance(value).to_iso8601_string()
        return text.encode()

    def deserialize(self, value: bytes | str) -> Any:
        """Return the date-time that the text names."""
        import pendulum

        return pendulum.parse(value.decode() if isinstance(value, bytes) else value)


class PandasSerializer(Serializer):
    """
    A data frame in one of the formats pandas can both write and read: `csv`, `json`, `parquet`, `pickle`, ...

    The two dictionaries are handed to `DataFrame.to_<file_type>` and `pandas.read_<file_type>`.

    >>> PandasSerializer("csv", serialize_kwargs={"index": False})
    <PandasSerializer: csv>
    """

    def __init__(
        self,
        file_type: str,
        deserialize_kwargs: dict[str, Any] | None = None,
        serialize_kwargs: dict[str, Any] | None = None,
    ) -> None:
        import pandas

        known = {name[5:] for name in dir(pandas) if name.startswith("read_")}
        known &= {name[3:] for name in dir(pandas.DataFrame) if name.startswith("to_")}
        if file_type not in known:
            raise ValueError(f"pandas cannot both write and read {file_type!r}; it can: {', '.join(sorted(known))}.")
        self.file_type = file_type
        self.deserialize_kwargs = dict(deserialize_kwargs or {})
        self.serialize_kwargs = dict(serialize_kwargs or {})

    def serialize(self, value: Any) -> bytes:
        """Return the data frame *value* in the chosen format."""
        from io import BytesIO, StringIO

        write = getattr(value, f"to_{self.file_type}")
        buffer: BytesIO | StringIO = BytesIO()
        try:
            write(buffer, **self.serialize_kwargs)
        except TypeError:
            # Some formats are text only and refuse a binary file.
            buffer = StringIO()
            write(buffer, **self.serialize_kwargs)
        content = buffer.getvalue()
        return content.encode() if isinstance(content, str) else content

    def deserialize(self, value: bytes) -> Any:
        """Return the data frame that *value* holds."""
        from io import BytesIO

        import pandas

        return getattr(pandas, f"read_{self.file_type}")(BytesIO(value), **self.deserialize_kwargs)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = Serializer.__hash__

    def __repr__(self) -> str:
        return f"<PandasSerializer: {self.file_type}>"


class CompressedSerializer(Serializer):
    """
    Another serializer's bytes, compressed.

    Give either *format*, the name of a module with `compress` and `decompress` (`zlib`, `gzip`, `bz2`, `lzma`), or
    both functions.

    >>> small = CompressedSerializer(JSONSerializer(), format="gzip")
    >>> small.deserialize(small.serialize([0] * 1000)) == [0] * 1000
    True
    """

    def __init__(
        self,
        serializer: Serializer,
        format: str | None = None,
        compress: Callable[..., bytes] | None = None,
        decompress: Callable[..., bytes] | None = None,
        compress_kwargs: dict[str, Any] | None = None,
        decompress_kwargs: dict[str, Any] | None = None,
    ) -> None:
        if (format is None) == (compress is None and decompress is None):
            raise ValueError("Give CompressedSerializer either `format` or both `compress` and `decompress`.")
        if format is not None:
            compress, decompress = _compression_functions(format)
        if compress is None or decompress is None:
            missing = "compress" if compress is None else "decompress"
            raise ValueError(f"CompressedSerializer also needs `{missing}`: what one function does the other undoes.")
        self.serializer = serializer
        self._compress = compress
        self._decompress = decompress
        self._compress_kwargs = dict(compress_kwargs or {})
        self._decompress_kwargs = dict(decompress_kwargs or {})

    def serialize(self, value: Any) -> bytes:
        """Serialize *value*, then compress."""
        return self._compress(self.serializer.serialize(value), **self._compress_kwargs)

    def deserialize(self, value: bytes) -> Any:
        """Decompress *value*, then deserialize."""
        return self.serializer.deserialize(self._decompress(value, **self._decompress_kwargs))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = Serializer.__hash__

    def __repr__(self) -> str:
        return f"<CompressedSerializer: {self.serializer!r}>"


def _compression_functions(format: str) -> tuple[Callable[..., bytes], Callable[..., bytes]]:
    from importlib import import_module

    try:
        module = import_module(format)
    except ImportError as error:
        raise ImportError(
            f"No compression module {format!r} can be imported; expected e.g. zlib, gzip, bz2 or lzma."
        ) from error
    try:
        return module.compress, module.decompress
    except AttributeError as error:
        raise ValueError(
            f"Module {format!r} lacks `compress` or `decompress`; give both functions to CompressedSerializer instead."
        ) from error
