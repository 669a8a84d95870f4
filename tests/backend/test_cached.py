"""Results of earlier runs of the server's, used again by tasks that allow it."""

from __future__ import annotations

import datetime
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, task
from dagflow.backend import FlowRunView
from dagflow.engine import key_cache
from dagflow.engine.results import LocalResult
from dagflow.harness import Harness
from dagflow.testing import FakeClock, flow_test_harness

HOUR = datetime.timedelta(hours=1)
RAN: Counter[Any] = Counter()


@pytest.fixture(autouse=True)
def harness() -> Iterator[Harness]:
    RAN.clear()
    key_cache._warned.clear()
    with flow_test_harness(FakeClock(datetime.datetime.now(datetime.UTC).timestamp())) as here:
        yield here


def double(x: int) -> int:
    RAN[x] += 1
    return 2 * x


def made(harness: Harness, *, name: str = "doubles", kept: bool = True, **options: Any) -> Flow:
    """Return a flow that doubles one number, and three more of a list."""
    place = LocalResult(dir=str(Path(harness.folder) / "results")) if kept else None
    with Flow(name, result=place) as flow:
        one = task(double, name="double", **options)
        one(7)
        one.map([1, 2, 3])
    return flow


def states(harness: Harness, run: FlowRunView, slug: str) -> list[str]:
    rows = harness.client.get(f"flow_runs/{run.flow_run_id}/task_runs", {"task_slug": slug})["items"]
    return [row["state"] for row in sorted(rows, key=lambda row: row["map_index"])]


def by_key(context: Any, inputs: dict[str, Any]) -> str:
    return f"double {inputs['x']}"


@pytest.fixture(params=["cache_for", "cache_for with a name", "cache_key_fn"])
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {
        "cache_for": {"cache_for": HOUR},
        "cache_for with a name": {"cache_for": HOUR, "cache_key": "doubles"},
        "cache_key_fn": {"cache_key_fn": by_key},
    }[request.param]


def run_again(harness: Harness, flow: Flow) -> FlowRunView:
    """Run *flow* as another machine would: without what this one has kept for itself."""
    key_cache.clear()
    return harness.run(flow)


def test_a_later_run_takes_the_results_of_an_earlier_one(harness: Harness, options: dict[str, Any]) -> None:
    flow = made(harness, **options)
    harness.run(flow)

    run = run_again(harness, flow)

    assert RAN == {7: 1, 1: 1, 2: 1, 3: 1}
    assert states(harness, run, "double-1") == ["Cached"]
    assert states(harness, run, "double-2") == ["Mapped", "Cached", "Cached", "Cached"]
    assert [run.get_task_run(task_slug="double-2", map_index=index).get_result() for index in range(3)] == [2, 4, 6]


def test_a_new_version_of_a_flow_keeps_its_cache(harness: Harness, options: dict[str, Any]) -> None:
    harness.run(made(harness, **options))

    run_again(harness, made(harness, max_retries=1, retry_delay=HOUR, **options))

    assert set(RAN.values()) == {1}


def test_a_named_cache_is_shared_by_all_flows_and_one_without_name_is_not(harness: Harness) -> None:
    for name in ("one", "two"):
        harness.run(made(harness, name=name, cache_for=HOUR, cache_key="shared"))
    shared = Counter(RAN)
    for name in ("three", "four"):
        harness.run(made(harness, name=name, cache_for=HOUR))

    assert set(shared.values()) == {1}
    assert set(RAN.values()) == {3}


def test_using_a_result_again_does_not_make_it_last_longer(harness: Harness, options: dict[str, Any]) -> None:
    if "cache_key_fn" in options:
        options["cache_expiration"] = HOUR
    flow = made(harness, **options)
    first, second = harness.run(flow), run_again(harness, flow)

    expirations = [
        state.cached_result_expiration or state.context["cache_expires"]
        for state in (run.get_task_run(task_slug="double-1").state for run in (first, second))
        if state.is_cached()
    ]

    assert len({str(one) for one in expirations}) == 1


def test_a_result_that_has_expired_is_not_used(harness: Harness) -> None:
    flow = made(harness, cache_for=datetime.timedelta(microseconds=1))
    harness.run(flow)

    run_again(harness, flow)

    assert set(RAN.values()) == {2}


def test_a_result_that_is_gone_counts_as_missing(harness: Harness, options: dict[str, Any]) -> None:
    flow = made(harness, **options)
    harness.run(flow)
    shutil.rmtree(Path(harness.folder) / "results")

    run = run_again(harness, flow)

    assert run.state.is_successful()
    assert set(RAN.values()) == {2}


def test_a_result_that_was_changed_counts_as_missing(harness: Harness, options: dict[str, Any]) -> None:
    flow = made(harness, **options)
    harness.run(flow)
    for file in (Path(harness.folder) / "results").iterdir():
        file.write_bytes(b"changed")

    run = run_again(harness, flow)

    assert run.state.is_successful()
    assert set(RAN.values()) == {2}


def test_a_result_that_was_kept_nowhere_is_not_taken_for_none(
    harness: Harness, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    flow = made(harness, kept=False, **options)
    flow.result = None
    harness.register(flow)
    flow.result = None
    harness.run(flow)

    run = run_again(harness, flow)

    assert run.state.is_successful()
    assert set(RAN.values()) == {2}
    said = [one.getMessage() for one in caplog.records if "is kept nowhere" in one.getMessage()]
    assert len(said) == 1 and said[0].startswith("Task 'double' caches its result")


def test_tasks_run_when_the_server_cannot_be_asked(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = made(harness, cache_for=HOUR)
    harness.run(flow)
    asked = harness.client._request

    def away(method: str, path: str, **content: Any) -> Any:
        return asked(method, "nowhere" if path == "task_runs/cached" else path, **content)

    monkeypatch.setattr(harness.client, "_request", away)
    run = harness.run(flow)

    assert run.state.is_successful()
    assert set(RAN.values()) == {2}
