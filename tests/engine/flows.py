"""Flows that tests of the engine share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dagflow.core.annotations import flatten, unmapped
from dagflow.core.flow import Flow
from dagflow.core.parameter import Parameter
from dagflow.tasks.control_flow import FilterTask, case, merge
from dagflow.triggers import all_finished, any_failed
from dagflow.utilities.context import context
from dagflow.utilities.tasks import task


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task(max_retries=2, retry_delay=timedelta(0))
def inverse(x: int) -> float:
    if x == 2 and context.task_run_count < 3:
        raise RuntimeError("not yet")
    return 10 / x


@task
def add(x: Any, y: Any) -> Any:
    return x + y


@task(trigger=all_finished, skip_on_upstream_skip=False)
def kinds(values: list[Any]) -> list[str]:
    return [type(value).__name__ for value in values]


@task(trigger=any_failed)
def repair(upstream: Any) -> str:
    return "repaired"


@task
def is_even(x: Any) -> bool:
    return int(x) % 2 == 0


@task
def describe(x: Any) -> str:
    return f"<{x}>"


@task
def pairs(x: int) -> list[int]:
    return [x, x]


@task
def total(xs: list[Any]) -> Any:
    return sum(xs)


def everything() -> Flow:
    """Return a flow with maps of maps, retries, failures, a branch, a merge, triggers, flatten and an empty map."""
    with Flow("everything") as flow:
        n = Parameter("n", default=4)
        xs = numbers(n)
        inverses = inverse.map(xs)
        sums = add.map(inverses, unmapped(n))
        again = add.map(sums, inverses)
        kinds(again, task_args={"name": "all_kinds"})
        FilterTask(name="kept")(again)
        repair(sums, task_args={"name": "repaired"})
        flat = describe.map(flatten(pairs.map(xs)))
        total(flatten(pairs.map(xs)), task_args={"name": "flat_total"})
        add.map(numbers(0), unmapped(1), task_args={"name": "none"})
        even = is_even(n)
        with case(even, True):
            a = describe(n, task_args={"name": "even"})
        with case(even, False):
            b = describe(n, task_args={"name": "odd"})
            c = describe(b, task_args={"name": "odder"})
        merge(a, c)
        describe.map(flat, task_args={"name": "twice"})
    return flow


def told(states: dict[str, Any]) -> dict[str, Any]:
    """Return what matters of states by slug: types and values, exceptions by their text."""
    return {slug: _told(state) for slug, state in sorted(states.items())}


def _told(state: Any) -> Any:
    if state is None:
        return None
    if state.is_mapped():
        return [_told(child) for child in state.map_states]
    value = state.result
    return type(state).__name__, repr(value) if isinstance(value, BaseException) else value
