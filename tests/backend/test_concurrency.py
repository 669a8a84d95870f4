"""Limits that tasks ask for by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dagflow.concurrency import concurrency, rate_limit
from dagflow.core.flow import Flow
from dagflow.engine.results import PrefectResult
from dagflow.engine.state import Running
from dagflow.executors import LocalDaskExecutor
from dagflow.harness import Harness
from dagflow.storage import Module
from dagflow.testing import InProcessServer, flow_test_harness
from dagflow.utilities.context import context
from dagflow.utilities.tasks import task
from tests.served import registered


@pytest.fixture
def harness() -> Iterator[Harness]:
    with flow_test_harness() as one:
        yield one


@pytest.fixture
def inside(served: InProcessServer) -> Iterator[InProcessServer]:
    """Give a server, from inside a task of a run of it."""
    client = served.client()
    run_id = client.create_flow_run(registered(served))
    begun = client.post(f"flow_runs/{run_id}/begin", {})
    client.set_flow_run_state(run_id, Running())
    with context(running_with_backend=True, flow_run_id=run_id, run_token=begun["run_token"]):
        yield served


def in_use(server: InProcessServer) -> float:
    return float(server.client().get("limits/named/db")["in_use"])


def test_no_more_tasks_are_in_the_block_than_the_limit_has_slots(harness: Harness) -> None:
    lock, inside, most, together = threading.Lock(), [0], [0], threading.Event()

    def limited(x: int) -> int:
        with concurrency("db"):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                if inside[0] == 2:
                    together.set()
            # The first two wait for each other, so that a limit of one would not pass for one of two.
            assert together.wait(30)
            with lock:
                inside[0] -= 1
        return x

    with Flow("limited", storage=Module(__name__), result=PrefectResult()) as flow:
        task(limited, name="limited").map(list(range(6)))
    flow.executor = LocalDaskExecutor(scheduler="threads", num_workers=4)
    harness.client.update_named_limit("db", 2)

    run = harness.run(flow)

    assert run.state.is_successful() and most == [2]
    assert harness.client.get("limits/named/db")["in_use"] == 0


def test_slots_are_given_back_when_the_block_fails(inside: InProcessServer) -> None:
    inside.client().update_named_limit("db", 1)

    with pytest.raises(ZeroDivisionError), concurrency("db"):
        assert in_use(inside) == 1
        raise ZeroDivisionError

    assert in_use(inside) == 0


def test_waiting_ends_with_an_error_when_the_time_is_up(inside: InProcessServer) -> None:
    inside.client().update_named_limit("db", 1)

    with concurrency("db"), pytest.raises(TimeoutError, match="'db' had no 1 free slots"):
        rate_limit("db", timeout_seconds=0.01)

    assert in_use(inside) == 0


def test_a_rate_makes_wait(inside: InProcessServer) -> None:
    inside.client().update_named_limit("api", 1, slots_per_second=0.1)
    rate_limit("api")

    with pytest.raises(TimeoutError, match="'api'"):
        rate_limit("api", timeout_seconds=0.01)
    inside.clock.time += 10

    rate_limit("api", timeout_seconds=0.01)


@pytest.mark.filterwarnings("ignore")
def test_a_limit_that_is_not_there_is_told(inside: InProcessServer, caplog: pytest.LogCaptureFixture) -> None:
    with concurrency("db"):
        pass

    assert "There is no limit 'db'" in caplog.text and "update_named_limit" in caplog.text


def test_outside_a_run_under_a_server_nothing_waits() -> None:
    with concurrency("db", timeout_seconds=0):
        rate_limit("db", timeout_seconds=0)


def test_less_than_one_slot_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="found occupy=0"):
        rate_limit("db", occupy=0)
