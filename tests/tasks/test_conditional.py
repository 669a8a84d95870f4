"""``switch``, ``ifelse`` and ``merge``."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dagflow import Flow, Task, case, task, unmapped
from dagflow.engine.signals import SKIP
from dagflow.tasks.control_flow import CompareValue, ifelse, merge, switch
from dagflow.tasks.control_flow.conditional import Merge
from dagflow.triggers import all_finished, not_all_skipped


@task
def same(x: Any) -> Any:
    return x


@task
def fail() -> None:
    raise ValueError("broken")


@task
def skip() -> None:
    raise SKIP("not today")


def kinds(state: Any, *tasks: Any) -> list[str]:
    return [type(state.result[one]).__name__ for one in tasks]


def test_a_comparison_skips_or_returns_nothing() -> None:
    assert CompareValue("a").run("a") is None  # type: ignore[func-returns-value]
    with pytest.raises(SKIP, match="'b' did not match 'a'"):
        CompareValue("a").run("b")
    assert CompareValue(1, name="mine").name == "mine"


def test_a_switch_runs_the_branch_whose_key_fits() -> None:
    with Flow("f") as flow:
        a, b, c = same("a"), same("b"), same("c")
        after = same(a)
        switch(same("b"), {"a": a, "b": b, "c": c, "d": None})
    state = flow.run()

    assert kinds(state, a, b, c, after) == ["Skipped", "Success", "Skipped", "Skipped"]
    compares = flow.get_tasks(task_type=CompareValue)
    assert len(compares) == 3
    assert all(one.tags == {"switch"} for one in compares)
    assert a.tags == set()


def test_only_the_branch_task_itself_waits() -> None:
    with Flow("f") as flow:
        before = same(1)
        branch = same(before)
        switch(same("b"), {"a": branch})
    state = flow.run()

    assert kinds(state, before, branch) == ["Success", "Skipped"]


@pytest.mark.parametrize("value, ran", [(True, 0), (1, 0), ("text", 0), ([], 1), (None, 1), (0, 1)])
def test_ifelse_goes_by_truth(value: Any, ran: int) -> None:
    with Flow("f") as flow:
        branches = same("yes"), same("no")
        ifelse(same(value), *branches)
    state = flow.run()

    assert [state.result[one].is_skipped() for one in branches] == [ran == 1, ran == 0]
    assert len(flow.get_tasks(name="as_bool")) == 1


def test_a_missing_branch_is_left_out() -> None:
    with Flow("f") as flow:
        yes = same("yes")
        ifelse(same(False), yes, None)
    state = flow.run()

    assert kinds(state, yes) == ["Skipped"]
    assert len(flow.get_tasks(task_type=CompareValue)) == 1


def test_branches_item_by_item() -> None:
    with Flow("f") as flow:
        numbers = same([1, 0, 1])
        yes, no = same.map(["a", "b", "c"]), same.map(["x", "y", "z"])
        ifelse(numbers, yes, no, mapped=True)
        out = merge(yes, no, mapped=True)

    assert flow.run().result[out].result == ["a", "y", "c"]


@pytest.mark.parametrize("use", [lambda: switch(1, {1: same}), lambda: ifelse(1, same, None)])
def test_branches_need_a_flow(use: Any) -> None:
    with pytest.raises(ValueError, match="needs a flow"):
        use()


def test_a_switch_takes_a_dict() -> None:
    with Flow("f"), pytest.raises(TypeError, match="dict"):
        switch(1, [same])  # type: ignore[arg-type]


# --- merge ---


def test_a_merge_tolerates_skips_and_says_so() -> None:
    with Flow("f"):
        one = merge(same(1), same(2))

    assert isinstance(one, Merge)
    assert (one.name, one.skip_on_upstream_skip, one.trigger) == ("Merge", False, not_all_skipped)
    with Flow("f"), pytest.raises(ValueError, match="skip_on_upstream_skip"):
        merge(same(1), skip_on_upstream_skip=True)


def test_a_merge_takes_options() -> None:
    flow = Flow("f")

    one = merge(same, flow=flow, name="joined", tags=["t"], trigger=all_finished, skip_on_upstream_skip=False)

    assert (one.name, one.tags, one.trigger) == ("joined", {"t"}, all_finished)


@pytest.mark.parametrize(
    "values, expected", [([None, 2, 3], 2), ([0, 2], 0), (["", 1], ""), ([None, None], None), ([False], False)]
)
def test_the_first_result_that_is_not_none_wins(values: list[Any], expected: Any) -> None:
    with Flow("f") as flow:
        out = merge(*[same(value) for value in values])

    assert flow.run().result[out].result == expected


def test_the_order_is_that_of_the_branches_beyond_nine() -> None:
    with Flow("f") as flow:
        out = merge(*[same(None if number < 2 else number) for number in range(1, 13)])

    assert flow.run().result[out].result == 2


def test_all_skipped_is_skipped_and_a_failure_fails_the_trigger() -> None:
    with Flow("f") as flow:
        nothing = merge(skip(), skip())
        broken = merge(same(1), fail())
        mixed = merge(skip(), fail())
    state = flow.run()

    assert kinds(state, nothing, broken, mixed) == ["Skipped", "TriggerFailed", "TriggerFailed"]


def test_a_branch_that_skips_itself_contributes_nothing() -> None:
    with Flow("f") as flow:
        out = merge(skip(), same("second"))
        none = merge(skip(), same(None))
    state = flow.run()

    assert state.result[out].result == "second"
    assert state.result[none].result is None


def test_a_merge_of_maps_item_by_item() -> None:
    @task
    def odd_only(x: int) -> int:
        if x % 2 == 0:
            raise SKIP("even")
        return x

    with Flow("f") as flow:
        out = merge(odd_only.map([1, 2, 3]), same.map(["a", "b", "c"]), mapped=True)

    assert flow.run().result[out].result == [1, "b", 3]


def test_merges_nest() -> None:
    with Flow("f") as flow:
        which = same("c")
        with case(which, "a"):
            a = same("A")
        with case(which, "b"):
            b = same("B")
        with case(which, "c"):
            c = same("C")
        inner = merge(a, b)
        out = merge(inner, c)
    state = flow.run()

    assert kinds(state, inner, out) == ["Skipped", "Success"]
    assert state.result[out].result == "C"


def test_plain_values_may_be_merged() -> None:
    with Flow("f") as flow:
        out = merge(same(None), skip(), "default")

    assert flow.run().result[out].result == "default"


def test_random_nests_of_switches_run_exactly_one_leaf() -> None:
    draw = random.Random(5)

    def grow(depth: int) -> Task:
        if depth == 0:
            return same(draw.randrange(1000))
        chosen = same(draw.randrange(3))
        ends = []
        for number in range(3):
            with case(chosen, number):
                ends.append(grow(depth - 1))
        return merge(*ends)

    for _ in range(5):
        with Flow("f") as flow:
            out = grow(3)
        state = flow.run()

        merges = [one for one in flow.get_tasks(task_type=Merge) if not state.result[one].is_skipped()]
        assert state.is_successful()
        assert len(merges) == 3
        assert isinstance(state.result[out].result, int)


def test_unmapped_values_reach_every_item_of_a_merge() -> None:
    with Flow("f") as flow:
        out = merge(same.map([None, 1]), unmapped(same("shared")), mapped=True)

    assert flow.run().result[out].result == ["shared", 1]
