"""The command line, in this process and in real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dagflow._version import __version__
from dagflow.cli import COMMANDS, cli
from dagflow.utilities.configuration import set_temporary_config

FLOW = """
from dagflow import Flow, Parameter, task
from dagflow.utilities.context import context

@task
def load(n):
    return list(range(n))

@task
def clean(x):
    if x == 3:
        raise ValueError("no threes")
    return x

@task
def show(word, day):
    print("shown:", word, day, context.get("region"))

with Flow("etl") as flow:
    clean.map(load(Parameter("n", default=3)))
    show(Parameter("word", default="none"), Parameter("day", default=None))
"""
TWO = "from dagflow import Flow\none = Flow('one')\ntwo = Flow('two')"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in a folder with a script of two flows and one of one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "two.py").write_text(TWO)
    (tmp_path / "broken.py").write_text("x = 1\ny = x / 0\n")
    (tmp_path / "dagflow_test_cli_module.py").write_text(FLOW)
    return lambda *args: CliRunner().invoke(cli, args, prog_name="dagflow")


def process(*args: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "dagflow", *args],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


# --- run ---


def test_a_run_tells_how_it_went_and_prints_data_only_to_standard_output(run: Run) -> None:
    result = run("run", "-p", "flow.py", "--no-logs")

    assert result.exit_code == 0
    assert result.stdout == "shown: none None None\n"
    for words in ("Retrieving local flow... Done", "Flow 'etl': Success", "8 Success", "Flow run succeeded!"):
        assert words in result.stderr


def test_a_failing_run_ends_with_1_and_names_what_failed(run: Run) -> None:
    result = run("run", "-p", "flow.py", "--param", "n=5", "--no-logs")

    assert result.exit_code == 1
    assert "clean[3]: ValueError: no threes" in result.stderr and "Flow run failed!" in result.stderr


def test_quiet_leaves_only_what_tasks_print(run: Run) -> None:
    result = run("run", "-p", "flow.py", "-q")

    assert (result.exit_code, result.output) == (0, "shown: none None None\n")


def test_log_lines_have_a_short_form_and_a_level(run: Run) -> None:
    lines = run("run", "-p", "flow.py").stdout.splitlines()
    debug = run("run", "-p", "flow.py", "--log-level", "error").stdout

    assert lines[0].startswith("└── ") and "| INFO    | Beginning Flow run for 'etl'" in lines[0]
    assert "└──" not in debug


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["--param", "word=Marvin"], "Marvin None None"),
        (["--param", "word=a=b=c"], "a=b=c None None"),
        (["--param", 'word="5"', "--param", "day=[1, 2]"], "5 [1, 2] None"),
        (["--param", "word=", "--context", "region=eu"], " None eu"),
        (["--param", "day=null", "--param", "word=2024-01-31"], "2024-01-31 None None"),
    ],
)
def test_values_are_json_or_plain_words(run: Run, given: list[str], shown: str) -> None:
    assert run("run", "-p", "flow.py", "-q", *given).stdout == f"shown: {shown}\n"


def test_parameters_come_from_a_file_and_the_command_line_wins(run: Run, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"word": "file", "day": "file"}')

    result = run("run", "-p", "flow.py", "--no-logs", "--param-file", "params.json", "--param", "day=line")

    assert result.stdout == "shown: file line None\n"
    assert "win over 'params.json': day" in result.stderr


@pytest.mark.parametrize("executor", ["local", "threads", "synchronous"])
def test_the_executor_can_be_chosen(run: Run, executor: str) -> None:
    assert run("run", "-p", "flow.py", "-q", "--executor", executor).exit_code == 0


def test_a_module_is_run_by_its_name(run: Run) -> None:
    for module in ("dagflow_test_cli_module", "dagflow_test_cli_module:flow"):
        assert run("run", "-m", module, "-q").exit_code == 0
    sys.modules.pop("dagflow_test_cli_module")


def test_one_of_several_flows_is_chosen_by_name(run: Run) -> None:
    assert run("run", "-p", "two.py", "--name", "two", "--no-logs").exit_code == 0


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ([], 2, "--path FILE [--name NAME]"),
        (["-p", "flow.py", "-m", "x"], 2, "--module MODULE [--name NAME]"),
        (["-p", "two.py"], 2, "several flows in 'two.py': 'one', 'two'. Choose one with --name."),
        (["-p", "flow.py", "--param", "word"], 2, "--param 'word' is not of the form NAME=VALUE"),
        (["-p", "flow.py", "--param", "word=[1,"], 2, "the value '[1,' is not JSON"),
        (["-p", "flow.py", "--param", "wrd=1"], 2, "has no parameter 'wrd'. Did you mean 'word'?"),
        (["-p", "flow.py", "--param-file", "flow.py"], 2, "'flow.py' is not JSON"),
        (["-p", "."], 2, "'.' is a folder"),
        (["-p", "gone.py"], 3, "Path 'gone.py' doesn't exist."),
        (["-m", "dagflow_no_such"], 3, "There is no module 'dagflow_no_such'"),
        (["-p", "two.py", "--name", "tow"], 3, "'tow' in 'two.py'; found 'one', 'two'. Did you mean 'two'?"),
        (["-p", "broken.py"], 1, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_by_words_and_exit_code(
    run: Run, args: list[str], code: int, words: str
) -> None:
    result = run("run", *args)

    assert (result.exit_code, result.stdout) == (code, "") and words in result.stderr
    assert "core.py" not in result.stderr


def test_the_traceback_of_a_broken_script_starts_in_the_script(run: Run) -> None:
    lines = run("run", "-p", "broken.py").stderr.splitlines()

    assert [line for line in lines if "File" in line] == [line for line in lines if 'broken.py", line 2' in line] != []


def test_running_in_the_script_is_passed_over_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(f"{FLOW}\nflow.run()\n")

    done = process("run", "-p", "flow.py", "--no-logs", cwd=tmp_path)

    assert done.returncode == 0 and done.stdout == "shown: none None None\n"
    assert done.stderr.count("Warning: Flow 'etl' is being loaded from its file") == 1


def test_an_interrupted_run_ends_with_130(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        "import os, signal\nfrom dagflow import Flow, task\n@task\ndef stop(): os.kill(os.getpid(), signal.SIGINT)\n"
        "@task\ndef after(): print('went on')\nwith Flow('f') as flow: after(upstream_tasks=[stop()])"
    )

    done = process("run", "-p", "flow.py", cwd=tmp_path)

    assert done.returncode == 128 + signal.SIGINT and "went on" not in done.stdout
    assert done.stderr.rstrip().endswith("Interrupted.") and "Traceback" not in done.stderr


def test_a_live_run_on_a_terminal_ends_in_its_summary(tmp_path: Path) -> None:
    from tests.engine.test_display import on_a_terminal

    (tmp_path / "flow.py").write_text(FLOW)

    output = on_a_terminal([sys.executable, "-m", "dagflow", "run", "-p", str(tmp_path / "flow.py")])

    assert output.count("8 Success") == 1 and "Flow run succeeded!" in output
    assert "shown: none None None" in output


# --- the others ---


def test_a_check_prints_its_findings_and_ends_with_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(
        "from dagflow import Flow, task\n@task\ndef one() -> str: return ''\n@task\ndef two(x: list): ...\n"
        "with Flow('wrong') as flow: two(one())"
    )

    wrong, right = run("check", "-p", "wrong.py"), run("check", "-p", "flow.py")

    assert (wrong.exit_code, right.exit_code) == (1, 0)
    assert "Flow 'wrong': 1 finding" in wrong.stdout and "'one'" in wrong.stdout
    (finding,) = json.loads(run("check", "-p", "wrong.py", "--json").stdout)
    assert finding["kind"] == "type" and finding["tasks"] == ["one", "two"]


def test_a_flow_is_drawn_to_a_file_or_as_text(run: Run, tmp_path: Path) -> None:
    result = run("visualize", "-p", "flow.py", "-o", "pictures/etl.svg")

    assert result.exit_code == 0 and result.stdout == "pictures/etl.svg\n"
    assert "<svg" in (tmp_path / "pictures" / "etl.svg").read_text()
    assert run("visualize", "-p", "two.py", "--name", "one").stdout == "one.svg\n"
    assert "<svg" in run("visualize", "-p", "flow.py", "-o", "-").stdout
    assert run("visualize", "-p", "flow.py", "-f", "mermaid").stdout.startswith(("flowchart", "graph"))
    assert "digraph" in run("visualize", "-p", "flow.py", "-f", "dot").stdout


def test_version_and_diagnostics(run: Run) -> None:
    assert run("version").stdout == run("--version").stdout == f"{__version__}\n"
    assert json.loads(run("diagnostics").stdout)["system_information"]["dagflow_version"] == __version__


def test_help_lists_every_command_and_each_has_help(run: Run) -> None:
    listed = run("--help").stdout

    for name, (_, said) in COMMANDS.items():
        command = run(name, "-h")
        assert f"{name} " in listed and said in listed and command.exit_code == 0


def test_an_unknown_command_names_the_near_match(run: Run) -> None:
    result = run("visualise")

    assert result.exit_code == 2 and "Did you mean 'visualize'?" in result.stderr


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom dagflow.cli import cli\ntry: cli(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'pendulum', 'networkx', 'dask', 'pydantic', 'rich', 'cloudpickle', 'asyncio', 'dagflow.core'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr == "[]\n"


# --- config ---


def test_changed_settings_are_shown_with_their_sources(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[logging]\nlevel = 'DEBUG'\n[context.secrets]\nHIDDEN = 'canary'")
    environment = {
        "DAGFLOW__USER_CONFIG_PATH": str(tmp_path / "mine.toml"),
        "DAGFLOW__CLOUD__API_KEY": "canary",
        "DAGFLOW__QUIET": "true",
    }

    done = process("config", "view", "--show-sources", cwd=tmp_path, **environment)

    assert done.stdout.splitlines() == [
        "cloud.api_key = '********'  (environment, DAGFLOW__CLOUD__API_KEY)",
        f"context.secrets.HIDDEN = '********'  ({tmp_path / 'mine.toml'})",
        f"logging.level = 'DEBUG'  ({tmp_path / 'mine.toml'})",
        "quiet = True  (environment, DAGFLOW__QUIET)",
    ]
    assert "canary" not in process("config", cwd=tmp_path, **environment).stdout


def test_all_settings_are_shown_on_demand_also_as_json(run: Run) -> None:
    rows = json.loads(run("config", "view", "--show-defaults", "--json").stdout)

    assert {"name": "flows.run_on_schedule", "value": True, "source": "default"} in rows
    assert json.loads(run("config").stdout)["flows"]["run_on_schedule"] is True


def test_settings_made_by_the_process_are_said_to_be(run: Run) -> None:
    with set_temporary_config({"mine.own": 5}):
        assert "mine.own = 5  (this process)" in run("config", "view", "--show-sources").stdout


def test_unknown_names_and_wrong_types_are_found(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        "[flows]\nchekpointing = true\nrun_on_schedule = 'yes'\n[context]\nanything = 1\n[tasks.defaults]\ntimeout = 30"
    )

    done = process(
        "config",
        "validate",
        cwd=tmp_path,
        DAGFLOW__USER_CONFIG_PATH=str(tmp_path / "mine.toml"),
        DAGFLOW__CLOUD__REQUEST_TIMEOUT="soon",
        DAGFLOW__LOGGING__LVEL="INFO",
        DAGFLOW__LOGGING__LEVEL="LOUD",
    )

    assert done.returncode == 1 and "5 findings" in done.stderr
    assert done.stdout.splitlines() == [
        f"{tmp_path}/mine.toml: flows.chekpointing: unknown setting. Did you mean 'flows.checkpointing'?",
        f"{tmp_path}/mine.toml: flows.run_on_schedule: found 'yes' of type str, expected bool.",
        "DAGFLOW__CLOUD__REQUEST_TIMEOUT: found 'soon' of type str, expected int or float.",
        "DAGFLOW__LOGGING__LEVEL: found 'LOUD' of type str, expected one of "
        # As the other process knows them: libraries that are loaded here may have added some.
        "CRITICAL, FATAL, ERROR, WARN, WARNING, INFO, DEBUG, NOTSET, or a number.",
        "DAGFLOW__LOGGING__LVEL: unknown setting. Did you mean 'logging.level'?",
    ]


def test_valid_settings_are_said_to_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGFLOW__LOGGING__LEVEL", "10")
    result: Any = run("config", "validate")

    assert (result.exit_code, result.stdout) == (0, "") and "The settings are valid." in result.stderr


def test_terminal_escapes_from_the_users_code_are_shown_not_sent(run: Run, tmp_path: Path) -> None:
    evil = r"\x1b[2J\x07"
    (tmp_path / "evil.py").write_text(
        f"from dagflow import Flow, task\n@task(name='task{evil}')\ndef fail(): raise ValueError('said{evil}')\n"
        f"with Flow('flow{evil}') as flow: fail()\nother = Flow('other{evil}')"
    )
    (tmp_path / "raises.py").write_text(f"raise ValueError('said{evil}')")

    results = [
        run("run", "-p", "evil.py", "--no-logs"),
        run("run", "-p", "evil.py", "--no-logs", "-n", "flow\x1b[2J\x07"),
        run("check", "-p", "evil.py", "-n", "other\x1b[2J\x07"),
        run("run", "-p", "raises.py"),
    ]

    for result in results:
        assert "\x1b" not in result.output and "\x07" not in result.output
        assert "\\x1b[2J" in result.output


@pytest.mark.parametrize("text", ["not toml", "[logging]\nlevel = 'LOUD'"])
def test_settings_that_cannot_be_read_are_an_error_without_a_traceback(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    (tmp_path / "flow.py").write_text(FLOW)

    done = process("run", "-p", "flow.py", cwd=tmp_path, DAGFLOW__USER_CONFIG_PATH=str(tmp_path / "mine.toml"))

    assert done.returncode == 1 and "Error: " in done.stderr and "Traceback" not in done.stderr
    assert process("--help", cwd=tmp_path, DAGFLOW__USER_CONFIG_PATH=str(tmp_path / "mine.toml")).returncode == 0
