"""The demo: a database that looks lived in, which all pages can show, made from a seed."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from dagflow.server.database import tables
from dagflow.server.database.engine import Database
from dagflow.server.demo import fill, living_agents
from dagflow.server.demo.flows import FLOWS
from dagflow.server.demo.stories import tell
from dagflow.server.orchestration.kinds import FINISHED
from dagflow.testing import FakeClock, InProcessServer
from tests.server.calls import Api
from tests.server.conftest import START
from tests.server.databases import MakeUrl
from tests.server.processes import environment, free_port


@pytest.fixture
def demo(new_database: MakeUrl) -> Iterator[Api]:
    """Give calls of a server with a small demo."""
    url, clock = new_database(), FakeClock(START)
    database = Database(url, clock)
    fill(database, runs=60)
    database.close()
    with InProcessServer(clock, url) as server:
        yield Api(server)


def test_all_pages_have_something_to_show(demo: Api) -> None:
    flows = {one["name"]: one for one in demo.items("/flow_groups/overview")}
    forecast = flows["demand-forecast"]
    group, last = forecast["group_id"], flows["price-watch"]["last_runs"][0]["id"]

    assert len(flows) == len(FLOWS)
    assert (forecast["version"], len(demo.get(f"/flows/{forecast['flow_id']}/layout")["nodes"])) == (3, 41)
    assert demo.get(f"/flow_groups/{group}/grid")["tasks"]
    assert demo.get(f"/flow_groups/{group}/durations")["tasks"]
    assert demo.get(f"/flow_runs/{last}/timeline")["tasks"][1]["children"]
    assert demo.get("/summary")["agents"] == {"healthy": 2, "silent": 2}
    assert demo.get("/queue")["runs"]
    assert demo.get("/timeline")["runs"]
    assert demo.items("/activity")
    assert demo.items(f"/flow_runs/{last}/logs")
    assert demo.items("/artifacts", key="sales-report")
    assert demo.items("/automations") and demo.items("/kv") and demo.items("/limits") and demo.items("/work_pools")


def test_runs_of_the_demo_can_be_restarted_and_cancelled(demo: Api) -> None:
    failed = demo.items("/flow_runs", state="Failed")[0]["id"]
    going = demo.items("/flow_runs", state="Running")[0]["id"]

    assert demo.post(f"/flow_runs/{failed}/restart", {"preview": True})["again"]
    assert demo.post(f"/flow_runs/{failed}/restart", {})["state"] == "Scheduled"
    assert demo.post(f"/flow_runs/{going}/cancel", {})["state"] == "Cancelling"


def test_the_same_seed_makes_the_same_demo(new_sqlite: MakeUrl) -> None:
    def made(seed: int) -> list[tuple[str, str, str]]:
        database = Database(new_sqlite(), FakeClock(START))
        fill(database, runs=40, seed=seed, logs=False)
        table = tables.flow_run
        statement = select(table.c.name, table.c.state, table.c.created).where(table.c.created < "2026-11-18T11:06:00")
        found = database.read(lambda connection: connection.execute(statement.order_by(table.c.id)).all())
        database.close()
        return [tuple(row) for row in found]

    assert made(1) == made(1) != made(2)


@pytest.mark.parametrize("outcome", ["Success", "Failed", "Restarted", "Cancelled", "Running"])
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_stories_are_told_in_order(flow: object, outcome: str) -> None:
    import random

    assert isinstance(flow, type(FLOWS[0]))
    for seed in range(20):
        story = tell(flow, list(flow.tasks), random.Random(seed), outcome)

        last = "Success" if outcome == "Restarted" else outcome
        assert story.steps[-1].state == last
        for task in [*story.tasks, story]:
            moments = [step.at for step in task.steps]
            assert moments == sorted(moments)
        if outcome != "Running":
            assert {task.state for task in story.tasks} <= FINISHED


def test_healthy_agents_of_the_demo_stay_so(new_sqlite: MakeUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr("dagflow.server.demo.surroundings.BEAT_SECONDS", 0.01)
    heard = threading.Event()
    database = Database(new_sqlite(), hear=lambda news: heard.set())
    fill(database, runs=0)
    heard.clear()
    agent = tables.agent
    database.write(lambda tx: tx.execute(agent.update().values(last_queried="2000-01-01T00:00:00.000000Z")).rowcount)

    with living_agents(database):
        for _ in range(500):
            rows = database.read(lambda connection: connection.execute(select(agent.c.last_queried)).scalars().all())
            if sum(one > "2001" for one in rows) == 2:
                break
            threading.Event().wait(0.01)

    database.close()
    assert sum(one > "2001" for one in rows) == 2


def test_the_command_serves_a_demo_and_deletes_it(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "dagflow", "server", "demo", "--port", str(port), "--runs", "5"]
    env = environment(tmp_path) | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, start_new_session=True
    )
    assert process.stdout is not None
    try:
        assert any("ready" in line for line in process.stdout)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/summary") as answer:
            assert answer.status == 200
        assert list(tmp_path.glob("dagflow-demo-*"))
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=20)[0]

    assert process.returncode == 0
    assert "the demo is deleted" in rest
    assert not list(tmp_path.glob("dagflow-demo-*"))
