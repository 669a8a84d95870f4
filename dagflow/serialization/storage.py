"""Storages as documents: kind, settings, locations and names of secrets; no credentials, nothing that is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.serialization.common import VERSION

if TYPE_CHECKING:
    from dagflow.serialization.models import StorageDocument
    from dagflow.storage.base import Storage

__all__ = ["deserialize_storage", "serialize_storage"]


def serialize_storage(storage: Storage) -> dict[str, Any]:
    """
    Return *storage* as JSON-ready data.

    Raises:
        TypeError: for something that is no storage.

    >>> from dagflow.storage import Module
    >>> serialize_storage(Module("company.flows"))["module"]
    'company.flows'
    """
    from dagflow.storage.base import Storage

    if not isinstance(storage, Storage):
        raise TypeError(
            f"storage is {storage!r}; expected an instance of a class in dagflow.storage, such as Local()."
        )
    return {
        "type": type(storage).__name__,
        "flows": dict(storage.flows),
        "digests": dict(storage.digests),
        "secrets": list(storage.secrets),
        **{name: getattr(storage, name) for name in storage._fields},
        "__version__": VERSION,
    }


def deserialize_storage(data: Mapping[str, Any]) -> Storage:
    """
    Make a storage from what :func:`serialize_storage` returned, touching neither disk nor network.

    Raises:
        ValueError: for an unknown type or a malformed document.
    """
    from dagflow import storage
    from dagflow.exceptions import near_match
    from dagflow.serialization.common import checked
    from dagflow.serialization.models import StorageDocument

    document: StorageDocument = checked(StorageDocument, data, "storage")
    kinds = [name for name in storage.__all__ if name[0].isupper() and name != "Storage"]
    if document.type not in kinds:
        raise ValueError(
            f"Unknown storage type {document.type!r}; expected one of {', '.join(kinds)}."
            f"{near_match(document.type, kinds)}"
        )
    made: Storage = getattr(storage, document.type).from_fields(document.model_extra or {}, document.secrets)
    made.flows = dict(document.flows)
    made.digests = _digests((document.model_extra or {}).get("digests"))
    return made


def _digests(found: Any) -> dict[str, str]:
    """Return the digests of a document; documents of before there were any have none."""
    if found is None:
        return {}
    if not isinstance(found, Mapping) or not all(isinstance(one, str) for pair in found.items() for one in pair):
        raise ValueError(
            f"The digests of a storage are {found!r}; expected an object with the sha256 of each flow under its name."
        )
    return dict(found)
