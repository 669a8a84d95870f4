"""Python's operators on tasks."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest

from dagflow import Flow, Task, task
from dagflow.engine.results import LocalResult
from dagflow.engine.results.prefect import PrefectResult
from dagflow.tasks.core.constants import Constant
from dagflow.tasks.core.operators import GetAttr, GetItem
from dagflow.utilities.configuration import set_temporary_config


@task
def value(x: Any) -> Any:
    return x


BINARY: list[tuple[Callable[[Any, Any], Any], str]] = [
    (operator.add, "Add"), (operator.sub, "Sub"), (operator.mul, "Mul"), (operator.truediv, "Div"),
    (operator.floordiv, "FloorDiv"), (operator.mod, "Mod"), (operator.pow, "Pow"),
    (operator.gt, "GreaterThan"), (operator.ge, "GreaterThanOrEqual"), (operator.lt, "LessThan"),
    (operator.le, "LessThanOrEqual"),
]  # fmt: skip


@pytest.mark.parametrize("operate, name", BINARY)
def test_operators_add_tasks_named_after_them(operate: Callable[[Any, Any], Any], name: str) -> None:
    with Flow("f") as flow:
        seven = value(7)
        results = [operate(seven, value(3)), operate(seven, 3), operate(7, value(3))]
    state = flow.run()

    assert [state.result[one].result for one in results] == [operate(7, 3)] * 3
    assert results[0].name == results[1].name == name


def test_logic_returns_operands_as_python_does() -> None:
    with Flow("f") as flow:
        zero, five = value(0), value(5)
        results = {
            "and": zero & five, "rand": 5 & zero, "and2": five & 6, "or": zero.or_(five), "not": zero.not_(),
            "eq": five.is_equal(5), "ne": five.is_not_equal(value(5)),
        }  # fmt: skip
    state = flow.run()

    assert {name: state.result[one].result for name, one in results.items()} == {
        "and": 0, "rand": 0, "and2": 6, "or": 5, "not": True, "eq": True, "ne": False,
    }  # fmt: skip
    assert {one.name for one in results.values()} == {"And", "Or", "Not", "Equal", "NotEqual"}


def test_equality_is_that_of_python() -> None:
    a, b = Task("a"), Task("b")

    with Flow("f") as flow:
        assert (a == b, a != b, a == a) == (False, True, True)
        flow.chain(a, b)

    assert flow.tasks == {a, b}


def test_a_bar_makes_the_right_side_wait() -> None:
    with Flow("f") as flow:
        a, b, c = Task("a"), Task("b"), Task("c")
        chain = a | b | c
        last = c | 5
        first = 6 | a

    assert (chain, first) == (c, a)
    assert isinstance(last, Constant)
    assert flow.upstream_tasks(c) == {b}
    assert flow.upstream_tasks(last) == {c}
    assert [one.value for one in flow.upstream_tasks(a)] == [6]  # type: ignore[attr-defined]


def test_items_are_tasks_named_after_their_source() -> None:
    with Flow("f") as flow:
        source = value({"k": [10, 20], 1: 2})
        key = value("k")
        items = [source["k"], source["k"][1], source[1], source[key], source["k"][:1]]
    state = flow.run()

    assert [one.name for one in items[:4]] == ["value['k']", "value['k'][1]", "value[1]", "value[value]"]
    assert [state.result[one].result for one in items] == [[10, 20], 20, 2, [10, 20], [10]]


def test_an_item_keeps_the_checkpoint_and_result_of_its_source() -> None:
    place = PrefectResult()

    with Flow("f"):
        item = value(1, task_args={"checkpoint": False, "result": place})["k"]

    assert (item.checkpoint, item.result) == (False, place)


@pytest.mark.parametrize("how", ["target", "location"])
def test_an_item_never_overwrites_the_value_it_was_taken_from(tmp_path: Any, how: str) -> None:
    options: dict[str, Any] = {"target": "cfg.pkl", "result": LocalResult(dir=str(tmp_path))}
    if how == "location":
        options = {"result": LocalResult(dir=str(tmp_path), location="cfg.pkl")}

    def make() -> dict[str, int]:
        return {"k": 1}

    cfg = task(make, **options)
    with Flow("f") as flow:
        whole = cfg()
        item = whole["k"]

    with set_temporary_config({"flows.checkpointing": True}):
        for _ in range(2):
            state = flow.run()
            assert state.result[whole].result == {"k": 1}
            assert state.result[item].result == 1
    assert LocalResult(dir=str(tmp_path)).read("cfg.pkl").value == {"k": 1}


def test_a_missing_item_may_have_a_default() -> None:
    with Flow("f") as flow:
        found = GetItem(default=5)(value({}), "k")
        index = GetItem(default=5)(value([]), 0)
        none = GetItem(default=None)(value({}), "k")
        bare = GetItem()(value({}), "k")
    state = flow.run()

    assert (state.result[found].result, state.result[none].result) == (5, None)
    assert isinstance(state.result[index].result, IndexError)
    assert isinstance(state.result[bare].result, KeyError)


def test_attributes_may_be_dotted_and_have_a_default() -> None:
    with Flow("f") as flow:
        deep = GetAttr()(value(LocalResult), "__mro__.__class__.__name__")
        missing = GetAttr(default="none")(value(1), "real.nope")
        bare = GetAttr()(value(1), "nope")
    state = flow.run()

    assert (state.result[deep].result, state.result[missing].result) == ("tuple", "none")
    assert isinstance(state.result[bare].result, AttributeError)


def test_unpacking_and_operators_work_together() -> None:
    pair = task(lambda: (3, {"k": [10, 20]}), name="pair", nout=2)

    with Flow("f") as flow:
        n, d = pair()
        last = d["k"][1]
        result = (last - n) * 2 > 30
        both = result & n
    state = flow.run()

    assert [state.result[one].result for one in (n, last, result, both)] == [3, 20, True, 3]
