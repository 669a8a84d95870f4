"""What people do to runs: cancel, restart, approve, start now, delete."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow.utilities.identities import new_id, task_run_id
from tests.server.calls import Api, Refused, flow_document, nobody, state


def run_of(api: Api, tasks: str, *edges: str) -> str:
    return api.running(api.register(flow_document(tasks, tasks.split(), edges))["id"])


# --- cancel ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Success", "Failed", "Cancelled"])
def test_cancelling_a_finished_run_does_nothing(api: Api, kind: str) -> None:
    run = api.running()
    api.finish(run, kind)
    version = api.run(run)["version"]

    assert api.post(f"/flow_runs/{run}/cancel") == {"state": kind}
    assert api.run(run)["version"] == version


@pytest.mark.parametrize("kind", ["Scheduled", "Pending", "Submitted", "Paused", "Queued"])
def test_a_run_that_nobody_executes_is_cancelled_at_once(api: Api, kind: str) -> None:
    run = api.new_run()
    api.set_flow(run, kind)

    assert api.post(f"/flow_runs/{run}/cancel") == {"state": "Cancelled"}


def test_a_run_that_is_executed_is_asked_to_stop(api: Api) -> None:
    run = api.running()
    api.set_task(run, "extract", "Running")

    answers = [api.post(f"/flow_runs/{run}/cancel") for _ in range(2)]

    assert answers == [{"state": "Cancelling"}] * 2
    assert api.task_states(run)["extract"] == "Running"
    assert [one["state"] for one in api.items(f"/flow_runs/{run}/states")].count("Cancelling") == 1


def test_cancelling_a_run_cancels_those_that_it_started(api: Api) -> None:
    parent = api.running()
    children = [api.new_run(api.run(parent)["flow_id"], parent_task_run_id=api.task_run_id(parent, "extract"))
                for _ in range(2)]  # fmt: skip

    api.post(f"/flow_runs/{parent}/cancel")

    assert [api.run(child)["state"] for child in children] == ["Cancelled"] * 2


def test_the_runs_that_a_run_started_are_found_by_its_id(api: Api) -> None:
    flow = api.register()["id"]
    parent, other = api.running(flow), api.running(flow)
    children = [api.new_run(flow, parent_task_run_id=api.task_run_id(parent, one)) for one in ("extract", "load")]
    api.new_run(flow, parent_task_run_id=api.task_run_id(other, "extract"))

    found = api.items("/flow_runs", parent_flow_run_id=parent)

    assert {one["id"] for one in found} == set(children)


def test_runs_that_are_said_to_have_started_each_other_are_cancelled_once_each(api: Api) -> None:
    flow, first = api.register()["id"], new_id()
    task = api.items(f"/flows/{flow}/tasks")[0]["id"]
    second = api.running(flow, parent_task_run_id=task_run_id(first, task))
    api.running(flow, id=first, parent_task_run_id=task_run_id(second, task))
    for run in (first, second):
        api.get(f"/flow_runs/{run}/task_runs")

    assert api.post(f"/flow_runs/{first}/cancel") == {"state": "Cancelling"}

    for run in (first, second):
        assert [one["state"] for one in api.items(f"/flow_runs/{run}/states")].count("Cancelling") == 1


def test_a_reason_is_kept(api: Api) -> None:
    run = api.new_run()

    api.post(f"/flow_runs/{run}/cancel", {"reason": "no longer needed"})

    assert api.items(f"/flow_runs/{run}/states")[-1]["reason"] == "no longer needed"


# --- restart ---------------------------------------------------------------------------------------------------


def test_a_restart_runs_again_what_failed_and_what_follows(api: Api) -> None:
    run = run_of(api, "a b c d", "a>b", "b>c", "a>d")
    for slug, kind in (("a", "Success"), ("b", "Failed"), ("c", "TriggerFailed"), ("d", "Success")):
        api.ran(run, slug, kind)
    api.finish(run, "Failed")

    answer = api.post(f"/flow_runs/{run}/restart", {"reason": "fixed"})

    assert (answer["state"], answer["reset"]) == ("Scheduled", 2)
    assert api.task_states(run) == {"a": "Success", "b": "Pending", "c": "Pending", "d": "Success"}
    assert api.run(run)["state_start_time"] == api.at() and "fixed" in api.run(run)["state_message"]
    assert any("Restarted by" in one["message"] for one in api.items(f"/flow_runs/{run}/logs"))


@pytest.mark.parametrize("kind", ["Failed", "TimedOut", "TriggerFailed", "Cancelled"])
def test_tasks_that_ended_badly_run_again(api: Api, kind: str) -> None:
    run = run_of(api, "a b")
    api.ran(run, "a", kind)
    api.ran(run, "b")
    api.finish(run, "Failed")

    api.post(f"/flow_runs/{run}/restart", {})

    assert api.task_states(run) == {"a": "Pending", "b": "Success"}


def test_a_follower_that_succeeded_runs_again_too(api: Api) -> None:
    run = run_of(api, "a b", "a>b")
    api.ran(run, "a", "Failed")
    api.ran(run, "b", "Success")
    api.finish(run)

    api.post(f"/flow_runs/{run}/restart", {})

    assert api.task_states(run) == {"a": "Pending", "b": "Pending"}


def mapped(api: Api, run: str, slug: str, *kinds: str) -> None:
    """Let a mapped task have run, with children that ended so."""
    api.set_task(run, slug, state("Mapped", n_map_states=len(kinds)))
    for index, kind in enumerate(kinds):
        api.ran(run, slug, kind, index)


def test_a_mapped_task_keeps_its_children_that_succeeded(api: Api) -> None:
    run = run_of(api, "a b c", "a>>b", "b>c")
    api.ran(run, "a")
    mapped(api, run, "b", "Success", "Failed", "Success")
    api.ran(run, "c", "TriggerFailed")
    api.finish(run, "Failed")

    api.post(f"/flow_runs/{run}/restart", {})

    states = api.task_states(run)
    assert (states["b"], states["b[0]"], states["b[1]"], states["b[2]"]) == ("Mapped", "Success", "Pending", "Success")
    assert states["c"] == "Pending"


def test_along_a_chain_of_maps_only_the_children_of_the_failed_one_run_again(api: Api) -> None:
    run = run_of(api, "a b c d", "a>>b", "b>>c", "c>d")
    api.ran(run, "a")
    mapped(api, run, "b", "Success", "Failed", "Success")
    mapped(api, run, "c", "Success", "TriggerFailed", "Success")
    api.ran(run, "d", "TriggerFailed")
    api.finish(run, "Failed")

    answer = api.post(f"/flow_runs/{run}/restart", {})

    states = api.task_states(run)
    assert {key for key, kind in states.items() if kind == "Pending"} == {"b[1]", "c[1]", "d"}
    assert (states["b"], states["c"], answer["reset"]) == ("Mapped", "Mapped", 3)


@pytest.mark.parametrize("edge", ["b>>>c", "b>c"])
def test_a_map_over_other_elements_runs_again_as_a_whole(api: Api, edge: str) -> None:
    run = run_of(api, "a b c", "a>>b", edge)
    api.ran(run, "a")
    mapped(api, run, "b", "Success", "Failed")
    mapped(api, run, "c", "Success", "Success")
    api.finish(run, "Failed")

    api.post(f"/flow_runs/{run}/restart", {})

    states = api.task_states(run)
    assert {key for key, kind in states.items() if kind == "Pending"} == {"b[1]", "c", "c[0]", "c[1]"}


def test_children_run_again_as_a_whole_when_what_they_are_mapped_over_does(api: Api) -> None:
    run = run_of(api, "a b", "a>>b")
    api.ran(run, "a", "Failed")
    mapped(api, run, "b", "Success", "Success")
    api.finish(run, "Failed")

    api.post(f"/flow_runs/{run}/restart", {})

    assert set(api.task_states(run).values()) == {"Pending"}


def test_a_restart_may_begin_at_a_task_that_succeeded(api: Api) -> None:
    run = run_of(api, "a b c", "a>b", "b>c")
    for slug in "abc":
        api.ran(run, slug)
    api.finish(run)

    api.post(f"/flow_runs/{run}/restart", {"from_task_run_id": api.task_run_id(run, "b")})

    assert api.task_states(run) == {"a": "Success", "b": "Pending", "c": "Pending"}
    with pytest.raises(Refused, match="404"):
        api.post(f"/flow_runs/{run}/restart", {"from_task_run_id": nobody()})


def test_a_run_that_is_executed_is_not_restarted(api: Api) -> None:
    run = run_of(api, "a b")
    api.ran(run, "a", "Failed")

    with pytest.raises(Refused, match="409 CONFLICT: The run is Running"):
        api.post(f"/flow_runs/{run}/restart", {})


def test_a_restart_warns_of_values_that_were_kept_nowhere(api: Api) -> None:
    run = run_of(api, "a b c", "a>c", "b>c")
    api.ran(run, "a")
    api.set_task(run, "b", state("Success", _result={"type": "LocalResult", "location": "there"}))
    api.ran(run, "c", "Failed")
    api.finish(run, "Failed")

    [warning] = api.post(f"/flow_runs/{run}/restart", {})["warnings"]

    assert "result of a is needed" in warning


def test_a_restart_gives_the_run_all_its_attempts_again(api: Api) -> None:
    run = api.running()
    api.post(f"/flow_runs/{run}/lost", {})
    assert api.run(run)["times_resurrected"] == 1
    api.set_flow(run, "Running")
    api.finish(run, "Failed")

    api.post(f"/flow_runs/{run}/restart", {})

    assert api.run(run)["times_resurrected"] == 0


# --- approve, start now ----------------------------------------------------------------------------------------


def test_an_approved_task_goes_on_and_its_run_is_due(api: Api) -> None:
    run = run_of(api, "a b c")
    for slug in "ab":
        api.set_task(run, slug, "Paused")
    api.post(f"/flow_runs/{run}/release", {})
    agent = api.agent()
    assert api.claim(agent) == []

    one = api.post(f"/flow_runs/{run}/approve", {"task_run_id": api.task_run_id(run, "a")})
    states = api.task_states(run)
    rest = api.post(f"/flow_runs/{run}/approve", {})

    assert (one, rest, states) == ({"approved": 1}, {"approved": 1}, {"a": "Resume", "b": "Paused", "c": "Pending"})
    [taken] = api.claim(agent)
    assert taken["continues"] and api.task_run(run, "a")["serialized_state"]["state"]["type"] == "Resume"


def test_a_task_run_that_is_not_there_is_not_approved(api: Api) -> None:
    run, other = run_of(api, "a"), run_of(api, "b")

    for id in (nobody(), api.task_run_id(other, "b")):
        with pytest.raises(Refused, match="404"):
            api.post(f"/flow_runs/{run}/approve", {"task_run_id": id})


def test_a_task_that_waits_for_a_value_goes_on_with_one_that_fits(api: Api) -> None:
    run = run_of(api, "a b")
    wanted = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
    api.set_task(run, "a", state("Paused", context={"input_schema": wanted}))
    api.set_task(run, "b", "Paused")

    for wrong in ({}, {"input": {"number": "many"}}):
        with pytest.raises(Refused, match="422 INVALID: The task run waits for a value"):
            api.post(f"/flow_runs/{run}/approve", wrong)
    assert api.task_states(run) == {"a": "Paused", "b": "Paused"}
    answer = api.post(f"/flow_runs/{run}/approve", {"input": {"number": "3"}})

    assert answer == {"approved": 2} and api.task_states(run) == {"a": "Resume", "b": "Resume"}
    assert api.task_run(run, "a")["serialized_state"]["context"] == {"resume_input": {"number": 3}}
    assert api.task_run(run, "b")["serialized_state"]["context"] == {}


@pytest.mark.parametrize("action", ["approve", "start_now"])
def test_a_finished_run_is_neither_approved_nor_started(api: Api, action: str) -> None:
    run = api.running()
    api.finish(run)

    with pytest.raises(Refused, match="409 CONFLICT"):
        api.post(f"/flow_runs/{run}/{action}", {})


def test_a_planned_run_may_start_now(api: Api) -> None:
    run = api.new_run(scheduled_start_time=api.at(3600))

    assert api.post(f"/flow_runs/{run}/start_now") == {"state": "Scheduled"}
    assert [one["flow_run"]["id"] for one in api.claim(api.agent())] == [run]


# --- lists -----------------------------------------------------------------------------------------------------


def test_runs_are_found_by_many_things(api: Api) -> None:
    one = api.register(flow_document("one"))
    two = api.register(flow_document("two"), project="day")
    first = api.new_run(one["id"], name="first", labels=["a%b"], idempotency_key="k")
    api.later(10)
    second = api.running(two["id"], name="second")
    found: list[tuple[dict[str, Any], list[str]]] = [
        ({"flow_id": one["id"]}, [first]),
        ({"flow_group_id": two["flow_group_id"]}, [second]),
        ({"flow_name": "one"}, [first]),
        ({"project_name": "day"}, [second]),
        ({"project_id": one["project_id"]}, [first]),
        ({"name": "second"}, [second]),
        ({"label": "a%b"}, [first]),
        ({"label": "a_b"}, []),
        ({"idempotency_key": "k"}, [first]),
        ({"state": "Running"}, [second]),
        ({"state": ["Running", "Scheduled"]}, [second, first]),
        ({"started": True}, [second]),
        ({"started": False}, [first]),
        ({"since": api.at(-5)}, [second]),
        ({"until": api.at(-5)}, [first]),
        ({"order": "start"}, [second]),
        ({"order": "scheduled", "limit": 1}, [second]),
    ]

    assert [(asked, [run["id"] for run in api.items("/flow_runs", **asked)]) for asked, _ in found] == found
    with pytest.raises(Refused, match="422"):
        api.get("/flow_runs", order="beauty")


def test_a_search_finds_names_and_ids(api: Api) -> None:
    flow = api.register(flow_document("Wind 100%"))
    run = api.new_run(flow["id"], name="window")

    assert {(one["kind"], one["name"]) for one in api.items("/search", q="wind")} == {
        ("flow", "Wind 100%"), ("flow_run", "window"),
    }  # fmt: skip
    assert [one["id"] for one in api.items("/search", q=run)] == [run]
    assert [one["kind"] for one in api.items("/search", q="100%")] == ["flow"]
    assert api.items("/search", q="100_") == []


def test_a_graph_shows_tasks_and_how_many_children_are_in_which_state(api: Api) -> None:
    run = run_of(api, "a b", "a>>b")
    api.ran(run, "a")
    mapped(api, run, "b", "Success", "Failed", "Success")

    graph = api.get(f"/flow_runs/{run}/graph")

    found = {one["slug"]: (one["state"], one["children"]) for one in graph["tasks"]}
    assert found == {"a": ("Success", {}), "b": ("Mapped", {"Success": 2, "Failed": 1})}
    assert [(one["upstream_slug"], one["downstream_slug"]) for one in graph["edges"]] == [("a", "b")]
    assert "edges" not in api.get(f"/flow_runs/{run}/graph", edges="false")
