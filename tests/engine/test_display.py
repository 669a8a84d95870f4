"""The live picture of a run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagflow.core.flow import Flow
from dagflow.engine import display as module
from dagflow.engine.display import Display, display_for, picture
from dagflow.engine.plan import compile_plan
from dagflow.engine.state import Failed, Retrying, Skipped, Success
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.tasks import task

Ask = Callable[[Any], "Display | None"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@task
def load() -> list[int]:
    return [1, 2]


@task
def clean(x: int) -> int:
    return x


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@pytest.fixture
def flow() -> Flow:
    with Flow("etl\x1b[2J") as made:
        total(clean.map(load()), task_args={"name": "evil\x1b[2J"})
    return made


@pytest.fixture
def display(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "FIRST_PICTURE_SECONDS", 60)
    made = Display(flow.name, Terminal())
    made.began(compile_plan(flow))
    yield made
    made.close()


def shown(display: Display) -> str:
    return str(picture(display, 61, 80).plain)


def test_a_run_is_counted_step_by_step_and_child_by_child(display: Display) -> None:
    assert display.totals() == (0, 3, 0) and display.under_way() == [("load", None, None)]

    display.finished(0, None, Success())
    display.spread(1, 3)
    display.finished(1, 0, Success())

    assert display.totals() == (2, 5, 0) and display.under_way() == [("clean", 1, 3)]

    display.children_finished(1, [Failed(), Success()])

    assert display.totals() == (4, 5, 1) and display.under_way() == [("evil\x1b[2J", None, None)]

    display.finished(2, None, Skipped())

    assert display.totals() == (5, 5, 1) and display.under_way() == []


def test_children_that_run_here_are_counted_while_they_pass(display: Display) -> None:
    display.finished(0, None, Success())
    display.spread(1, 3)

    passing = display.following(1, iter("abc"))
    shown_while_passing = [(child, display.under_way(), display.totals()[0]) for child in passing]
    display.children_finished(1, [Success()] * 3)

    assert shown_while_passing == [(child, [("clean", n, 3)], n + 1) for n, child in enumerate("abc")]
    assert display.totals() == (4, 5, 0)


def test_what_will_be_tried_again_has_not_ended(display: Display) -> None:
    display.finished(0, None, Retrying())

    assert display.totals() == (0, 3, 0) and display.under_way() == [("load", None, None)]


def test_a_run_that_goes_on_after_a_question_keeps_its_counts(display: Display, flow: Flow) -> None:
    plan = compile_plan(flow)
    display.began(plan)
    display.finished(0, None, Success())

    asked = display.stepping_aside(lambda: isinstance(sys.stdout, module._Above))()
    display.began(plan)

    assert asked is False and display.totals()[0] == 1


def test_a_new_run_of_the_same_flow_counts_afresh(display: Display, flow: Flow) -> None:
    plan = compile_plan(flow)
    display.began(plan)
    display.finished(0, None, Success())

    display.ended(Success(result={}))
    display.began(plan)

    assert display.totals() == (0, 3, 0)


def test_a_step_known_before_the_run_is_not_shown_once_its_followers_ended(display: Display) -> None:
    display.spread(1, 1)
    display.children_finished(1, [Success()])

    assert ("load", None, None) not in display.under_way()


def test_an_empty_map_is_done_at_once(display: Display) -> None:
    display.finished(0, None, Success())
    display.spread(1, 0)

    assert display.totals() == (1, 2, 0) and display.under_way() == [("evil\x1b[2J", None, None)]


def test_the_picture_shows_progress_failures_and_no_raw_escapes(display: Display) -> None:
    display.finished(0, None, Success())
    display.spread(1, 100)
    display.children_finished(1, [Failed()] * 2 + [Success()] * 10)

    text = shown(display)

    assert "13/102  1:01  2 failed" in text and "clean  12/100" in text
    assert "\x1b" not in text and "etl\\x1b[2J" in text


def test_a_constant_is_no_run() -> None:
    with Flow("constants") as flow:
        clean.map([1, 2])
    display = Display("constants", Terminal())
    display.began(compile_plan(flow))

    assert display.totals() == (0, 1, 0)
    display.close()


def test_the_streams_are_given_back_and_pass_through(flow: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(flow.name, Terminal())
    display.began(compile_plan(flow))
    replaced = isinstance(sys.stdout, module._Above)
    print("before the picture is up")

    display.close()
    display.close()

    assert replaced and not isinstance(sys.stdout, module._Above)
    assert capsys.readouterr().out == "before the picture is up\n"


def test_the_end_prints_the_summary(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    display = Display("etl", terminal)
    display.began(compile_plan(flow))

    display.ended(Success("All good.", result={}))

    assert terminal.getvalue() == "Flow 'etl': Success. All good.\n"


# --- when there is one ---


@pytest.fixture
def ask(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Ask for a display on some standard output; pytest replaces it between fixtures and test, so it is set here."""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def asking(stdout: Any) -> Display | None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stdout)
            return display_for(flow)

    return asking


def test_there_is_a_display_on_a_terminal_only(ask: Ask) -> None:
    assert isinstance(ask(Terminal()), Display)
    assert ask(io.StringIO()) is None and ask(None) is None


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_the_environment_may_decline(ask: Ask, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    assert ask(Terminal()) is None


def test_quiet_declines(ask: Ask) -> None:
    with set_temporary_config({"quiet": True}):
        assert ask(Terminal()) is None


def test_a_run_inside_a_run_goes_without(ask: Ask, display: Display) -> None:
    assert ask(Terminal()) is None


# --- on a real terminal ---

SCRIPT = """
import sys, time
from dagflow import Flow, task
from dagflow.engine import display
from dagflow.engine.display import Display
from dagflow.engine.flow_runner import FlowRunner
display.FIRST_PICTURE_SECONDS = 0

@task
def wait():
    while not watcher._screen.is_up:
        time.sleep(0.001)
    with watcher._screen._lock:
        pass  # the first picture is drawn
    print("said by a task")
    sys.stderr.write("said on the side\\n")

with Flow("tty") as flow:
    wait()
watcher = Display(flow.name)
runner = FlowRunner(flow)
runner.watcher = watcher
state = runner.run(return_tasks=flow.tasks)
watcher.ended(state)
print("after the run")
"""


def on_a_terminal(arguments: list[str], **environment: str) -> str:
    """Return what a program writes to a pseudo terminal."""
    import pty

    leader, follower = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")}
    process = subprocess.Popen(
        arguments, stdin=follower, stdout=follower, stderr=follower, env={**clean, "TERM": "xterm", **environment}
    )
    os.close(follower)
    output = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # Linux says so when the last writer is gone
            break
        if not chunk:
            break
        output += chunk
    os.close(leader)
    assert process.wait() == 0, output.decode()
    return output.decode()


def test_lines_appear_above_the_picture_which_is_gone_at_the_end(tmp_path: Path) -> None:
    script = tmp_path / "tty.py"
    script.write_text(SCRIPT)

    output = on_a_terminal([sys.executable, str(script)], DAGFLOW__LOGGING__LEVEL="INFO")

    assert "━" in output and "0/1" in output
    for line in ("said by a task", "said on the side", "Starting task run...", "1 Success", "after the run"):
        assert output.count(line) == 1
    # The cursor is shown again, and what comes after the picture is plain lines.
    assert output.rindex("\x1b[?25h") < output.index("Flow 'tty': Success")
    assert "━" not in output[output.index("1 Success") :]


def test_no_color_is_honoured(tmp_path: Path) -> None:
    script = tmp_path / "tty.py"
    script.write_text(SCRIPT)

    output = on_a_terminal([sys.executable, str(script)], NO_COLOR="1")

    assert "\x1b[3" not in output and "1 Success" in output
