"""
Tasks and parameters as documents: settings and signature, never code.

A task does not know its slug, a flow does; so the slug is an argument and the task is left as it is.
"""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any

from dagflow.serialization.common import VERSION, function_reference, type_name

if TYPE_CHECKING:
    from dagflow.core.parameter import Parameter
    from dagflow.core.task import Task

__all__ = ["describe_type", "serialize_parameter", "serialize_task"]

Memory = dict[Any, Any]
"""Descriptions made already in this document: a thousand copies of one task have one signature."""


def serialize_task(task: Task, slug: str | None = None, memory: Memory | None = None) -> dict[str, Any]:
    """
    Return what is known of *task* without its code.

    Args:
        task: the task.
        slug: its slug in the flow it is serialized for; default its own.
        memory: a dict that is handed to each call for one flow, which saves describing one signature twice.

    >>> from dagflow.core.task import Task
    >>> serialize_task(Task("load", max_retries=2, retry_delay=datetime.timedelta(minutes=1)), "load-1")["retry_delay"]
    60.0
    """
    memory = {} if memory is None else memory
    inputs, outputs = _signature(task, memory)
    return {
        "name": task.name,
        "slug": task.slug if slug is None else slug,
        "type": _remembered(memory, type(task), type_name),
        "tags": sorted(task.tags),
        "max_retries": task.max_retries,
        "retry_delay": _delay(task.retry_delay),
        "timeout": task.timeout,
        "trigger": dict(_remembered(memory, task.trigger, function_reference)),
        "skip_on_upstream_skip": task.skip_on_upstream_skip,
        "cache_for": None if task.cache_for is None else task.cache_for.total_seconds(),
        "cache_key": task.cache_key,
        "cache_validator": dict(_remembered(memory, task.cache_validator, function_reference)),
        "inputs": inputs,
        "outputs": outputs,
        "auto_generated": task.auto_generated,
        "__version__": VERSION,
    }


def serialize_parameter(parameter: Parameter, memory: Memory | None = None) -> dict[str, Any]:
    """
    Return what is known of *parameter*.

    Raises:
        ValueError: when its default cannot be written as JSON.
    """
    from dagflow.core.typed import is_typed, json_default, schema_of

    default, schema = parameter.default, None
    if is_typed(parameter) or parameter.description or "_schema" in parameter.__dict__:
        default, schema = json_default(parameter), schema_of(parameter)
    try:
        json.dumps(default, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The default of Parameter {parameter.name!r} cannot be written as JSON: {error}. Give a default made of "
            "text, numbers, lists and dicts, and convert it in a task (DateTimeParameter does so for dates)."
        ) from error
    # A key only where there is something to say: documents of flows without types stay as they were, and their hashes.
    said = {} if schema is None else {"schema": schema}
    return {
        "name": parameter.name,
        "slug": parameter.slug,
        "type": type_name(type(parameter)),
        "tags": sorted(parameter.tags),
        "required": parameter.required,
        "default": default,
        **said,
        "outputs": _signature(parameter, {} if memory is None else memory)[1],
        "__version__": VERSION,
    }


def describe_type(annotation: Any) -> str:
    """
    Return the text for an annotation, the same in every process.

    >>> from typing import Any
    >>> [describe_type(one) for one in (int, Any, "Frame", list[int], None)]
    ['int', 'typing.Any', 'Frame', 'list[int]', 'None']
    """
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__qualname__ if annotation.__module__ == "builtins" else type_name(annotation)
    text = str(annotation)
    # The default text of an object ends in its address, which differs from process to process.
    return type_name(type(annotation)) if " at 0x" in text else text


def _remembered(memory: Memory, thing: Any, describe: Any) -> Any:
    # By identity, because not everything can be hashed; the task keeps the thing alive meanwhile.
    found = memory.get(id(thing))
    if found is None:
        found = memory[id(thing)] = describe(thing)
    return found


def _signature(task: Task, memory: Memory) -> tuple[dict[str, Any], str]:
    own = task.__dict__.get("run")
    key = ("signature", id(own) if own is not None else id(type(task)))
    found = memory.get(key)
    if found is None:
        inputs = {
            name: {"type": describe_type(facts["type"]), "required": facts["required"]}
            for name, facts in task.inputs().items()
        }
        found = memory[key] = inputs, describe_type(task.outputs())
    inputs, outputs = found
    return {name: dict(facts) for name, facts in inputs.items()}, outputs


def _delay(delay: Any) -> float | list[float] | None:
    """Return seconds; a function of the run count is known only when it is asked, so it is left out."""
    if isinstance(delay, datetime.timedelta):
        return delay.total_seconds()
    if isinstance(delay, (list, tuple)):
        return [one.total_seconds() if isinstance(one, datetime.timedelta) else float(one) for one in delay]
    return None
