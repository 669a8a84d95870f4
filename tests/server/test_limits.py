"""Limits: how many tasks with a tag, and runs with a label, may run at once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from dagflow.server.orchestration.documents import wanted_state
from dagflow.server.store.claims import Asking, claim
from dagflow.server.store.states import Request, set_many
from dagflow.testing import FakeClock, InProcessServer
from dagflow.utilities.identities import new_id
from tests.server.calls import Api, Refused, flow_document, state, task_document
from tests.server.conftest import START
from tests.server.databases import MakeUrl
from tests.server.races import at_once


def tagged(api: Api, *tags: str) -> str:
    """Return a running run whose task ``work`` has tags."""
    name = "-".join(tags) or "plain"
    return api.running(api.register(flow_document(name, [task_document("work", tags=list(tags))]))["id"])


def limit(api: Api, name: str, most: int, kind: str = "task_tag") -> str:
    return str(api.post("/limits", {"kind": kind, "name": name, "limit": most})["id"])


def in_use(api: Api, name: str, kind: str = "task_tag") -> int:
    return int(api.get(f"/limits/{kind}/{name}")["in_use"])


@pytest.mark.parametrize("kind", ["task_tag", "flow_label"])
def test_a_limit_is_set_read_changed_and_taken_away(api: Api, kind: str) -> None:
    id = limit(api, "db", 3, kind)

    assert limit(api, "db", 2, kind) == id
    found = api.get(f"/limits/{kind}/db")
    assert (found["limit"], found["in_use"], found["holders"], found["id"]) == (2, 0, [], id)
    assert [one["name"] for one in api.items("/limits", kind=kind)] == ["db"]
    api.delete(f"/limits/{id}")
    with pytest.raises(Refused, match="404"):
        api.get(f"/limits/{kind}/db")


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "task_tag", "name": "db", "limit": -1}, {"kind": "x", "name": "db", "limit": 1},
        {"kind": "task_tag", "name": "", "limit": 1}, {"kind": "task_tag", "name": "db", "limit": 2**31},
    ],
)  # fmt: skip
def test_a_limit_that_makes_no_sense_is_refused(api: Api, body: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="422"):
        api.post("/limits", body)


def test_a_task_waits_for_a_free_slot(api: Api) -> None:
    limit(api, "db", 1)
    first, second = tagged(api, "db"), tagged(api, "db")
    api.set_task(first, "work", "Running")

    answer = api.set_task(second, "work", "Running")

    assert (answer["status"], answer["state"]) == ("QUEUED", "Queued") and "'db'" in answer["message"]
    waiting = api.task_run(second, "work")
    assert (waiting["state"], waiting["state_start_time"]) == ("Queued", api.at(30))
    assert waiting["run_count"] == 0


def test_a_slot_is_free_again_when_its_holder_has_ended(api: Api) -> None:
    limit(api, "db", 1)
    first, second = tagged(api, "db"), tagged(api, "db")
    api.set_task(first, "work", "Running")
    api.set_task(second, "work", "Running")

    api.set_task(first, "work", "Success")

    assert api.set_task(second, "work", "Running")["status"] == "SUCCESS"
    assert in_use(api, "db") == 1


def test_all_limited_tags_need_a_slot_and_the_full_ones_are_named(api: Api) -> None:
    limit(api, "db", 1)
    limit(api, "web", 1)
    holder, other = tagged(api, "web"), tagged(api, "db", "web", "free")
    api.set_task(holder, "work", "Running")

    answer = api.set_task(other, "work", "Running")

    assert answer["status"] == "QUEUED" and "'web'" in answer["message"] and "'db'" not in answer["message"]
    assert in_use(api, "db") == 0


def test_a_limit_of_nought_lets_nothing_run(api: Api) -> None:
    limit(api, "db", 0)

    assert api.set_task(tagged(api, "db"), "work", "Running")["status"] == "QUEUED"


def test_tags_without_a_limit_do_not_count(api: Api) -> None:
    limit(api, "db", 0)

    assert api.set_task(tagged(api, "web"), "work", "Running")["status"] == "SUCCESS"


def test_tags_of_the_state_count_instead_of_those_registered(api: Api) -> None:
    limit(api, "db", 0)
    limit(api, "late", 0)
    run = tagged(api, "db")

    assert api.set_task(run, "work", state("Running", context={"tags": ["late"]}))["status"] == "QUEUED"
    assert api.set_task(run, "work", state("Running", context={"tags": []}))["status"] == "SUCCESS"


def test_a_lower_limit_stops_nobody(api: Api) -> None:
    limit(api, "db", 2)
    runs = [tagged(api, "db") for _ in range(2)]
    for run in runs:
        api.set_task(run, "work", "Running")

    limit(api, "db", 1)

    assert [api.task_run(run, "work")["state"] for run in runs] == ["Running"] * 2
    assert api.set_task(tagged(api, "db"), "work", "Running")["status"] == "QUEUED"


def test_a_limit_holds_within_one_batch(api: Api) -> None:
    limit(api, "db", 2)
    run = tagged(api, "db")
    task = api.task_id(run, "work")
    items = [{"flow_run_id": run, "task_id": task, "map_index": i, "state": state("Running")} for i in range(5)]

    answers = api.post("/states", {"task_runs": items})["task_runs"]

    assert [one["status"] for one in answers].count("SUCCESS") == 2
    assert in_use(api, "db") == 2


def test_a_batch_that_ends_one_and_starts_another_uses_one_slot(api: Api) -> None:
    limit(api, "db", 1)
    run = tagged(api, "db")
    task = api.task_id(run, "work")
    api.set_task(run, "work", "Running", index=0)

    items = [
        {"flow_run_id": run, "task_id": task, "map_index": 0, "state": state("Success")},
        {"flow_run_id": run, "task_id": task, "map_index": 1, "state": state("Running")},
        {"flow_run_id": run, "task_id": task, "map_index": 2, "state": state("Running")},
    ]
    answers = api.post("/states", {"task_runs": items})["task_runs"]

    assert [one["status"] for one in answers] == ["SUCCESS", "SUCCESS", "QUEUED"]


def test_who_waits_keeps_the_state_it_waits_from_and_is_not_nested(api: Api) -> None:
    limit(api, "db", 0)
    run = tagged(api, "db")
    retrying = state("Retrying", "Again.", start_time=api.at(), run_count=3)
    api.set_task(run, "work", retrying)

    for _ in range(3):
        api.set_task(run, "work", "Running")

    queued = api.task_run(run, "work")["serialized_state"]
    assert (queued["type"], queued["state"]["type"], queued["state"]["run_count"]) == ("Queued", "Retrying", 3)
    assert [one["state"] for one in api.items(f"/task_runs/{api.task_run_id(run, 'work')}/states")] == [
        "Retrying",
        "Queued",
    ]


def test_who_holds_and_who_waits_is_shown(api: Api) -> None:
    limit(api, "db", 1)
    first, second = tagged(api, "db"), tagged(api, "db")
    for run in (first, second):
        api.set_task(run, "work", "Running")

    found = api.get("/limits/task_tag/db")

    assert (found["holders"], found["waiting"]) == ([api.task_run_id(first, "work")], 1)


@pytest.mark.parametrize("ending", ["lost", "cancelled", "deleted", "released"])
def test_no_slot_leaks_however_its_holder_ends(api: Api, ending: str) -> None:
    limit(api, "db", 1)
    run = tagged(api, "db")
    api.set_task(run, "work", "Running")

    if ending == "lost":
        api.post(f"/flow_runs/{run}/lost", {})
    elif ending == "cancelled":
        api.set_flow(run, "Cancelled")
    elif ending == "deleted":
        api.delete(f"/flow_runs/{run}")
    else:
        api.post(f"/flow_runs/{run}/release", {"reschedule": True})

    assert in_use(api, "db") == 0


@pytest.mark.parametrize("context", [{"tags": 5}, {"tags": "db"}, {"tags": {"web": 1}}, [1], "text", 5, None])
def test_tags_that_cannot_be_read_are_those_the_task_was_registered_with(api: Api, context: Any) -> None:
    limit(api, "db", 1)
    first, second = tagged(api, "db"), tagged(api, "db")

    assert api.set_task(first, "work", state("Running", context=context))["status"] == "SUCCESS"

    assert api.set_task(second, "work", state("Running", context=context))["status"] == "QUEUED"
    assert in_use(api, "db") == 1


def test_runs_with_a_full_label_are_not_handed_out(api: Api) -> None:
    limit(api, "gpu", 1, "flow_label")
    flow = api.register()["id"]
    runs = [api.new_run(flow, labels=["gpu"]) for _ in range(2)]
    agent = api.agent("gpu")

    first = api.claim(agent, "gpu")
    second = api.claim(agent, "gpu")
    api.set_flow(runs[0], "Running")
    api.finish(runs[0])
    third = api.claim(agent, "gpu")

    assert [one["flow_run"]["id"] for one in first] == runs[:1]
    assert (second, [one["flow_run"]["id"] for one in third]) == ([], runs[1:])


@pytest.mark.parametrize("kind", ["Submitted", "Running", "Cancelling"])
def test_a_label_is_in_use_from_submission_to_the_end(api: Api, kind: str) -> None:
    limit(api, "gpu", 1, "flow_label")
    run = api.new_run(labels=["gpu"])

    api.set_flow(run, kind)

    assert in_use(api, "gpu", "flow_label") == 1


def test_who_holds_and_who_waits_for_a_label_is_shown_the_longest_wait_first(api: Api) -> None:
    limit(api, "gpu", 1, "flow_label")
    flow = api.register()["id"]
    runs = [api.new_run(flow, labels=["gpu"], scheduled_start_time=api.at(-wait)) for wait in (30, 10, 20)]
    api.new_run(flow, labels=["gpu"], scheduled_start_time=api.at(60))
    api.new_run(flow, labels=["cpu"])
    api.claim(api.agent("gpu"), "gpu")

    found = api.get("/limits/flow_label/gpu")

    assert (found["holders"], found["waiters"], found["waiting"]) == (runs[:1], [runs[2], runs[1]], 2)
    assert api.items("/limits") == [found]


@pytest.mark.parametrize("kind", ["task_tag", "flow_label"])
def test_two_servers_together_keep_to_a_limit(new_postgresql: MakeUrl, kind: str) -> None:
    url, clock = new_postgresql(), FakeClock(START)
    with InProcessServer(clock, url) as one, InProcessServer(clock, url) as other:
        here, there = Api(one), Api(other)
        limit(here, "db", 1, kind)
        if kind == "task_tag":
            first, second = tagged(here, "db"), tagged(here, "db")
            wanted = wanted_state(here.task_run_id(first, "work"), state("Running"))
            do: Any = partial(set_many, requests=[Request([], [wanted])])
            ask: Any = partial(there.set_task, second, "work", "Running")
        else:
            flow = here.register()["id"]
            for labels in (["db"], ["db", "web"]):
                here.new_run(flow, labels=labels)
            do = partial(claim, asking=Asking(here.agent("db"), ("db",)))
            ask = partial(there.claim, here.agent("db", "web"), "db", "web")

        _, answer = at_once(one, do, ask)

        assert (answer == [] if kind == "flow_label" else answer["status"] == "QUEUED"), answer
        assert in_use(here, "db", kind) == 1


def test_a_run_without_agent_waits_for_a_free_slot_of_its_label(api: Api) -> None:
    limit(api, "gpu", 1, "flow_label")
    flow = api.register()["id"]
    first, second, free = (
        api.new_run(flow, labels=labels, agentless=True) for labels in (["gpu"], ["gpu", "eu"], ["eu"])
    )
    for run in (first, second, free):
        api.post(f"/flow_runs/{run}/begin", {})

    wanted = [{"flow_run_id": run, "state": state("Running")} for run in (first, second, free)]
    together = api.post("/states", {"flow_runs": wanted})

    answers = [(one["status"], one["state"]) for one in together["flow_runs"]]
    assert answers == [("SUCCESS", "Running"), ("QUEUED", "Scheduled"), ("SUCCESS", "Running")]
    assert "'gpu'" in together["flow_runs"][1]["message"]
    api.finish(first)
    assert api.set_flow(second, "Running")["status"] == "SUCCESS"


# --- limits that tasks ask for by name -----------------------------------------------------------------------------


def held(api: Api) -> dict[str, Any]:
    """Return who asks for slots: a run that is Running, and the token of the hold on it."""
    run = tagged(api)
    return {"flow_run_id": run, "run_token": api.get(f"/flow_runs/{run}")["run_token"]}


def named(api: Api, most: int, slots_per_second: float | None = None) -> None:
    api.post("/limits", {"kind": "named", "name": "db", "limit": most, "slots_per_second": slots_per_second})


def take(api: Api, who: dict[str, Any], occupy: int = 1, id: str | None = None) -> dict[str, Any]:
    return dict(api.post("/slots", {"id": id or new_id(), "name": "db", "occupy": occupy, **who}))


def test_slots_are_taken_until_none_is_free_and_free_again_when_they_are_given_back(api: Api) -> None:
    named(api, 3)
    who, other = held(api), held(api)

    assert take(api, who, 2, "first")["granted"] and not take(api, other, 2)["granted"]
    assert take(api, who, 2, "first")["granted"], "who asks again has them already"
    assert in_use(api, "db", "named") == 2
    assert api.get("/limits/named/db")["holders"] == [who["flow_run_id"]]
    api.delete("/slots/first")

    assert take(api, other, 2)["granted"] and in_use(api, "db", "named") == 2


def test_slots_of_a_run_that_has_ended_are_free(api: Api) -> None:
    named(api, 1)
    who, other = held(api), held(api)
    take(api, who)

    api.set_flow(who["flow_run_id"], "Failed")

    assert in_use(api, "db", "named") == 0 and take(api, other)["granted"]
    with pytest.raises(Refused, match="STALE_TOKEN"):
        take(api, who)


def test_slots_of_a_process_that_was_lost_are_free_for_the_next_one(api: Api) -> None:
    named(api, 1)
    who = held(api)
    take(api, who)
    api.clock.time += 3600
    api.server.tick()
    begun = api.post(f"/flow_runs/{who['flow_run_id']}/begin", {})

    api.set_flow(who["flow_run_id"], "Running", token=begun["run_token"])

    assert begun["run_token"] > who["run_token"]
    assert take(api, {**who, "run_token": begun["run_token"]})["granted"]
    with pytest.raises(Refused, match="STALE_TOKEN"):
        take(api, who)


def test_a_rate_lets_through_what_has_come_back(api: Api) -> None:
    named(api, 2, slots_per_second=0.5)
    who = held(api)

    assert [take(api, who)["wait_seconds"] for _ in range(3)] == [0.0, 0.0, 2.0]
    api.clock.time += 2

    assert [take(api, who)["wait_seconds"] for _ in range(2)] == [0.0, 2.0]


def test_nobody_waits_for_a_limit_that_is_not_there(api: Api) -> None:
    assert take(api, held(api), 5) == {"granted": True, "limit": None, "wait_seconds": 0.0}


def test_a_limit_of_none_lets_nobody_through(api: Api) -> None:
    named(api, 0)

    assert not take(api, held(api))["granted"]


def test_more_slots_than_there_are_are_refused_at_once(api: Api) -> None:
    named(api, 2)

    with pytest.raises(Refused, match="has 2 slots, so 3 of them are never free"):
        take(api, held(api), 3)


def test_only_named_limits_come_back_by_themselves(api: Api) -> None:
    with pytest.raises(Refused, match="422"):
        api.post("/limits", {"kind": "task_tag", "name": "db", "limit": 1, "slots_per_second": 1.0})


def test_slots_that_are_not_there_cannot_be_given_back(api: Api) -> None:
    with pytest.raises(Refused, match="404"):
        api.delete("/slots/none")
