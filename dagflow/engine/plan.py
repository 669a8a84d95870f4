"""
The plan: a flow compiled once into what the engine needs, in linear time.

A plan never changes while it runs, and knows nothing of states. Steps stand in topological order and refer to each
other by their place in it, so the engine indexes where it would otherwise search.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dagflow.triggers import all_finished, all_successful, any_successful, not_all_skipped

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task
    from dagflow.engine.state import State

__all__ = ["Plan", "RunKey", "Step", "collector_paused", "compile_plan"]

RunKey = tuple[int, "int | None"]
"""Names one task run everywhere: the step's place, and the child's number or ``None``."""

GO_ON_SUCCESS = frozenset({all_successful, all_finished, any_successful, not_all_skipped})
"""Triggers that go whenever all upstream tasks are plainly successful, so they need not be asked then."""


_NO_STEPS: frozenset[int] = frozenset()


class Step:
    """
    One task with its place in the plan.

    ``sources[i]`` is the step at the upstream end of ``edges[i]``, ``keys[i]`` the argument it feeds; ``followers`` are
    the steps that wait for this one. ``waits_for`` counts distinct upstream steps; ``wide`` are those that this step
    follows child by child.
    """

    __slots__ = (
        "edges", "flattens", "followers", "index", "keys", "mapped", "slug", "sources", "task", "waits_for", "wide",
    )  # fmt: skip

    def __init__(self, index: int, task: Task, slug: str) -> None:
        self.index = index
        self.task = task
        self.slug = slug
        self.edges: tuple[Edge, ...] = ()
        self.sources: tuple[int, ...] = ()
        self.keys: tuple[str | None, ...] = ()
        self.flattens = False
        self.followers: list[int] = []
        self.waits_for = 0
        self.mapped = False
        self.wide: frozenset[int] = _NO_STEPS

    def __repr__(self) -> str:
        return f"<Step {self.index}: {self.slug}>"


class Plan:
    """
    The steps of a flow in topological order.

    Attributes:
        steps: the steps.
        place: where each task stands.
        terminal: the steps that none waits for.
        reference: the steps that decide between success and failure.
        constants: values bound to arguments, by task; the flow's own mapping, so later changes are seen.
    """

    __slots__ = ("constants", "flow_name", "place", "reference", "steps", "terminal")

    def __init__(
        self,
        flow_name: str,
        steps: list[Step],
        place: dict[Task, int],
        constants: Any,
        terminal: list[int],
        reference: list[int],
    ) -> None:
        self.flow_name = flow_name
        self.steps = steps
        self.place = place
        self.constants = constants
        self.terminal = terminal
        self.reference = reference

    def constant_states(self, task: Task) -> dict[Edge, State]:
        """Return the values bound to arguments of *task* as triggers see them: as upstream tasks that succeeded."""
        if task not in self.constants:  # a defaultdict: asking for the item would add it
            return {}
        from dagflow.core.edge import Edge
        from dagflow.engine.state import Success
        from dagflow.tasks.core.constants import Constant

        return {
            Edge(Constant(value), task, key): Success("Constant.", result=value)
            for key, value in self.constants[task].items()
        }

    def lineage(self) -> dict[Task, tuple[Task, ...]]:
        """Return each task's upstream tasks."""
        steps = self.steps
        return {step.task: tuple(steps[index].task for index in dict.fromkeys(step.sources)) for step in steps}


def compile_plan(flow: Flow) -> Plan:
    """
    Compile *flow*.

    Raises:
        CycleError: when its tasks wait for each other.
    """
    with collector_paused():
        order = flow.sorted_tasks()
        reference = flow.reference_tasks()
        place = {task: index for index, task in enumerate(order)}
        steps = _linked_steps(flow, order, place)
        terminal = [step.index for step in steps if not step.followers]
        return Plan(flow.name, steps, place, flow.constants, terminal, sorted(place[task] for task in reference))


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """
    Keep the collector of cycles from looking through growing objects again and again.

    Compiling makes a million objects of which none is garbage; looking at them costs a fifth of building a large flow.
    States that come from workers by the thousand are the same.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _linked_steps(flow: Flow, order: tuple[Task, ...], place: dict[Task, int]) -> list[Step]:
    slugs = flow.slugs
    steps = [Step(index, task, slugs[task]) for index, task in enumerate(order)]
    pred = flow._graph._pred
    for step in steps:
        upstream = pred[step.task]
        if upstream:
            _join(step, upstream, place, steps)
    return steps


def _join(step: Step, upstream: Any, place: dict[Task, int], steps: list[Step]) -> None:
    edges: list[Edge] = []
    sources: list[int] = []
    index = step.index
    for task, bundle in upstream.items():
        source = place[task]
        steps[source].followers.append(index)
        for data in bundle.values():
            edges.append(data["edge"])
            sources.append(source)
    step.edges = tuple(edges)
    step.sources = tuple(sources)
    step.keys = tuple([edge.key for edge in edges])
    step.waits_for = len(upstream)
    for edge in edges:
        step.mapped |= edge.mapped
        step.flattens |= edge.flattened
    if step.mapped:
        whole = {source for edge, source in zip(edges, sources, strict=True) if not edge.mapped or edge.flattened}
        step.wide = frozenset(source for source in sources if steps[source].mapped and source not in whole)
