"""The ``with Flow(...)`` block."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import cloudpickle
import pytest

from dagflow import Flow, Parameter, Task, context, task
from dagflow.tasks.core.constants import Constant


@task
def one() -> int:
    return 1


@task
def plus(x: int, y: int = 0) -> int:
    return x + y


def test_the_open_flow_is_in_the_context_and_the_outer_one_comes_back() -> None:
    with Flow("outer") as outer:
        with Flow("inner") as inner:
            assert context.flow is inner
        assert context.flow is outer

    assert "flow" not in context


def test_an_error_leaves_the_block_and_restores_the_context() -> None:
    with pytest.raises(KeyError), Flow("f"):
        Task("forgotten")
        raise KeyError("mine")

    assert "flow" not in context


def test_one_warning_lists_all_that_was_made_and_forgotten() -> None:
    with pytest.warns(UserWarning, match="never added") as caught, Flow("f"):
        Task("lost")
        Parameter("gone")
        one.copy(name="twin")

    assert len(caught) == 1
    message = str(caught[0].message)
    assert all(name in message for name in ("lost", "gone", "twin"))


def test_constants_and_originals_of_copies_are_not_missed() -> None:
    with warnings.catch_warnings(), Flow("f") as flow:
        warnings.simplefilter("error")

        @task
        def local(x: int) -> int:
            return x

        local(1)
        Constant(5)

    assert len(flow.tasks) == 1


@pytest.mark.parametrize("dump", [pickle.dumps, cloudpickle.dumps])
def test_an_open_flow_is_not_pickled(dump: Any) -> None:
    with Flow("f") as flow, pytest.raises(TypeError, match="block is open"):
        dump(flow)

    assert dump(flow)


def test_an_open_flow_is_not_saved(tmp_path: Any) -> None:
    with Flow("f") as flow, pytest.raises(TypeError, match="block is open"):
        flow.save(str(tmp_path / "f.dagflow"))


def test_an_open_flow_is_not_registered() -> None:
    with Flow("f") as flow, pytest.raises(ValueError, match="block"):
        flow.register("project")


def test_a_run_inside_the_block_hides_the_block_from_tasks() -> None:
    @task
    def look() -> list[str]:
        return [key for key in ("flow", "case", "resource") if key in context]

    with Flow("f") as flow:
        seen = look()
        state = flow.run()

    assert state.result[seen].result == []


@pytest.mark.parametrize(
    "use",
    [
        lambda: one(),
        lambda: one + 1,
        lambda: 1 - one,
        lambda: one["key"],
        lambda: one.or_(2),
        lambda: one.not_(),
        lambda: one | one,
        lambda: one.map(),
        lambda: one.bind(),
        lambda: one.set_upstream(Task("other")),
        lambda: one.set_downstream(Task("other")),
        lambda: Parameter("p")(),
    ],
)
def test_outside_a_block_tasks_are_told_to_be_run_instead(use: Any) -> None:
    with pytest.raises(ValueError, match=r"outside a flow.*\.run\(\.\.\.\)"):
        use()


def test_calling_a_task_inside_another_one_fails_that_task() -> None:
    @task
    def nested() -> Any:
        return one()

    with Flow("f") as flow:
        called = nested()
    state = flow.run()

    assert isinstance(state.result[called].result, ValueError)
    assert ".run(...)" in str(state.result[called].result)


def test_a_flow_may_be_opened_again_to_add_more() -> None:
    with Flow("f") as flow:
        first = one()
    with flow:
        second = plus(first, 2)

    assert flow.run().result[second].result == 3


def test_an_explicit_flow_needs_no_block() -> None:
    flow = Flow("f")

    called = plus(one(flow=flow), 2, flow=flow)

    assert flow.run().result[called].result == 3
