"""Requests that come twice, at once, late, or whose answers are lost."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx2
from sqlalchemy import select

from dagflow.server.database import tables
from dagflow.server.store.creation import WantedRun, create_flow_run
from dagflow.server.store.projects import create_project
from dagflow.server.store.registration import register
from dagflow.testing import FakeClock, InProcessServer
from dagflow.utilities.identities import new_id
from tests.server.calls import Api, flow_document, state
from tests.server.conftest import START
from tests.server.databases import MakeUrl
from tests.server.races import at_once

KEYS, TIMES = 20, 50


def test_one_key_posted_many_times_at_once_creates_one_run(api: Api) -> None:
    flow = api.register(flow_document(parameters={"x": 0}))["id"]

    def post(number: int) -> tuple[str, bool]:
        key = f"key {number % KEYS}"
        answer = api.post("/flow_runs", {"flow_id": flow, "idempotency_key": key, "parameters": {"x": number % KEYS}})
        return answer["id"], answer["created"]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(post, range(KEYS * TIMES)))
        other = api.ask("POST", "/flow_runs", {"flow_id": flow, "idempotency_key": "key 3", "parameters": {"x": -1}})

    assert sum(created for _, created in answers) == KEYS
    assert len({id for id, _ in answers}) == KEYS == len(api.items("/flow_runs"))
    assert other.status_code == 409


class Unreliable:
    """A way to the server on which answers get lost after the work was done, and requests come twice."""

    def __init__(self, inner: Any, seed: int) -> None:
        self.inner = inner
        self.random = random.Random(seed)
        self.lost = self.repeated = 0

    def handle_request(self, request: Any) -> Any:
        answer = self.inner.handle_request(request)
        dice = self.random.random()
        if dice < 0.2:
            self.repeated += 1
            answer = self.inner.handle_request(request)
        elif dice < 0.4:
            self.lost += 1
            raise httpx2.ReadError("the answer was lost", request=request)
        return answer

    def close(self) -> None:
        """Nothing to do."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def test_lost_answers_and_repeated_requests_leave_no_trace(server: InProcessServer) -> None:
    plain, shaky = Api(server), Api(server)
    transport: Any = Unreliable(server.transport, seed=7)
    shaky.http = httpx2.Client(transport=transport, base_url=f"{server.url}/api")
    flow = plain.register()["id"]

    def surely(path: str, body: Any) -> Any:
        """Post until an answer comes, as a client does."""
        while True:
            try:
                return shaky.post(path, body)
            except httpx2.ReadError:
                continue

    expected: dict[str, list[str]] = {}
    for _ in range(125):
        run = surely("/flow_runs", {"id": new_id(), "flow_id": flow})["id"]
        expected[run] = ["Scheduled"]
        for kind in ("Submitted", "Running", "Success"):
            body = {"flow_runs": [{"flow_run_id": run, "state": state(kind), "id": new_id()}]}
            [answer] = surely("/states", body)["flow_runs"]
            assert (answer["status"], answer["state"]) == ("SUCCESS", kind)
            expected[run].append(kind)

    assert transport.lost > 50 and transport.repeated > 50
    assert histories(server) == expected


def histories(server: InProcessServer) -> dict[str, list[str]]:
    table = tables.flow_run_state
    found: dict[str, list[str]] = {}
    rows = server.backend.database.read(
        lambda connection: connection.execute(select(table.c.run_id, table.c.state).order_by(table.c.seq)).all()
    )
    for run, kind in rows:
        found.setdefault(run, []).append(kind)
    return found


def test_a_request_that_arrives_late_changes_nothing(api: Api) -> None:
    run = api.new_run()
    early, late = new_id(), new_id()
    api.set_flow(run, "Running", id=early)
    api.set_flow(run, "Success", id=late)

    again = api.set_flow(run, "Running", id=early)

    assert (again["status"], again["version"]) == ("SUCCESS", 2)
    assert api.run(run)["state"] == "Success"


def test_what_two_servers_make_at_the_same_time_is_made_once(new_postgresql: MakeUrl) -> None:
    url, clock = new_postgresql(), FakeClock(START)
    with InProcessServer(clock, url) as one, InProcessServer(clock, url) as other:
        there = Api(other)
        project, again = at_once(
            one,
            lambda tx: create_project(tx, "night", None),
            lambda: there.post("/projects", {"name": "night"}),
        )
        assert (again["id"], project["created"], again["created"]) == (project["id"], True, False)

        first, second = at_once(
            one, lambda tx: register(tx, flow_document(), project["id"], None, None, None, None), there.register
        )
        assert (second["flow_group_id"], first["version"], second["version"]) == (first["flow_group_id"], 1, 2)

        body = {"flow_id": second["id"], "idempotency_key": "key"}
        run, same = at_once(
            one, lambda tx: create_flow_run(tx, WantedRun(**body)), lambda: there.post("/flow_runs", body)
        )
        assert (same["id"], run["created"], same["created"]) == (run["id"], True, False)
