from __future__ import annotations

import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from dagflow import Flow
from dagflow.engine import signals
from dagflow.executors import LocalDaskExecutor, LocalExecutor
from dagflow.tasks.shell import ShellTask

GONE_SECONDS = 10


@pytest.mark.parametrize(
    ("command", "return_all", "expected"),
    [
        ("echo one; echo two", False, "two"),
        ("echo one; echo two", True, ["one", "two"]),
        ("true", False, None),
        ("true", True, []),
        ("echo out; echo err >&2", True, ["out", "err"]),
        (r"printf '\xff ok  \n'", False, "\ufffd ok"),
        ("echo 'für'", False, "für"),
    ],
)
def test_the_output_is_returned(command: str, return_all: bool, expected: Any) -> None:
    assert ShellTask(return_all=return_all).run(command=command) == expected


def test_the_helper_script_comes_first_and_env_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "kept")
    task = ShellTask("say $KEPT $ADDED", env={"ADDED": "added"}, helper_script="say() { echo said $*; }")

    assert task.run() == "said kept added"
    assert task.run(command="say $ADDED", env={"ADDED": "other"}) == "said other"
    assert "ADDED" not in os.environ


def test_another_shell_may_be_chosen() -> None:
    assert ShellTask("echo $0 $BASH_VERSION", shell="sh", env={"BASH_VERSION": ""}).run() is not None


def test_without_a_command_it_says_how_to_give_one() -> None:
    with pytest.raises(TypeError, match=r"ShellTask\(command=...\)"):
        ShellTask().run()


@pytest.mark.parametrize(("return_all", "result"), [(False, "two"), (True, ["one", "two"])])
def test_a_failing_command_fails_the_task_with_its_output(return_all: bool, result: Any) -> None:
    with pytest.raises(signals.FAIL, match="exit code 3") as caught:
        ShellTask(return_all=return_all).run(command="echo one; echo two; exit 3")

    assert caught.value.state.is_failed() and caught.value.state.result == result


def test_the_output_of_a_failure_is_logged_on_demand(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(signals.FAIL):
        ShellTask(log_stderr=True).run(command="echo one; echo two >&2; false")

    assert [record.getMessage() for record in caplog.records] == ["Command failed with exit code 1", "one\ntwo"]
    assert {record.levelname for record in caplog.records} == {"ERROR"}


@pytest.mark.parametrize(("stream", "level"), [(True, "INFO"), (logging.WARNING, "WARNING"), ("ERROR", "ERROR")])
def test_lines_are_logged_as_they_come(stream: Any, level: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    ShellTask(stream_output=stream).run(command="echo '100% done'; echo two")

    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [(level, "100% done"), (level, "two")]


def test_nothing_is_logged_by_default(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    ShellTask().run(command="echo one")

    assert caplog.records == []


@pytest.mark.parametrize("wrong", ["info", "LOUD", 1.5, None])
def test_an_unknown_level_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(TypeError, match="stream_output must be"):
        ShellTask(stream_output=wrong)


def test_the_script_file_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert Path(str(ShellTask().run(command="echo $0"))).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_all_that_the_shell_started_is_killed_when_the_task_is_interrupted() -> None:
    task = ShellTask("sleep 600 & echo $!; wait", stream_output=True, name="interrupted")

    class Interrupt(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise KeyboardInterrupt(record.getMessage())

    interrupt = Interrupt()
    task.logger.addFilter(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            task.run()
    finally:
        task.logger.removeFilter(interrupt)

    assert _is_gone(int(caught.value.args[0]))


@pytest.mark.parametrize("executor", [LocalExecutor(), LocalDaskExecutor("threads", num_workers=2)])
def test_a_command_that_runs_out_of_time_is_killed_with_all_it_started(executor: Any, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    with Flow("slow") as flow:
        slow = ShellTask(name="slow", timeout=1)(command=f"sleep 600 & echo $! > {noted}; wait")

    state = flow.run(executor=executor)

    assert type(state.result[slow]).__name__ == "TimedOut"
    assert _is_gone(int(noted.read_text()))


def _is_gone(pid: int) -> bool:
    """Wait until the process has ended; the system takes a moment to carry out a kill."""
    deadline = time.monotonic() + GONE_SECONDS
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        os.sched_yield()
    return False


def test_it_works_in_a_flow() -> None:
    with Flow("shell") as flow:
        word = ShellTask(name="word")(command="echo word")
        said = ShellTask(name="said", helper_script="say() { echo said; }")(command="say")
        broken = ShellTask(name="broken")(command="echo gone; exit 1")

    state = flow.run()

    assert (state.result[word].result, state.result[said].result) == ("word", "said")
    assert state.result[broken].is_failed() and state.result[broken].result == "gone"
