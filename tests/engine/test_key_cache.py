"""Results shared by cache keys: in memory, and in a file that outlives the process."""

from __future__ import annotations

import datetime
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import dagflow
from dagflow import Flow, flow, task
from dagflow.engine.cache_policies import (
    DEFAULT,
    FLOW_PARAMETERS,
    INPUTS,
    NO_CACHE,
    RUN_ID,
    TASK_SOURCE,
    CachePolicy,
    KeyContext,
    task_input_hash,
)
from dagflow.engine.digests import code_digest, digest
from dagflow.engine.flow_runner import FlowRunner
from dagflow.engine.key_cache import cache_file, clear
from dagflow.engine.results import LocalResult
from dagflow.executors import LocalDaskExecutor
from dagflow.testing import FakeClock
from dagflow.utilities.configuration import set_temporary_config

calls: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    calls.clear()


def forget() -> Any:
    """Return a block in which only the file remembers."""
    return dagflow.context(caches={})


@task(cache_key_fn=task_input_hash)
def slow(x: Any, y: int = 1) -> Any:
    calls.append(x)
    return [x, y]


@flow
def once(x):
    return slow(x)


# --- hits and misses ---------------------------------------------------------------------------------------------


def test_equal_inputs_run_once_in_a_process_and_beyond() -> None:
    assert once(1) == once(1) == [1, 1]
    with forget():
        state = once(1, return_state=True)
    (made,) = once.reference_tasks()

    assert calls == [1]
    assert state.result[made].is_cached()
    assert once(2) == [2, 1]


def test_each_mapped_child_has_a_key_of_its_own() -> None:
    @flow
    def many(xs):
        return slow.map(xs)

    many([1, 2])
    with forget():
        assert many([1, 2, 3]) == [[1, 1], [2, 1], [3, 1]]

    assert calls == [1, 2, 3]


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_keys_work_wherever_tasks_run(scheduler: str) -> None:
    once(5)
    with forget():
        state = once.run(x=5, executor=LocalDaskExecutor(scheduler))

    assert [one.is_cached() for found, one in state.result.items() if found.name == "slow"] == [True]


def test_a_key_of_one_s_own_is_shared_by_all_tasks_that_give_it() -> None:
    def day(context: Any, inputs: dict[str, Any]) -> str | None:
        calls.append((context.task.name, context.parameters["n"], inputs))
        return None if inputs["x"] == 0 else "today"

    one = task(lambda x: x, name="one", cache_key_fn=day)
    two = task(lambda x: x, name="two", cache_key_fn=day)

    @flow
    def both(n):
        first = one(n)
        return first, two(5, wait_for=[first])

    assert both(3) == (3, 3)
    assert calls == [("one", 3, {"x": 3}), ("two", 3, {"x": 5})]
    assert both(0) == (0, 3)


def test_a_key_that_is_no_text_fails_the_run() -> None:
    with Flow("f") as built:
        task(lambda: 1, name="t", cache_key_fn=lambda context, inputs: 3)()

    assert built.run().is_failed()


def test_what_has_expired_runs_again() -> None:
    hour = datetime.timedelta(hours=1)

    class Own(FlowRunner):
        clock = FakeClock(start=4_000_000_000)

    @flow
    def fresh():
        return task(lambda: calls.append(1), name="t", cache_key_fn=lambda *_: "k", cache_expiration=hour)()

    for wait in (0, 3000, 1000):
        Own.clock.sleep(wait)
        with forget():
            fresh.run(runner_cls=Own)

    assert calls == [1, 1]


def test_refresh_cache_runs_and_keeps_the_new_result() -> None:
    once(1)
    with Flow("f") as built:
        slow.copy(refresh_cache=True)(1)

    built.run()
    assert calls == [1, 1]
    once(1)
    assert calls == [1, 1]


def test_no_key_is_made_of_what_failed_upstream() -> None:
    @task(cache_key_fn=lambda context, inputs: calls.append(inputs))
    def after(x: int) -> int:
        return x

    with Flow("f") as built:
        made = after.map(after.copy(name="broken", run=lambda x: 1 / 0).map([1]))
    state = built.run()

    assert type(state.result[made].map_states[0]).__name__ == "TriggerFailed"
    assert calls == [{"x": 1}]


def test_a_failed_run_is_not_kept() -> None:
    @task(cache_key_fn=lambda *_: "k")
    def broken() -> None:
        calls.append(1)
        raise ValueError

    with Flow("f") as built:
        broken()
    built.run()
    built.run()

    assert calls == [1, 1]


def test_a_value_that_is_written_somewhere_is_read_from_there(tmp_path: Path) -> None:
    @task(cache_key_fn=lambda *_: "k", result=LocalResult(dir=str(tmp_path), location="kept"))
    def written() -> str:
        calls.append(1)
        return "x" * 100_000

    @flow
    def writes():
        return written()

    with set_temporary_config({"flows.checkpointing": True}):
        writes()
        assert cache_file().stat().st_size < 100_000
        with forget():
            assert writes() == "x" * 100_000
        assert calls == [1]
        (tmp_path / "kept").unlink()
        with forget():
            writes()
    assert calls == [1, 1]


def test_a_value_that_cannot_be_pickled_is_kept_in_memory() -> None:
    @task(cache_key_fn=lambda *_: "k")
    def lock() -> Any:
        calls.append(1)
        return threading.Lock()

    @flow
    def locks():
        return lock()

    assert locks() is locks()
    with forget():
        locks()
    assert calls == [1, 1]


def test_a_home_that_cannot_be_written_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from dagflow.engine import key_cache

    (tmp_path / "file").write_text("")
    key_cache._said.clear()

    with set_temporary_config({"home_dir": str(tmp_path / "file")}), caplog.at_level(logging.WARNING, "dagflow"):
        assert once(1) == [1, 1]
        with forget():
            assert once(1) == [1, 1]

    assert calls == [1, 1]
    assert sum("cannot be used" in record.getMessage() for record in caplog.records) == 1


def test_a_damaged_file_costs_no_run() -> None:
    cache_file().parent.mkdir(parents=True, exist_ok=True)
    cache_file().write_bytes(b"this is no database" * 100)

    assert once(9) == [9, 1]


def test_the_cache_belongs_to_its_user_alone() -> None:
    once(1)

    assert os.stat(cache_file()).st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("what", "count"), [({}, 3), ({"task": "slow"}, 2), ({"task": "other"}, 1), ({"task": "slo"}, 0), ({"key": "k"}, 1)]
)
def test_entries_are_removed_by_key_or_task(what: dict[str, str], count: int) -> None:
    @flow
    def three():
        return slow(1), slow(2), task(lambda: 1, name="other", cache_key_fn=lambda *_: "k")()

    three()

    assert clear(**what) == count
    assert clear() == 3 - count


# --- policies ----------------------------------------------------------------------------------------------------


def key(policy: CachePolicy, inputs: dict[str, Any] | None = None, **facts: Any) -> str | None:
    made = facts.pop("task", slow)
    return policy.key(KeyContext(made, parameters=facts.get("parameters", {}), flow_run=facts.get("run")), inputs or {})


class Run:
    def __init__(self, id: str) -> None:
        self.id = id


other = task(lambda x, y=1: None, name="slow")


def test_policies_are_added_and_inputs_left_out() -> None:
    assert key(INPUTS, {"x": 1}) == key(INPUTS, {"x": 1}) != key(INPUTS, {"x": 2})
    assert key(INPUTS - "y", {"x": 1, "y": 2}) == key(INPUTS - "y", {"x": 1, "y": 3})
    assert key(INPUTS - ["x", "y"], {"x": 1}) == key(INPUTS - ["x", "y"], {"y": 1})
    assert key(INPUTS + TASK_SOURCE, {"x": 1}) == key(TASK_SOURCE + INPUTS, {"x": 1}) != key(INPUTS, {"x": 1})
    assert key(FLOW_PARAMETERS, parameters={"a": 1}) != key(FLOW_PARAMETERS, parameters={"a": 2})
    assert key(RUN_ID, run=Run("1")) != key(RUN_ID, run=Run("2"))
    assert key(DEFAULT, {"x": 1}, run=Run("1")) != key(DEFAULT, {"x": 1}, run=Run("2"))
    assert key(TASK_SOURCE) != key(TASK_SOURCE, task=other)


def test_no_cache_is_no_key_and_adds_nothing() -> None:
    assert key(NO_CACHE, {"x": 1}) is None
    assert NO_CACHE + INPUTS is INPUTS
    assert INPUTS + NO_CACHE is INPUTS
    with pytest.raises(TypeError):
        INPUTS + "x"  # type: ignore[operator]


def test_keys_of_policies_belong_to_one_task() -> None:
    assert key(INPUTS, {"x": 1}) != key(INPUTS, {"x": 1}, task=other)


def test_a_policy_caches_in_a_run() -> None:
    @task(cache_policy=INPUTS - "noise")
    def add(x: int, noise: int) -> int:
        calls.append(x)
        return x

    @flow
    def adds(noise):
        return add.map([1, 2, 1], noise=dagflow.unmapped(noise))

    assert adds(1) == adds(2) == [1, 2, 1]
    assert calls == [1, 2]


def test_an_input_without_a_digest_means_no_cache_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dagflow"):
        assert key(INPUTS, {"x": threading.Lock()}) is None
        assert task_input_hash(KeyContext(slow), {"x": threading.Lock()}) is None

    assert sum("runs without a cache" in record.getMessage() for record in caplog.records) == 2


# --- digests -----------------------------------------------------------------------------------------------------

VALUES = """
import datetime, decimal, enum, dataclasses
class Colour(enum.Enum):
    RED = 1
@dataclasses.dataclass
class Point:
    x: int
    tags: frozenset
values = [
    {"b": {"x", "yy", "zzz"}, "a": [1, 2.5, None, True, b"x"]},
    (datetime.date(2024, 1, 31), decimal.Decimal("1.5"), Colour.RED, Point(1, frozenset("abc"))),
    ["same", "same"],
    Point, len, {1: 2, "1": 2},
]
def code(x, y=frozenset({"a", "b", "c"})):
    return [z for z in y if z in {"q", "r", "s"}]
"""


def test_digests_are_the_same_in_every_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"{VALUES}from dagflow.engine.digests import code_digest, digest\n"
        "print([digest(v) for v in values], code_digest(code))"
    )

    found = {
        subprocess.run(
            [sys.executable, str(script)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip

    assert len(found) == 1
    assert len(set(found.pop().split())) == 7


def test_digests_tell_values_apart_and_take_equal_ones_for_one() -> None:
    twice = "ab" * 2

    assert digest([twice, twice]) == digest(["abab", "".join(["ab", "ab"])])
    assert digest({1: 2}) != digest({"1": 2})
    assert digest([1, 2]) != digest((1, 2)) != digest({1, 2})
    assert digest(True) != digest(1) != digest(1.0)


@pytest.mark.parametrize("value", [threading.Lock(), [threading.Lock()], open(os.devnull)])  # noqa: SIM115
def test_what_cannot_be_told_apart_has_no_digest(value: Any) -> None:
    with pytest.raises(TypeError, match="has no digest"):
        digest(value)


def test_a_value_that_holds_itself_has_no_digest() -> None:
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(TypeError, match="has no digest"):
        digest(endless)


def test_code_counts_by_what_it_does() -> None:
    def first(x: int, y: int = 1) -> int:
        return x + y

    def second(x: int, y: int = 1) -> int:
        # Written in other lines, with a comment.
        return x + y

    def third(x: int, y: int = 2) -> int:
        return x + y

    assert code_digest(first) == code_digest(second) != code_digest(third)
