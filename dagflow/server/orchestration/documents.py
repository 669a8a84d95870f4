"""States of the server's own making."""

from __future__ import annotations

from typing import Any

from dagflow.server.orchestration.rules import Wanted
from dagflow.server.text import dumped
from dagflow.utilities.identities import new_id

__all__ = ["state_document", "wanted_state"]


def wanted_state(run_id: str, document: dict[str, Any], **others: Any) -> Wanted:
    """Return a state of the server's own making, to be set."""
    return Wanted(run_id, document, dumped(document), others.pop("state_id", None) or new_id(), **others)


def state_document(kind: str, message: str | None = None, **others: Any) -> dict[str, Any]:
    """
    Return the document of a state that the server makes.

    >>> state_document("Cancelled", "By hand.")["type"]
    'Cancelled'
    """
    from dagflow.serialization.common import VERSION

    return {
        "type": kind,
        "message": message,
        "context": {},
        "cached_inputs": {},
        "_result": {"type": "NoResultType", "__version__": VERSION},
        **others,
        "__version__": VERSION,
    }
