"""What surrounds the tracing of a function: who can be traced, mistakes explained, two tracings compared."""

from __future__ import annotations

import inspect
import linecache
import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dagflow.core.advice import ATTRIBUTES
from dagflow.core.blame import user_location

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task

__all__ = ["check_flow_function", "difference", "explained", "hints_of"]

_TAKEN = ("return_state", "wait_for")
"""Names that a call of a flow takes for itself."""


def check_flow_function(fn: Any) -> None:
    """
    Refuse what cannot be traced.

    Raises:
        TypeError: for anything but a plain function.
        ValueError: for arguments that have no name of their own.
    """
    if not inspect.isfunction(fn):
        fix = " To name a flow, write @flow(name=...)." if isinstance(fn, str) else ""
        raise TypeError(f"A flow is traced from a function, found {fn!r}{user_location()}.{fix}")
    if inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        kind = "yields" if inspect.isgeneratorfunction(fn) else "is async"
        raise TypeError(
            f"The function {fn.__name__!r} {kind}, but a flow's function only wires tasks{user_location()}. Write a "
            "plain `def` that returns; tasks themselves may be `async def`."
        )
    for one in inspect.signature(fn).parameters.values():
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            stars = "*" if one.kind is one.VAR_POSITIONAL else "**"
            raise ValueError(
                f"The flow {fn.__name__!r} takes {stars}{one.name}, but each of its arguments becomes a parameter with "
                f"a name{user_location()}. Give it one argument that is a list or dict."
            )
        if one.name in _TAKEN:
            raise ValueError(
                f"The flow {fn.__name__!r} takes an argument called {one.name!r}, which calling a flow uses for itself"
                f"{user_location()}. Rename the argument."
            )


def hints_of(fn: Callable[..., Any]) -> dict[str, Any]:
    """Return the type hints of the arguments of *fn* that can be resolved."""
    from typing import get_type_hints

    try:
        found = get_type_hints(fn, include_extras=True)
    except Exception:  # one name that cannot be resolved must not cost the others
        found = {
            name: one.annotation
            for name, one in inspect.signature(fn).parameters.items()
            if one.annotation is not one.empty and not isinstance(one.annotation, str)
        }
    found.pop("return", None)
    return {name: hint for name, hint in found.items() if hint is not Any}


# --- mistakes ------------------------------------------------------------------------------------------------


def explained(error: TypeError, fn: Callable[..., Any]) -> None:
    """
    Say in other words what Python's own error about a task in the traced function means.

    ``task.result()`` is such a case: the attribute is a task's place for results, which cannot be called.
    """
    trace, said = error.__traceback__, str(error)
    innermost = trace
    while innermost is not None and innermost.tb_next is not None:
        innermost = innermost.tb_next
    if innermost is None:
        return
    if said.endswith("object is not callable"):
        code = _code_at(innermost).rstrip()
        name = next((name for name in ATTRIBUTES if f".{name}(" in code or code.endswith(f".{name}")), "")
        if name:
            error.args = (f"`{code}` in the function of a flow{_place(innermost)}: {_lowered(ATTRIBUTES[name])}",)
    elif "Task'" in said and ("operand type" in said or "required" in said or "must be" in said):
        error.add_note(
            "What a task returns is known only when the flow runs. Do this in a task that takes it, or use the "
            "operators that make tasks: + - * / // % ** & > < >= <= and x[key]."
        )


def _place(trace: TracebackType) -> str:
    return f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}, line {trace.tb_lineno})"


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _code_at(trace: TracebackType) -> str:
    """Return the piece of source that was being evaluated."""
    code = trace.tb_frame.f_code
    places = list(code.co_positions())
    first, last, start, end = places[trace.tb_lasti // 2]
    if first is None:
        return ""
    line = linecache.getline(code.co_filename, first)
    if first != last or start is None:
        return line.strip()
    return line.encode()[start:end].decode(errors="replace")


# --- two tracings --------------------------------------------------------------------------------------------


def difference(one: Flow, other: Flow) -> str | None:
    """Return what tells two tracings of one function apart, ``None`` when nothing does."""
    slugs, again = set(one.slugs.values()), set(other.slugs.values())
    if slugs != again:
        return f"the task {sorted(slugs ^ again)[0]!r} is there only once"
    if _edges(one) != _edges(other):
        source, target, *_ = sorted(_edges(one) ^ _edges(other), key=repr)[0]
        return f"the edge from {source!r} to {target!r} is there only once"
    constants = _constants(other)
    for (slug, key), value in _constants(one).items():
        if (slug, key) not in constants or not _same(value, constants[slug, key]):
            return f"the argument {key!r} of {slug!r} is {value!r}, then {constants.get((slug, key))!r}"
    return None


def _edges(flow: Flow) -> set[tuple[Any, ...]]:
    slugs = flow.slugs
    return {
        (slugs[edge.upstream_task], slugs[edge.downstream_task], edge.key, edge.mapped, edge.flattened)
        for edge in flow._ordered_edges()
    }


def _constants(flow: Flow) -> dict[tuple[str, str], Any]:
    found = {(flow.slugs[task], key): value for task, values in flow.constants.items() for key, value in values.items()}
    found.update({(slug, "value"): task.value for task, slug in flow.slugs.items() if _is_constant(task)})  # type: ignore[attr-defined]
    return found


def _is_constant(task: Task) -> bool:
    return task.is_constant


def _same(one: Any, other: Any) -> bool:
    from dagflow.engine.cache_validators import same_values

    # Objects that only know identity are made anew by each tracing, which says nothing about the function.
    by_identity = getattr(type(one), "__eq__", None) is object.__eq__ and type(one) is type(other)
    return by_identity or same_values(one, other)
