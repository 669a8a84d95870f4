"""
Flows as documents: the graph and its settings, in an order that depends on nothing but the flow.

What is not in a document: code, constants, the executor, results and handlers. Those come with the flow itself when
its storage is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.serialization.common import VERSION, type_name
from dagflow.serialization.task import Memory, serialize_parameter, serialize_task

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task
    from dagflow.serialization.models import FlowDocument, TaskDocument

__all__ = ["deserialize_flow", "serialize_flow", "serialized_hash"]


def serialize_flow(flow: Flow, build: bool = False) -> dict[str, Any]:
    """
    Return the metadata of *flow* as JSON-ready data, checked first; the flow is left as it is.

    Args:
        flow: the flow.
        build: add it to its storage, if it is not there yet, and build the storage.

    Raises:
        ValueError: for an invalid flow, *build* without storage, and settings that cannot be written.
    """
    flow.validate()
    if build:
        _build_storage(flow)
    return _document(flow)


def _document(flow: Flow) -> dict[str, Any]:
    memory: Memory = {}
    by_slug = sorted(flow.slugs.items(), key=lambda item: item[1])
    return {
        "name": flow.name,
        "type": type_name(type(flow)),
        "schedule": _schedule(flow.schedule),
        "parameters": [
            serialize_parameter(one, memory) for one in sorted(flow.parameters(), key=lambda one: str(one.slug))
        ],
        "tasks": [serialize_task(task, slug, memory) for task, slug in by_slug],
        "edges": _edges(flow),
        "reference_tasks": [{"slug": slug} for slug in sorted(map(flow.slugs.__getitem__, _references(flow)))],
        "environment": _environment(flow.environment),
        "run_config": _run_config(flow.run_config),
        "storage": _storage(flow.storage),
        "__version__": VERSION,
    }


def _references(flow: Flow) -> set[Task]:
    """Return the reference tasks that were chosen; the default ones follow from the graph."""
    return flow._reference_tasks or set()


def _edges(flow: Flow) -> list[dict[str, Any]]:
    slugs = flow.slugs

    def place(edge: Edge) -> tuple[str, str, bool, str, bool, bool]:
        # The key is part of it: two edges may join the same tasks. A missing key goes first.
        ends = slugs[edge.upstream_task], slugs[edge.downstream_task]
        return *ends, edge.key is not None, edge.key or "", edge.mapped, edge.flattened

    return [
        {
            "upstream_task": {"slug": slugs[edge.upstream_task]},
            "downstream_task": {"slug": slugs[edge.downstream_task]},
            "key": edge.key,
            "mapped": edge.mapped,
            "flattened": edge.flattened,
            "__version__": VERSION,
        }
        for edge in sorted(flow._ordered_edges(), key=place)
    ]


def _schedule(schedule: Any) -> dict[str, Any] | None:
    if schedule is None:
        return None
    from dagflow.serialization.schedule import serialize_schedule

    return serialize_schedule(schedule)


def _environment(environment: Any) -> dict[str, Any] | None:
    if environment is None:
        return None
    from dagflow.serialization.environment import serialize_environment

    return serialize_environment(environment)


def _run_config(run_config: Any) -> dict[str, Any] | None:
    if run_config is None:
        return None
    from dagflow.serialization.run_config import serialize_run_config

    return serialize_run_config(run_config)


def _storage(storage: Any) -> dict[str, Any] | None:
    if storage is None:
        return None
    from dagflow.serialization.storage import serialize_storage

    return serialize_storage(storage)


def _build_storage(flow: Flow) -> None:
    if not flow.storage:
        raise ValueError(
            f"Flow {flow.name!r} has no storage to build. Give it one, e.g. flow.storage = Local(), or leave out build."
        )
    if flow.name in flow.storage:
        import warnings

        warnings.warn(
            f"Flow {flow.name!r} is in its storage already and is not added again. Make a new storage object when the "
            "flow has changed since.",
            stacklevel=4,
        )
    else:
        flow.storage.add_flow(flow)
    flow.storage = flow.storage.build()


# --- hash ----------------------------------------------------------------------------------------------------


def serialized_hash(flow: Flow, build: bool = False) -> str:
    """
    Return a sha256 over the metadata and the constants of *flow*.

    It is the same in every process and for every order of building. It changes with names, tasks, edges, constants and
    settings; not with the code inside tasks. Constants other than plain data and dates count by their type only,
    because nothing about them is sure to be the same in the next process.
    """
    document = serialize_flow(flow, build)
    if document["storage"] is not None:
        # Of the same flow no two processes make the same pickle.
        document["storage"] = {**document["storage"], "digests": {}}
    content = {"flow": document, "constants": _constants(flow)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _constants(flow: Flow) -> dict[str, Any]:
    bound = {
        flow.slugs[task]: {key: _token(value) for key, value in values.items()}
        for task, values in flow.constants.items()
        if values and task in flow.slugs
    }
    standing = {slug: {"": _token(task.value)} for task, slug in flow.slugs.items() if task.is_constant}  # type: ignore[attr-defined]
    return bound | standing


def _token(value: Any) -> Any:
    """Return JSON-ready data that tells values apart, types included, and is the same in every process."""
    if value is None or isinstance(value, (bool, int, str)):
        return value if type(value) in (type(None), bool, int, str) else [type_name(type(value)), str(value)]
    if isinstance(value, (float, complex, bytes)):
        return [type(value).__name__, repr(value)]
    if isinstance(value, Mapping):
        items = ([_token(key), _token(item)] for key, item in value.items())
        return [type_name(type(value)), sorted(items, key=json.dumps)]
    if isinstance(value, (set, frozenset)):
        return [type_name(type(value)), sorted(map(_token, value), key=json.dumps)]
    if isinstance(value, (list, tuple)):
        return [type_name(type(value)), [_token(item) for item in value]]
    iso = getattr(value, "isoformat", None)
    if callable(iso):
        return [type_name(type(value)), str(iso())]
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        return ["name", getattr(value, "__qualname__", "")]
    return [type_name(type(value))]


# --- reading -------------------------------------------------------------------------------------------------


def deserialize_flow(data: Mapping[str, Any]) -> Flow:
    """
    Make a skeleton of a flow from its metadata: names, settings and edges, tasks that do nothing.

    Nothing that the document names is imported: whatever its ``type`` says, tasks are plain tasks and parameters plain
    parameters. Storage, run config and schedule are made without touching disk or network.

    Raises:
        ValueError: when *data* is not the metadata of a flow.
    """
    from dagflow.core.flow import Flow
    from dagflow.serialization.common import checked
    from dagflow.serialization.models import FlowDocument

    document: FlowDocument = checked(FlowDocument, data, "flow")
    flow = Flow(document.name)
    tasks = _skeleton_tasks(document)
    for task in tasks.values():
        flow.add_task(task)
    for edge in document.edges:
        source = _known(tasks, edge.upstream_task.slug, document.name)
        target = _known(tasks, edge.downstream_task.slug, document.name)
        flow.add_edge(source, target, key=edge.key, mapped=edge.mapped, flattened=edge.flattened)
    flow.set_reference_tasks([_known(tasks, one.slug, document.name) for one in document.reference_tasks])
    _read_settings(flow, document)
    return flow


def _known(tasks: Mapping[str, Task], slug: str, name: str) -> Task:
    try:
        return tasks[slug]
    except KeyError:
        raise ValueError(
            f"This is not a serialized flow: {name!r} refers to the task {slug!r}, which it lacks."
        ) from None


def _skeleton_tasks(document: FlowDocument) -> dict[str, Task]:
    from dagflow.core.parameter import Parameter
    from dagflow.core.task import NoDefault

    parameters = {one.slug: one for one in document.parameters}
    tasks: dict[str, Task] = {}
    for one in document.tasks:
        known = parameters.get(one.slug)
        if known is None:
            tasks[one.slug] = _skeleton_task(one)
        else:
            default = NoDefault if known.required and known.default is None else known.default
            made = Parameter(known.name, default, required=known.required, tags=known.tags)
            if known.value_schema is not None:
                made.__dict__["_schema"] = known.value_schema
            tasks[one.slug] = made
    return tasks


def _skeleton_task(document: TaskDocument) -> Task:
    from datetime import timedelta

    from dagflow.core.task import Task

    task = Task(
        name=document.name,
        slug=document.slug,
        tags=document.tags,
        timeout=document.timeout,
        skip_on_upstream_skip=document.skip_on_upstream_skip,
        cache_key=document.cache_key,
    )
    # Set afterwards: the constructor would ask for settings that a document may lack, such as a computed delay.
    task.max_retries = document.max_retries
    if isinstance(document.retry_delay, list):
        task.retry_delay = [timedelta(seconds=seconds) for seconds in document.retry_delay]
    elif document.retry_delay is not None:
        task.retry_delay = timedelta(seconds=document.retry_delay)
    if document.cache_for is not None:
        task.cache_for = timedelta(seconds=document.cache_for)
    task.trigger = _known_trigger(document)
    task.auto_generated = document.auto_generated
    return task


def _known_trigger(document: TaskDocument) -> Any:
    from dagflow import triggers

    home, _, name = (document.trigger.fn if document.trigger else "").rpartition(".")
    if home != "dagflow.triggers" or name not in triggers.__all__:
        return triggers.all_successful
    found = getattr(triggers, name)
    return found(**document.trigger.kwargs) if document.trigger and document.trigger.kwargs else found


def _read_settings(flow: Flow, document: FlowDocument) -> None:
    if document.schedule is not None:
        from dagflow.serialization.schedule import deserialize_schedule

        flow.schedule = deserialize_schedule(document.schedule.model_dump(by_alias=True))
    if document.run_config is not None:
        from dagflow.serialization.run_config import deserialize_run_config

        flow.run_config = deserialize_run_config(document.run_config)
    if document.storage is not None:
        from dagflow.serialization.storage import deserialize_storage

        flow.storage = deserialize_storage(document.storage)
