"""Who works on a run: heartbeats, tokens, and what happens when a process is lost."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from dagflow.server.database import engine, tables
from dagflow.server.database.upgrade import path_of
from dagflow.server.errors import Busy
from dagflow.server.services import sweep
from dagflow.testing import FakeClock, InProcessServer
from tests.server.calls import Api, Refused, flow_document, nobody, state, task_document
from tests.server.conftest import START
from tests.server.databases import MakeUrl

LOST_AFTER = 40.0


def held(api: Api, flow_id: str | None = None, **others: Any) -> str:
    """Return a run that an agent took and that is Running, with its first task Running too."""
    run = api.new_run(flow_id, **others)
    labels = api.run(run)["labels"]
    api.claim(api.agent(*labels), *labels)
    api.post(f"/flow_runs/{run}/begin", {"token": 1})
    api.set_flow(run, "Running")
    api.set_task(run, "extract", "Running")
    return run


def lines(api: Api, run: str, level: str) -> list[str]:
    return [one["message"] for one in api.items(f"/flow_runs/{run}/logs") if one["level"] == level]


# --- taking hold -----------------------------------------------------------------------------------------------


def test_the_holder_of_the_token_begins(api: Api) -> None:
    run = api.new_run()
    [taken] = api.claim(api.agent())

    answer = api.post(f"/flow_runs/{run}/begin", {"token": taken["run_token"]})

    assert (answer["run_token"], answer["flow_run"]["id"], answer["lost_after"]) == (1, run, LOST_AFTER)
    assert answer["server_time"] == api.at() and answer["flow"]["name"] == "etl"
    assert answer["flow_run"]["state"] == "Submitted"


def test_an_old_token_begins_nothing(api: Api) -> None:
    run = held(api)
    api.post(f"/flow_runs/{run}/lost", {})
    api.claim(api.agent())

    with pytest.raises(Refused, match="409 STALE_TOKEN"):
        api.post(f"/flow_runs/{run}/begin", {"token": 1})


def test_a_run_in_living_hands_is_not_given_to_somebody_without_a_token(api: Api) -> None:
    run = held(api)
    api.later(LOST_AFTER - 1)
    with pytest.raises(Refused, match=r"409 CONFLICT: .* is being executed"):
        api.post(f"/flow_runs/{run}/begin", {})

    api.later(1)
    answer = api.post(f"/flow_runs/{run}/begin", {})

    assert answer["run_token"] == 2


def test_a_heartbeat_that_is_not_written_down_yet_counts_too(api: Api) -> None:
    run = held(api)
    api.later(LOST_AFTER - 1)
    api.post(f"/flow_runs/{run}/heartbeat", {"token": 1})
    api.later(LOST_AFTER - 1)

    with pytest.raises(Refused, match="409 CONFLICT"):
        api.post(f"/flow_runs/{run}/begin", {})


def test_taking_hold_of_a_finished_run_changes_nothing(api: Api) -> None:
    run = held(api)
    api.finish(run)
    before = api.run(run)

    answer = api.post(f"/flow_runs/{run}/begin", {})

    assert (answer["run_token"], api.run(run)["held"], api.run(run)["version"]) == (1, False, before["version"])


# --- heartbeats ------------------------------------------------------------------------------------------------


def test_a_heartbeat_tells_the_process_whether_to_stop(api: Api) -> None:
    run = held(api)
    path = f"/flow_runs/{run}/heartbeat"
    running = api.post(path, {"token": 1})
    api.post(f"/flow_runs/{run}/cancel")

    assert running == {"state": "Running", "cancelling": False, "heartbeat_enabled": True}
    assert api.post(path, {"token": 1})["cancelling"]
    with pytest.raises(Refused, match="409 STALE_TOKEN"):
        api.post(path, {"token": 0})
    with pytest.raises(Refused, match="404"):
        api.post(f"/flow_runs/{nobody()}/heartbeat", {})


def test_heartbeats_are_written_down_together(api: Api) -> None:
    run = held(api)
    before = api.run(run)["heartbeat"]
    api.later(20)
    api.post(f"/flow_runs/{run}/heartbeat", {"token": 1})
    beaten = api.at()

    kept = api.run(run)["heartbeat"]
    api.tick(5)

    assert (kept, api.run(run)["heartbeat"]) == (before, beaten)


# --- lost ------------------------------------------------------------------------------------------------------


def test_a_run_whose_heartbeat_stays_away_is_scheduled_again(api: Api) -> None:
    run = held(api)
    api.tick(LOST_AFTER - 1)
    before = api.run(run)["state"]

    api.tick(1)

    found = api.run(run)
    assert (before, found["state"], found["held"], found["times_resurrected"]) == ("Running", "Scheduled", False, 1)
    assert found["state_start_time"] == api.at() and "No heartbeat was seen for 40 s" in found["state_message"]
    assert "attempt 1 of 3" in lines(api, run, "INFO")[0]


def test_a_run_that_beats_is_left_alone(api: Api) -> None:
    run = held(api)

    for _ in range(10):
        api.tick(LOST_AFTER - 1)
        api.post(f"/flow_runs/{run}/heartbeat", {"token": 1})

    assert api.run(run)["state"] == "Running"


def test_a_run_that_never_beat_counts_from_its_submission(api: Api) -> None:
    run = api.new_run()
    api.claim(api.agent())

    api.tick(LOST_AFTER)

    assert api.run(run)["state"] == "Scheduled"


def test_a_lost_run_that_cannot_be_dealt_with_keeps_no_other_from_being_taken_up(api: Api) -> None:
    spoiled, fine = held(api), held(api)
    table = tables.task
    its_task = table.c.id == api.task_id(spoiled, "extract")
    endless = table.update().where(its_task).values(retry_delay=1e300, max_retries=1)
    api.server.backend.database.write(lambda tx: tx.execute(endless) and None)

    api.tick(LOST_AFTER)

    assert api.run(spoiled)["state"] == "Running"
    assert api.run(fine)["state"] == "Scheduled"


def test_after_a_start_of_the_server_nobody_is_lost_for_one_full_time(api: Api) -> None:
    run = held(api)
    api.later(10_000)
    api.restart_server()

    api.tick(LOST_AFTER - 1)
    graced = api.run(run)["state"]
    api.tick(1)

    assert (graced, api.run(run)["state"]) == ("Running", "Scheduled")


@pytest.fixture
def impatient(new_sqlite: MakeUrl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Give calls of a server that waits no time worth mentioning for a database that somebody else has locked."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    with InProcessServer(FakeClock(START), new_sqlite()) as server:
        yield Api(server)


def test_heartbeats_that_could_not_be_written_down_are_not_forgotten(impatient: Api) -> None:
    api = impatient
    run = held(api)
    api.later(LOST_AFTER - 1)
    api.post(f"/flow_runs/{run}/heartbeat", {"token": 1})

    with locked(api), pytest.raises(Busy):
        sweep.write_heartbeats(api.server.backend)
    api.tick(LOST_AFTER - 1)

    assert api.run(run)["state"] == "Running"
    assert api.run(run)["heartbeat"] == api.at(1 - LOST_AFTER)


def test_a_request_that_cannot_be_written_is_to_be_sent_again_later(impatient: Api) -> None:
    api = impatient

    with locked(api):
        answer = api.ask("POST", "/projects", {"name": "x"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert api.items("/projects") == []


def test_after_the_database_was_away_nobody_is_lost_for_one_full_time(impatient: Api) -> None:
    api = impatient
    run = held(api)
    api.later(LOST_AFTER)
    with locked(api), pytest.raises(Busy):
        sweep.run(api.server.backend)

    api.tick(LOST_AFTER - 1)
    before = api.run(run)["state"]
    api.tick(1)

    assert (before, api.run(run)["state"]) == ("Running", "Scheduled")


@contextlib.contextmanager
def locked(api: Api) -> Iterator[None]:
    """Have the database of a server to ourselves."""
    path = path_of(api.server.backend.database.url)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def test_a_lost_task_uses_one_of_its_retries(api: Api) -> None:
    tasks: list[Any] = [task_document("extract", max_retries=1, retry_delay=60.0), "load"]
    run = held(api, api.register(flow_document(tasks=tasks))["id"])

    api.post(f"/flow_runs/{run}/lost", {"token": 1, "reason": "Killed."})

    found = api.task_run(run, "extract")
    assert (found["state"], found["state_start_time"]) == ("Retrying", api.at(60))
    assert found["serialized_state"]["run_count"] == 1 and "Killed." in found["state_message"]


def test_a_lost_task_without_retries_runs_again_and_what_succeeded_does_not(api: Api) -> None:
    run = held(api)
    api.set_task(run, "extract", "Success")
    api.set_task(run, "load", "Running")

    api.post(f"/flow_runs/{run}/lost", {"token": 1})

    assert api.task_states(run) == {"extract": "Success", "load": "Pending"}


def test_a_run_is_taken_up_three_times_and_then_given_up(api: Api) -> None:
    run = api.new_run()
    agent = api.agent()
    states = []
    for _ in range(4):
        [taken] = api.claim(agent)
        api.set_flow(run, "Running")
        api.set_task(run, "extract", "Running")
        api.post(f"/flow_runs/{run}/lost", {"token": taken["run_token"], "reason": "Killed."})
        states.append(api.run(run)["state"])

    assert states == ["Scheduled", "Scheduled", "Scheduled", "Failed"]
    assert "taken up again 3 times already" in lines(api, run, "ERROR")[-1]
    assert api.task_run(run, "extract")["state"] == "Failed"


def test_the_count_begins_anew_when_a_task_made_progress(api: Api) -> None:
    run = api.running(api.register(flow_document(tasks=[f"t{number}" for number in range(6)], edges=[]))["id"])
    for number in range(6):
        api.later(1)
        api.ran(run, f"t{number}")
        api.later(1)
        api.set_flow(run, "Submitted")
        api.post(f"/flow_runs/{run}/lost", {})
        api.later(1)
        api.set_flow(run, "Running")

    assert api.run(run)["state"] == "Running" and api.run(run)["times_resurrected"] == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"lazarus_enabled": False}, "lazarus disabled"), ({"resurrection_attempt_limit": 0}, "0 times already")],
)
def test_a_group_may_have_lost_runs_fail(api: Api, settings: dict[str, Any], reason: str) -> None:
    flow = api.register()
    api.post(f"/flow_groups/{flow['flow_group_id']}/settings", settings)
    run = held(api, flow["id"])

    api.tick(LOST_AFTER)

    assert api.run(run)["state"] == "Failed" and reason in api.run(run)["state_message"]


def test_without_heartbeats_no_run_is_taken_for_lost(api: Api) -> None:
    flow = api.register()
    api.post(f"/flow_groups/{flow['flow_group_id']}/settings", {"heartbeat_enabled": False})
    run = held(api, flow["id"])

    api.tick(100 * LOST_AFTER)

    assert api.run(run)["state"] == "Running"


def test_a_lost_run_without_an_agent_fails(api: Api) -> None:
    run = api.running(agentless=True)

    api.tick(LOST_AFTER)

    assert api.run(run)["state"] == "Failed" and "no agent takes such a run" in api.run(run)["state_message"]


def test_a_lost_run_that_was_being_cancelled_is_cancelled(api: Api) -> None:
    run = held(api)
    api.post(f"/flow_runs/{run}/cancel")

    api.tick(LOST_AFTER)

    assert api.run(run)["state"] == "Cancelled"
    assert api.task_states(run) == {"extract": "Cancelled", "load": "Cancelled"}


@pytest.mark.parametrize("ending", ["Success", "Failed", "Cancelled"])
def test_the_end_of_a_process_changes_no_finished_run(api: Api, ending: str) -> None:
    run = held(api)
    api.finish(run, ending)
    before = api.run(run)["version"]

    answer = api.post(f"/flow_runs/{run}/lost", {"token": 1})

    assert answer == {"state": ending} and api.run(run)["version"] == before


def test_an_old_token_loses_nothing(api: Api) -> None:
    run = held(api)
    api.post(f"/flow_runs/{run}/lost", {"token": 1})
    api.claim(api.agent())
    api.set_flow(run, "Running")

    assert api.post(f"/flow_runs/{run}/lost", {"token": 1}) == {"state": "Running"}


def test_what_a_dead_process_said_last_is_in_the_log(api: Api) -> None:
    run = held(api)

    api.post(f"/flow_runs/{run}/lost", {"token": 1, "log": ["Segmentation fault"]})

    assert "Segmentation fault" in lines(api, run, "ERROR")
    with pytest.raises(Refused, match="404"):
        api.post(f"/flow_runs/{nobody()}/lost", {"log": ["x"]})


# --- giving back -----------------------------------------------------------------------------------------------


def test_a_run_given_back_waits_for_its_tasks(api: Api) -> None:
    run = held(api)
    api.set_task(run, "extract", state("Retrying", start_time=api.at(900), run_count=2))

    answer = api.post(f"/flow_runs/{run}/release", {"token": 1})
    api.tick(100 * 5)

    assert answer == {"state": "Running"} and api.run(run)["state"] == "Running"


def test_a_run_given_back_to_be_taken_up_is_scheduled_at_once_and_costs_no_retry(api: Api) -> None:
    tasks: list[Any] = [task_document("extract", max_retries=1, retry_delay=60.0), "load"]
    run = held(api, api.register(flow_document(tasks=tasks))["id"])

    answer = api.post(f"/flow_runs/{run}/release", {"token": 1, "reschedule": True})

    assert answer == {"state": "Scheduled"}
    assert (api.task_run(run, "extract")["state"], api.run(run)["times_resurrected"]) == ("Pending", 0)
    assert [one["flow_run"]["id"] for one in api.claim(api.agent())] == [run]


def test_an_old_token_gives_nothing_back(api: Api) -> None:
    run = held(api)

    with pytest.raises(Refused, match="409 STALE_TOKEN"):
        api.post(f"/flow_runs/{run}/release", {"token": 0})
