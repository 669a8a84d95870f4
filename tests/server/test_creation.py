"""How flow runs are created by those who ask for one."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow.utilities.identities import new_id
from tests.server.calls import NIGHT, Api, Refused, flow_document, nobody


def group_of(api: Api, flow_id: str) -> str:
    return str(api.get(f"/flows/{flow_id}")["flow_group_id"])


def test_a_new_run_is_scheduled_for_now(api: Api) -> None:
    run = api.run(api.new_run())

    assert (run["state"], run["version"]) == ("Scheduled", 1)
    assert run["state_start_time"] == run["scheduled_start_time"] == api.at()
    assert (run["auto_scheduled"], run["start_time"], run["run_token"]) == (False, None, 0)
    assert run["serialized_state"]["type"] == "Scheduled"


def test_a_new_run_has_one_state_in_its_history(api: Api) -> None:
    run = api.new_run()

    [first] = api.items(f"/flow_runs/{run}/states")

    assert (first["state"], first["version"], first["run_id"]) == ("Scheduled", 1, run)


def test_a_run_may_be_planned_for_later_in_any_zone(api: Api) -> None:
    run = api.new_run(scheduled_start_time="2026-12-01T12:00:00+02:00")

    assert api.run(run)["state_start_time"] == "2026-12-01T10:00:00.000000Z"


def test_the_planned_time_stays_when_the_run_is_started_now(api: Api) -> None:
    run = api.new_run(scheduled_start_time=api.at(3600))

    api.post(f"/flow_runs/{run}/start_now")

    found = api.run(run)
    assert (found["scheduled_start_time"], found["state_start_time"]) == (api.at(3600), api.at())


def test_a_run_needs_something_to_run(api: Api) -> None:
    with pytest.raises(Refused, match="422 INVALID: A run needs flow_id"):
        api.post("/flow_runs", {})


def test_a_flow_that_is_not_there_cannot_be_run(api: Api) -> None:
    for body in ({"flow_id": nobody()}, {"version_group_id": "nothing"}, {"deployment_id": nobody()}):
        with pytest.raises(Refused, match="404 NOT_FOUND"):
            api.post("/flow_runs", body)


def test_a_version_group_stands_for_its_live_version(api: Api) -> None:
    api.register(version_group_id="mine")
    new = api.register(version_group_id="mine")["id"]

    run = api.post("/flow_runs", {"version_group_id": "mine"})["id"]

    assert api.run(run)["flow_id"] == new


def test_of_a_flow_and_a_group_the_flow_counts(api: Api) -> None:
    api.register(flow_document("other"), version_group_id="other")
    flow = api.register()["id"]

    run = api.post("/flow_runs", {"flow_id": flow, "version_group_id": "other"})["id"]

    assert api.run(run)["flow_id"] == flow


def test_a_group_without_a_live_version_cannot_be_run(api: Api) -> None:
    flow = api.register(version_group_id="mine")["id"]
    api.post(f"/flows/{flow}/archive")

    with pytest.raises(Refused, match="404 NOT_FOUND: All versions"):
        api.post("/flow_runs", {"version_group_id": "mine"})


@pytest.mark.parametrize(
    ("asked", "config", "group", "group_config", "flow_config", "expected"),
    [
        (["z", "a", "a"], ["b"], ["c"], ["d"], ["e"], ["a", "z"]),
        ([], ["b"], ["c"], ["d"], ["e"], []),
        (None, ["b"], ["c"], ["d"], ["e"], ["b"]),
        (None, None, ["c"], ["d"], ["e"], ["c"]),
        (None, None, [], ["d"], ["e"], []),
        (None, None, None, ["d"], ["e"], ["d"]),
        (None, None, None, None, ["e"], ["e"]),
        (None, None, None, None, None, []),
    ],
)
def test_labels_come_from_the_first_who_says_some(
    api: Api, asked: Any, config: Any, group: Any, group_config: Any, flow_config: Any, expected: list[str]
) -> None:
    def run_config(labels: Any) -> Any:
        return None if labels is None else {"type": "UniversalRun", "labels": labels}

    flow = api.register(flow_document(run_config=run_config(flow_config)))["id"]
    api.post(f"/flow_groups/{group_of(api, flow)}/labels", {"labels": group})
    api.post(f"/flow_groups/{group_of(api, flow)}/run_config", {"run_config": run_config(group_config)})

    run = api.new_run(flow, labels=asked, run_config=run_config(config))

    assert api.run(run)["labels"] == expected


def test_parameters_given_beat_those_of_the_group_and_these_the_defaults(api: Api) -> None:
    flow = api.register(flow_document(parameters={"a": 1, "b": 1, "c": 1}))["id"]
    api.post(f"/flow_groups/{group_of(api, flow)}/parameters", {"parameters": {"b": 2, "c": 2}})

    run = api.new_run(flow, parameters={"c": 3})

    assert api.run(run)["parameters"] == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("labels", [5, "gpu", {"gpu": 1}, [1], [None]])
def test_labels_that_are_no_list_of_texts_are_refused_wherever_they_are_said(api: Api, labels: Any) -> None:
    flow = api.register()
    group, spoiled = flow["flow_group_id"], {"type": "UniversalRun", "labels": labels}

    for path, body in (
        ("/flow_runs", {"flow_id": flow["id"], "run_config": spoiled}),
        (f"/flow_groups/{group}/run_config", {"run_config": spoiled}),
        ("/deployments", {"flow_group_id": group, "name": "d", "run_config": spoiled}),
        ("/work_pools", {"name": "p", "base_run_config": {"type": "DockerRun", "env": labels and ["A=1"]}}),
        ("/flows/register", {"project_name": NIGHT, "flow": flow_document(run_config=spoiled)}),
    ):
        with pytest.raises(Refused, match=r"422 INVALID.* of a run config"):
            api.post(path, body)
    assert api.run(api.new_run(flow["id"]))["labels"] == []


@pytest.mark.parametrize("value", [0, False, "", [], {}, None])
def test_defaults_that_are_nothing_much_are_kept_too(api: Api, value: Any) -> None:
    flow = api.register(flow_document(parameters={"x": value}))["id"]

    assert api.run(api.new_run(flow))["parameters"] == {"x": value}


def test_required_parameters_without_a_value_are_named(api: Api) -> None:
    flow = api.register(flow_document(parameters={"b": ..., "a": ..., "c": 1}))["id"]

    with pytest.raises(Refused, match=r"422 INVALID: .* parameters a, b"):
        api.new_run(flow)
    api.post(f"/flow_groups/{group_of(api, flow)}/parameters", {"parameters": {"a": 1}})
    assert api.run(api.new_run(flow, parameters={"b": None}))["parameters"] == {"a": 1, "b": None, "c": 1}


def test_unknown_parameters_are_refused_with_the_nearest_name(api: Api) -> None:
    flow = api.register(flow_document(parameters={"country": "nl"}))["id"]

    with pytest.raises(Refused, match=r"no parameter 'contry'.*country"):
        api.new_run(flow, parameters={"contry": "de"})


def test_a_name_is_two_words_unless_one_is_given(api: Api) -> None:
    flow = api.register()["id"]

    assert api.run(api.new_run(flow))["name"].count("-") == 1
    assert api.run(api.new_run(flow, name="mine"))["name"] == "mine"


def test_context_is_kept_as_it_is(api: Api) -> None:
    context = {"date": "2026-01-01T00:00:00+00:00", "deep": [{"x": None}]}

    assert api.run(api.new_run(context=context))["context"] == context


# --- once ------------------------------------------------------------------------------------------------------


def test_an_idempotency_key_creates_one_run_of_a_version_for_ever(api: Api) -> None:
    flow = api.register()["id"]
    first = api.post("/flow_runs", {"flow_id": flow, "idempotency_key": "k"})
    api.post(f"/flow_runs/{first['id']}/begin", {})
    for kind in ("Running", "Success"):
        api.set_flow(first["id"], kind)
    api.later(86_400 * 400)

    second = api.post("/flow_runs", {"flow_id": flow, "idempotency_key": "k"})

    assert (first["created"], second["created"], second["id"]) == (True, False, first["id"])
    states = [one["state"] for one in api.items(f"/flow_runs/{first['id']}/states")]
    assert states == ["Scheduled", "Running", "Success"]


def test_an_idempotency_key_belongs_to_one_version(api: Api) -> None:
    first = api.new_run(api.register()["id"], idempotency_key="k")
    second = api.new_run(api.register()["id"], idempotency_key="k")

    assert first != second


def test_other_parameters_under_the_same_key_are_a_conflict(api: Api) -> None:
    flow = api.register(flow_document(parameters={"x": 1}))["id"]
    first = api.new_run(flow, idempotency_key="k", parameters={"x": 2})

    with pytest.raises(Refused, match="409 CONFLICT") as caught:
        api.new_run(flow, idempotency_key="k", parameters={"x": 3})

    assert caught.value.detail["id"] == first


def test_the_same_id_creates_one_run(api: Api) -> None:
    flow, id = api.register()["id"], new_id()

    answers = [api.post("/flow_runs", {"id": id, "flow_id": flow}) for _ in range(2)]

    assert [one["created"] for one in answers] == [True, False]
    assert answers[0]["name"] == answers[1]["name"]
    assert [one["id"] for one in api.items("/flow_runs")] == [id]


def test_the_id_of_a_run_is_a_uuid_however_it_is_created(api: Api) -> None:
    flow = api.register()
    deployment = f"/deployments/{flow['flow_group_id']}/create_run"

    for path, body in (("/flow_runs", {"flow_id": flow["id"]}), (deployment, {})):
        with pytest.raises(Refused, match=r"422 INVALID: body\.id"):
            api.post(path, {**body, "id": "mine"})


def test_a_run_without_an_agent_has_a_label_that_no_agent_has(api: Api) -> None:
    run = api.new_run(agentless=True, labels=["a"])

    [plain, marked] = api.run(run)["labels"]

    assert plain == "a" and marked.startswith("agentless-run-")


# --- deployments -----------------------------------------------------------------------------------------------


def test_a_deployment_stands_between_what_is_asked_and_the_group(api: Api) -> None:
    flow = api.register(flow_document(parameters={"a": 1, "b": 1, "c": 1}))
    group = flow["flow_group_id"]
    api.post(f"/flow_groups/{group}/parameters", {"parameters": {"a": 2, "b": 2, "c": 2}})
    api.post(f"/flow_groups/{group}/labels", {"labels": ["group"]})
    values = {"flow_group_id": group, "name": "prod", "parameters": {"b": 3, "c": 3}, "labels": ["prod"]}
    deployment = api.post("/deployments", values)["id"]

    run = api.run(api.post(f"/deployments/{deployment}/create_run", {"parameters": {"c": 4}})["id"])

    assert (run["parameters"], run["labels"]) == ({"a": 2, "b": 3, "c": 4}, ["prod"])
    assert (run["deployment_id"], run["deployment_name"]) == (deployment, "prod")


def test_the_default_deployment_is_the_group_itself(api: Api) -> None:
    group = api.register()["flow_group_id"]
    api.post(f"/flow_groups/{group}/labels", {"labels": ["x"]})

    [default] = api.items("/deployments", flow_group_id=group)
    run = api.run(api.post(f"/deployments/{default['id']}/create_run")["id"])

    assert (default["name"], default["id"], default["labels"]) == ("default", group, ["x"])
    assert (run["labels"], run["deployment_id"]) == (["x"], None)


def test_a_deployment_is_made_once_and_then_changed(api: Api) -> None:
    group = api.register()["flow_group_id"]
    first = api.post("/deployments", {"flow_group_id": group, "name": "prod", "tags": ["a"]})
    same = api.post("/deployments", {"flow_group_id": group, "name": "prod", "tags": ["a"]})
    other = api.post("/deployments", {"flow_group_id": group, "name": "prod", "tags": ["b"]})

    assert (first["created"], same["changed"], other["created"], other["changed"]) == (True, [], False, ["tags"])
    assert first["id"] == other["id"] and api.get(f"/deployments/{first['id']}")["tags"] == ["b"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "default"}, "409"), ({"name": "a/b"}, "422"), ({"name": " "}, "422"),
        ({"name": "x", "pool": "none"}, "404 .* no work pool 'none'"), ({"name": "x", "overlap_policy": "?"}, "422"),
        ({"name": "x", "schedule": {"clocks": 5}}, "422 .* schedule could not be read"),
    ],
)  # fmt: skip
def test_a_deployment_that_makes_no_sense_is_refused(api: Api, values: dict[str, Any], words: str) -> None:
    group = api.register()["flow_group_id"]

    with pytest.raises(Refused, match=words):
        api.post("/deployments", {"flow_group_id": group, **values})


def test_changes_of_the_default_deployment_change_the_group(api: Api) -> None:
    group = api.register(flow_document(parameters={"x": 1}))["flow_group_id"]

    api.patch(f"/deployments/{group}", {"parameters": {"x": 2}, "tags": ["t"], "overlap_policy": "skip"})

    found = api.get(f"/flow_groups/{group}")
    assert (found["default_parameters"], found["tags"]) == ({"x": 2}, ["t"])
    assert found["settings"]["overlap_policy"] == "skip"
    with pytest.raises(Refused, match="409"):
        api.delete(f"/deployments/{group}")
