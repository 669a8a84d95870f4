"""Flows called inside flows: their tasks are copied, with names of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dagflow import Flow, apply_map, case, flow, resource_manager, tags, task
from dagflow.engine.results import LocalResult
from dagflow.exceptions import ParameterError


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@flow
def child(n: int, plus=10):
    return add(add(n, plus), 1)


def slugs(built: Flow) -> set[str]:
    return set(built.slugs.values())


def test_tasks_of_the_child_are_copied_with_its_name_in_front() -> None:
    @flow
    def parent(x):
        return child(add(x))

    assert slugs(parent) == {"x", "add-1", "child/add-1", "child/add-2"}
    assert parent(1) == 13
    assert child.tasks.isdisjoint(parent.tasks)


def test_each_call_has_a_prefix_of_its_own() -> None:
    @flow
    def parent(x):
        return child(child(child(x), plus=0), 0)

    assert {slug.partition("/")[0] for slug in slugs(parent)} == {"x", "child", "child-2", "child-3"}
    assert parent(0) == 13


def test_plain_values_become_constants_and_defaults_hold() -> None:
    @flow
    def parent():
        return child(1), child(n=2, plus=0)

    assert parent() == (12, 3)
    assert parent.parameters() == set()


def test_a_block_of_a_plain_flow_takes_a_child_too() -> None:
    with Flow("plain") as parent:
        made = child(add(1))

    assert parent.run().result[made].result == 13


def test_what_is_open_around_the_call_holds_for_the_copies() -> None:
    @flow
    def parent(x):
        with tags("night"), case(x, 1):
            made = child(x)
        return made

    assert {frozenset(one.tags) for one in parent.get_tasks(name="add")} == {frozenset({"night"})}
    assert parent(1) == 12
    assert parent(2, return_state=True).result[next(iter(parent.reference_tasks()))].is_skipped()


def test_maps_constants_and_resources_of_the_child_go_along() -> None:
    closed = []

    @resource_manager
    class Box:
        def setup(self) -> int:
            return 100

        def cleanup(self, resource: int) -> None:
            closed.append(resource)

    @flow
    def rich(items):
        with Box() as box:
            made = add.map(items, [1, 2])
            boxed = add(box)
        return made, boxed

    @flow
    def parent(xs):
        rich([5, 6])
        return rich(xs)

    assert parent([1, 2]) == ([2, 4], 101)
    assert closed == [100, 100]


def test_a_parameter_that_is_returned_is_the_value_given() -> None:
    @flow
    def through(a, b=3):
        add(a)
        return a, b

    @flow
    def parent(x):
        return through(x)

    assert parent(1) == (1, 3)


def test_the_first_tasks_of_a_child_wait() -> None:
    @flow
    def parent(x):
        before = add(x)
        return child(1, wait_for=[before])

    (before,) = [one for one, slug in parent.slugs.items() if slug == "add-1"]
    assert {parent.slugs[one] for one in parent.downstream_tasks(before)} == {"child/add-1"}


def test_settings_of_the_child_that_concern_its_tasks_go_along() -> None:
    place = LocalResult()

    @flow(result=place, log_prints=True)
    def noted():
        return add(1), add.copy(name="quiet", log_prints=False)(2)

    @flow
    def parent():
        return noted()

    copies = {one.name: one for one in parent.tasks}
    assert copies["add"].result is place
    assert (copies["add"].log_prints, copies["quiet"].log_prints) == (True, False)


def test_restart_and_caching_work_for_copies() -> None:
    calls = []

    @task(cache_for=timedelta(hours=1))
    def slow() -> int:
        calls.append(1)
        return 1

    @flow
    def inner():
        return slow()

    @flow
    def parent():
        return inner()

    assert (parent(), parent()) == (1, 1)
    assert calls == [1]
    state = parent(return_state=True)
    assert parent.run(task_states=dict(state.result)).is_successful()


def test_plain_values_for_a_child_are_checked_when_it_is_called() -> None:
    @flow
    def parent():
        return child("many")

    with pytest.raises(ParameterError, match=r"Flow 'child'.*\n  n: input should be a valid integer"):
        parent.tasks  # noqa: B018


def test_a_child_returns_no_state_while_the_parent_is_built() -> None:
    with Flow("parent"), pytest.raises(TypeError, match="no state"):
        child(1, return_state=True)


def test_a_child_may_be_spread_by_apply_map() -> None:
    with Flow("parent") as parent:
        made = apply_map(lambda n: child(n), [1, 2, 3])

    assert parent.run().result[made].result == [12, 13, 14]


def test_a_nested_run_is_one_task() -> None:
    @flow(nested="run")
    def whole(n: int):
        return add(n), n

    @flow
    def parent(x):
        return whole(add(x), wait_for=[add(0)])

    assert parent(1) == (3, 2)
    assert [slug for slug in slugs(parent) if "whole" in slug] == ["whole-1"]


def test_a_flow_traced_at_each_call_is_one_task_of_another() -> None:
    @flow(trace="call")
    def several(count):
        return [add(number) for number in range(count)]

    @flow
    def parent(x):
        return several(add(x))

    assert parent(1) == [1, 2]
