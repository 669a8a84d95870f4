"""How schedules become runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dagflow.server.clock import at
from dagflow.server.services import scheduler
from dagflow.server.store import schedules
from dagflow.testing import FakeClock, InProcessServer
from tests.server.calls import Api, Refused, clock, flow_document, schedule
from tests.server.databases import MakeUrl

HOUR = 3600.0


def planned(api: Api, **params: Any) -> list[dict[str, Any]]:
    """Return the runs that schedules made and that wait, the earliest first."""
    found = api.items("/flow_runs", limit=200, state="Scheduled", **params)
    return sorted((one for one in found if one["auto_scheduled"]), key=lambda one: one["scheduled_start_time"])


def times(api: Api, **params: Any) -> list[str]:
    return [one["scheduled_start_time"] for one in planned(api, **params)]


def scheduled(api: Api, *clocks: dict[str, Any], name: str = "etl", **others: Any) -> Any:
    return api.register(flow_document(name, schedule=schedule(*clocks), **others))


def test_runs_are_made_for_a_day_ahead_and_at_least_ten(api: Api) -> None:
    scheduled(api, clock(HOUR), name="hourly")
    scheduled(api, clock(24 * HOUR), name="daily")

    assert len(times(api, flow_name="hourly")) == 25, "the first one beyond the day is made too"
    assert len(times(api, flow_name="daily")) == 10


def test_no_more_than_a_hundred_runs_are_made_ahead(api: Api) -> None:
    scheduled(api, clock(60))

    assert len(times(api)) == 100


def test_only_times_to_come_are_planned(api: Api) -> None:
    scheduled(api, clock(HOUR, start_date={"dt": "2020-01-01T00:00:00", "tz": "UTC"}))

    assert api.at() < times(api)[0] <= api.at(HOUR)


def test_a_planned_run_is_marked_and_keyed_by_its_time(api: Api) -> None:
    scheduled(api)

    first = planned(api)[0]

    assert first["auto_scheduled"] and first["idempotency_key"] == f"auto-scheduled:{first['scheduled_start_time']}"
    assert first["state_start_time"] == first["scheduled_start_time"]


def test_passes_add_what_has_come_in_sight_and_nothing_twice(api: Api) -> None:
    scheduled(api)
    before = times(api)
    for _ in range(3):
        api.tick()
    assert times(api) == before

    api.tick(2 * HOUR)

    assert len(times(api)) == 27 and len(set(times(api))) == 27
    assert set(before) <= set(times(api))


def test_times_that_passed_while_nobody_looked_are_not_made_up_for(api: Api) -> None:
    flow = scheduled(api)["id"]
    api.post(f"/flows/{flow}/schedule_active", {"active": False})
    api.later(10 * 24 * HOUR)

    api.post(f"/flows/{flow}/schedule_active", {"active": True})

    assert times(api)[0] > api.at()


def test_a_run_that_was_deleted_is_not_planned_again(api: Api) -> None:
    scheduled(api)
    first = planned(api)[0]

    api.delete(f"/flow_runs/{first['id']}")
    api.tick()

    assert first["scheduled_start_time"] not in times(api)


def test_clocks_at_one_moment_with_parameters_of_their_own_make_a_run_each(api: Api) -> None:
    clocks = [clock(HOUR, parameter_defaults={"x": value}) for value in (1, 2)] + [clock(HOUR, labels=["a"])]
    scheduled(api, *clocks, parameters={"x": 0})

    first = planned(api)[:3]
    api.tick()

    assert len({one["scheduled_start_time"] for one in first}) == 1
    assert sorted((one["parameters"]["x"], one["labels"]) for one in first) == [(0, ["a"]), (1, []), (2, [])]
    assert len({one["idempotency_key"] for one in planned(api)}) == len(planned(api))


@pytest.mark.parametrize(("labels", "expected"), [(None, ["flow"]), ([], []), (["b", "a"], ["a", "b"])])
def test_labels_of_a_clock_replace_those_of_the_flow(api: Api, labels: Any, expected: list[str]) -> None:
    run_config = {"type": "UniversalRun", "labels": ["flow"]}
    scheduled(api, clock(HOUR, labels=labels), run_config=run_config)

    assert planned(api)[0]["labels"] == expected


def test_the_schedule_of_the_group_wins(api: Api) -> None:
    flow = scheduled(api, clock(HOUR))

    found = api.post(
        f"/flow_groups/{flow['flow_group_id']}/schedule", {"schedule": schedule(clock(12 * HOUR)), "timezone": "UTC"}
    )

    assert found["schedule"]["clocks"][0]["start_date"] == {"dt": api.at()[:19], "tz": "UTC"}
    assert len(times(api)) == 10
    assert at(times(api)[0]) == api.clock.now() + 12 * HOUR


def test_a_group_without_a_schedule_of_its_own_follows_the_flows_again(api: Api) -> None:
    flow = scheduled(api, clock(HOUR))
    before = times(api)
    path = f"/flow_groups/{flow['flow_group_id']}/schedule"
    api.post(path, {"schedule": schedule(clock(12 * HOUR))})

    api.post(path, {"schedule": None})

    assert times(api) == before


@pytest.mark.parametrize(
    ("document", "timezone"),
    [
        (schedule(), "Mars/Base"), ({"clocks": [{"type": "SundialClock"}]}, None), ({}, None),
        (schedule(clock("often")), None), ({"clocks": [{"type": "CronClock", "cron": "* *"}]}, None),  # type: ignore[arg-type]
        ({"clocks": ["x"]}, None), (schedule(clock(1e300)), None), (schedule(clock(-5)), None),
    ],
)  # fmt: skip
def test_a_schedule_that_makes_no_sense_is_refused_and_the_old_one_kept(
    api: Api, document: Any, timezone: str | None
) -> None:
    flow = scheduled(api)
    before = times(api)

    with pytest.raises(Refused, match="422 INVALID"):
        api.post(f"/flow_groups/{flow['flow_group_id']}/schedule", {"schedule": document, "timezone": timezone})

    assert times(api) == before


def test_switching_off_deletes_planned_runs_alone(api: Api) -> None:
    flow = scheduled(api)["id"]
    wanted = api.new_run(flow)

    answer = api.post(f"/flows/{flow}/schedule_active", {"active": False})

    assert answer == {"active": False} and times(api) == []
    assert api.run(wanted)["state"] == "Scheduled"


def test_switching_on_without_a_schedule_does_nothing(api: Api) -> None:
    flow = api.register()["id"]

    assert api.post(f"/flows/{flow}/schedule_active", {"active": True}) == {"active": False}


def test_every_clock_must_bring_the_required_parameters(api: Api) -> None:
    flow = scheduled(api, clock(HOUR, parameter_defaults={"x": 1}), clock(HOUR), parameters={"x": ...})
    path = f"/flows/{flow['id']}/schedule_active"

    with pytest.raises(Refused, match=r"422 INVALID: .* required parameters x"):
        api.post(path, {"active": True})
    api.post(f"/flow_groups/{flow['flow_group_id']}/parameters", {"parameters": {"x": 5}})

    assert api.post(path, {"active": True}) == {"active": True}
    assert sorted({one["parameters"]["x"] for one in planned(api)}) == [1, 5]


def test_an_archived_version_is_not_scheduled(api: Api) -> None:
    flow = scheduled(api)["id"]
    api.post(f"/flows/{flow}/archive")

    api.tick(HOUR)

    assert times(api) == []
    assert api.post(f"/flows/{flow}/schedule_runs", {}) == {"ids": []}


def test_an_unarchived_version_is_scheduled_again(api: Api) -> None:
    flow = scheduled(api)["id"]
    api.post(f"/flows/{flow}/archive")

    api.post(f"/flows/{flow}/unarchive")

    assert len(times(api)) == 25


def test_one_bad_schedule_does_not_stop_the_others(api: Api) -> None:
    bad, good = scheduled(api, name="bad"), scheduled(api, name="good")
    break_schedule(api, bad["id"])

    api.tick(HOUR)

    assert times(api, flow_name="good")[-1] > api.at(23 * HOUR)
    assert "could not be read" in api.get(f"/flow_groups/{bad['flow_group_id']}")["schedule_problem"]
    assert api.get(f"/flow_groups/{good['flow_group_id']}")["schedule_problem"] is None


def break_schedule(api: Api, flow_id: str) -> None:
    """Spoil a schedule that was fine when it was registered, as a later version may find it."""
    from dagflow.server.database import tables

    table = tables.flow
    statement = table.update().where(table.c.id == flow_id).values(schedule='{"clocks": [{"type": "SundialClock"}]}')
    api.server.backend.database.write(lambda tx: tx.execute(statement) and None)
    api.clock.time += 12 * HOUR


ADD = "dagflow.schedules.adjustments.add"
BETWEEN = "dagflow.schedules.filters.between_times"
NEVER = {"freq": 6, "bymonth": [2], "bymonthday": [30], "dtstart": {"dt": "2020-01-01T00:00:00", "tz": None}}
"""The thirtieth of February, looked for second by second."""


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"clocks": [{"type": "CronClock", "cron": "often"}]}, "could not be read"),
        (schedule(clock(30)), "the shortest interval there is a minute"),
        ({**schedule(), "adjustments": [{"fn": ADD, "kwargs": {"interval": {"seconds": 1e12}}}]}, "be followed"),
        ({**schedule(), "filters": [{"fn": BETWEEN, "kwargs": {"start": 5, "end": "x"}}]}, "be followed"),
        ({"clocks": [{"type": "RRuleClock", "rrule": NEVER}]}, "not found within 0.2 s"),
    ],
)  # fmt: skip
def test_a_flow_whose_schedule_leads_nowhere_is_registered_and_not_scheduled(
    api: Api, monkeypatch: pytest.MonkeyPatch, document: Any, words: str
) -> None:
    monkeypatch.setattr(schedules, "PLANNING_SECONDS", 0.2)

    answer = api.register(flow_document(schedule=document))

    assert words in answer["schedule_problem"] and not answer["is_schedule_active"]
    assert api.server.backend.database.read(schedules.scheduled_flows) == []
    with pytest.raises(Refused, match="422 INVALID"):
        api.post(f"/flows/{answer['id']}/schedule_active", {"active": True})


@pytest.mark.parametrize("first", [None, {"clocks": [{"type": "CronClock", "cron": "often"}]}])
def test_a_version_with_the_first_schedule_that_works_follows_it(api: Api, first: Any) -> None:
    api.register(flow_document(schedule=first))

    answer = api.register(flow_document(schedule=schedule()), set_schedule_active=None)

    assert answer["is_schedule_active"] and answer["schedule_problem"] is None


def test_a_paused_flow_stays_paused_when_its_group_gets_another_schedule(api: Api) -> None:
    flow = scheduled(api)
    api.post(f"/flows/{flow['id']}/schedule_active", {"active": False})

    for document in (schedule(clock(2 * HOUR)), None):
        api.post(f"/flow_groups/{flow['flow_group_id']}/schedule", {"schedule": document})
        assert times(api) == []


def test_a_schedule_that_ended_makes_nothing_and_is_no_problem(api: Api) -> None:
    flow = scheduled(api, clock(HOUR, end_date={"dt": "2020-01-01T00:00:00", "tz": "UTC"}))

    api.tick()

    assert times(api) == [] and api.get(f"/flow_groups/{flow['flow_group_id']}")["schedule_problem"] is None


def test_schedules_of_deployments_make_runs_beside_the_groups(api: Api) -> None:
    group = scheduled(api, clock(12 * HOUR), parameters={"x": 0})["flow_group_id"]
    values = {"flow_group_id": group, "name": "prod", "schedule": schedule(clock(12 * HOUR)), "parameters": {"x": 1}}
    deployment = api.post("/deployments", values)["id"]

    api.tick(12 * HOUR)

    by_deployment = [one["deployment_id"] for one in planned(api)]
    assert (by_deployment.count(None), by_deployment.count(deployment)) == (11, 11)
    assert {(one["deployment_name"], one["parameters"]["x"]) for one in planned(api)} == {(None, 0), ("prod", 1)}
    api.delete(f"/deployments/{deployment}")
    assert {one["deployment_id"] for one in planned(api)} == {None}


def test_a_paused_deployment_makes_no_runs(api: Api) -> None:
    group = api.register()["flow_group_id"]
    values = {"flow_group_id": group, "name": "prod", "schedule": schedule()}
    deployment = api.post("/deployments", values)["id"]
    assert times(api)

    api.patch(f"/deployments/{deployment}", {"is_schedule_active": False})
    api.tick(HOUR)

    assert times(api) == []


def test_two_schedulers_make_each_run_once(new_postgresql: MakeUrl) -> None:
    url, clock_of_both = new_postgresql(), FakeClock(1_795_000_000.0)
    with InProcessServer(clock_of_both, url) as one, InProcessServer(clock_of_both, url) as other:
        api = Api(one)
        for number in range(5):
            api.register(flow_document(f"flow {number}", schedule=schedule(clock(600))))
        before = len(times(api))
        clock_of_both.time += HOUR

        threads = [threading.Thread(target=scheduler.run, args=[each.backend]) for each in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        keys = [(run["flow_id"], run["scheduled_start_time"]) for run in all_planned(api)]
        assert len(keys) == len(set(keys)) and len(keys) >= before


def all_planned(api: Api) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        page = api.get("/flow_runs", limit=200, cursor=cursor)
        found += page["items"]
        cursor = page["cursor"]
        if cursor is None:
            return found


# --- overlap and lateness --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "second"), [("allow", "Submitted"), ("skip", "Cancelled"), ("queue", "Scheduled")]
)
def test_what_happens_to_a_run_while_another_is_active(api: Api, policy: str, second: str) -> None:
    flow = scheduled(api)
    api.post(f"/flow_groups/{flow['flow_group_id']}/settings", {"overlap_policy": policy})
    runs = planned(api)[:2]
    agent = api.agent()
    api.later(HOUR)
    [first] = api.claim(agent)
    api.later(HOUR)

    api.claim(agent)

    assert first["flow_run"]["id"] == runs[0]["id"]
    assert api.run(runs[1]["id"])["state"] == second


def test_a_run_is_skipped_when_due_even_if_no_agent_asks(api: Api) -> None:
    flow = scheduled(api)
    api.post(f"/flow_groups/{flow['flow_group_id']}/settings", {"overlap_policy": "skip"})
    first = api.running(flow["id"])
    second = planned(api)[0]
    api.later(HOUR)
    api.post(f"/flow_runs/{first}/heartbeat", {})

    api.tick()

    assert api.run(second["id"])["state"] == "Cancelled"
    assert "overlap policy" in api.run(second["id"])["state_message"]


@pytest.mark.parametrize(("policy", "second"), [("skip", "Cancelled"), ("allow", "Scheduled")])
def test_the_policy_of_a_deployment_beats_that_of_its_group(api: Api, policy: str, second: str) -> None:
    flow = api.register()
    group = flow["flow_group_id"]
    other = {"skip": "allow", "allow": "skip"}[policy]
    api.post(f"/flow_groups/{group}/settings", {"overlap_policy": other})
    values = {"flow_group_id": group, "name": "prod", "overlap_policy": policy}
    deployment = api.post("/deployments", values)["id"]
    api.running(flow["id"])

    run = api.post(f"/deployments/{deployment}/create_run")["id"]
    api.tick()

    assert api.run(run)["state"] == second


def test_a_run_is_marked_late_when_nobody_takes_it(api: Api) -> None:
    run = api.new_run()

    api.tick(14)
    before = api.run(run)["late"]
    api.tick(2)

    assert (before, api.run(run)["late"]) == (False, True)
    assert [one["id"] for one in api.items("/flow_runs", late=True)] == [run]
    assert api.run(run)["state"] == "Scheduled"


# --- retention -------------------------------------------------------------------------------------------------


def test_finished_runs_and_lines_are_kept_as_long_as_the_settings_say(start: Callable[..., InProcessServer]) -> None:
    api = Api(start(keep_finished_days=10, keep_logs_days=5))
    flow = api.register()["id"]
    done, going = api.running(flow), api.running(flow)
    api.post("/logs", {"logs": [{"flow_run_id": run, "message": "x"} for run in (done, going)]})
    api.finish(done)
    day = 24 * HOUR

    api.later(6 * day)
    api.server.tick()
    lines = len(api.get(f"/flow_runs/{done}/logs")["items"])
    api.later(6 * day)
    api.server.tick()

    assert lines == 0
    assert done not in [one["id"] for one in api.items("/flow_runs")]
    assert going in [one["id"] for one in api.items("/flow_runs")]
