"""``dagflow register``, ``build``, ``deploy`` and ``run`` of what a server knows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dagflow.backend import FlowRunView, FlowView
from dagflow.cli import cli
from dagflow.cli.register import watch_files
from dagflow.client import Client
from dagflow.engine.state import Failed, Success
from dagflow.storage import S3, Local, Module
from dagflow.testing import FakeClock, InProcessServer
from tests.conformance.stores import BUCKET, s3_server, s3_settings

FLOW = """
from dagflow import Flow, Parameter, task

@task
def extract(day):
    return [1, 2]

with Flow("{name}") as flow:
    extract(Parameter("day", default="today"))

if __name__ == "__main__":
    raise SystemExit("run as a script")
flow.register("nowhere")
"""
NOBODY = "c0ffee00-0000-4000-8000-000000000001"

Run = Callable[..., Result]
pytestmark = pytest.mark.filterwarnings("ignore:.*is being loaded from its file:UserWarning")


@pytest.fixture
def run(served: InProcessServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command line in a folder with two scripts, beside a project."""
    folder = tmp_path / "code"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text(FLOW.format(name=name))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    served.client().create_project("night")
    return lambda *args, **kwargs: CliRunner().invoke(cli, args, prog_name="dagflow", **kwargs)


@pytest.fixture
def client(served: InProcessServer) -> Client:
    return served.client()


def flows(client: Client) -> list[tuple[str, int]]:
    return sorted((flow["name"], flow["version"]) for flow in client.get("flows", {"latest": True})["items"])


# --- register ------------------------------------------------------------------------------------------------


def test_a_script_is_registered_with_its_path(run: Run, client: Client) -> None:
    result = run("register", "--project", "night", "-p", "one.py", "-l", "b", "-l", "a")

    view = FlowView.from_flow_name("one")
    assert result.exit_code == 0, result.output
    assert isinstance(view.storage, Local) and view.storage.path == str(Path("one.py").resolve())
    assert {"a", "b"} <= set(view.run_config.labels if view.run_config else ())
    assert view.flow_id in result.stdout and "Version: 1" in result.stdout
    for said in ("Collecting flows...", "Building `Local` storage... Done", "Registering 'one'... Done"):
        assert said in result.stderr
    assert "= 1 registered, 0 skipped, 0 errored =" in result.stderr


def test_what_has_not_changed_is_skipped_unless_forced(run: Run, client: Client) -> None:
    command = ("register", "--project", "night", "-p", "one.py")
    run(*command)

    again, forced = run(*command), run(*command, "--force")

    assert "Skipped (metadata unchanged)" in again.stderr and "0 registered, 1 skipped" in again.stderr
    assert "1 registered, 0 skipped" in forced.stderr
    assert flows(client) == [("one", 2)]


def test_what_has_changed_is_a_new_version(run: Run, client: Client) -> None:
    command = ("register", "--project", "night", "-p", "one.py")
    run(*command)
    Path("one.py").write_text(FLOW.format(name="one").replace('"today"', '"tomorrow"'))

    result = run(*command)

    assert flows(client) == [("one", 2)] and "Changed:" in result.stderr and "parameters" in result.stderr


@pytest.mark.parametrize("path", [".", "*.py", "../**/*.py"])
def test_folders_and_patterns_mean_their_scripts(run: Run, client: Client, path: str) -> None:
    assert run("register", "--project", "night", "-p", path).exit_code == 0
    assert flows(client) == [("one", 1), ("two", 1)]


def test_a_path_that_means_nothing_is_told(run: Run) -> None:
    result = run("register", "--project", "night", "-p", "three.py")

    assert result.exit_code == 3 and "Path 'three.py' doesn't exist" in result.stderr


def test_names_choose_and_missing_ones_are_listed(run: Run, client: Client) -> None:
    missing = run("register", "--project", "night", "-p", ".", "-n", "on", "-n", "two")
    assert missing.exit_code == 3 and "- on Did you mean 'one'?" in missing.stderr and flows(client) == []

    assert run("register", "--project", "night", "-p", ".", "-n", "two").exit_code == 0
    assert flows(client) == [("two", 1)]


def test_a_script_that_cannot_be_loaded_does_not_hold_up_the_others(run: Run, client: Client) -> None:
    Path("broken.py").write_text("x = 1 / 0")

    result = run("register", "--project", "night", "-p", ".")

    assert result.exit_code == 1 and "ZeroDivisionError" in result.stderr and "broken.py" in result.stderr
    assert "2 registered, 0 skipped, 1 errored" in result.stderr and len(flows(client)) == 2


def test_a_storage_that_cannot_be_built_does_not_hold_up_the_others(run: Run, client: Client) -> None:
    Path("bad.py").write_text(
        FLOW.format(name="bad").replace('Flow("bad")', 'Flow("bad", storage=Local(stored_as_script=True))')
        .replace("import Flow", "import Flow, storage").replace("Local(", "storage.Local(")
    )  # fmt: skip

    result = run("register", "--project", "night", "-p", ".")

    assert result.exit_code == 1 and "Building `Local` storage... Error" in result.stderr
    assert "2 registered, 0 skipped, 1 errored" in result.stderr


@pytest.mark.parametrize("command", ["register -p one.py", "deploy one.py:flow"])
def test_a_script_for_an_object_store_is_put_there(
    run: Run, client: Client, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("one.py").write_text(
        FLOW.format(name="one")
        .replace('Flow("one")', f'Flow("one", storage=S3({BUCKET!r}, key="one.py", stored_as_script=True))')
        .replace("import Flow", "import Flow, storage")
        .replace("S3(", "storage.S3(")
    )

    with s3_server() as url:
        for name, value in s3_settings(url).items():
            monkeypatch.setenv("AWS_ENDPOINT_URL" if name == "endpoint_url" else name.upper(), value)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        result = run(*command.split(), "--project", "night")
        found = S3(BUCKET, key="one.py", stored_as_script=True)
        found.flows["one"] = "one.py"

        assert result.exit_code == 0, result.output
        assert found.get_flow("one").name == "one"


def test_a_flow_that_the_server_refuses_is_told(run: Run, client: Client) -> None:
    Path("one.py").write_text(
        FLOW.format(name="one")
        .replace(', default="today"', "")
        .replace('Flow("one")', 'Flow("one", schedule=CronSchedule("@daily"))')
        .replace("import Flow", "import Flow, schedules")
        .replace("CronSchedule(", "schedules.CronSchedule(")
    )

    result = run("register", "--project", "night", "-p", ".")

    assert result.exit_code == 1
    assert "required parameters day" in result.stderr and "parameter_defaults" in result.stderr
    assert flows(client) == [("two", 1)]


def test_modules_are_registered_whole_or_by_variable(run: Run, client: Client, tmp_path: Path) -> None:
    for name in ("one", "two"):
        Path(f"dagflow_test_registering_{name}.py").write_text(FLOW.format(name=name))

    whole = run("register", "--project", "night", "-m", "dagflow_test_registering_one")
    one = run("register", "--project", "night", "-m", "dagflow_test_registering_two.flow")

    assert whole.exit_code == one.exit_code == 0, whole.output + one.output
    places = [FlowView.from_flow_name(name).storage for name in ("one", "two")]
    assert [place.module for place in places if isinstance(place, Module)] == [
        "dagflow_test_registering_one",
        "dagflow_test_registering_two:flow",
    ]


def test_a_project_is_needed_and_can_be_made(run: Run, client: Client) -> None:
    assert "--project" in run("register", "-p", ".").stderr
    missing = run("register", "--project", "day", "-p", ".")
    assert missing.exit_code == 3 and "Project 'day' does not exist" in missing.stderr

    assert run("register", "--project", "day", "-p", ".", "--create-project").exit_code == 0
    assert len(flows(client)) == 2


def test_nothing_to_register_is_a_wrong_call(run: Run) -> None:
    assert run("register", "--project", "night").exit_code == 2


def test_what_changes_is_registered_again(run: Run, tmp_path: Path) -> None:
    calls: list[tuple[list[str], bool]] = []
    clock = FakeClock()

    def again(changed: list[str], first: bool) -> None:
        calls.append(([Path(path).name for path in changed], first))
        if len(calls) == 1:
            Path("one.py").write_text("changed = True")

    watch_files(["."], again, clock, rounds=3)

    assert calls == [(["one.py", "two.py"], True), (["one.py"], False)]
    assert clock.slept == [0.5, 0.5, 0.5]


# --- build ---------------------------------------------------------------------------------------------------


def test_what_was_built_is_registered_later(run: Run, client: Client) -> None:
    built = run("build", "-p", ".", "-o", "out.json")
    content = json.loads(Path("out.json").read_text())

    assert built.exit_code == 0 and built.stdout == "out.json\n" and "2 built, 0 errored" in built.stderr
    assert content["version"] == 1 and [flow["name"] for flow in content["flows"]] == ["one", "two"]
    assert run("register", "--project", "night", "-j", "out.json", "-n", "two", "-l", "x").exit_code == 0
    assert flows(client) == [("two", 1)]
    assert "x" in json.loads(run("describe", "flows", "-n", "two").stdout)["run_config"]["labels"]


def test_building_again_keeps_the_others_if_asked(run: Run) -> None:
    run("build", "-p", "one.py")
    run("build", "-p", "two.py", "--update")
    assert [flow["name"] for flow in json.loads(Path("flows.json").read_text())["flows"]] == ["one", "two"]

    run("build", "-p", "two.py")
    assert [flow["name"] for flow in json.loads(Path("flows.json").read_text())["flows"]] == ["two"]

    failed = run("build", "-m", "no.such.module")
    assert (failed.exit_code, failed.stdout) == (1, "") and "0 built, 1 errored" in failed.stderr
    assert [flow["name"] for flow in json.loads(Path("flows.json").read_text())["flows"]] == ["two"]


def test_a_file_of_another_version_is_refused(run: Run) -> None:
    Path("flows.json").write_text('{"version": 2, "flows": []}')

    result = run("register", "--project", "night", "-j", "flows.json")

    assert result.exit_code == 1 and "has version 2; expected 1" in result.stderr


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("none.json", "cannot be read"),
        ("http://127.0.0.1:9/flows.json", "cannot be read"),
        ("one.py", "is not JSON"),
        ("odd.json", "no list of flows"),
        ("nameless.json", "no list of flows"),
    ],
)
def test_a_file_that_holds_no_flows_is_told_without_a_traceback(run: Run, place: str, said: str) -> None:
    Path("odd.json").write_text('{"version": 1}')
    Path("nameless.json").write_text('{"version": 1, "flows": [{}]}')

    result = run("register", "--project", "night", "-j", place)

    assert result.exit_code == 1 and said in result.stderr and "Traceback" not in result.stderr


def test_the_traceback_of_a_mistake_in_a_script_ends_in_the_script(run: Run) -> None:
    Path("mistake.py").write_text("from dagflow import task\n\ntask(print)\n")

    result = run("register", "--project", "night", "-p", "mistake.py")

    assert 'mistake.py", line 3' in result.stderr and "every argument of a task needs a name" in result.stderr
    assert result.stderr.count("  File ") == 1


# --- run -----------------------------------------------------------------------------------------------------


@pytest.fixture
def known(run: Run) -> Run:
    run("register", "--project", "night", "-p", "one.py")
    return run


def test_a_run_is_made_by_name(known: Run, client: Client) -> None:
    result = known(
        "run", "--name", "one", "--project", "night", "--param", "day=friday", "--context", "x=1", "--run-name", "mine",
        "--label", "b", "--label", "a",
    )  # fmt: skip

    view = FlowRunView.from_flow_run_id(result.stdout.strip())
    assert result.exit_code == 0, result.output
    assert (view.name, view.parameters, view.context) == ("mine", {"day": "friday"}, {"x": 1})
    assert view.labels == {"a", "b"}
    for said in ("Looking up flow metadata... Done", "Creating run for flow 'one'... Done", "Name: mine", "flow-run/"):
        assert said in result.stderr


def test_quiet_prints_just_the_id_and_default_labels_count(known: Run, client: Client) -> None:
    view = FlowView.from_flow_name("one")
    result = known("run", "--id", view.flow_id, "-q")
    by_group = known("run", "-i", view.flow_group_id, "-q")

    assert result.stderr == "" and by_group.exit_code == 0
    assert FlowRunView.from_flow_run_id(result.stdout.strip()).labels == view.run_config.labels  # type: ignore[union-attr]


def test_a_level_for_logs_goes_into_the_variables_of_the_run(known: Run) -> None:
    result = known("run", "--name", "one", "-q", "--log-level", "debug")

    run_config = FlowRunView.from_flow_run_id(result.stdout.strip()).run_config
    assert run_config is not None and run_config.env == {"DAGFLOW__LOGGING__LEVEL": "DEBUG"}


def test_a_run_may_start_later_and_be_asked_for_twice(known: Run) -> None:
    command = ("run", "--name", "one", "-q", "--at", "2031-01-02T03:04Z", "--idempotency-key", "k")

    first, again = known(*command), known(*command)

    view = FlowRunView.from_flow_run_id(first.stdout.strip())
    assert first.stdout == again.stdout and str(getattr(view.state, "start_time", "")).startswith("2031-01-02")
    assert known("run", "--name", "one", "--at", "soon").exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("--project", "night"),
        ("--id", NOBODY, "--name", "one"),
        ("--path", "one.py", "--module", "one"),
        ("--path", "one.py", "--id", NOBODY),
    ],
)
def test_what_does_not_say_which_flow_lists_the_ways(run: Run, command: tuple[str, ...]) -> None:
    result = run("run", *command)

    assert result.exit_code == 2
    for way in ("--id ID", "--name NAME [--project PROJECT]", "--path FILE", "--module MODULE"):
        assert way in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("--name", "one", "--schedule"),
        ("--name", "one", "--executor", "threads"),
        ("--path", "one.py", "--watch"),
        ("--path", "one.py", "--label", "x"),
        ("--name", "one", "--watch", "--execute"),
    ],
)
def test_options_for_the_other_place_are_refused(run: Run, command: tuple[str, ...]) -> None:
    assert run("run", *command).exit_code == 2


def test_a_wrong_parameter_is_told(known: Run) -> None:
    result = known("run", "--name", "one", "--param", "dya=1")

    assert result.exit_code == 1 and "dya" in result.stderr and result.stdout == ""


@pytest.mark.parametrize(("state", "code"), [(Success("over"), 0), (Failed("no"), 1)])
def test_a_watched_run_ends_the_command(
    known: Run, client: Client, monkeypatch: pytest.MonkeyPatch, state: Any, code: int
) -> None:
    from dagflow.engine.clock import Clock

    def finish(seconds: float) -> None:
        [flow_run] = client.get("flow_runs")["items"]
        client.set_flow_run_state(flow_run["id"], state)

    monkeypatch.setattr(Clock, "sleep", lambda self, seconds: finish(seconds))

    result = known("run", "--name", "one", "--watch")

    assert result.exit_code == code and f"<{type(state).__name__}>" in result.stderr


@pytest.mark.parametrize(
    ("options", "answer", "state"),
    [
        ((), "\n", "Cancelled"),
        ((), "n\n", "Scheduled"),
        (("--cancel-on-interrupt",), None, "Cancelled"),
        (("--keep-on-interrupt",), None, "Scheduled"),
    ],
)
def test_an_interrupt_asks_whether_to_cancel(
    known: Run, client: Client, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], answer: Any, state: str
) -> None:
    from dagflow.engine.clock import Clock

    def interrupt(self: Any, seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Clock, "sleep", interrupt)

    result = known("run", "--name", "one", "--watch", *options, input=answer)

    [flow_run] = client.get("flow_runs")["items"]
    assert result.exit_code == 130 and flow_run["state"] == state


# --- deployments ---------------------------------------------------------------------------------------------


def test_a_flow_is_deployed_paused_run_and_deleted(run: Run, client: Client) -> None:
    made = run(
        "deploy", "one.py:flow", "--project", "fresh", "-n", "paris", "--cron", "0 3 * * *", "--timezone",
        "Europe/Paris", "--param", "day=friday", "--tag", "b", "--tag", "a", "--label", "eu",
    )  # fmt: skip
    assert made.exit_code == 0, made.output

    shown = json.loads(run("deployment", "inspect", "one/paris").stdout)
    assert shown["id"] == made.stdout.strip() and shown["labels"] == ["eu"] and shown["tags"] == ["a", "b"]
    assert (shown["parameters"], shown["is_schedule_active"]) == ({"day": "friday"}, True)
    assert "Europe/Paris" in json.dumps(shown["schedule"])
    assert "0 3 * * *" in run("deployment", "ls").stdout

    assert run("deployment", "pause", "fresh/one/paris").exit_code == 0
    assert "(paused)" in run("deployment", "ls").stdout
    run("deploy", "one.py:flow", "--project", "fresh", "-n", "hourly", "--interval", "3600")
    assert "every 3600 s" in run("deployment", "ls").stdout
    assert run("deployment", "resume", "one/paris").exit_code == 0

    made_run = run("deployment", "run", "one/paris", "--run-name", "mine")
    view = FlowRunView.from_flow_run_id(made_run.stdout.strip())
    assert (view.name, view.parameters, view.labels) == ("mine", {"day": "friday"}, {"eu"})

    assert run("deployment", "delete", "one/paris", "-y").exit_code == 0
    assert run("deployment", "inspect", "one/paris").exit_code == 3


def test_deploying_again_changes_nothing(run: Run, client: Client) -> None:
    command = ("deploy", "one.py:flow", "--project", "night", "--interval", "3600")
    first = run(*command)

    again = run(*command)

    assert first.stdout == again.stdout and "= one/default (version 1, unchanged)" in again.stderr


def test_the_time_zone_is_said(run: Run) -> None:
    assert "time zone" in run("deploy", "one.py:flow", "--project", "night", "--cron", "@daily").stderr

    Path("dagflow.yaml").write_text(FILE.replace(", timezone: UTC", ""))
    said = run("deploy", "--all").stderr

    assert said.count("time zone") == 1 and "'0 3 * * *' is read in the time zone" in said


def test_a_dry_run_stores_nothing(run: Run, client: Client) -> None:
    entry = "{entrypoint: one.py:flow, project: night, storage: {type: Local, directory: kept}}"
    Path("dagflow.yaml").write_text(f"deployments: [{entry}]")

    assert run("deploy", "--all", "--dry-run").exit_code == 0
    assert not Path("kept").exists() and client.get("flows")["items"] == []

    assert run("deploy", "--all").exit_code == 0
    assert len(list(Path("kept").iterdir())) == 1


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ((), 2, "one.py:flow"),
        (("one.py:flow",), 2, "--project"),
        (("one.py:folw", "--project", "p"), 3, "Did you mean 'flow'?"),
        (("three.py:flow", "--project", "p"), 3, "no file 'three.py'"),
        (("one.py:flow", "--project", "p", "--cron", "x", "--interval", "60"), 2, "cron and interval"),
        (("one.py:flow", "--project", "p", "--param", "dya=1"), 1, "Did you mean 'day'?"),
        (("one.py:flow", "--project", "p", "--cron", "@daily", "--timezone", "Mars"), 2, "'Mars'"),
        (("one.py:flow", "--all"), 2, "--all"),
        (("--all",), 3, "dagflow.yaml"),
        (("--prune",), 2, "--all"),
    ],
)
def test_what_is_wrong_with_a_deployment_is_said(run: Run, command: tuple[str, ...], code: int, said: str) -> None:
    result = run("deploy", *command)

    assert result.exit_code == code and said in result.stderr, result.output


FILE = """
deployments:
  - {entrypoint: "one.py:flow", project: night, name: paris, tags: [a], env: {A: "1"}}
  - entrypoint: two.py:flow
    project: night
    schedules: [{cron: "0 3 * * *", timezone: UTC}, {interval: 3600}]
"""


def test_a_file_of_deployments_is_made_true(run: Run, client: Client) -> None:
    Path("dagflow.yaml").write_text(FILE)
    dry = run("deploy", "--all", "--dry-run")
    assert dry.exit_code == 0 and "+ one/paris" in dry.stderr and client.get("flows")["items"] == []

    assert run("deploy", "--all").exit_code == 0
    run("deploy", "one.py:flow", "--project", "night", "-n", "extra")
    Path("dagflow.yaml").write_text(FILE.replace("tags: [a]", "tags: [b]"))

    dry = run("deploy", "--all", "--dry-run", "--prune")
    assert "~ one/paris: tags" in dry.stderr and "= two/default" in dry.stderr and "- one/extra" in dry.stderr
    assert run("deploy", "--all", "--prune").exit_code == 0
    found = {one["name"]: one for one in json.loads(run("deployment", "ls", "--flow", "one", "--json").stdout)}
    assert sorted(found) == ["default", "paris"] and found["paris"]["tags"] == ["b"]
    two = json.loads(run("deployment", "inspect", "two/default").stdout)
    assert len(two["schedule"]["clocks"]) == 2


def test_faults_of_the_file_are_listed(run: Run) -> None:
    Path("dagflow.yaml").write_text("deployments: [{entrypoint: a, project: b, pol: c, schedules: [{interval: 1}]}]")

    result = run("deploy", "--all")

    assert result.exit_code == 1
    assert "deployments.0.pol" in result.stderr and "deployments.0.schedules.0.interval" in result.stderr


def test_a_flow_deploys_itself(served: InProcessServer, client: Client) -> None:
    from tests.served import small_flow

    deployment_id = small_flow().deploy("paris", "night", interval=3600, tags=["a"], paused=True)

    found = client.get(f"deployments/{deployment_id}")
    assert (found["flow_name"], found["name"], found["tags"]) == ("etl", "paris", ["a"])
    assert found["schedule"] is not None and found["is_schedule_active"] is False
    with pytest.raises(TypeError, match="needs a project"):
        small_flow().deploy()
