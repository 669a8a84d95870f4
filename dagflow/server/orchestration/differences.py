"""
What is different between two versions of a flow.

Pure: two records of flows, with their whole descriptions, come in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["differences"]

_Document = Mapping[str, Any]

UNIMPORTANT = frozenset({"__version__", "slug"})
"""Fields of a description that say nothing about what it describes."""


def differences(old: _Document, new: _Document) -> dict[str, Any]:
    """
    Return what differs in tasks, edges, parameters, schedule, run config and storage.

    >>> task = {"slug": "a", "name": "a", "max_retries": 0}
    >>> before, after = ({"serialized_flow": {"tasks": [task | {"max_retries": n}]}} for n in (0, 3))
    >>> differences(before, after)["tasks"]["changed"]
    [{'slug': 'a', 'fields': {'max_retries': [0, 3]}}]
    """
    one, two = (version.get("serialized_flow") or {} for version in (old, new))
    edges = [{_ends(edge): edge for edge in flow.get("edges") or ()} for flow in (one, two)]
    return {
        "old": _named(old),
        "new": _named(new),
        "tasks": _compared(one.get("tasks"), two.get("tasks"), "slug"),
        "edges": {
            "added": [_edge(ends) for ends in edges[1] if ends not in edges[0]],
            "removed": [_edge(ends) for ends in edges[0] if ends not in edges[1]],
        },
        "parameters": _compared(one.get("parameters"), two.get("parameters"), "name"),
        **{name: _pair(old.get(name), new.get(name)) for name in ("schedule", "run_config", "storage")},
    }


def _named(version: _Document) -> dict[str, Any]:
    return {name: version.get(name) for name in ("id", "name", "version", "created")}


def _compared(old: Iterable[_Document] | None, new: Iterable[_Document] | None, key: str) -> dict[str, Any]:
    """Return which of two lists of descriptions, known by their *key*, were added, removed, or changed in what."""
    before, after = ({one[key]: one for one in some or ()} for some in (old, new))
    changed = [
        {key: name, "fields": fields}
        for name in sorted(before.keys() & after.keys())
        if (fields := _changed_fields(before[name], after[name]))
    ]
    return {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": changed,
    }


def _changed_fields(old: _Document, new: _Document) -> dict[str, list[Any]]:
    names = sorted((old.keys() | new.keys()) - UNIMPORTANT)
    return {name: [old.get(name), new.get(name)] for name in names if _bare(old.get(name)) != _bare(new.get(name))}


def _pair(old: Any, new: Any) -> list[Any] | None:
    return None if _bare(old) == _bare(new) else [old, new]


def _bare(value: Any) -> Any:
    """Return a description without the versions of what wrote it."""
    if isinstance(value, Mapping):
        return {name: _bare(one) for name, one in value.items() if name != "__version__"}
    return [_bare(one) for one in value] if isinstance(value, list) else value


def _ends(edge: _Document) -> tuple[str, str, str | None, bool, bool]:
    upstream, downstream = edge["upstream_task"]["slug"], edge["downstream_task"]["slug"]
    return upstream, downstream, edge.get("key"), bool(edge.get("mapped")), bool(edge.get("flattened"))


def _edge(ends: tuple[str, str, str | None, bool, bool]) -> dict[str, Any]:
    return dict(zip(("from", "to", "key", "mapped", "flattened"), ends, strict=True))
