"""What faults brought to light, each in its smallest form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow, task
from dagflow.backend.execution import execute_flow_run, load_flow
from dagflow.backend.heart import Heart
from dagflow.client.client import Client
from dagflow.engine.state import Cancelled
from dagflow.exceptions import ServerUnreachableError
from dagflow.storage import Local
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config


@task
def one() -> int:
    return 1


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    with InProcessServer() as running:
        yield running


@pytest.fixture
def client(server: InProcessServer) -> Client:
    return server.client()


@pytest.fixture
def flow_id(client: Client, tmp_path: Path) -> str:
    with Flow("found") as flow:
        one()
    flow.storage = Local(directory=str(tmp_path / "flows"), add_default_labels=False)
    client.create_project("p")
    return client.register(flow, "p", no_url=True)


def claimed(client: Client, flow_id: str) -> tuple[str, int]:
    """Return a run that was given to an agent, and its token."""
    client.create_flow_run(flow_id=flow_id)
    agent_id = client.register_agent("LocalAgent", "a", [])
    (given,) = client.post(f"agents/{agent_id}/claim", {"labels": [], "limit": 1, "wait_seconds": 0})["runs"]
    return given["flow_run"]["id"], given["run_token"]


def test_a_run_that_was_cancelled_before_its_process_came_has_no_tasks_that_wait(client: Client, flow_id: str) -> None:
    run_id, token = claimed(client, flow_id)
    client.cancel_flow_run(run_id)

    begun = client.post(f"flow_runs/{run_id}/begin", {"token": token})

    assert begun["flow_run"]["state"] == "Cancelled"
    left = client.get(f"flow_runs/{run_id}/task_runs")["items"]
    assert [run["state"] for run in left if run["state"] != "Cancelled"] == []


def test_a_run_that_is_cancelled_while_its_process_begins_is_recorded_as_cancelled_once(
    client: Client, flow_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = client.create_flow_run(flow_id=flow_id)

    def loaded_slowly(*arguments: Any) -> Flow:
        client.cancel_flow_run(run_id)
        return load_flow(*arguments)

    monkeypatch.setattr("dagflow.backend.execution.load_flow", loaded_slowly)

    state = execute_flow_run(run_id, client)

    assert isinstance(state, Cancelled)
    states = [one["state"] for one in client.get(f"flow_runs/{run_id}/states")["items"]]
    assert states == ["Scheduled", "Cancelled"]


def test_a_run_whose_code_takes_minutes_to_load_is_not_taken_for_lost(
    server: InProcessServer, client: Client, flow_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, token = claimed(client, flow_id)

    def loaded_slowly(*arguments: Any) -> Flow:
        for _ in range(10):
            time.sleep(0.03)  # for a sign of life between the turns of the clock
            server.tick(20)
        return load_flow(*arguments)

    monkeypatch.setattr("dagflow.backend.execution.load_flow", loaded_slowly)

    with set_temporary_config({"cloud.heartbeat_interval": 0.005}):
        state = execute_flow_run(run_id, client, token)

    assert state.is_successful()
    assert client.get(f"flow_runs/{run_id}")["times_resurrected"] == 0


class _Unreachable:
    """A client whose requests fail, and that tells how often each may be tried again."""

    def __init__(self) -> None:
        self.retries: list[Any] = []
        self.api_url = "http://127.0.0.1:1/api"

    def _request(self, method: str, path: str, retries: Any = None, **content: Any) -> Any:
        self.retries.append(retries)
        raise ServerUnreachableError("away")


def test_a_look_whether_the_run_is_still_ours_is_not_held_up_by_waits_for_a_server_that_is_away() -> None:
    client = _Unreachable()

    with Heart(client, "run", 1, lambda kind, reason: None, mode="off"):
        while not client.retries:
            pass

    assert client.retries == [0]
