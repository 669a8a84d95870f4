"""Targets: a result that is there already is read instead of made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, Parameter, context, task
from dagflow.engine.result import ResultNotImplementedError
from dagflow.engine.results import LocalResult
from dagflow.engine.state import Cached
from dagflow.executors import LocalDaskExecutor
from dagflow.utilities.configuration import set_temporary_config
from tests.engine.record import Changes, names


def make(x: Any) -> Any:
    return f"made {x}"


def run(store: Any, value: Any = 1, *, on: bool = True, **options: Any) -> Any:
    with Flow("f") as flow:
        bound = task(make, **{"name": "one", "result": store, "target": "{task_name}-{x}", **options})(value)
    with set_temporary_config({"flows.checkpointing": on}):
        return flow.run().result[bound]


@pytest.fixture
def store(tmp_path: Path) -> LocalResult:
    return LocalResult(dir=str(tmp_path))


def test_what_is_there_is_read_and_the_code_does_not_run(store: LocalResult) -> None:
    changes = Changes()
    LocalResult(dir=store.dir, location="one-1").write("found")

    state = run(store, state_handlers=[changes])

    assert type(state) is Cached and state.result == "found"
    assert str(state.message).startswith("Result found at task target") and "one-1" in str(state.message)
    assert state.cached_result_expiration is None
    assert changes == [("Pending", "Cached")]


def test_what_is_not_there_is_made_and_written(store: LocalResult, tmp_path: Path) -> None:
    first, second = run(store), run(store)

    assert not first.is_cached() and second.is_cached() and first.result == second.result == "made 1"
    assert [path.name for path in tmp_path.iterdir()] == ["one-1"]


@pytest.mark.parametrize(("on", "options"), [(False, {}), (True, {"checkpoint": False})])
def test_it_is_looked_for_also_when_nothing_is_written(
    on: bool, options: dict[str, Any], store: LocalResult, tmp_path: Path
) -> None:
    made = run(store, on=on, **options)
    assert not made.is_cached() and list(tmp_path.iterdir()) == []

    LocalResult(dir=store.dir, location="one-1").write("found")
    assert run(store, on=on, **options).result == "found"


def test_a_target_may_be_a_function_of_the_context(store: LocalResult, tmp_path: Path) -> None:
    def place(**values: Any) -> str:
        return f"{values['flow_name']}/{values['x']}/{values['parameters']['p']}"

    with Flow("f") as flow:
        p = Parameter("p")
        one = task(make, result=store, target=place)(p)
    for cached in (False, True):
        assert flow.run(p="q", context={"checkpointing": True}).result[one].is_cached() is cached

    assert (tmp_path / "f" / "q" / "q").is_file()


def test_the_flows_store_serves_targets(tmp_path: Path) -> None:
    with Flow("f", result=LocalResult(dir=str(tmp_path))) as flow:
        one = task(make, target="{x}.out")(3)
    for cached in (False, True):
        assert flow.run(context={"checkpointing": True}).result[one].is_cached() is cached

    assert [path.name for path in tmp_path.iterdir()] == ["3.out"]


def test_without_a_store_a_target_fails_the_task() -> None:
    with Flow("f") as flow:
        one = task(make, target="{x}.out")(3)

    state = flow.run().result[one]

    assert state.is_failed() and isinstance(state.result, ResultNotImplementedError)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_each_child_has_a_target_of_its_own(scheduler: str, store: LocalResult) -> None:
    LocalResult(dir=store.dir, location="one-2").write("found")

    with Flow("f") as flow:
        one = task(make, name="one", result=store, target="{task_name}-{x}").map([1, 2, 3])
    state = flow.run(context={"checkpointing": True}, executor=LocalDaskExecutor(scheduler, num_workers=1)).result[one]
    again = flow.run(executor=LocalDaskExecutor(scheduler, num_workers=1)).result[one]

    assert state.result == again.result == ["made 1", "found", "made 3"]
    assert names(state.map_states) == ["Success", "Cached", "Success"]
    assert names(again.map_states) == ["Cached"] * 3


def test_braces_in_an_input_are_no_template(store: LocalResult) -> None:
    first, second = run(store, "{x}"), run(store, "{x}")

    assert not first.is_failed(), first.message
    assert second.is_cached()


def test_a_damaged_target_fails_the_task_and_the_flow_goes_on(store: LocalResult, tmp_path: Path) -> None:
    (tmp_path / "make-1").write_bytes(b"\x80garbage")
    with Flow("f") as flow:
        one = task(make, result=store, target="{task_name}-{x}")(1)
        other = task(make, name="other")(2)

    state = flow.run()

    assert state.result[one].is_failed() and "make-1" in str(state.result[one].result)
    assert state.result[other].is_successful()


def test_a_failed_trigger_does_not_use_the_target(store: LocalResult) -> None:
    LocalResult(dir=store.dir, location="one-1").write("found")

    def refuses(states: Any) -> bool:
        return False

    assert type(run(store, trigger=refuses)).__name__ == "TriggerFailed"


def test_the_context_of_the_run_fills_the_template(store: LocalResult, tmp_path: Path) -> None:
    with Flow("f") as flow:
        task(make, result=store, target="{today}-{mine}-{map_index}").map([1])

    with context(mine="m"):
        flow.run(context={"checkpointing": True, "today": "2024-02-28"})

    assert [path.name for path in tmp_path.iterdir()] == ["2024-02-28-m-0"]
