"""Projects, and how flows are registered, archived, moved and deleted."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from dagflow.server.database import tables
from tests.server.calls import Api, Refused, flow_document, nobody, schedule, task_document


def count(api: Api, table: Any) -> int:
    """Return how many rows a table has."""
    return int(
        api.server.backend.database.read(
            lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()
        )
    )


def live(api: Api, group: str) -> list[int]:
    """Return the versions of a group that are not archived."""
    return sorted(one["version"] for one in api.items("/flows", flow_group_id=group, archived=False))


# --- projects --------------------------------------------------------------------------------------------------


def test_a_project_is_made_once(api: Api) -> None:
    first = api.post("/projects", {"name": "day"})

    second = api.post("/projects", {"name": "day"})

    assert first["created"] and second == {"id": first["id"], "created": False}


def test_a_project_counts_its_live_flows(api: Api) -> None:
    api.register(flow_document("one"))
    api.register(flow_document("one"))
    api.register(flow_document("two"))

    [project] = api.items("/projects", name="night")

    assert project["flow_count"] == 2


def test_a_project_may_be_renamed_but_not_to_a_name_that_is_taken(api: Api) -> None:
    day = api.post("/projects", {"name": "day"})["id"]
    api.post("/projects", {"name": "taken"})

    api.patch(f"/projects/{day}", {"name": "dawn", "description": "early"})
    with pytest.raises(Refused, match="409 CONFLICT: There is another project called 'taken'"):
        api.patch(f"/projects/{day}", {"name": "taken"})

    project = api.get(f"/projects/{day}")
    assert (project["name"], project["description"]) == ("dawn", "early")


@pytest.mark.parametrize("name", ["", "   "])
def test_a_project_needs_a_name(api: Api, name: str) -> None:
    with pytest.raises(Refused, match="422"):
        api.post("/projects", {"name": name})


def test_deleting_a_project_leaves_nothing_of_what_was_in_it(api: Api) -> None:
    run = api.running()
    api.ran(run, "extract")
    api.post("/logs", {"logs": [{"flow_run_id": run, "message": "hello"}]})
    api.post("/artifacts", {"task_run_id": api.task_run_id(run, "extract"), "kind": "link", "data": {"link": "x"}})
    [project] = api.items("/projects")

    api.delete(f"/projects/{project['id']}")

    emptied = (
        tables.flow_group, tables.flow, tables.task, tables.edge, tables.flow_run, tables.task_run,
        tables.flow_run_state, tables.task_run_state, tables.log, tables.task_run_artifact,
    )  # fmt: skip
    assert {table.name: count(api, table) for table in emptied} == {table.name: 0 for table in emptied}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects/{}"), ("DELETE", "/projects/{}"), ("GET", "/flows/{}"), ("DELETE", "/flows/{}"),
        ("GET", "/flow_groups/{}"), ("DELETE", "/flow_groups/{}"), ("POST", "/flows/{}/archive"),
        ("POST", "/flows/{}/unarchive"), ("GET", "/tasks/{}"), ("GET", "/flow_runs/{}"), ("DELETE", "/flow_runs/{}"),
        ("GET", "/task_runs/{}"), ("POST", "/flow_runs/{}/cancel"), ("GET", "/agents/{}"), ("GET", "/deployments/{}"),
        ("GET", "/automations/{}"), ("GET", "/work_pools/{}"), ("GET", "/kv/{}"), ("GET", "/secrets/{}"),
        ("DELETE", "/limits/{}"), ("DELETE", "/keys/{}"), ("DELETE", "/artifacts/{}"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_to_be_missing(api: Api, method: str, path: str) -> None:
    answer = api.ask(method, path.format(nobody()))

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


# --- registration ----------------------------------------------------------------------------------------------


def test_registration_needs_a_project_that_exists(api: Api) -> None:
    with pytest.raises(Refused, match=r"404 NOT_FOUND: Project 'nowhere' does not exist\."):
        api.post("/flows/register", {"flow": flow_document(), "project_name": "nowhere"})


def test_each_registration_is_a_version_of_its_own(api: Api) -> None:
    answers = [api.register() for _ in range(3)]

    assert [one["version"] for one in answers] == [1, 2, 3]
    assert len({one["id"] for one in answers}) == 3
    assert len({one["flow_group_id"] for one in answers}) == 1


def test_at_most_one_version_of_a_group_is_live(api: Api) -> None:
    for _ in range(3):
        group = api.register()["flow_group_id"]

    assert live(api, group) == [3]


def test_a_name_means_one_group_in_one_project(api: Api) -> None:
    here = api.register(flow_document("etl"))
    other_name = api.register(flow_document("elt"))
    other_project = api.register(flow_document("etl"), project="day")

    assert len({one["flow_group_id"] for one in (here, other_name, other_project)}) == 3


def test_the_newest_version_of_a_name_says_which_group_the_next_belongs_to(api: Api) -> None:
    api.register(version_group_id="first")
    api.later(1)
    api.register(version_group_id="second")
    api.later(1)

    assert api.register()["version_group_id"] == "second"


def test_a_version_group_id_names_the_group(api: Api) -> None:
    first = api.register(flow_document("one"), version_group_id="mine")

    second = api.register(flow_document("renamed"), version_group_id="mine")

    assert (second["flow_group_id"], second["version"]) == (first["flow_group_id"], 2)
    assert api.get("/flow_groups/mine")["flow_name"] == "renamed"


def test_a_repeated_key_changes_nothing(api: Api) -> None:
    first = api.register(flow_document(schedule=schedule()), idempotency_key="k", set_schedule_active=False)

    second = api.register(flow_document("etl", tasks=["other"]), idempotency_key="k", set_schedule_active=True)

    assert (second["id"], second["version"], second["created"]) == (first["id"], 1, False)
    assert not api.get(f"/flows/{first['id']}")["is_schedule_active"]
    assert [one["slug"] for one in api.items(f"/flows/{first['id']}/tasks")] == ["extract", "load"]


def test_a_repeated_key_registers_when_all_versions_are_archived(api: Api) -> None:
    first = api.register(idempotency_key="k")
    api.post(f"/flows/{first['id']}/archive")

    second = api.register(idempotency_key="k")

    assert (second["created"], second["version"]) == (True, 2)


def test_a_registration_without_a_key_clears_it(api: Api) -> None:
    api.register(idempotency_key="k")
    api.register()

    assert api.register(idempotency_key="k")["version"] == 3


@pytest.mark.parametrize("flag", [None, True])
def test_a_new_flow_follows_its_schedule_unless_told_otherwise(api: Api, flag: bool | None) -> None:
    assert api.register(flow_document(schedule=schedule()), set_schedule_active=flag)["is_schedule_active"]


def test_a_flow_without_any_schedule_follows_none(api: Api) -> None:
    assert not api.register(set_schedule_active=True)["is_schedule_active"]


@pytest.mark.parametrize(("flag", "active"), [(None, False), (True, True), (False, False)])
def test_a_paused_schedule_stays_paused_unless_told_otherwise(api: Api, flag: bool | None, active: bool) -> None:
    document = flow_document(schedule=schedule())
    first = api.register(document)["id"]
    api.post(f"/flows/{first}/schedule_active", {"active": False})

    assert api.register(document, set_schedule_active=flag)["is_schedule_active"] is active


def test_a_schedule_that_cannot_be_followed_leaves_the_flow_registered(api: Api) -> None:
    answer = api.register(flow_document(parameters={"x": ...}, schedule=schedule()))

    assert answer["created"] and not answer["is_schedule_active"]
    assert "required parameters x" in answer["schedule_problem"]
    assert api.get(f"/flows/{answer['id']}")["version"] == 1


def test_what_has_changed_since_the_version_before_is_told(api: Api) -> None:
    api.register()

    answer = api.register(flow_document(tasks=["extract"], description="now said"))

    assert {"description", "tasks", "edges"} >= set(answer["changed"]) >= {"description", "tasks"}


def test_a_flow_that_makes_no_sense_leaves_nothing_behind(api: Api) -> None:
    twice = flow_document(tasks=["a", "a"], edges=[])
    loose = flow_document()
    loose["edges"][0]["downstream_task"] = {"slug": "nowhere"}
    for document, words in ((twice, "slug 'a'"), (loose, "'nowhere'"), ({"name": "x", "tasks": 5}, "tasks")):
        with pytest.raises(Refused, match=words):
            api.register(document)

    assert (count(api, tables.flow), count(api, tables.flow_group), count(api, tables.task)) == (0, 0, 0)


def test_tasks_and_edges_are_kept_as_they_were_drawn(api: Api) -> None:
    tasks = [
        task_document("a", tags=["db"], max_retries=2, retry_delay=5.0, cache_key="k"),
        task_document("b", trigger={"fn": "dagflow.triggers.all_finished", "kwargs": {}}),
        task_document("c"),
    ]
    flow = api.register(flow_document(tasks=tasks, edges=["a>>b", "b>>>c"]))["id"]

    a, b, c = api.items(f"/flows/{flow}/tasks")
    edges = api.items(f"/flows/{flow}/edges")

    assert (a["tags"], a["max_retries"], a["retry_delay"], a["cache_key"]) == (["db"], 2, 5.0, "k")
    assert [one["is_root_task"] for one in (a, b, c)] == [True, False, False]
    assert [one["is_terminal_task"] for one in (a, b, c)] == [False, False, True]
    assert [one["is_reference_task"] for one in (a, b, c)] == [False, False, True]
    assert [one["mapped"] for one in (a, b, c)] == [False, True, True]
    assert [(one["upstream_slug"], one["downstream_slug"], one["mapped"], one["flattened"]) for one in edges] == [
        ("a", "b", True, False),
        ("b", "c", True, True),
    ]


def test_two_edges_between_the_same_tasks_are_both_kept(api: Api) -> None:
    document = flow_document(edges=["extract>load", "extract>load"])
    document["edges"][1]["key"] = "y"

    flow = api.register(document)["id"]

    assert sorted(one["key"] for one in api.items(f"/flows/{flow}/edges")) == ["x", "y"]


def test_a_version_is_read_whole_by_its_id_and_without_its_document_in_lists(api: Api) -> None:
    document = flow_document(run_config={"type": "UniversalRun", "labels": ["gpu"], "env": {}})
    flow = api.register(document, serialized_hash="h" * 64)["id"]

    whole = api.get(f"/flows/{flow}")
    [short] = api.items("/flows", latest=True)

    assert whole["serialized_flow"] == document
    assert (whole["tasks_count"], whole["serialized_hash"], whole["project_name"]) == (2, "h" * 64, "night")
    assert "serialized_flow" not in short and short["id"] == flow


def test_only_the_newest_version_of_each_group_is_the_latest(api: Api) -> None:
    for name in ("one", "two", "one"):
        api.register(flow_document(name))
        api.later(1)

    found = api.items("/flows", latest=True)

    assert [(one["name"], one["version"]) for one in found] == [("one", 2), ("two", 1)]


# --- archive, delete, move -------------------------------------------------------------------------------------


def test_archiving_deletes_planned_runs_cancels_wanted_ones_and_lets_running_ones_go_on(api: Api) -> None:
    flow = api.register(flow_document(schedule=schedule()))["id"]
    wanted = api.new_run(flow)
    running = api.running(flow)

    answer = api.post(f"/flows/{flow}/archive")

    assert answer["archived"] and answer["deleted_runs"] >= 10 and answer["cancelled_runs"] == 1
    assert {one["id"]: one["state"] for one in api.items("/flow_runs")} == {wanted: "Cancelled", running: "Running"}
    assert "was archived" in api.run(wanted)["state_message"]


def test_archiving_twice_is_fine(api: Api) -> None:
    flow = api.register()["id"]

    answers = [api.post(f"/flows/{flow}/archive") for _ in range(2)]

    assert answers[1] == {"archived": True, "deleted_runs": 0, "cancelled_runs": 0}


def test_a_scheduled_run_that_had_begun_survives_a_new_version(api: Api) -> None:
    flow = api.register(flow_document(schedule=schedule()))["id"]
    api.later(3600)
    agent = api.agent()
    [taken] = api.claim(agent, limit=1)
    run = taken["flow_run"]["id"]
    api.set_flow(run, "Running")
    api.ran(run, "extract")
    api.post(f"/flow_runs/{run}/lost", {"reason": "It was killed."})

    api.register(flow_document(schedule=schedule()))

    assert api.task_states(run)["extract"] == "Success"
    assert api.get(f"/flows/{flow}")["archived"]


def test_an_archived_version_cannot_be_run_and_the_live_one_is_named(api: Api) -> None:
    old = api.register()["id"]
    new = api.register()["id"]

    with pytest.raises(Refused, match=f"409 CONFLICT: Version 1 .* {new}"):
        api.new_run(old)


def test_an_unarchived_version_takes_the_place_of_the_live_one(api: Api) -> None:
    old = api.register(flow_document(schedule=schedule()))
    new = api.register(flow_document(schedule=schedule()))

    api.post(f"/flows/{old['id']}/unarchive")
    api.tick()

    assert live(api, old["flow_group_id"]) == [1]
    assert api.get(f"/flows/{new['id']}")["archived"]
    assert {one["flow_version"] for one in api.items("/flow_runs", state="Scheduled")} == {1}


def test_deleting_a_version_deletes_its_runs_alone(api: Api) -> None:
    old = api.register()["id"]
    first = api.running(old)
    new = api.register()["id"]
    second = api.new_run(new)

    api.delete(f"/flows/{old}")

    assert [one["id"] for one in api.items("/flow_runs")] == [second]
    with pytest.raises(Refused, match="404"):
        api.run(first)


def test_deleting_a_group_deletes_all_its_versions(api: Api) -> None:
    api.register()
    group = api.register()["flow_group_id"]
    other = api.register(flow_document("other"))["id"]

    api.delete(f"/flow_groups/{group}")

    assert [one["id"] for one in api.items("/flows")] == [other]


def test_a_moved_flow_keeps_its_versions_runs_and_group(api: Api) -> None:
    flow = api.register()
    run = api.new_run(flow["id"])
    day = api.post("/projects", {"name": "day"})["id"]

    api.post(f"/flow_groups/{flow['flow_group_id']}/move", {"project_id": day})
    again = api.register(project="day")

    assert api.run(run)["project_name"] == "day"
    assert (again["flow_group_id"], again["version"]) == (flow["flow_group_id"], 2)


def test_settings_of_a_group_outlive_a_registration(api: Api) -> None:
    group = api.register()["flow_group_id"]
    api.post(f"/flow_groups/{group}/labels", {"labels": ["b", "a", "a"]})
    api.post(f"/flow_groups/{group}/parameters", {"parameters": {"x": 1}})
    api.post(f"/flow_groups/{group}/run_config", {"run_config": {"type": "LocalRun"}})
    api.post(f"/flow_groups/{group}/settings", {"heartbeat_enabled": False})
    api.patch(f"/flow_groups/{group}", {"description": "mine", "tags": ["t"]})

    api.register()

    found = api.get(f"/flow_groups/{group}")
    assert (found["labels"], found["default_parameters"]) == (["a", "b"], {"x": 1})
    assert (found["run_config"], found["description"], found["tags"]) == ({"type": "LocalRun"}, "mine", ["t"])
    assert found["settings"]["heartbeat_enabled"] is False and found["settings"]["lazarus_enabled"] is True


@pytest.mark.parametrize(
    "changes",
    [
        {"overlap_policy": "maybe"},
        {"overlap_policy": ["allow"]},
        {"unknown": 1},
        {"heartbeat_enabled": "no"},
        {"lazarus_enabled": None},
        {"version_locking_enabled": 1},
        {"resurrection_attempt_limit": "3"},
        {"resurrection_attempt_limit": True},
        {"resurrection_attempt_limit": -1},
        {"resurrection_attempt_limit": 10**12},
    ],
)
def test_a_group_refuses_settings_that_it_does_not_know(api: Api, changes: dict[str, Any]) -> None:
    group = api.register()["flow_group_id"]

    with pytest.raises(Refused, match="422 INVALID"):
        api.post(f"/flow_groups/{group}/settings", changes)
    assert api.get(f"/flow_groups/{group}")["settings"]["heartbeat_enabled"] is True


# --- pages -----------------------------------------------------------------------------------------------------


def test_pages_follow_each_other_without_gaps_while_rows_come_in(api: Api) -> None:
    for number in range(7):
        api.post("/projects", {"name": f"p{number}"})
    first = api.get("/projects", limit=3, count=True)
    api.post("/projects", {"name": "newer"})

    second = api.get("/projects", limit=3, cursor=first["cursor"])
    third = api.get("/projects", limit=3, cursor=second["cursor"])

    names = [one["name"] for page in (first, second, third) for one in page["items"]]
    assert names == [f"p{number}" for number in reversed(range(7))]
    assert (first["count"], third["cursor"]) == (7, None)


@pytest.mark.parametrize("cursor", ["x", "!!!!", "WzEsMl0", "WyJhIl0", "W251bGwsbnVsbF0", "é", "WzEuNSwiYSJd"])
def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    run = api.running()
    for path in ("/projects", "/flow_runs", f"/flow_runs/{run}/task_runs", "/agents", "/flows"):
        assert api.ask("GET", path, params={"cursor": cursor}).status_code == 400
