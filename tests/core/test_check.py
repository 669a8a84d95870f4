from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from dagflow import Flow, Parameter, Task, case, flatten, task, unmapped
from dagflow.core.check import Finding, Report, check
from dagflow.tasks.control_flow import merge

if TYPE_CHECKING:
    from decimal import Decimal


@task
def numbers() -> list[int]:
    return [1, 2]


@task
def words() -> list[str]:
    return ["a"]


@task
def nested() -> list[list[int]]:
    return [[1]]


@task(nout=2)
def pair() -> tuple[int, str]:
    return 1, "a"


@task
def maybe() -> str | None:
    return None


@task
def number(x: int) -> int:
    return x


@task
def word(x: str) -> str:
    return x


@task
def real(x: float) -> float:
    return x


@task
def unique(x: int) -> set[int]:
    return {x}


@task
def longest(xs: list[str]) -> str:
    return max(xs)


@task
def unhinted(x):  # type: ignore[no-untyped-def]
    return x


def found(flow: Flow) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.kind, tuple(t.name for t in finding.tasks)) for finding in check(flow)]


def test_a_sound_flow_has_nothing_to_report() -> None:
    with Flow("sound") as flow:
        n = Parameter("n", default=3)
        xs = numbers()
        a, b = pair()
        real(a), word(b), number(n), real.map(xs), longest(word.map(words())), number(xs[0]), word(maybe())
        number.map(flatten(nested()), upstream_tasks=[unmapped(n)]), unhinted(unhinted(xs)), word(unhinted(xs))
        with case(number(1), 1):
            left = number(2)
        number(merge(left, number(3)))

    report = flow.check()

    assert report.ok and report and list(report) == []
    assert str(report) == "Flow 'sound': nothing found"


def test_a_result_that_cannot_be_the_argument_is_reported_with_both_tasks_and_both_annotations() -> None:
    with Flow("etl") as flow:
        xs = numbers()
        text = word(xs)

    (finding,) = check(flow)

    assert finding.kind == "type" and finding.tasks == (xs, text)
    assert "'word' takes 'x' as str" in finding.message
    assert "'numbers' returns list[int]" in finding.message


WRONG: list[tuple[str, Any]] = [
    ("plain", lambda: word(numbers())),
    ("mapped", lambda: word.map(numbers())),
    ("map of map", lambda: word.map(number.map(numbers()))),
    ("reduction of a map", lambda: longest(number.map(numbers()))),
    ("reduction of one item", lambda: number(number.map(numbers()))),
    ("flattened", lambda: longest(flatten(nested()))),
    ("flattened and mapped", lambda: word.map(flatten(nested()))),
    ("nested but not flattened", lambda: number.map(nested())),
    ("item", lambda: number(pair()[1])),
    ("unpacked", lambda: number(tuple(pair())[1])),
    ("item behind the end", lambda: pair()[2]),
    ("item of a list", lambda: word(numbers()[0])),
    ("optional", lambda: number(maybe())),
    ("list of tasks", lambda: longest([number(1), number(2)])),
    ("merge", lambda: word(merge(number(1), number(2)))),
    ("map over a number", lambda: number.map(number(1))),
    ("map over a set", lambda: number.map(unique(1))),
    ("unmapped", lambda: number.map(unmapped(words()), upstream_tasks=[numbers()])),
    ("constant", lambda: number("3")),
    ("fraction for a whole number", lambda: number(1.5)),
    ("mapped constant", lambda: number.map(["1"])),
]


@pytest.mark.parametrize("build", [build for _, build in WRONG], ids=[name for name, _ in WRONG])
def test_what_cannot_fit_is_reported_once(build: Any) -> None:
    with Flow("wrong") as flow:
        build()

    assert [finding.kind for finding in check(flow)] == ["type"]


@task
def unresolved(x: Decimal) -> Decimal:
    return x


def as_text(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(x: Any) -> str:
        return str(function(x))

    return wrapper


@task
@as_text
def counted(x: int) -> int:
    return x


@task
async def fetched(x: int) -> str:
    return str(x)


class Scaled(Task):
    def __init__(self, factor: int, **kwargs: Any) -> None:
        self.factor = factor
        super().__init__(**kwargs)

    def run(self, x: int, **more: int) -> int:
        return x * self.factor + sum(more.values())


SOUND: list[tuple[str, Any]] = [
    ("a name that cannot be resolved", lambda: word(unresolved(number(1)))),
    ("a decorator that changes types", lambda: word(counted("3"))),
    ("a coroutine function", lambda: word(fetched(1))),
    ("a parameter", lambda: word(Parameter("p", default=3))),
    ("whole for real", lambda: real(number(1))),
    ("None for an unannotated default", lambda: number(None)),
    ("map over something unknown", lambda: number.map(unhinted(1))),
    ("a task class", lambda: Scaled(2)(1, y=number(2))),
    ("operators", lambda: word(number(1) + number(2))),  # type: ignore[operator,unused-ignore]
]


@pytest.mark.parametrize("build", [build for _, build in SOUND], ids=[name for name, _ in SOUND])
def test_there_is_no_alarm_where_it_may_go_well(build: Any) -> None:
    with Flow("sound") as flow:
        build()

    assert list(check(flow)) == []


def test_extra_keywords_are_held_against_the_hint_of_the_keywords() -> None:
    with Flow("kw") as flow:
        Scaled(2)(1, y=words())

    assert found(flow) == [("type", ("words", "Scaled"))]


def test_a_missing_argument_is_reported() -> None:
    flow = Flow("missing")
    flow.add_task(number)

    (finding,) = check(flow)

    assert finding.kind == "argument" and "'number' needs the argument 'x'" in finding.message


def test_a_cycle_is_reported_by_its_path_and_with_the_reference_tasks_it_cuts_off() -> None:
    a, b, c = Task("a"), Task("b"), Task("c")
    flow = Flow("cycle")
    flow.chain(a, b, a)
    flow.chain(b, c)

    cycle, reference = check(flow)

    assert "a → b → a" in cycle.message or "b → a → b" in cycle.message
    assert set(cycle.tasks) == {a, b}
    assert (reference.kind, reference.tasks) == ("reference", (c,))


def test_tasks_of_one_name_are_told_apart_by_their_slugs() -> None:
    with Flow("twins") as flow:
        word(numbers())
        word(words()[0])

    assert "'word' (word-1)" in check(flow)[0].message


def test_checking_runs_nothing_and_changes_nothing() -> None:
    @task
    def explode() -> list[int]:
        raise AssertionError("ran")

    with Flow("quiet") as flow:
        number.map(explode())
    before = (flow.tasks, flow.edges, flow.slugs.copy())

    check(flow)

    assert (flow.tasks, flow.edges, flow.slugs) == before


def test_a_long_chain_is_checked_without_recursion() -> None:
    with Flow("long") as flow:
        end = number(0)
        for _ in range(3_000):
            end = number(end)

    assert check(flow).ok


def test_a_report_is_a_sequence_that_is_true_when_empty() -> None:
    finding = Finding("type", "It cannot fit.")
    report = Report("etl", [finding])

    assert not report and not report.ok and len(report) == 1
    assert report[0] is finding and list(report[:1]) == [finding]
    assert str(report) == "Flow 'etl': 1 finding\n  [type] It cannot fit."
