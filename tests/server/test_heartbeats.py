"""Signs of life, when several servers have one database."""

from __future__ import annotations

from pathlib import Path

from dagflow.core.flow import Flow
from dagflow.testing import FakeClock, InProcessServer
from dagflow.utilities.tasks import task


def small_flow() -> Flow:
    with Flow("small") as flow:
        task(lambda: 1, name="one")()
    return flow


def test_a_server_without_services_writes_down_what_was_said_to_it(tmp_path: Path) -> None:
    # The services run in another server, which hears of a run only through the database.
    url = f"sqlite:///{tmp_path}/shared.db"
    clock = FakeClock(1_795_000_000.0)
    with InProcessServer(clock, url) as hears, InProcessServer(clock, url) as sweeps:
        client = hears.client()
        client.create_project("p")
        registered = client.post("flows/register", {"flow": small_flow().serialize(), "project_name": "p"})
        run_id = client.create_flow_run(flow_id=registered["id"])
        token = client.post(f"flow_runs/{run_id}/begin", {})["run_token"]
        client.post("states", {"flow_runs": [{"flow_run_id": run_id, "state": {"type": "Running"}, "token": token}]})
        alone = hears.app.state.services
        alone.services = [one for one in alone.services if one.everywhere]

        for _ in range(20):
            clock.time += 10
            client.post(f"flow_runs/{run_id}/heartbeat", {"token": token})
            hears.tick()
            sweeps.tick()

        assert client.get(f"flow_runs/{run_id}")["state"] == "Running"


def test_a_run_that_is_silent_is_lost_however_many_servers_there_are(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    clock = FakeClock(1_795_000_000.0)
    with InProcessServer(clock, url) as hears, InProcessServer(clock, url) as sweeps:
        client = hears.client()
        client.create_project("p")
        registered = client.post("flows/register", {"flow": small_flow().serialize(), "project_name": "p"})
        run_id = client.create_flow_run(flow_id=registered["id"])
        token = client.post(f"flow_runs/{run_id}/begin", {})["run_token"]
        client.post("states", {"flow_runs": [{"flow_run_id": run_id, "state": {"type": "Running"}, "token": token}]})

        clock.time += 60
        sweeps.tick()

        assert client.get(f"flow_runs/{run_id}")["state"] == "Scheduled"
