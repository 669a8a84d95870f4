"""``@task`` and what it makes of functions."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dagflow import Flow, Task, task
from dagflow.tasks.core.function import FunctionTask


def double(x: int, *, times: int = 2) -> int:
    """Double it."""
    return x * times


@pytest.mark.parametrize(
    "made", [task(double), task()(double), task(name="double")(double), FunctionTask(double)]
)
def test_every_form_makes_a_task_of_the_function(made: FunctionTask) -> None:
    assert isinstance(made, FunctionTask)
    assert made.name == "double"
    assert made.run is double
    assert made.__doc__ == "Double it."
    assert made.__wrapped__ is double  # type: ignore[attr-defined]
    assert made.__name__ == "double"  # type: ignore[attr-defined]
    assert made.run(4) == 8


def test_options_reach_the_task() -> None:
    made = task(double, name="twice", tags=["t"], slug="s")

    assert (made.name, made.tags, made.slug) == ("twice", {"t"}, "s")


def test_a_function_without_a_name_is_called_after_the_class() -> None:
    assert task(functools.partial(double, times=3)).name == "FunctionTask"


@pytest.mark.parametrize("thing", [5, "name", None.__class__.__mro__, task(double)])
def test_only_functions_become_tasks(thing: Any) -> None:
    with pytest.raises(TypeError, match="made from a function"):
        task(thing)


def star(*args: int) -> None: ...
def star_named(x: int, *more: int) -> None: ...


def by_position(x: int, /) -> None: ...


@functools.wraps(star)
def looks_harmless() -> None: ...


@pytest.mark.parametrize("function", [star, star_named, looks_harmless])
def test_arguments_without_names_are_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="every argument of a task needs a name"):
        task(function)


@pytest.mark.parametrize("name", ["upstream_tasks", "mapped", "task_args", "flow"])
@pytest.mark.parametrize("form", ["def f({0}): ...", "def f(x, {0}=None): ...", "def f(*, {0}): ..."])
def test_names_that_a_call_takes_for_itself_are_refused(name: str, form: str) -> None:
    space: dict[str, Any] = {}
    exec(form.format(name), space)

    with pytest.raises(ValueError, match=repr(name)):
        task(space["f"])
    with pytest.raises(ValueError, match="argument"):
        type("Bad", (Task,), {"run": staticmethod(space["f"])})


@pytest.mark.parametrize("function", [by_position, len])
def test_arguments_by_position_only_are_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="by position only"):
        task(function)


def test_a_class_is_checked_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="Bad"):

        class Bad(Task):
            def run(self, *args: Any) -> None:
                pass


def test_a_callable_without_a_signature_is_refused() -> None:
    with pytest.raises(ValueError, match="signature"):
        task(max)


def test_keyword_arguments_of_any_name_are_fine() -> None:
    collect = task(lambda **items: items, name="collect")

    with Flow("f") as flow:
        called = collect(a=1, b=collect(c=2))
    state = flow.run()

    assert state.result[called].result == {"a": 1, "b": {"c": 2}}


def test_a_task_shows_the_arguments_of_its_run_and_of_a_call() -> None:
    shown = inspect.signature(task(double))

    assert str(shown) == (
        "(x: 'int', *, times: 'int' = 2, flow=None, mapped=False, task_args=None, upstream_tasks=None) -> 'Task'"
    )


def test_any_keyword_comes_last_in_what_a_task_shows() -> None:
    shown = inspect.signature(task(lambda x, **rest: x, name="open"))

    assert list(shown.parameters) == ["x", "flow", "mapped", "task_args", "upstream_tasks", "rest"]


def test_inputs_and_outputs_are_described() -> None:
    made = task(double)

    assert made.inputs() == {
        "x": {"type": int, "default": None, "required": True},
        "times": {"type": int, "default": 2, "required": False},
    }
    assert made.outputs() is int


def test_what_is_not_annotated_is_anything() -> None:
    made = task(lambda x, **rest: x, name="open")

    assert made.outputs() is Any
    assert made.inputs()["rest"]["required"] is True
    assert made.inputs()["x"]["type"] is Any


def test_an_annotation_that_cannot_be_read_describes_nothing() -> None:
    def odd(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert list(task(odd).inputs()) == ["x"]


def test_generators_are_handed_on_and_coroutines_are_run() -> None:
    @task
    def lines() -> Iterator[int]:
        yield from (1, 2)

    @task
    async def fetched() -> int:
        await asyncio.sleep(0)
        return 7

    with Flow("f") as flow:
        total = task(lambda items: sum(items), name="total")(lines())
        seven = fetched()
    state = flow.run()

    assert (state.result[total].result, state.result[seven].result) == (3, 7)


def test_a_decorated_function_keeps_what_the_decorator_noted() -> None:
    def plain() -> None: ...

    plain.owner = "ops"  # type: ignore[attr-defined]

    assert task(plain).owner == "ops"  # type: ignore[attr-defined]
