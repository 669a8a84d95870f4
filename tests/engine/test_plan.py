"""The plan: a flow compiled once."""

from __future__ import annotations

from typing import Any

from dagflow import Flow, Parameter, flatten, task, unmapped
from dagflow.engine.plan import compile_plan


@task
def give(x: Any = None, y: Any = None) -> Any:
    return x


def test_steps_stand_in_an_order_in_which_they_can_run() -> None:
    with Flow("f") as flow:
        p = Parameter("p", default=1)
        a = give(p)
        b = give(a, a)
        give(b, p)
    plan = compile_plan(flow)

    assert all(source < step.index for step in plan.steps for source in step.sources)
    assert [plan.place[step.task] for step in plan.steps] == [0, 1, 2, 3]
    assert [step.task for step in plan.steps] == list(flow.sorted_tasks())


def test_a_step_knows_its_neighbours_each_once() -> None:
    with Flow("f") as flow:
        a = give()
        b = give(a, a)
    plan = compile_plan(flow)
    first, second = plan.steps

    assert list(first.followers) == [second.index]
    assert second.waits_for == 1 and sorted(map(str, second.keys)) == ["x", "y"]
    assert [plan.steps[index].task for index in plan.terminal] == [b]
    assert [plan.steps[index].task for index in plan.reference] == [b]


def test_a_step_knows_whom_it_follows_child_by_child() -> None:
    with Flow("f") as flow:
        a = give.map([[1], [2]])
        one_by_one = give.map(a)
        beside = give.map([1], unmapped(a))
        flat = give.map(flatten(a))
        both = give.map(a, unmapped(a))
        whole = give(a)
    plan = compile_plan(flow)
    wide = {one: plan.steps[plan.place[one]].wide for one in (one_by_one, beside, flat, both, whole)}

    assert wide[one_by_one] == {plan.place[a]}
    assert not wide[beside] and not wide[flat] and not wide[both] and not wide[whole]


def test_a_plan_is_made_again_after_an_edit() -> None:
    with Flow("f") as flow:
        a = give(1)
    flow.run()
    with flow:
        b = give(a)

    assert flow.run().result[b].result == 1


def test_a_long_chain_compiles_and_runs() -> None:
    with Flow("f") as flow:
        last = give(1)
        for _ in range(20_000):
            last = give(last)

    assert flow.run().result[last].result == 1
