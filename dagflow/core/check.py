"""
What can be told to be wrong with a flow before anything runs.

The checks only read the graph and the signatures of its tasks. Type hints are compared with restraint, see
:mod:`dagflow.core.fitting`: a finding means that the run could not have gone well.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_origin, overload

from dagflow.core.fitting import element_of, fits, flattened, is_known, item_of, union_of, value_fits
from dagflow.tasks.control_flow.conditional import Merge
from dagflow.tasks.core.collections import CollectionTask, List, Set, Tuple
from dagflow.tasks.core.constants import Constant
from dagflow.tasks.core.operators import GetItem

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task

__all__ = ["Finding", "Report", "check"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong.

    Args:
        kind: ``"cycle"``, ``"reference"``, ``"argument"`` or ``"type"``.
        message: what was found, what was expected, what to do.
        tasks: the tasks it is about, upstream first.
    """

    kind: str
    message: str
    tasks: tuple[Task, ...] = ()

    def __str__(self) -> str:
        return f"[{self.kind}] {self.message}"


class Report(Sequence[Finding]):
    """
    What :func:`check` found: a sequence that is true when it is empty.

    >>> report = Report("etl", [Finding("type", "No.")])
    >>> bool(report), len(report), print(report)
    Flow 'etl': 1 finding
      [type] No.
    (False, 1, None)
    """

    def __init__(self, name: str, findings: Sequence[Finding] = ()) -> None:
        self.name = name
        self.findings = tuple(findings)

    @property
    def ok(self) -> bool:
        """Tell whether nothing was found."""
        return not self.findings

    def __bool__(self) -> bool:
        return self.ok

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...
    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        return self.findings[index]

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        if self.ok:
            return f"Flow {self.name!r}: nothing found"
        count = len(self.findings)
        lines = [f"Flow {self.name!r}: {count} finding{'s' if count > 1 else ''}"]
        return "\n  ".join([*lines, *map(str, self.findings)])

    def __repr__(self) -> str:
        return f"<Report: {self.name!r}, {len(self.findings)} findings>"


def check(flow: Flow) -> Report:
    """
    Look for mistakes in *flow* without running anything.

    Cycles; reference tasks that no run can reach; required arguments that nothing provides; results, constants
    included, whose type hints cannot fit the arguments they go to.
    """
    findings = [*_cycles(flow), *_references(flow), *_arguments(flow)]
    if not any(finding.kind == "cycle" for finding in findings):
        findings += _Types(flow).findings()
    return Report(flow.name, findings)


# --- the graph ---------------------------------------------------------------------------------------------------


def _cycles(flow: Flow) -> Iterator[Finding]:
    stuck = _stuck(flow)
    if stuck:
        path = _one_cycle(flow, stuck)
        arrows = " → ".join(task.name for task in (*path, path[0]))
        yield Finding("cycle", f"There is a cycle: {arrows}. Remove one of these edges.", tuple(path))


def _stuck(flow: Flow) -> set[Task]:
    """Return the tasks that can never start because they wait for themselves, directly or not."""
    waiting = {task: len(flow.upstream_tasks(task)) for task in flow.tasks}
    ready = [task for task, count in waiting.items() if not count]
    for task in ready:
        for after in flow.downstream_tasks(task):
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    return set(flow.tasks).difference(ready)


def _one_cycle(flow: Flow, stuck: set[Task]) -> list[Task]:
    task = min(stuck, key=lambda one: flow.slugs[one])
    path: list[Task] = []
    while task not in path:
        path.append(task)
        task = min(flow.upstream_tasks(task) & stuck, key=lambda one: flow.slugs[one])
    return path[path.index(task) :][::-1]


def _references(flow: Flow) -> Iterator[Finding]:
    stuck = _stuck(flow)
    for task in sorted(flow.reference_tasks(), key=lambda one: flow.slugs.get(one, one.name)):
        if task not in flow.tasks:
            yield Finding(
                "reference",
                f"Reference task {task.name!r} is not in the flow. Add it, or call set_reference_tasks() again.",
                (task,),
            )
        elif task in stuck:
            yield Finding("reference", f"Reference task {task.name!r} can never run: it waits for a cycle.", (task,))


def _arguments(flow: Flow) -> Iterator[Finding]:
    for task in _sorted(flow):
        provided = {edge.key for edge in flow.edges_to(task)} | set(flow.constants.get(task, ()))
        for name, parameter in _parameters(task).items():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if parameter.default is parameter.empty and name not in provided:
                yield Finding(
                    "argument",
                    f"Task {_named(flow, task)} needs the argument {name!r}, and nothing provides it. "
                    f"Pass it where the task is called, or give it a default.",
                    (task,),
                )


def _sorted(flow: Flow) -> list[Task]:
    try:
        return list(flow.sorted_tasks())
    except ValueError:
        return sorted(flow.tasks, key=lambda task: flow.slugs[task])


def _named(flow: Flow, task: Task) -> str:
    """Return the task's name, with its slug when the name alone does not tell which one is meant."""
    several = sum(one.name == task.name for one in flow.tasks) > 1
    return f"{task.name!r} ({flow.slugs[task]})" if several else repr(task.name)


def _parameters(task: Task) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(task.run).parameters)
    except (TypeError, ValueError):
        return {}


# --- types -------------------------------------------------------------------------------------------------------


@functools.cache
def _silent_hints() -> dict[str, Any]:
    return {}


def _hints(task: Task) -> dict[str, Any]:
    """Return the type hints of a task's ``run``; none when a decorator may have changed what it takes and returns."""
    import typing

    if getattr(task.run, "__wrapped__", None) is not None:
        return _silent_hints()
    try:
        return typing.get_type_hints(task.run)
    except Exception:  # a name that cannot be resolved: no opinion
        return _silent_hints()


def _shown(annotation: Any) -> str:
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return "None" if annotation is type(None) else annotation.__qualname__
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")


class _Types:
    """The types that flow along the edges, worked out from the top of the flow to its bottom."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.maps = {edge.downstream_task for edge in flow.edges if edge.mapped}
        self.made: dict[Task, Any] = {}
        self.found: list[Finding] = []
        self.hints: dict[int, dict[str, Any]] = {}

    def findings(self) -> list[Finding]:
        """Return what does not fit, in the order of the flow."""
        for task in self.flow.sorted_tasks():
            edges = sorted((e for e in self.flow.edges_to(task) if e.key), key=lambda edge: str(edge.key))
            inputs = {str(edge.key): self._handed(edge) for edge in edges}
            for edge in edges:
                self._check_edge(edge, inputs[str(edge.key)])
            for key, value in self.flow.constants.get(task, {}).items():
                self._check_value(task, key, value)
            one = self._returned(task, inputs)
            self.made[task] = _listed(one) if task in self.maps else one
        return self.found

    def _hints(self, task: Task) -> dict[str, Any]:
        key = id(getattr(task.run, "__func__", task.run))
        if key not in self.hints:
            self.hints[key] = _hints(task)
        return self.hints[key]

    def _handed(self, edge: Edge) -> Any:
        """Return the type of what arrives over *edge* at one run of its task."""
        whole = self.made[edge.upstream_task]
        if edge.flattened:
            whole = flattened(whole)
        return element_of(whole) if edge.mapped else whole

    def _returned(self, task: Task, inputs: dict[str, Any]) -> Any:
        """Return the type that one run of *task* returns."""
        if isinstance(task, CollectionTask):
            return _collected(task, inputs)
        if isinstance(task, GetItem):
            return self._item(task, inputs)
        if isinstance(task, Merge):
            return union_of(inputs.values())
        if isinstance(task, Constant):
            return Any
        return self._hints(task).get("return", Any)

    def _item(self, task: GetItem, inputs: dict[str, Any]) -> Any:
        constants = self.flow.constants.get(task, {})
        if "key" not in constants:
            return Any
        whole = inputs.get("task_result", Any)
        try:
            return item_of(whole, constants["key"])
        except IndexError:
            source = next(edge.upstream_task for edge in self.flow.edges_to(task) if edge.key == "task_result")
            self._add(
                f"Item {constants['key']!r} is taken of task {_named(self.flow, source)}, which returns "
                f"{_shown(whole)}: there is no such item.",
                source,
                task,
            )
            return Any

    # --- comparing -------------------------------------------------------------------------------------------

    def _check_edge(self, edge: Edge, handed: Any) -> None:
        up, down, key = edge.upstream_task, edge.downstream_task, str(edge.key)
        if isinstance(up, Constant):
            for value in _constant_values(edge, up):
                self._check_value(down, key, value)
            return
        if edge.mapped and not edge.flattened and (get_origin(self.made[up]) or self.made[up]) in _UNMAPPABLE:
            self._add(
                f"Task {_named(self.flow, down)} maps over {key!r}, but task {_named(self.flow, up)} returns "
                f"{_shown(self.made[up])}, which has no items. Return a list, or wrap the argument in unmapped().",
                up,
                down,
            )
            return
        wanted = self._wanted(down, key)
        if fits(handed, wanted) is False:
            how = _how(edge, self.made[up], handed)
            self._add(
                f"Task {_named(self.flow, down)} takes {key!r} as {_shown(wanted)}, but task {_named(self.flow, up)} "
                f"returns {_shown(self.made[up])}{how}. Change one of the two annotations or convert the value.",
                up,
                down,
            )

    def _check_value(self, task: Task, key: str, value: Any) -> None:
        wanted = self._wanted(task, key)
        if value_fits(value, wanted) is False:
            shown = repr(value) if len(repr(value)) <= 40 else repr(value)[:39] + "…"
            self._add(
                f"Task {_named(self.flow, task)} takes {key!r} as {_shown(wanted)}, but the constant {shown} is "
                f"{_shown(type(value))}. Pass a value of that type or change the annotation.",
                task,
            )

    def _wanted(self, task: Task, key: str) -> Any:
        """Return the annotation of an argument; the tasks that come with dagflow take more than they say."""
        if (getattr(task.run, "__module__", None) or "").startswith("dagflow."):
            return Any
        parameters = _parameters(task)
        if key not in parameters:
            key = next((name for name, p in parameters.items() if p.kind is p.VAR_KEYWORD), key)
        return self._hints(task).get(key, Any)

    def _add(self, message: str, *tasks: Task) -> None:
        self.found.append(Finding("type", message, tasks))


_UNMAPPABLE = (int, float, complex, bool, type(None), set, frozenset)


def _listed(item: Any) -> Any:
    return list[item] if is_known(item) else list


def _collected(task: CollectionTask, inputs: dict[str, Any]) -> Any:
    ordered = [inputs[key] for key in sorted(inputs, key=lambda key: int(key.rpartition("_")[2]))]
    if isinstance(task, Tuple):
        known = ordered and all(is_known(one) for one in ordered)
        return tuple.__class_getitem__(tuple(ordered)) if known else tuple
    inner: Any = union_of(ordered)
    kind: Any = set if isinstance(task, Set) else list
    if not isinstance(task, Set | List) or not is_known(inner):
        return kind if isinstance(task, Set | List) else Any
    return kind[inner]


def _constant_values(edge: Edge, constant: Constant) -> list[Any]:
    """Return the plain values a constant hands to its task: itself, or its first items when mapped over."""
    value = constant.value
    if not edge.mapped:
        return [] if edge.flattened else [value]
    return list(value[:3]) if isinstance(value, list | tuple) and not edge.flattened else []


def _how(edge: Edge, whole: Any, handed: Any) -> str:
    """Say what mapping and flattening made of the upstream's type."""
    done = [word for word, so in (("flattened", edge.flattened), ("mapped over", edge.mapped)) if so]
    return f", {' and '.join(done)}: {_shown(handed)}" if done and whole != handed else ""
