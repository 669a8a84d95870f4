"""``mapped``, ``unmapped`` and ``flatten`` in every position."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, flatten, mapped, task, unmapped
from dagflow.core.annotations import EdgeAnnotation


@task
def add(x: Any, y: Any) -> Any:
    return x + y


@task
def same(x: Any) -> Any:
    return x


@task
def total(xs: Any) -> Any:
    return sum(xs)


@pytest.mark.parametrize(
    "annotated, marks",
    [
        (mapped(1), {"mapped": True}),
        (unmapped(1), {"mapped": False}),
        (flatten(1), {"flattened": True}),
        (unmapped(mapped(1)), {"mapped": False}),
        (mapped(unmapped(1)), {"mapped": True}),
        (mapped(flatten(1)), {"mapped": True, "flattened": True}),
        (flatten(mapped(1)), {"mapped": True, "flattened": True}),
        (unmapped(flatten(mapped(1))), {"mapped": False, "flattened": True}),
    ],
)
def test_marks_nest_and_the_outer_one_wins(annotated: EdgeAnnotation, marks: dict[str, bool]) -> None:
    assert isinstance(annotated, EdgeAnnotation)
    assert (annotated.value, annotated.annotations) == (1, marks)


def test_a_mark_shows_itself() -> None:
    assert repr(unmapped([1])) == "unmapped([1])"


CASES: list[tuple[str, Any, Any]] = [
    ("mapped without .map", lambda: add(mapped([1, 2]), 10), [11, 12]),
    ("both mapped", lambda: add(mapped([1, 2]), mapped([10, 20])), [11, 22]),
    ("flatten of nested tasks", lambda: add.map(flatten(same([[1], [2, 3]])), unmapped(5)), [6, 7, 8]),
    ("flatten of a constant in a map", lambda: same.map(flatten([[1], [2, 3]])), [1, 2, 3]),
    ("flatten without a map", lambda: total(flatten([[1], [2]])), 3),
    ("flatten of a task without a map", lambda: total(flatten(same([[1], [2]]))), 3),
    ("flatten of what is flat", lambda: total(flatten([1, 2])), 3),
    ("flatten of a map of lists", lambda: total(flatten(same.map([[1, 2], [3]]))), 6),
    ("flatten of a map in a map", lambda: same.map(flatten(same.map([[1, 2], [3]]))), [1, 2, 3]),
    ("flatten of a map of plain items", lambda: total(flatten(same.map([1, 2]))), 3),
    ("text is whole in a constant", lambda: same(flatten(["ab", "cd"])), ["ab", "cd"]),
    ("text is whole in a map", lambda: same.map(flatten(["ab", b"cd"])), ["ab", b"cd"]),
    ("text is whole from children", lambda: same.map(flatten(same.map(["ab", "cd"]))), ["ab", "cd"]),
    ("text inside lists", lambda: same.map(flatten([["ab"], ["cd", "e"]])), ["ab", "cd", "e"]),
    ("mapped flatten as a plain call", lambda: same(mapped(flatten([[1], [2]]))), [1, 2]),
    ("flatten mapped as a plain call", lambda: same(flatten(mapped([[1], [2]]))), [1, 2]),
    ("one level at a time", lambda: same(flatten([[[1]], [[2]]])), [[1], [2]]),
    ("flatten of an empty list", lambda: same.map(flatten([[], []])), []),
    ("flatten of what has no items", lambda: same(flatten(7)), 7),
    ("flatten unmapped in a map", lambda: add.map([[0], [9]], unmapped(flatten([[1], [2]]))), [[0, 1, 2], [9, 1, 2]]),
    ("flatten twice", lambda: add.map(flatten([[1], [2, 3]]), flatten([[10, 20], [30]])), [11, 22, 33]),
]


@pytest.mark.parametrize("build, expected", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_marks_mean_the_same_in_every_position(build: Any, expected: Any) -> None:
    with Flow("f") as flow:
        result = build()

    assert flow.run().result[result].result == expected


def test_a_flattened_edge_of_a_task_reaches_every_level_of_a_map() -> None:
    with Flow("f") as flow:
        pairs = same.map([[1, 2], [3, 4]])
        flat = same.map(flatten(pairs))
        again = same.map(flat)
        result = total(again)

    assert flow.run().result[result].result == 10


def test_marks_may_wrap_an_upstream_task() -> None:
    with Flow("f") as flow:
        first = same.map([1, 2])
        after = same.map([1, 2, 3], upstream_tasks=[unmapped(first)])

    assert flow.run().result[after].result == [1, 2, 3]
