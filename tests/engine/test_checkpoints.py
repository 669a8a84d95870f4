"""When results are written, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, context, task
from dagflow.engine import TaskRunner
from dagflow.engine.result import Result
from dagflow.engine.results import LocalResult
from dagflow.engine.signals import FAIL, SKIP, SUCCESS
from dagflow.engine.state import Mapped
from dagflow.executors import LocalDaskExecutor
from dagflow.utilities.configuration import set_temporary_config


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run(folder: Path, function: Any, *args: Any, on: bool = True, **options: Any) -> Any:
    with Flow("f", result=LocalResult(dir=str(folder), location="{task_name}")) as flow:
        one = task(function, **{"name": "one", **options})(*args)
    with set_temporary_config({"flows.checkpointing": on}):
        return flow.run().result[one]


# --- whether ---


@pytest.mark.parametrize(
    ("on", "options", "is_written"),
    [
        (True, {}, True),
        (True, {"checkpoint": True}, True),
        (True, {"checkpoint": False}, False),
        (False, {}, False),
        (False, {"checkpoint": True}, False),
    ],
)
def test_a_value_is_written_when_the_settings_and_the_task_allow(
    on: bool, options: dict[str, Any], is_written: bool, tmp_path: Path
) -> None:
    state = run(tmp_path, lambda: 1, on=on, **options)

    assert written(tmp_path) == (["one"] if is_written else [])
    assert state.result == 1
    assert state._result.location == (str(tmp_path / "one") if is_written else None)


def test_settings_of_the_context_count(tmp_path: Path) -> None:
    with Flow("f", result=LocalResult(dir=str(tmp_path), location="a")) as flow:
        task(lambda: 1, name="one")()

    with context(config={"flows": {"checkpointing": True}}):
        flow.run()

    assert written(tmp_path) == ["a"]


def test_nothing_is_no_value_to_write(tmp_path: Path) -> None:
    state = run(tmp_path, lambda: None)

    assert written(tmp_path) == [] and state.is_successful()


@pytest.mark.parametrize("value", [0, False, "", []])
def test_values_that_are_false_are_written(value: Any, tmp_path: Path) -> None:
    run(tmp_path, lambda: value)

    assert LocalResult(dir=str(tmp_path)).read("one").value == value


@pytest.mark.parametrize(
    ("signal", "is_written"), [(FAIL(result=1), False), (SKIP(result=1), False), (SUCCESS(result=1), True)]
)
def test_of_signals_only_a_success_is_written(signal: Any, is_written: bool, tmp_path: Path) -> None:
    def signals() -> None:
        raise signal

    run(tmp_path, signals)

    assert written(tmp_path) == (["one"] if is_written else [])


# --- where ---


def test_the_task_says_where_else_the_flow(tmp_path: Path) -> None:
    run(tmp_path, lambda: 1, result=LocalResult(dir=str(tmp_path), location="own"))

    assert written(tmp_path) == ["own"]


def test_without_a_place_nothing_is_written_and_nothing_fails() -> None:
    with set_temporary_config({"flows.checkpointing": True}):
        state = TaskRunner(task(lambda: 1, name="one", result=Result())).run()
        bare = TaskRunner(task(lambda: 1, name="one")).run()

    assert state.result == bare.result == 1 and bare._result.location is None


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_each_child_writes_for_itself_and_the_parent_nothing(scheduler: str, tmp_path: Path) -> None:
    store = LocalResult(dir=str(tmp_path), location="{task_full_name}-{map_index}-{x}-{flow_name}")
    with Flow("f") as flow:
        one = task(lambda x: x * 10, name="one", result=store).map([7, 8])
        after = task(lambda xs: xs, name="after")(one)
    with set_temporary_config({"flows.checkpointing": True}):
        state = flow.run(executor=LocalDaskExecutor(scheduler, num_workers=1))

    assert written(tmp_path) == ["one[0]-0-7-f", "one[1]-1-8-f"]
    assert isinstance(state.result[one], Mapped) and state.result[after].result == [70, 80]
    assert [Path(child._result.location).name for child in state.result[one].map_states] == written(tmp_path)


def test_inputs_may_have_any_name(tmp_path: Path) -> None:
    store = LocalResult(dir=str(tmp_path), location="{value}-{location}-{result}")
    with Flow("f") as flow:
        one = task(lambda value, location, result: 1, name="one", result=store)(1, 2, 3)

    state = flow.run(context={"checkpointing": True})

    assert state.result[one].is_successful(), state.result[one].message
    assert written(tmp_path) == ["1-2-3"]


# --- what goes wrong ---


def test_a_missing_word_in_a_location_fails_the_task(tmp_path: Path) -> None:
    state = run(tmp_path, lambda: 1, result=LocalResult(dir=str(tmp_path), location="{nothing}"))

    assert state.is_failed() and isinstance(state.result, KeyError)
    assert state.message.startswith("Unexpected error: ")


def test_a_value_that_cannot_be_written_fails_the_task_and_the_flow_goes_on(tmp_path: Path) -> None:
    with Flow("f", result=LocalResult(dir=str(tmp_path), location="{task_name}")) as flow:
        bad = task(lambda: (number for number in range(1)), name="bad")()
        good = task(lambda: 2, name="good")()
    state = flow.run(context={"checkpointing": True})

    assert state.result[bad].is_failed() and state.result[good].is_successful()
    assert written(tmp_path) == ["good"], "nothing half written is left"


def test_a_place_that_cannot_be_written_to_fails_the_task_and_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("a file")
    store = LocalResult(dir=str(tmp_path), location="in-the-way/one")

    state = run(tmp_path, lambda: 1, result=store)

    assert state.is_failed() and isinstance(state.result, OSError) and "in-the-way" in str(state.result)
