"""
Results as documents: where a value is kept, never the value, and never credentials.

A document names the kind of store, its settings and the location, with checksum and size when they are known. How to
get in (keys, connection strings) is looked up again by whoever reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.serialization.common import VERSION, type_name

if TYPE_CHECKING:
    from dagflow.engine.result import Result
    from dagflow.serialization.models import ResultDocument

__all__ = ["deserialize_result", "serialize_result"]

_SETTINGS: dict[str, tuple[str, ...]] = {
    "NoResultType": (),
    "Result": (),
    "LocalResult": ("dir",),
    "PrefectResult": (),
    "ConstantResult": (),
    "SecretResult": (),
    "S3Result": ("bucket",),
    "GCSResult": ("bucket",),
    "AzureResult": ("container", "connection_string_secret"),
}
"""The kinds and what is written of each besides the location."""
_TEXT_SERIALIZERS = ("JSONSerializer", "DateTimeSerializer")
"""Serializers without settings that are worth naming: reading with the default one would unpickle instead."""


def serialize_result(result: Result) -> dict[str, Any]:
    """
    Return where *result* is kept.

    A kind of the user's own goes as ``CustomResult`` with the name of its class.

    >>> from dagflow.engine.result import Result
    >>> serialize_result(Result(5, location="a.pkl"))["location"]
    'a.pkl'
    """
    kind = type(result).__name__
    known = kind in _SETTINGS and type(result).__module__.startswith("dagflow.")
    document: dict[str, Any] = {"type": kind if known else "CustomResult", "location": result.location}
    if not known:
        document["class"] = type_name(type(result))
    document.update({name: getattr(result, name, None) for name in (_SETTINGS[kind] if known else ())})
    if type(result.serializer).__name__ in _TEXT_SERIALIZERS:
        document["serializer"] = type(result.serializer).__name__
    if result.sha256 is not None:
        document.update(sha256=result.sha256, size=result.size)
    document["__version__"] = VERSION
    return document


def deserialize_result(data: Mapping[str, Any] | ResultDocument | None) -> Result:
    """
    Make a result from what :func:`serialize_result` returned; nothing is read and no directory is made.

    A custom result becomes a plain one that knows the location: read it with the store of its task.

    Raises:
        ValueError: when *data* is not a serialized result.
    """
    from dagflow.engine.result import NoResult
    from dagflow.serialization.common import checked
    from dagflow.serialization.models import ResultDocument

    if data is None:
        return NoResult
    document = checked(ResultDocument, data, "result")
    if document.type == "NoResultType":
        return NoResult
    result = _made(document)
    extra = document.model_extra or {}
    result._sha256, result._size = extra.get("sha256"), extra.get("size")
    return result


def _made(document: ResultDocument) -> Result:
    from dagflow.engine import results, serializers
    from dagflow.engine.result import Result
    from dagflow.exceptions import near_match

    if document.type not in _SETTINGS and document.type != "CustomResult":
        raise ValueError(
            f"Unknown result type {document.type!r}; expected one of {', '.join(_SETTINGS)}."
            f"{near_match(document.type, _SETTINGS)}"
        )
    extra = document.model_extra or {}
    given: dict[str, Any] = {name: extra.get(name) for name in _SETTINGS.get(document.type, ())}
    if document.type == "LocalResult":
        given["validate_dir"] = False
    if extra.get("serializer") in _TEXT_SERIALIZERS and document.type != "SecretResult":
        given["serializer"] = getattr(serializers, extra["serializer"])()
    if document.type in ("Result", "CustomResult"):
        return Result(location=document.location, **given)
    if document.type == "ConstantResult":
        return results.ConstantResult(value=None)
    if document.type == "SecretResult":
        given["secret_task"] = _secret_task(document.location)
    found: Result = getattr(results, document.type)(**given)
    found.location = document.location
    return found


def _secret_task(name: str | None) -> Any:
    from dagflow.tasks.secrets import PrefectSecret

    return PrefectSecret(name)
