"""Commands that talk to a server, which is in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dagflow.cli import cli
from dagflow.client import Client
from dagflow.engine.state import Failed, Running, Success
from dagflow.run_configs import LocalRun
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from tests.served import registered

NOBODY = "c0ffee00-0000-4000-8000-000000000001"

Run = Callable[..., Result]


@pytest.fixture
def run(served: InProcessServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *args, **kwargs: CliRunner().invoke(cli, args, prog_name="dagflow", **kwargs)


@pytest.fixture
def client(served: InProcessServer) -> Client:
    return served.client()


def made_run(client: Client, served: InProcessServer, **wanted: Any) -> str:
    return client.create_flow_run(registered(served), **wanted)


# --- exit codes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("describe", "flows", "-n", "nothing"),
        ("describe", "flows", "--id", NOBODY),
        ("describe", "flow-runs", "-n", "nothing"),
        ("describe", "tasks", "-n", "nothing"),
        ("get", "logs", "--id", NOBODY),
        ("delete", "project", "nothing", "-y"),
        ("kv", "get", "nothing"),
        ("kv", "delete", "nothing"),
        ("flow-run", "cancel", NOBODY),
        ("flow-run", "inspect", "nothing"),
        ("deployment", "inspect", "flow/nothing"),
        ("work-pool", "inspect", "nothing"),
        ("auth", "logout"),
        ("run", "--id", NOBODY),
        ("run", "--name", "nothing"),
        ("register", "--project", "nothing", "-m", "tests.served"),
    ],
    ids=" ".join,
)
def test_what_does_not_exist_is_three(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)

    assert result.exit_code == 3, result.output
    assert result.stdout == "" and "Error:" in result.stderr


def test_a_server_that_is_not_there_is_five(run: Run) -> None:
    with set_temporary_config({"cloud.api": "http://127.0.0.1:9"}):
        result = run("get", "flows")

    assert result.exit_code == 5
    assert "http://127.0.0.1:9/api/flows" in result.stderr and "dagflow server start" in result.stderr


def test_a_key_that_is_not_accepted_is_four(tmp_path: Path) -> None:
    from dagflow.client.transport import routed

    with (
        InProcessServer(require_key=True) as server,
        routed(server.url, server.transport),
        set_temporary_config({"cloud.api": server.url}),
    ):
        result = CliRunner().invoke(cli, ["get", "flows"])

    assert result.exit_code == 4, result.output


def test_what_stands_against_it_is_six(run: Run, client: Client, served: InProcessServer) -> None:
    run_id = made_run(client, served)

    restart = run("flow-run", "restart", run_id)
    version = run("flow-run", "set-state", run_id, "Failed", "--version", "99")

    assert (restart.exit_code, version.exit_code) == (6, 6)
    assert "it has version" in version.stderr and "is Scheduled, not version 99" in version.stderr


def test_names_of_others_cannot_steer_the_terminal_by_an_error(run: Run, served: InProcessServer) -> None:
    for project in ("night\x1b[2J", "day"):
        registered(served, project=project)

    result = run("deployment", "inspect", "etl/default")

    assert result.exit_code == 2 and "night\\x1b[2J" in result.stderr and "\x1b" not in result.stderr


# --- projects, listings --------------------------------------------------------------------------------------


def test_projects_are_made_listed_and_deleted(run: Run) -> None:
    made = run("create", "project", "night", "-d", "each night")
    assert made.exit_code == 0 and len(made.stdout.strip()) == 36 and "night created" in made.stderr

    again = run("create", "project", "night")
    assert again.exit_code == 6 and "already" in again.stderr
    assert run("create", "project", "night", "--skip-if-exists").exit_code == 0

    [header, row] = run("get", "projects").stdout.splitlines()
    assert header.split() == ["NAME", "FLOW", "COUNT", "AGE", "DESCRIPTION"]
    assert row.startswith("night") and row.endswith("each night")

    assert run("delete", "project", "night", input="n\n").exit_code == 130
    assert run("delete", "project", "night", "-y").exit_code == 0
    assert run("get", "projects").stdout == ""


def test_flows_are_listed_by_their_latest_version(run: Run, served: InProcessServer) -> None:
    registered(served)
    registered(served)

    rows = run("get", "flows").stdout.splitlines()
    every = run("get", "flows", "--all-versions").stdout.splitlines()
    first = json.loads(run("get", "flows", "-v", "1", "--json").stdout)

    assert rows[0].split() == ["NAME", "VERSION", "AGE", "ID", "PROJECT", "NAME"]
    assert [row.split()[:2] for row in rows[1:]] == [["etl", "2"]]
    assert [row.split()[1] for row in every[1:]] == ["2", "1"]
    assert [flow["version"] for flow in first] == [1]


def test_runs_and_tasks_are_listed(run: Run, client: Client, served: InProcessServer) -> None:
    made_run(client, served, run_name="first")
    served.clock.time += 1
    second = made_run(client, served, run_name="second")
    client.set_flow_run_state(second, Running())

    runs = json.loads(run("get", "flow-runs", "--output", "json").stdout)
    started = json.loads(run("get", "flow-runs", "-s", "--json").stdout)
    tasks = run("get", "tasks", "-fn", "etl", "-fv", "1").stdout.splitlines()

    assert [one["name"] for one in runs] == ["second", "first"]
    assert [one["name"] for one in started] == ["second"]
    assert sorted(row.split()[0] for row in tasks[1:]) == ["extract", "load"]
    assert run("get", "flow-runs").stdout.splitlines()[0].split()[:3] == ["NAME", "FLOW", "NAME"]


@pytest.mark.parametrize("what", ["flows", "projects", "flow-runs", "tasks"])
def test_an_empty_listing_is_told_on_the_side(run: Run, what: str) -> None:
    table, listed = run("get", what), run("get", what, "--json")

    assert (table.exit_code, table.stdout) == (0, "") and "found" in table.stderr
    assert json.loads(listed.stdout) == []


def test_a_flow_is_described(run: Run, served: InProcessServer) -> None:
    flow_id = registered(served, run_config=LocalRun())

    by_name = json.loads(run("describe", "flows", "-n", "etl").stdout)
    by_id = json.loads(run("describe", "flows", "--id", flow_id).stdout)
    tasks = json.loads(run("describe", "tasks", "-n", "etl").stdout)

    assert by_name == by_id and by_name["id"] == flow_id and by_name["run_config"]["type"] == "LocalRun"
    assert list(by_name) == sorted(by_name)
    assert sorted(task["slug"] for task in tasks) == ["extract-1", "load-1"]
    assert "name: etl" in run("describe", "flows", "-n", "etl", "-o", "yaml").stdout


def test_logs_are_shown_whole_and_followed(run: Run, client: Client, served: InProcessServer) -> None:
    run_id = made_run(client, served, run_name="mine")
    client.write_run_logs([{"flow_run_id": run_id, "message": "\x1b[2Jhello\nthere", "level": "WARNING"}])
    client.set_flow_run_state(run_id, Success())

    by_name, by_id = run("get", "logs", "-n", "mine"), run("get", "logs", "--id", run_id)
    followed = run("flow-run", "logs", run_id, "--follow")

    assert by_name.stdout == by_id.stdout and "\\x1b[2Jhello\n    there\n" in by_name.stdout
    assert by_name.stdout.splitlines()[0].split() == ["TIMESTAMP", "LEVEL", "MESSAGE"]
    assert "WARNING" in followed.stdout and "\x1b" not in followed.stdout + by_name.stdout
    assert json.loads(run("get", "logs", "-n", "mine", "--info").stdout)[-1]["flow_run_id"] == run_id
    assert run("get", "logs").exit_code == 2
    assert "There is no flow run ''" in run("get", "logs", "--id", "").stderr


# --- flow runs -----------------------------------------------------------------------------------------------


def test_a_run_is_cancelled_set_and_inspected(run: Run, client: Client, served: InProcessServer) -> None:
    run_id = made_run(client, served, run_name="mine", labels=["eu"])

    waiting = json.loads(run("flow-run", "inspect", "mine").stdout)
    why = run("flow-run", "why", run_id)
    assert json.loads(run("flow-run", "why", run_id, "--json").stdout)["labels"] == ["eu"]
    assert waiting["id"] == run_id and waiting["why"] and "eu" in why.stdout

    assert run("flow-run", "set-state", "mine", "Failed", "--reason", "test").exit_code == 0
    assert client.get_flow_run_state(run_id).is_failed()
    assert run("flow-run", "set-state", "mine", "Scheduled").exit_code == 0
    assert run("flow-run", "cancel", "mine").exit_code == 0
    assert type(client.get_flow_run_state(run_id)).__name__ == "Cancelled"


def test_a_failed_run_is_restarted(run: Run, client: Client, served: InProcessServer) -> None:
    flow_id = registered(served)
    run_id = client.create_flow_run(flow_id)
    client.set_flow_run_state(run_id, Running())
    for task in client.get(f"flows/{flow_id}/tasks")["items"]:
        task_run = client.get_task_run_info(run_id, task["id"])
        client.set_task_run_state(task_run.id, Failed("no"))
    client.set_flow_run_state(run_id, Failed("no"))

    unknown = run("flow-run", "restart", run_id, "--from-task", "lod-1")
    result = run("flow-run", "restart", run_id, "--from-task", "load-1")
    tasks = run("flow-run", "tasks", run_id).stdout

    assert unknown.exit_code == 3 and "Did you mean 'load-1'?" in unknown.stderr
    assert result.exit_code == 0 and "Scheduled; 1 task runs reset" in result.stderr
    assert "Pending" in tasks and "Failed" in tasks


@pytest.mark.parametrize(("state", "code"), [(Success("over"), 0), (Failed("no"), 1)])
def test_watching_ends_as_the_run_did(
    run: Run, client: Client, served: InProcessServer, state: Any, code: int
) -> None:
    run_id = made_run(client, served)
    client.set_flow_run_state(run_id, state)

    result = run("flow-run", "watch", run_id)

    assert result.exit_code == code and "Your flow run finished" in result.stderr and result.stdout == ""


def test_watching_for_too_long_is_124(run: Run, client: Client, served: InProcessServer) -> None:
    run_id = made_run(client, served)

    result = run("flow-run", "watch", run_id, "--timeout", "0.001")

    assert result.exit_code == 124 and "has been watched for" in result.stderr


# --- keys and values -----------------------------------------------------------------------------------------


def test_values_are_kept(run: Run) -> None:
    assert "No keys found" in run("kv", "list").stderr
    for key, value in (("b", '{"x": 1}'), ("a", "plain words")):
        assert run("kv", "set", key, value).exit_code == 0

    assert json.loads(run("kv", "get", "b").stdout) == {"x": 1}
    assert run("kv", "get", "a").stdout == "plain words\n"
    assert run("kv", "list").stdout.split() == ["KEY", "a", "b"]
    assert json.loads(run("kv", "list", "--json").stdout) == ["a", "b"]
    assert run("kv", "delete", "a").exit_code == 0
    assert run("kv", "set", "big", "x" * 10_001).exit_code == 1


def test_keys_for_the_server(run: Run) -> None:
    made = run("auth", "create-key", "-n", "ci")
    assert made.exit_code == 0 and made.stdout.startswith("dfk_")
    [key] = json.loads(run("auth", "list-keys", "--json").stdout)
    assert key["name"] == "ci" and made.stdout.strip() not in json.dumps(key)

    login = run("auth", "login", "-k", made.stdout.strip())
    assert login.exit_code == 0, login.output
    assert Client().api_key == made.stdout.strip()
    assert "key: yes" in run("auth", "status").stdout
    assert run("auth", "logout").exit_code == 0 and Client().api_key is None

    assert run("auth", "revoke-key", "--id", key["id"]).exit_code == 0
    assert run("auth", "list-tenants").exit_code == run("auth", "switch-tenants", "--slug", "x").exit_code == 0


def test_the_kind_of_backend_is_noted(run: Run) -> None:
    assert run("backend", "server").exit_code == 0
    assert run("backend", "abacus").exit_code == 2


def test_a_value_comes_out_of_a_pipe_to_the_letter(run: Run, client: Client) -> None:
    from dagflow.backend import set_key_value

    set_key_value("certificate", "first\nsecond\t\x1b[0m")

    assert run("kv", "get", "certificate").stdout == "first\nsecond\t\x1b[0m\n"


@pytest.mark.parametrize(
    "command", [("kv", "get", "a"), ("kv", "set", "a", "1"), ("kv", "list"), ("flow-run", "why", "mine")], ids=" ".join
)
def test_a_person_is_told_soon_that_the_server_is_away(run: Run, command: tuple[str, ...]) -> None:
    with set_temporary_config({"cloud.api": "http://127.0.0.1:9"}):
        result = run(*command)

    # Whoever has the patience of a run says on the way that it tries again.
    assert result.exit_code == 5 and result.stdout == "" and "trying again" not in result.stderr


# --- pools ---------------------------------------------------------------------------------------------------


def test_pools(run: Run) -> None:
    assert run("work-pool", "create", "big", "--type", "process", "--limit", "3").exit_code == 0
    assert run("work-pool", "create", "odd", "--type", "aws:push").exit_code == 2
    again = run("work-pool", "create", "big", "--type", "process", "--limit", "9")
    assert again.exit_code == 6 and "work-pool update" in again.stderr
    assert json.loads(run("work-pool", "inspect", "big").stdout)["limit"] == 3

    for command in (("pause", "big"), ("set-concurrency-limit", "big", "5"), ("update", "big", "--description", "d")):
        assert run("work-pool", *command).exit_code == 0
    pool = json.loads(run("work-pool", "inspect", "big").stdout)
    assert (pool["paused"], pool["limit"], pool["description"]) == (True, 5, "d")

    assert run("work-pool", "resume", "big").exit_code == 0
    assert run("work-pool", "ls").stdout.splitlines()[1].split()[:3] == ["big", "process", "no"]
    assert run("work-pool", "delete", "big", "-y").exit_code == 0
    assert run("work-pool", "update", "big").exit_code == 2


# --- doctor --------------------------------------------------------------------------------------------------


def test_the_doctor_tells_what_is_missing(run: Run) -> None:
    result = run("doctor")

    assert result.exit_code == 0, result.output
    assert "answers, version" in result.stdout and "No agent asks for work" in result.stdout

    with set_temporary_config({"cloud.api": "http://127.0.0.1:9"}):
        away = run("doctor", "--json")
    assert away.exit_code == 1
    assert any(one["verdict"] == "wrong" and "dagflow server start" in one["what"] for one in json.loads(away.stdout))
