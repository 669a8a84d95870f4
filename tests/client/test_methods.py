"""What the methods of a client do, against a server in this process."""

from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from dagflow.client import Client
from dagflow.client.auth import auth_path
from dagflow.configuration import config
from dagflow.engine.state import Cancelled, Failed, Queued, Running, Scheduled, Success
from dagflow.exceptions import ClientError, ObjectNotFoundError, VersionLockMismatchSignal
from dagflow.run_configs import LocalRun
from dagflow.testing import InProcessServer
from tests.served import registered, small_flow

NOBODY = "c0ffee00-0000-4000-8000-000000000001"


def running(served: InProcessServer) -> tuple[Client, str]:
    """Make a run that is running, and has reached all its tasks."""
    client, flow_id = served.client(), registered(served)
    run_id = client.create_flow_run(flow_id)
    client.set_flow_run_state(run_id, Running())
    for task in client.get(f"flows/{flow_id}/tasks")["items"]:
        client.get_task_run_info(run_id, task["id"])
    return client, run_id


# --- projects and flows --------------------------------------------------------------------------------------


def test_a_project_of_an_existing_name_is_that_project(served: InProcessServer) -> None:
    client = served.client()

    assert client.create_project("night") == client.create_project("night", "again")


def test_deleting_a_project_needs_its_name(served: InProcessServer) -> None:
    client = served.client()
    client.create_project("night")

    assert client.delete_project("night") is True
    with pytest.raises(ValueError, match="'night' does not exist"):
        client.delete_project("night")
    with pytest.raises(TypeError, match="needs the name"):
        client.delete_project(None)  # type: ignore[arg-type]


def test_registering_in_a_project_that_is_not_there_names_the_command(served: InProcessServer) -> None:
    flow = small_flow()

    with pytest.raises(ValueError, match=r"Project 'nowhere' does not exist.*`dagflow create project 'nowhere'`"):
        served.client().register(flow, "nowhere")

    assert flow.name not in flow.storage


def test_registering_needs_a_project(served: InProcessServer) -> None:
    with pytest.raises(TypeError, match="needs a project"):
        served.client().register(small_flow())


def test_registering_prints_where_the_flow_is(served: InProcessServer, capsys: pytest.CaptureFixture[str]) -> None:
    client = served.client()
    client.create_project("night")

    flow_id = client.register(small_flow(run_config=LocalRun(labels=["b", "a"])), "night")

    said = capsys.readouterr().out
    group = client.get(f"flows/{flow_id}")["flow_group_id"]
    assert f"{served.url}/flow/{group}" in said and flow_id in said and "night" in said and "['a', 'b']" in said


def test_a_flow_that_hands_on_values_and_keeps_none_is_warned_of(served: InProcessServer) -> None:
    client = served.client()
    client.create_project("night")
    flow = small_flow()
    flow.result = None

    with pytest.warns(UserWarning, match="keeps no results"):
        client.register(flow, "night", no_url=True)


def test_the_same_key_gives_the_same_version(served: InProcessServer) -> None:
    client = served.client()
    client.create_project("night")

    first, again, other = (
        client.register(small_flow(), "night", no_url=True, idempotency_key=key) for key in ("k", "k", "l")
    )

    assert first == again != other
    assert client.get(f"flows/{other}")["version"] == 2


def test_archiving_tells_whether_there_was_a_version(served: InProcessServer) -> None:
    client, flow_id = served.client(), registered(served)

    assert client.archive_flow(flow_id) is True
    with pytest.raises(ClientError, match="archived"):
        client.create_flow_run(flow_id)
    assert client.unarchive_flow(flow_id) is True
    assert client.archive_flow(NOBODY) is False


def test_settings_of_a_group(served: InProcessServer) -> None:
    from dagflow.schedules import CronSchedule

    client, flow_id = served.client(), registered(served)
    group = client.get(f"flows/{flow_id}")["flow_group_id"]

    client.set_flow_group_labels(group, {"b", "a"})
    client.set_flow_group_run_config(group, LocalRun(env={"A": "1"}))
    client.set_flow_group_schedule(group, CronSchedule("0 3 * * *"), "Europe/Paris")
    client.set_flow_group_description(group, "each night")
    client.set_flow_group_settings(group, heartbeat_enabled=False)

    found = client.get(f"flow_groups/{group}")
    assert (found["labels"], found["run_config"]["env"]) == (["a", "b"], {"A": "1"})
    assert found["schedule"]["clocks"][0]["cron"] == "0 3 * * *"
    assert (found["description"], found["settings"]["heartbeat_enabled"]) == ("each night", False)
    assert client.set_schedule_active(flow_id) is True
    assert client.set_schedule_inactive(flow_id) is True


# --- runs ----------------------------------------------------------------------------------------------------


def test_a_run_needs_something_to_run(served: InProcessServer) -> None:
    with pytest.raises(ValueError, match="flow_id or a version_group_id"):
        served.client().create_flow_run()


def test_a_run_has_what_was_asked_for(served: InProcessServer) -> None:
    client = served.client()
    start = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)

    run_id = client.create_flow_run(
        registered(served),
        context={"region": "eu"},
        run_config=LocalRun(env={"A": "1"}, labels=["z"]),
        labels=["b", "a"],
        scheduled_start_time=start,
        run_name="mine",
    )

    info = client.get_flow_run_info(run_id)
    assert (info.name, info.context, info.project.name) == ("mine", {"region": "eu"}, "night")
    assert info.scheduled_start_time == start
    assert isinstance(info.state, Scheduled) and info.state.start_time == start
    assert client.get(f"flow_runs/{run_id}")["labels"] == ["a", "b"]


def test_without_parameters_and_context_both_are_empty(served: InProcessServer) -> None:
    client = served.client()

    info = client.get_flow_run_info(client.create_flow_run(registered(served)))

    assert (info.parameters, info.context) == ({}, {})


def test_the_same_key_gives_the_same_run(served: InProcessServer) -> None:
    client, flow_id = served.client(), registered(served)

    assert client.create_flow_run(flow_id, idempotency_key="k") == client.create_flow_run(flow_id, idempotency_key="k")


def test_a_group_is_run_by_its_live_version(served: InProcessServer) -> None:
    client = served.client()
    registered(served)
    flow_id = registered(served)
    group = client.get(f"flows/{flow_id}")["version_group_id"]

    run_id = client.create_flow_run(version_group_id=group)

    assert client.get_flow_run_info(run_id).flow_id == flow_id


def test_a_missing_parameter_is_named(served: InProcessServer) -> None:
    from dagflow.core.parameter import Parameter

    client = served.client()
    client.create_project("night")
    flow = small_flow()
    flow.add_task(Parameter("day"))
    flow_id = client.register(flow, "night", no_url=True)

    with pytest.raises(ValueError, match="day"):
        client.create_flow_run(flow_id)
    with pytest.raises(ValueError, match="dya"):
        client.create_flow_run(flow_id, parameters={"day": 1, "dya": 2})


def test_a_run_that_is_not_there_is_a_client_error(served: InProcessServer) -> None:
    client = served.client()

    with pytest.raises(ClientError):
        client.get_flow_run_info(NOBODY)
    with pytest.raises(ObjectNotFoundError):
        client.get_flow_run_state(NOBODY)


def test_task_runs_of_a_run_are_those_without_index(served: InProcessServer) -> None:
    client, run_id = running(served)
    first = client.get_flow_run_info(run_id).task_runs[0]

    child = client.get_task_run_info(run_id, first.task_id, map_index=3)

    info = client.get_flow_run_info(run_id)
    assert sorted(one.task_slug for one in info.task_runs) == ["extract-1", "load-1"]
    assert child.id not in [one.id for one in info.task_runs] and child.task_slug == first.task_slug
    assert client.get_task_run_info(run_id, first.task_id).id == first.id


def test_a_state_with_an_old_version_is_a_signal(served: InProcessServer) -> None:
    client, run_id = running(served)

    with pytest.raises(VersionLockMismatchSignal):
        client.set_flow_run_state(run_id, Running(), version=0)


def test_runs_that_wait_are_listed_and_not_taken(served: InProcessServer) -> None:
    client, flow_id = served.client(), registered(served)
    anybodys = client.create_flow_run(flow_id)
    labelled = client.create_flow_run(flow_id, labels=["gpu"])

    assert client.get_runs_in_queue() == [anybodys, labelled]
    assert client.get_runs_in_queue(labels=["gpu", "fast"]) == [labelled]
    assert client.get_runs_in_queue(before="2020-01-01T00:00:00Z") == []
    assert client.get_runs_in_queue(limit=1) == [anybodys]
    assert isinstance(client.get_flow_run_state(anybodys), Scheduled)


def test_a_task_without_a_free_slot_is_queued(served: InProcessServer) -> None:
    client, run_id = running(served)
    task_run = client.get_flow_run_info(run_id).task_runs[0]
    client.update_task_tag_limit("db", 0)

    state = client.set_task_run_state(task_run.id, Running(context={"tags": ["db"]}))

    assert isinstance(state, Queued) and "db" in str(state.message)
    assert isinstance(client.get_task_run_state(task_run.id), Queued)


def test_states_of_tasks(served: InProcessServer) -> None:
    client, run_id = running(served)
    task_run = client.get_flow_run_info(run_id).task_runs[0]

    assert client.set_task_run_state(task_run.id, Running()).is_running()
    assert client.set_task_run_state(task_run.id, Success("done")).is_successful()
    assert client.get_task_run_state(task_run.id).message == "done"


def test_names_of_runs(served: InProcessServer) -> None:
    client, run_id = running(served)
    task_run = client.get_flow_run_info(run_id).task_runs[0]

    assert client.set_flow_run_name(run_id, "flow") and client.set_task_run_name(task_run.id, "task")

    assert client.get(f"flow_runs/{run_id}")["name"] == "flow"
    assert client.get(f"task_runs/{task_run.id}")["name"] == "task"
    for rename in (client.set_flow_run_name, client.set_task_run_name):
        with pytest.raises(ValueError, match="empty"):
            rename(run_id, "")


def test_cancelling_a_run_that_has_not_started_ends_it(served: InProcessServer) -> None:
    client = served.client()
    run_id = client.create_flow_run(registered(served))

    assert client.cancel_flow_run(run_id) == "Cancelled"
    assert isinstance(client.get_flow_run_state(run_id), Cancelled)


def test_restarting_resets_what_failed(served: InProcessServer) -> None:
    client, run_id = running(served)
    for task_run in client.get_flow_run_info(run_id).task_runs:
        client.set_task_run_state(task_run.id, Failed("broken"))
    client.set_flow_run_state(run_id, Failed("broken"))

    answer = client.restart_flow_run(run_id)

    assert (answer["state"], answer["reset"]) == ("Scheduled", 2)
    assert all(one.state.is_pending() for one in client.get_flow_run_info(run_id).task_runs)


def test_deleting_a_run(served: InProcessServer) -> None:
    client, run_id = running(served)

    assert client.delete_flow_run(run_id) is True
    with pytest.raises(ObjectNotFoundError):
        client.get_flow_run_state(run_id)


def test_heartbeats_are_taken(served: InProcessServer) -> None:
    client, run_id = running(served)
    client.update_flow_run_heartbeat(run_id)

    assert client.get_flow_run_state(run_id).is_running()


@pytest.mark.parametrize("wrap", [lambda record: [record], lambda record: record])
def test_logs_are_written_one_or_many(served: InProcessServer, wrap: Any) -> None:
    client, run_id = running(served)

    client.write_run_logs(wrap({"flow_run_id": run_id, "message": "hello", "level": "INFO"}))

    assert [one["message"] for one in client.get(f"flow_runs/{run_id}/logs")["items"]][-1] == "hello"


def test_cached_states_are_found_by_their_key(served: InProcessServer) -> None:
    from dagflow.engine.state import Cached

    client, run_id = running(served)
    task_run = client.get_flow_run_info(run_id).task_runs[0]
    client.set_task_run_state(task_run.id, Running())
    client.set_task_run_state(task_run.id, Cached("kept"))

    found = client.get_latest_cached_states(task_run.task_id, None, None)

    assert [(type(state), state.message) for state in found] == [(Cached, "kept")]


# --- the rest ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["task_tag", "flow_label"])
def test_limits(served: InProcessServer, kind: str) -> None:
    client = served.client()
    get, update = getattr(client, f"get_{kind}_limit"), getattr(client, f"update_{kind}_limit")

    assert get("db") is None
    limit_id = update("db", 3)
    assert get("db") == 3
    assert getattr(client, f"delete_{kind}_limit")(limit_id) is True
    assert get("db") is None
    assert getattr(client, f"delete_{kind}_limit")(limit_id) is False
    with pytest.raises(ValueError, match="negative"):
        update("db", -1)


def test_an_agent_is_known_by_its_id(served: InProcessServer) -> None:
    client = served.client()

    agent_id = client.register_agent("local", name="ann", labels=["b", "a", "a"])

    assert client.get(f"agents/{agent_id}")["labels"] == ["a", "b"]


def test_settings_of_agents(served: InProcessServer) -> None:
    client = served.client()
    config_id = client.post("agent_configs", {"name": "c", "settings": {"a": 1}})["id"]

    assert client.get_agent_config(config_id) == {"a": 1}


def test_secrets_are_kept_when_the_server_can_encrypt(served: InProcessServer) -> None:
    from dagflow.client import Secret
    from dagflow.utilities.configuration import set_temporary_config

    served.client().set_secret("KEY", {"user": "ann"})

    with set_temporary_config({"cloud.use_local_secrets": False}):
        assert Secret("KEY").get() == {"user": "ann"} and Secret("KEY").exists()
        assert not Secret("OTHER").exists()
        with pytest.raises(KeyError, match="OTHER"):
            Secret("OTHER").get()
    with pytest.raises(ValueError, match="not found"):
        Secret("KEY").get()


def test_a_server_without_a_key_keeps_no_secrets() -> None:
    with InProcessServer(secrets_key="") as server, pytest.raises(ValueError, match="was not kept"):
        server.client().set_secret("KEY", "x")


def test_artifacts_come_and_go(served: InProcessServer) -> None:
    client, run_id = running(served)
    task_run = client.get_flow_run_info(run_id).task_runs[0]

    artifact_id = client.create_task_run_artifact(task_run.id, "link", {"link": "http://a"})
    client.update_task_run_artifact(artifact_id, {"link": "http://b"})

    [artifact] = client.get("artifacts", {"task_run_id": task_run.id})["items"]
    assert artifact["data"] == {"link": "http://b"}
    client.delete_task_run_artifact(artifact_id)
    assert client.get("artifacts", {"task_run_id": task_run.id})["items"] == []


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.create_task_run_artifact("", "link", {}),
        lambda client: client.update_task_run_artifact("", {}),
        lambda client: client.delete_task_run_artifact(""),
    ],
)
def test_an_artifact_needs_an_id(call: Any) -> None:
    with pytest.raises(ValueError, match="id"):
        call(Client("http://127.0.0.1:9"))


def test_there_is_one_tenant() -> None:
    client = Client("http://h:1")

    assert [one["name"] for one in client.get_available_tenants()] == ["default"]
    assert client.login_to_tenant("x") is True and client.create_tenant("x") == "default"


# --- the key on disk -----------------------------------------------------------------------------------------


def test_a_kept_key_is_found_again_for_its_server_only(tmp_path: Path) -> None:
    Client("http://one:1", api_key="first").save_auth_to_disk()
    Client("http://two:2", api_key='sec"ond').save_auth_to_disk()

    assert Client("http://one:1").api_key == "first"
    assert Client("http://two:2/").load_auth_from_disk() == {"api_key": 'sec"ond'}
    assert Client("http://three:3").api_key is None and Client("http://three:3").load_auth_from_disk() == {}


def test_only_the_user_can_read_the_keys_whatever_the_umask() -> None:
    before = os.umask(0)
    try:
        Client("http://one:1", api_key="k").save_auth_to_disk()
        Client("http://two:1", api_key="k").save_auth_to_disk()
    finally:
        os.umask(before)

    assert stat.S_IMODE(os.stat(auth_path()).st_mode) == 0o600
    assert auth_path().startswith(os.path.expanduser(config.home_dir))


def test_without_a_key_the_kept_one_goes() -> None:
    Client("http://one:1", api_key="k").save_auth_to_disk()
    client = Client("http://one:1")
    client.api_key = None

    client.save_auth_to_disk()

    assert Client("http://one:1").api_key is None
