"""The agent for processes: what it starts, and how it notices and tells of ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagflow.agent.agent import Agent
from dagflow.agent.claimed import ClaimedRun
from dagflow.agent.local import LocalAgent
from dagflow.agent.processes import KEPT_LOGS, prune_logs
from dagflow.engine.state import Running
from dagflow.run_configs import LocalRun
from dagflow.testing import InProcessServer
from tests.agent.conftest import until
from tests.served import registered

Working = Callable[[Agent], Agent]
HOST = socket.gethostname()


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


@pytest.fixture
def agent(served: InProcessServer) -> Iterator[Callable[..., LocalAgent]]:
    """Give a function that makes an agent which runs a shell script for each run, and ends all of them afterwards."""
    made: list[LocalAgent] = []

    def make(script: str, **options: Any) -> LocalAgent:
        options.setdefault("hostname_label", False)
        one = LocalAgent(**options)
        one.command = shell(script)  # type: ignore[misc]
        made.append(one)
        return one

    yield make
    for one in made:
        for process in one.processes():
            process.kill(patience=0.1)
        until(lambda one=one: not one.processes() and not one.hand.runs())


def started(agent: LocalAgent) -> ClaimedRun:
    """Claim the run that is due and start it."""
    if agent.agent_id is None:
        agent.register()
    (run,) = agent.work.claim()
    agent.hand.take(run)
    agent._launch(run)
    return run


def run_of(server: InProcessServer, **options: Any) -> str:
    return server.client().create_flow_run(registered(server), labels=[], **options)


def record(server: InProcessServer, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = server.client().get(f"flow_runs/{run_id}")
    return found


def messages(server: InProcessServer, run_id: str) -> list[str]:
    return [one["message"] for one in server.client().get(f"flow_runs/{run_id}/logs")["items"]]


def ended(agent: LocalAgent) -> None:
    until(lambda: not agent.hand.runs())


# --- what is started -----------------------------------------------------------------------------------------


def test_the_name_of_the_machine_is_one_of_the_labels_and_only_once(served: InProcessServer) -> None:
    assert LocalAgent().labels == [HOST]
    assert LocalAgent(labels=["a", HOST]).labels == ["a", HOST]
    assert LocalAgent(labels=["a"], hostname_label=False).labels == ["a"]


def test_the_process_knows_its_run_and_its_token(
    served: InProcessServer, agent: Callable[..., LocalAgent], home: Path
) -> None:
    run_id = run_of(served, run_config=LocalRun(env={"COLOUR": "red"}))
    one = agent("echo $DAGFLOW__CONTEXT__FLOW_RUN_ID $DAGFLOW__CONTEXT__RUN_TOKEN $COLOUR", name="ann")

    started(one)
    ended(one)

    assert (home / "runs" / f"{run_id}.log").read_text() == f"{run_id} 1 red\n"


def test_the_process_starts_in_its_working_directory_and_finds_modules_there(
    served: InProcessServer, agent: Callable[..., LocalAgent], tmp_path: Path, home: Path
) -> None:
    run_id = run_of(served, run_config=LocalRun(working_dir=tmp_path))
    one = agent('pwd; echo "$PYTHONPATH"', import_paths=["/more"])

    started(one)
    ended(one)

    place, path = (home / "runs" / f"{run_id}.log").read_text().splitlines()
    assert place == str(tmp_path)
    assert (path.split(":")[0], path.split(":")[-1]) == (str(tmp_path), "/more")


def test_a_working_directory_that_is_not_there_fails_the_run_with_its_name(
    served: InProcessServer, agent: Callable[..., LocalAgent]
) -> None:
    run_id = run_of(served, run_config=LocalRun(working_dir="/nowhere/at/all"))
    one = agent("true")

    started(one)

    found = record(served, run_id)
    assert found["state"] == "Failed"
    assert "/nowhere/at/all" in found["state_message"] and HOST in found["state_message"]
    assert one.hand.runs() == []


def test_a_flow_in_an_image_is_refused_with_the_agent_that_takes_it(served: InProcessServer) -> None:
    run = ClaimedRun({"id": "1"}, {"id": "2", "storage": {"type": "Docker"}}, 1)

    with pytest.raises(TypeError, match="dagflow agent docker start"):
        LocalAgent().deploy_flow(run)


def test_the_output_is_for_this_user_only_whatever_the_umask(
    served: InProcessServer, agent: Callable[..., LocalAgent], home: Path
) -> None:
    run_id = run_of(served)
    one = agent("echo secret")
    before = os.umask(0)
    try:
        started(one)
        ended(one)
    finally:
        os.umask(before)

    assert stat.S_IMODE((home / "runs" / f"{run_id}.log").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "runs").stat().st_mode) == 0o700


def test_the_output_can_go_where_that_of_the_agent_goes(
    served: InProcessServer, agent: Callable[..., LocalAgent], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_of(served)
    one = agent("echo seen", show_flow_logs=True)

    started(one)
    ended(one)

    assert "seen\n" in capfd.readouterr().out
    assert not (home / "runs").exists()


def test_the_last_hundred_outputs_are_kept_and_those_that_are_written_to(tmp_path: Path) -> None:
    for number in range(KEPT_LOGS + 3):
        path = tmp_path / f"{number}.log"
        path.touch()
        os.utime(path, (number, number))

    prune_logs(str(tmp_path), keep=[str(tmp_path / "1.log")])

    assert {path.name for path in tmp_path.iterdir()} == {f"{number}.log" for number in (1, *range(3, KEPT_LOGS + 3))}


def test_a_process_is_started_within_milliseconds_of_the_claim(
    served: InProcessServer, agent: Callable[..., LocalAgent]
) -> None:
    run_of(served)
    one = agent("true")
    one.register()
    (run,) = one.work.claim()
    one.hand.take(run)

    began = time.perf_counter()
    one.deploy_flow(run)

    assert time.perf_counter() - began < 0.5, "usually some 5 ms; a slow machine is no reason to fail"


# --- ends ----------------------------------------------------------------------------------------------------


def test_the_end_of_a_process_before_its_run_is_told_at_once_with_its_last_lines(
    served: InProcessServer, agent: Callable[..., LocalAgent]
) -> None:
    run_id = run_of(served)
    one = agent("for i in $(seq 60); do echo line $i; done; echo out of cheese >&2; exit 3")

    started(one)
    ended(one)

    assert record(served, run_id)["state"] == "Scheduled", "it is to run again"
    said = messages(served, run_id)
    assert "out of cheese" in said and "line 60" in said and "line 11" not in said
    assert any("exit code 3" in line for line in said)


def test_a_process_that_is_killed_is_told_of_with_the_signal(
    served: InProcessServer, agent: Callable[..., LocalAgent]
) -> None:
    run_id = run_of(served)
    one = agent("sleep 60")
    started(one)
    served.client().set_flow_run_state(run_id, Running())

    began = time.monotonic()
    os.kill(one.processes()[0].pid, signal.SIGKILL)
    ended(one)

    assert time.monotonic() - began < 2
    assert record(served, run_id)["state"] == "Scheduled"
    assert any("SIGKILL" in line for line in messages(served, run_id))


def test_a_run_whose_process_ends_again_and_again_is_given_up(
    served: InProcessServer, agent: Callable[..., LocalAgent]
) -> None:
    run_id = run_of(served)
    one = agent("exit 1")

    for _ in range(4):
        started(one)
        ended(one)

    assert record(served, run_id)["state"] == "Failed"


def test_a_process_that_gave_its_run_back_leaves_it_as_it_is(
    served: InProcessServer, agent: Callable[..., LocalAgent], tmp_path: Path
) -> None:
    run_id = run_of(served)
    one = agent(f"until [ -e {tmp_path}/go ]; do sleep 0.01; done")
    run = started(one)
    client = served.client()
    client.set_flow_run_state(run_id, Running())
    client.post(f"flow_runs/{run_id}/release", {"token": run.token})

    (tmp_path / "go").touch()
    ended(one)

    assert record(served, run_id)["state"] == "Running"


def test_a_run_that_does_not_react_to_its_cancellation_is_ended_with_all_it_started(
    served: InProcessServer, agent: Callable[..., LocalAgent], home: Path
) -> None:
    run_id = run_of(served)
    one = agent("sleep 61 & echo $!; trap '' TERM; while true; do sleep 0.02; done")
    one.cancel_grace = 0.0
    started(one)
    log = home / "runs" / f"{run_id}.log"
    child = int(until(lambda: log.exists() and log.read_text()))
    served.client().set_flow_run_state(run_id, Running())
    served.client().cancel_flow_run(run_id)
    patient = one.processes()[0].kill
    one.kill = lambda run: patient(patience=0.1)  # type: ignore[method-assign]

    one.beat_once()
    ended(one)

    assert record(served, run_id)["state"] == "Cancelled"
    until(lambda: not is_alive(child))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_hook_that_ends_a_run_does_not_keep_the_signs_of_life_waiting(
    served: InProcessServer, agent: Callable[..., LocalAgent]
) -> None:
    run_of(served)
    one = agent("sleep 60")
    run = started(one)

    began = time.monotonic()
    one.kill(run)

    assert time.monotonic() - began < 1
    ended(one)


# --- the agent as a process ----------------------------------------------------------------------------------

AGENT = """
import sys
from dagflow.agent.local import LocalAgent
class Quick(LocalAgent):
    command = ("/bin/sh", "-c", sys.argv[1])
    beat_seconds = 0.1
agent = Quick(hostname_label=False, name="killed")
agent.work.wait_seconds = 0.5
agent.start()
"""


def agent_process(server: InProcessServer, home: Path, script: str) -> subprocess.Popen[bytes]:
    env = os.environ | {
        "DAGFLOW__CLOUD__API": server.url,
        "DAGFLOW__HOME_DIR": str(home),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen([sys.executable, "-c", AGENT, script], env=env, stdout=subprocess.DEVNULL)


def test_runs_go_on_when_their_agent_is_killed_and_none_is_submitted_twice(home: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    script = f"echo $$ > {marks}/$DAGFLOW__CONTEXT__FLOW_RUN_ID; until [ -e {tmp_path}/go ]; do sleep 0.02; done"
    with InProcessServer(port=True) as server:
        client = server.client()
        flow_id = registered(server)
        runs = [client.create_flow_run(flow_id, labels=[]) for _ in range(10)]
        first = agent_process(server, home, script)
        try:
            until(lambda: len(list(marks.iterdir())) == 10 and all(path.read_text() for path in marks.iterdir()))
        finally:
            first.kill()
            first.wait()

        second = agent_process(server, home, script)
        try:
            asked = client.get("agents")["items"][0]["last_queried"]
            server.clock.time += 1
            until(lambda: client.get("agents")["items"][0]["last_queried"] > asked)
            alive = [is_alive(int(path.read_text())) for path in marks.iterdir()]
            found = [client.get(f"flow_runs/{run}") for run in runs]
        finally:
            second.terminate()
            code = second.wait(10)
            (tmp_path / "go").touch()

        assert alive == [True] * 10
        assert {one["state"] for one in found} == {"Submitted"}
        assert {one["run_token"] for one in found} == {1}, "each was claimed once"
        assert code == 0, "SIGTERM ends an agent in order"


# --- supervisors ---------------------------------------------------------------------------------------------


def test_a_supervisor_restarts_the_agent_and_leaves_its_runs_alone() -> None:
    text = LocalAgent.generate_supervisor_conf(labels=["b", "a"], env_vars={"A": "50%"}, import_paths=["/code"])

    assert re.search(r"^command=.*agent local start --label a --label b --env A=50%% --import-path /code$", text, re.M)
    assert "autorestart=true" in text and "killasgroup=false" in text and "stopasgroup=false" in text


def test_systemd_restarts_the_agent_and_leaves_its_runs_alone() -> None:
    text = LocalAgent.generate_systemd_unit(env_vars={"A": "a $b"}, python="/opt/py")

    assert 'ExecStart=/opt/py -m dagflow agent local start --env "A=a $$b"' in text
    assert "KillMode=process" in text and "Restart=always" in text
