"""How states of runs change: what is taken, what is refused, and what follows from it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dagflow.server.backend import Backend as ServerBackend
from dagflow.server.database.upgrade import upgrade
from dagflow.server.settings import ServerSettings
from dagflow.server.store import batch
from dagflow.utilities.identities import new_id
from tests.server.calls import Api, Refused, flow_document, nobody, state, task_document
from tests.server.databases import MakeUrl

FINISHED = ("Success", "Failed", "Skipped", "TriggerFailed", "TimedOut", "Cancelled", "Cached", "Mapped")
UNFINISHED = ("Scheduled", "Pending", "Paused", "Retrying", "Submitted", "Queued", "ClientFailed", "Resume")


def history(api: Api, run: str) -> list[str]:
    return [one["state"] for one in api.items(f"/flow_runs/{run}/states")]


def test_a_state_is_kept_whole_with_a_version_one_higher(api: Api) -> None:
    run = api.new_run()
    api.later(5)
    document = state("Running", "Off it goes.", context={"x": 1}, cached_inputs={})

    answer = api.set_flow(run, document, reason="because")

    found = api.run(run)
    assert (answer["status"], answer["version"], answer["state"], answer["id"]) == ("SUCCESS", 2, "Running", run)
    assert (found["state"], found["version"], found["state_message"]) == ("Running", 2, "Off it goes.")
    assert (found["serialized_state"], found["state_timestamp"]) == (document, api.at())
    last = api.items(f"/flow_runs/{run}/states")[-1]
    assert (last["version"], last["reason"], last["serialized_state"]) == (2, "because", document)


def test_times_are_the_servers(api: Api) -> None:
    run = api.running()

    api.set_task(run, "extract", "Running", occurred="1999-01-01T00:00:00Z")

    assert api.task_run(run, "extract")["start_time"] == api.at()


def test_a_repeated_request_has_the_first_outcome_and_one_row(api: Api) -> None:
    run, id = api.new_run(), new_id()
    first = api.set_flow(run, "Running", id=id)
    api.set_flow(run, "Failed")

    again = api.set_flow(run, "Running", id=id)

    assert again == first
    assert history(api, run) == ["Scheduled", "Running", "Failed"]


def test_a_repeated_request_in_one_batch_counts_once(api: Api) -> None:
    run = api.running()
    item = {"task_run_id": api.task_run_id(run, "extract"), "state": state("Running"), "id": new_id()}

    answers = api.post("/states", {"task_runs": [item, item]})["task_runs"]

    assert answers[0] == answers[1] and answers[0]["status"] == "SUCCESS"
    assert api.task_run(run, "extract")["run_count"] == 1


def test_an_id_of_another_runs_state_is_refused(api: Api) -> None:
    flow, id = api.register()["id"], new_id()
    first, second = api.new_run(flow), api.new_run(flow)
    api.set_flow(first, "Running", id=id)

    answer = api.set_flow(second, "Running", id=id)

    assert (answer["status"], answer["code"]) == ("ERROR", "INVALID")
    assert history(api, second) == ["Scheduled"]


def test_one_refused_state_spoils_no_other(api: Api) -> None:
    run = api.running()
    items: list[Any] = [
        {"task_run_id": api.task_run_id(run, "extract"), "state": state("Running")},
        {"task_run_id": nobody(), "state": state("Running")},
        {"task_run_id": api.task_run_id(run, "load"), "state": {"no": "type"}},
        "nonsense",
        {"task_run_id": api.task_run_id(run, "load"), "state": state("Nowhere")},
        {"task_run_id": api.task_run_id(run, "load"), "state": state("Running")},
    ]

    answers = api.post("/states", {"task_runs": items})["task_runs"]

    assert [one.get("code") for one in answers] == [None, "NOT_FOUND", "INVALID", "INVALID", "INVALID", None]
    assert all("State update failed" in one["message"] for one in answers[1:5])
    assert api.task_states(run) == {"extract": "Running", "load": "Running"}


def test_flow_runs_begin_before_and_end_after_the_tasks_of_a_batch(api: Api) -> None:
    run = api.new_run()
    api.post(f"/flow_runs/{run}/begin", {})
    task = {"task_run_id": api.task_run_id(run, "extract"), "state": state("Running")}
    done = {"task_run_id": api.task_run_id(run, "extract"), "state": state("Success")}

    body = {
        "flow_runs": [
            {"flow_run_id": run, "state": state("Success")},
            {"flow_run_id": run, "state": state("Running")},
        ],
        "task_runs": [task, done],
    }
    answers = api.post("/states", body)

    assert [one["status"] for kind in answers.values() for one in kind] == ["SUCCESS"] * 4
    assert history(api, run) == ["Scheduled", "Running", "Success"]


def test_a_huge_state_is_refused_and_the_rest_taken(api: Api) -> None:
    run = api.running()

    big = api.set_task(run, "extract", state("Success", context={"x": "y" * 1_000_001}))
    wide = api.set_task(run, "extract", state("Success", context={"x": "ü" * 500_001}))
    small = api.set_task(run, "extract", state("Success", context={"x": "y" * 900_000}))

    assert (big["status"], big["code"], small["status"]) == ("ERROR", "TOO_LARGE", "SUCCESS")
    assert (wide["status"], wide["code"]) == ("ERROR", "TOO_LARGE")


@pytest.mark.parametrize("what", ["flow_runs", "task_runs"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"state": {"type": "Nowhere"}}, 422, "INVALID"),
        ({"state": {}}, 422, "INVALID"),
        ({}, 422, "INVALID"),
        ({"state": {"type": "Failed", "start_time": "soon"}}, 422, "INVALID"),
        ({"state": {"type": "Failed"}, "token": 99}, 409, "STALE_TOKEN"),
        ({"state": {"type": "Running"}, "version": 99}, 409, "VERSION_LOCKING_ERROR"),
        ({"state": {"type": "Failed"}, "id": "x"}, 422, "INVALID"),
        ({"state": {"type": "Failed", "context": {"x": "y" * 1_000_001}}}, 413, "TOO_LARGE"),
    ],
)
def test_a_single_state_is_refused_by_the_status(
    api: Api, what: str, body: dict[str, Any], status: int, code: str
) -> None:
    run = api.running()
    id = run if what == "flow_runs" else api.task_run_id(run, "extract")

    answer = api.ask("POST", f"/{what}/{id}/states", body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert api.ask("POST", f"/{what}/{nobody()}/states", {"state": {"type": "Failed"}}).status_code == 404


@pytest.mark.parametrize(("what", "kind"), [("flow_runs", "Success"), ("task_runs", "Failed")])
def test_a_single_state_is_set(api: Api, what: str, kind: str) -> None:
    run = api.running()
    id = run if what == "flow_runs" else api.task_run_id(run, "extract")

    answer = api.post(f"/{what}/{id}/states", {"state": state(kind)})

    assert (answer["status"], answer["state"], api.get(f"/{what}/{id}")["state"]) == ("SUCCESS", kind, kind)


# --- times and counts ------------------------------------------------------------------------------------------


def test_a_run_starts_when_it_first_runs_and_ends_when_it_last_finished(api: Api) -> None:
    run = api.running()
    started = api.run(run)["start_time"]
    api.later(10)
    api.finish(run, "Failed")
    assert api.run(run)["end_time"] == api.at()

    api.later(10)
    api.post(f"/flow_runs/{run}/restart", {})
    restarted = api.run(run)
    api.set_flow(run, "Running")
    api.later(10)
    api.finish(run)

    assert (restarted["start_time"], restarted["end_time"]) == (started, None)
    assert (api.run(run)["start_time"], api.run(run)["end_time"]) == (started, api.at())


@pytest.mark.parametrize("kind", ["TriggerFailed", "Skipped", "Mapped"])
def test_a_task_that_never_ran_has_no_start(api: Api, kind: str) -> None:
    run = api.running()

    api.set_task(run, "load", kind)

    found = api.task_run(run, "load")
    assert (found["start_time"], found["run_count"], found["end_time"]) == (None, 0, api.at())


def test_runs_are_counted_and_rounds_of_a_loop_are_not(api: Api) -> None:
    run = api.running()

    for kind in ("Running", "Looped", "Running", "Looped", "Running", "Retrying", "Running", "Success"):
        answer = api.set_task(run, "extract", kind)
        assert answer["status"] == "SUCCESS", answer

    assert api.task_run(run, "extract")["run_count"] == 2


def test_running_is_a_sign_of_life_of_a_flow_run(api: Api) -> None:
    run = api.new_run()
    assert api.run(run)["heartbeat"] is None

    api.set_flow(run, "Running")

    assert api.run(run)["heartbeat"] == api.at()


def test_the_start_time_of_a_state_is_kept_in_utc(api: Api) -> None:
    run = api.running()

    api.set_task(run, "extract", state("Retrying", start_time="2026-12-01T01:00:00+01:00", run_count=2))

    assert api.task_run(run, "extract")["state_start_time"] == "2026-12-01T00:00:00.000000Z"


def test_the_location_of_a_result_is_shown_never_a_value(api: Api) -> None:
    run = api.running()
    result = {"type": "LocalResult", "location": "a/b.pickle", "dir": "/results"}

    api.set_task(run, "extract", state("Success", _result=result))

    assert api.task_run(run, "extract")["state_result"] == "a/b.pickle"


def test_inputs_kept_with_a_state_are_carried_over(api: Api) -> None:
    run = api.running()
    inputs = {"x": {"type": "LocalResult", "location": "in"}}
    api.set_task(run, "extract", state("Pending", cached_inputs=inputs))

    api.set_task(run, "extract", state("Running", cached_inputs={}))
    carried = api.task_run(run, "extract")["serialized_state"]["cached_inputs"]
    api.set_task(run, "extract", state("Success", cached_inputs={"y": {"type": "LocalResult"}}))

    assert carried == inputs
    assert list(api.task_run(run, "extract")["serialized_state"]["cached_inputs"]) == ["y"]


def test_a_message_that_is_no_text_becomes_one(api: Api) -> None:
    run = api.new_run()

    api.set_flow(run, {"type": "Failed", "message": 5})

    assert api.run(run)["state_message"] == "5"


# --- what may follow what --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FINISHED)
def test_what_has_finished_runs_again_only_after_a_reset(api: Api, kind: str) -> None:
    run = api.running()
    api.set_task(run, "extract", kind)

    refused = api.set_task(run, "extract", "Running")
    api.set_task(run, "extract", "Pending")
    taken = api.set_task(run, "extract", "Running")

    assert (refused["status"], refused["code"]) == ("ERROR", "REFUSED")
    assert taken["status"] == "SUCCESS"


def test_a_finished_flow_run_must_be_scheduled_before_it_runs(api: Api) -> None:
    run = api.running()
    api.finish(run)

    refused = api.set_flow(run, "Running")
    api.set_flow(run, "Scheduled")

    assert refused["code"] == "REFUSED" and api.set_flow(run, "Running")["status"] == "SUCCESS"


@pytest.mark.parametrize("kind", ["Scheduled", "Submitted", "Cancelling", "Success", "Failed", "Cancelled", "Paused"])
def test_a_task_runs_only_while_its_flow_run_does(api: Api, kind: str) -> None:
    run = api.running()
    api.set_flow(run, kind)

    answer = api.set_task(run, "extract", "Running")

    assert answer["code"] == "REFUSED" and kind in answer["message"]


def test_a_cancelled_flow_run_cancels_what_of_it_has_not_finished(api: Api) -> None:
    run = api.running(api.register(flow_document(tasks=["a", "b", "c"], edges=["a>b", "b>c"]))["id"])
    api.ran(run, "a")
    api.set_task(run, "b", "Running")
    api.set_task(run, "b", "Pending", index=0)

    api.set_flow(run, state("Cancelled", "Enough."))

    assert api.task_states(run) == {"a": "Success", "b": "Cancelled", "b[0]": "Cancelled", "c": "Cancelled"}
    assert api.task_run(run, "b")["state_message"] == "Enough."


@pytest.mark.parametrize("kind", ["Failed", "Success", "Scheduled", "Cancelling", "Paused"])
def test_no_other_state_of_a_flow_run_touches_its_tasks(api: Api, kind: str) -> None:
    run = api.running()
    api.set_task(run, "extract", "Running")

    api.set_flow(run, kind)

    assert api.task_states(run) == {"extract": "Running", "load": "Pending"}


def test_a_mapped_child_is_made_when_its_first_state_comes(api: Api) -> None:
    run = api.running()

    answer = api.set_task(run, "load", "Running", index=7)

    child = api.task_run(run, "load", 7)
    assert (answer["id"], answer["version"]) == (child["id"], 1)
    assert (child["map_index"], child["task_slug"], child["state"]) == (7, "load", "Running")


def test_a_task_of_another_flow_has_no_run_here(api: Api) -> None:
    run = api.running()
    other = api.new_run(api.register(flow_document("other", tasks=["x"]))["id"])

    item = {"flow_run_id": run, "task_id": api.task_id(other, "x"), "state": state("Running")}

    assert api.post("/states", {"task_runs": [item]})["task_runs"][0]["code"] == "NOT_FOUND"


# --- versions and tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Running", "Submitted"])
def test_of_two_that_start_the_same_run_one_wins(api: Api, kind: str) -> None:
    run = api.new_run()

    answers = [api.set_flow(run, kind, version=1) for _ in range(2)]

    assert answers[0]["status"] == "SUCCESS"
    assert (answers[1]["code"], answers[1]["version"]) == ("VERSION_LOCKING_ERROR", 2)
    assert history(api, run) == ["Scheduled", kind]


def test_of_two_that_start_the_same_task_one_wins(api: Api) -> None:
    run = api.running()

    answers = [api.set_task(run, "extract", "Running", version=0) for _ in range(2)]

    assert [one.get("code") for one in answers] == [None, "VERSION_LOCKING_ERROR"]


@pytest.mark.parametrize(("locking", "code"), [(False, None), (True, "VERSION_LOCKING_ERROR")])
def test_versions_of_other_states_count_when_the_group_says_so(api: Api, locking: bool, code: str | None) -> None:
    flow = api.register()
    api.post(f"/flow_groups/{flow['flow_group_id']}/settings", {"version_locking_enabled": locking})
    run = api.running(flow["id"])

    assert api.set_flow(run, "Failed", version=1).get("code") == code
    assert api.set_task(run, "extract", "Failed", version=5).get("code") == code


def test_who_does_not_hold_the_run_any_more_changes_nothing(api: Api) -> None:
    run = api.new_run()
    old = api.post(f"/flow_runs/{run}/begin", {})["run_token"]
    api.set_flow(run, "Running", token=old)
    api.later(100)
    new = api.post(f"/flow_runs/{run}/begin", {})["run_token"]

    flow_answer = api.set_flow(run, "Failed", token=old)
    task_answer = api.set_task(run, "extract", "Running", token=old)

    assert new == old + 1
    assert [one["code"] for one in (flow_answer, task_answer)] == ["STALE_TOKEN"] * 2
    assert api.set_task(run, "extract", "Running", token=new)["status"] == "SUCCESS"


def test_the_process_of_a_finished_run_records_nothing_more(api: Api) -> None:
    run = api.new_run()
    token = api.post(f"/flow_runs/{run}/begin", {})["run_token"]
    for kind in ("Running", "Cancelled"):
        api.set_flow(run, kind, token=token)

    answer = api.set_task(run, "extract", "Success", token=token)

    assert answer["code"] == "REFUSED"
    assert api.task_states(run)["extract"] == "Cancelled"


# --- task runs -------------------------------------------------------------------------------------------------


def test_somebody_who_looks_sees_the_tasks_of_a_run_that_waits(api: Api) -> None:
    assert api.task_states(api.new_run()) == {"extract": "Pending", "load": "Pending"}


def test_task_runs_are_made_when_an_engine_takes_hold_of_the_run(api: Api) -> None:
    run = api.new_run()

    answer = api.post(f"/flow_runs/{run}/begin", {})

    assert api.task_states(run) == {"extract": "Pending", "load": "Pending"}
    assert {one["task_slug"] for one in answer["task_runs"]} == {"extract", "load"}
    assert {one["slug"] for one in answer["tasks"]} == {"extract", "load"}


def test_a_flow_may_have_more_tasks_than_a_statement_takes_values(api: Api) -> None:
    # PostgreSQL takes 65,535, SQLite 250,000 at the very most; making so many runs here would take long.
    statement = str(batch._SELECT_TASK_RUNS.compile(dialect=api.server.backend.database.writer.dialect))

    assert len(re.findall(r"\?|%\(", statement)) == 1


@pytest.mark.parametrize(
    "statement",
    [batch._SELECT_TASK_RUNS, batch._SELECT_FLOW_RUNS, batch._SELECT_KNOWN_OF_TASK_RUNS],
)
def test_what_states_ask_the_database_needs_no_look_at_every_row(new_sqlite: MakeUrl, statement: Any) -> None:
    server = ServerBackend(ServerSettings(database_url=new_sqlite()))
    upgrade(server.database.writer, server.settings.database_url)
    try:
        text = f"EXPLAIN QUERY PLAN {statement.compile(dialect=server.database.writer.dialect)}"
        plan = server.database.read(
            lambda connection: connection.exec_driver_sql(text, ("[]",)).scalars("detail").all()
        )
    finally:
        server.close()

    assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step], plan


def test_an_error_behind_states_is_answered_and_not_told(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(request: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr(api.server.backend, "set_states", fail)

    answer = api.http.post("/states", json={})

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL")
    assert "secret" not in answer.text
    assert "POST /api/states failed." in caplog.text


@pytest.mark.parametrize("path", ["/flow_runs", "/task_runs"])
def test_a_state_that_there_is_not_is_named_instead_of_finding_nothing(api: Api, path: str) -> None:
    with pytest.raises(Refused, match=r"There is no state 'Sucess'. Did you mean 'Success'\?"):
        api.get(path, state="Sucess")


def test_a_restart_warns_of_each_value_that_was_kept_nowhere(api: Api) -> None:
    tasks = [f"task-{number}" for number in range(5)]
    run = api.running(api.register(flow_document(tasks=tasks, edges=[f"{one}>task-4" for one in tasks[:4]]))["id"])
    for one in tasks:
        api.ran(run, one, "Failed" if one == "task-4" else "Success")
    api.finish(run, "Failed")

    answer = api.post(f"/flow_runs/{run}/restart", {"reason": "again"})

    assert (answer["reset"], len(answer["warnings"])) == (1, 4)
    assert api.task_states(run) == {**dict.fromkeys(tasks, "Success"), "task-4": "Pending"}


def test_get_or_create_makes_a_task_run_once(api: Api) -> None:
    run = api.running()
    body = {"flow_run_id": run, "task_id": api.task_id(run, "load"), "map_index": 3}

    first = api.post("/task_runs/get_or_create", body)
    api.set_task(run, "load", "Running", index=3)
    second = api.post("/task_runs/get_or_create", body)

    assert (first["state"], first["version"], second["state"], second["version"]) == ("Pending", 0, "Running", 1)
    assert first["id"] == second["id"]


def test_get_or_create_needs_a_task_of_the_run(api: Api) -> None:
    run = api.running()

    with pytest.raises(Refused, match="404"):
        api.post("/task_runs/get_or_create", {"flow_run_id": run, "task_id": nobody()})


def test_children_are_counted_by_state_and_read_page_by_page(api: Api) -> None:
    run = api.running()
    api.set_task(run, "load", state("Mapped", n_map_states=5))
    for index in range(5):
        api.ran(run, "load", "Failed" if index == 3 else "Success", index)
    parent = api.task_run_id(run, "load")

    first = api.get(f"/task_runs/{parent}/mapped", limit=3)
    second = api.get(f"/task_runs/{parent}/mapped", limit=3, cursor=first["cursor"])

    assert [one["map_index"] for one in first["items"] + second["items"]] == [0, 1, 2, 3, 4]
    summary = {"count": 5, "states": {"Success": 4, "Failed": 1}}
    assert api.get(f"/task_runs/{parent}/mapped_summary") == summary
    assert [one["map_index"] for one in api.items(f"/task_runs/{parent}/mapped", state="Failed")] == [3]


def test_task_runs_are_filtered(api: Api) -> None:
    run = api.running()
    api.ran(run, "extract")
    api.set_task(run, "load", "Running", index=0)
    path = f"/flow_runs/{run}/task_runs"

    assert [one["task_slug"] for one in api.items(path, finished=True)] == ["extract"]
    assert [one["map_index"] for one in api.items(path, mapped=True)] == [0]
    assert [one["map_index"] for one in api.items(path, mapped=False)] == [-1, -1]
    assert [one["task_slug"] for one in api.items(path, state="Completed")] == ["extract"]
    assert len(api.items(path, task_slug="load")) == 2


def test_names_of_runs_can_be_changed(api: Api) -> None:
    run = api.running()

    api.post(f"/flow_runs/{run}/name", {"name": "mine"})
    api.post(f"/task_runs/{api.task_run_id(run, 'extract')}/name", {"name": "extract of May"})

    assert (api.run(run)["name"], api.task_run(run, "extract")["name"]) == ("mine", "extract of May")


def test_a_state_may_bring_the_name_of_the_task_run(api: Api) -> None:
    run = api.running()

    api.set_task(run, "extract", "Running", name="extract of May")

    assert api.task_run(run, "extract")["name"] == "extract of May"


# --- caches ----------------------------------------------------------------------------------------------------


def cached(api: Api, **params: Any) -> list[str]:
    return [one["id"] for one in api.items("/task_runs/cached", **params)]


def test_values_under_a_key_are_found_in_all_flows_newest_first(api: Api) -> None:
    tasks = [task_document("a", cache_key="k"), task_document("b")]
    runs = [api.running(api.register(flow_document(name, tasks, []))["id"]) for name in ("one", "two")]
    for run in runs:
        api.later(10)
        api.ran(run, "a", "Cached")
        api.ran(run, "b", "Cached")

    found = cached(api, cache_key="k")

    assert found == [api.task_run_id(run, "a") for run in reversed(runs)]
    assert cached(api, cache_key="k", created_after=api.at(-5)) == found[:1]
    assert cached(api, cache_key="other") == []


def test_a_computed_key_comes_with_the_state(api: Api) -> None:
    run = api.running()
    api.set_task(run, "extract", "Running")
    api.set_task(run, "extract", state("Success", context={"cache_key": "computed"}))

    assert cached(api, cache_key="computed") == [api.task_run_id(run, "extract")]


def test_without_a_key_the_same_task_of_all_versions_counts(api: Api) -> None:
    old = api.running(api.register()["id"])
    api.ran(old, "extract", "Cached")
    api.ran(old, "load", "Success")
    new = api.running(api.register()["id"])

    assert cached(api, task_id=api.task_id(new, "extract")) == [api.task_run_id(old, "extract")]
    assert cached(api, task_id=api.task_id(new, "load")) == []
    assert cached(api, task_id=nobody()) == []


def test_of_a_map_the_newest_of_each_child_can_be_asked_for(api: Api) -> None:
    runs = [api.running(api.register()["id"]) for _ in range(3)]
    for run in runs:
        api.later(10)
        for index in (0, 1):
            api.ran(run, "extract", "Cached", index)
    task_id = api.task_id(runs[-1], "extract")

    found = api.items("/task_runs/cached", task_id=task_id, limit=2, per_child=True)

    assert sorted((one["map_index"], runs.index(one["flow_run_id"])) for one in found) == [
        (0, 1), (0, 2), (1, 1), (1, 2)
    ]  # fmt: skip


def test_what_is_no_longer_cached_is_not_found(api: Api) -> None:
    run = api.running(api.register(flow_document(tasks=[task_document("a", cache_key="k")]))["id"])
    api.ran(run, "a", "Cached")
    api.set_task(run, "a", "Pending")

    assert cached(api, cache_key="k") == []
