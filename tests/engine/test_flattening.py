"""``flatten``: one level of nesting less."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, flatten, task
from dagflow.engine.mapping import flattened_value
from dagflow.engine.signals import SKIP
from dagflow.engine.state import Mapped, Skipped
from dagflow.executors import LocalDaskExecutor
from dagflow.testing import ScriptedExecutor
from dagflow.triggers import all_finished
from tests.engine.record import names


@task
def give(x: Any) -> Any:
    return x


@task
def spread(x: Any) -> Any:
    if x == "fail":
        raise ValueError("failed")
    if x == "skip":
        raise SKIP("skipped")
    return x


@task(trigger=all_finished, skip_on_upstream_skip=False)
def whole(xs: Any) -> Any:
    return xs


@pytest.fixture(params=["local", "threads", "processes", "scripted"])
def executor(request: pytest.FixtureRequest) -> Any:
    if request.param == "local":
        return None
    if request.param == "scripted":
        return ScriptedExecutor(seed=4)
    return LocalDaskExecutor(request.param, num_workers=2)


@pytest.mark.parametrize(
    ("value", "flat"),
    [
        ([[1], [2, 3]], [1, 2, 3]),
        ([[[1]], [[2]]], [[1], [2]]),
        ([[1], 2], [[1], 2]),
        ([1, 2], [1, 2]),
        ([], []),
        ([[], []], []),
        (((1,), [2]), [1, 2]),
        (["ab", "cd"], ["ab", "cd"]),
        ("ab", "ab"),
        (7, 7),
        (None, None),
        ({"a": [1]}, {"a": [1]}),
    ],
)
def test_one_level_is_removed_where_there_is_one_throughout(value: Any, flat: Any) -> None:
    assert flattened_value(value) == flat

    with Flow("f") as flow:
        one = give(flatten(give(value)))
    assert flow.run().result[one].result == flat


def test_arrays_without_dimensions_are_left_as_they_are() -> None:
    numpy = pytest.importorskip("numpy")

    assert flattened_value([numpy.array(1), numpy.array(2)]) == [1, 2]
    assert flattened_value(numpy.array(3)) == 3


def test_the_items_of_a_list_of_lists_are_mapped_over(executor: Any) -> None:
    with Flow("f") as flow:
        one = give.map(flatten(give([[1], [2, 3]])))

    assert flow.run(executor=executor).result[one].result == [1, 2, 3]


def test_the_items_of_all_children_are_mapped_over(executor: Any) -> None:
    with Flow("f") as flow:
        lists = spread.map([[1], [], [2, 3]])
        one = give.map(flatten(lists))
        again = give.map(flatten(give.map([[4], [5]])), upstream_tasks=[one])
        taken = whole(flatten(lists))
    state = flow.run(executor=executor)

    assert isinstance(state.result[one], Mapped) and state.result[one].result == [1, 2, 3]
    assert state.result[again].result == [4, 5]
    assert state.result[taken].result == [1, 2, 3]


def test_a_child_that_failed_or_was_skipped_or_gave_no_list_is_one_item_itself(executor: Any) -> None:
    with Flow("f") as flow:
        lists = spread.map([[1, 2], "fail", [3], "skip", 4, [5]])
        one = give.map(flatten(lists))
        kinds = task(lambda xs: [type(x).__name__ for x in xs], name="kinds", trigger=all_finished,
                     skip_on_upstream_skip=False)(flatten(lists))  # fmt: skip
    state = flow.run(executor=executor)

    children = state.result[one].map_states
    assert names(children) == ["Success", "Success", "TriggerFailed", "Success", "Skipped", "Success", "Success"]
    assert [child.result for child in children if type(child).__name__ == "Success"] == [1, 2, 3, 4, 5]
    assert state.result[kinds].result == ["int", "int", "ValueError", "int", "SKIP", "int", "int"]


def test_a_task_that_tolerates_failures_finds_them_among_the_items() -> None:
    with Flow("f") as flow:
        lists = spread.map([[1], "fail"])
        one = task(lambda x: type(x).__name__, name="one", trigger=all_finished).map(flatten(lists))

    assert flow.run().result[one].result == ["int", "ValueError"]


def test_a_failed_or_skipped_list_is_treated_as_without_flatten() -> None:
    with Flow("f") as flow:
        failed = give.map(flatten(spread("fail")))
        skipped = give.map(flatten(spread("skip")))
    state = flow.run()

    assert state.result[failed].message == "No upstream states can be mapped over."
    assert type(state.result[skipped]) is Skipped


def test_flattened_and_mapped_inputs_are_zipped() -> None:
    with Flow("f") as flow:
        one = task(lambda x, y: (x, y), name="zip").map(flatten(give([[1, 2], [3]])), ["a", "b"])

    assert flow.run().result[one].result == [(1, "a"), (2, "b")]


def test_what_is_no_list_after_flattening_fails_the_task_only() -> None:
    with Flow("f") as flow:
        one = give.map(flatten(give(7)))
        other = task(lambda: 1, name="other")()
    state = flow.run()

    assert state.result[one].is_failed() and state.result[other].is_successful()
