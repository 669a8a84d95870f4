"""What all agents do, against a server in this process."""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from dagflow.agent import Agent
from dagflow.agent.claimed import ClaimedRun
from dagflow.agent.faults import is_transient
from dagflow.agent.health import address_of
from dagflow.engine.state import Running, Success
from dagflow.exceptions import ObjectNotFoundError, ServerUnreachableError
from dagflow.run_configs import DockerRun, LocalRun, UniversalRun
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from tests.agent.conftest import until
from tests.served import registered

Working = Callable[[Agent], Agent]


class Recorder(Agent):
    """Notes what it was to start."""

    run_config_class = LocalRun

    def __init__(self, *args: Any, errors: list[Exception] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.deployed: list[str] = []
        self.events: list[str] = []
        self.errors = list(errors or ())

    def deploy_flow(self, run: ClaimedRun) -> str:
        if self.errors:
            raise self.errors.pop(0)
        self.run_config_of(run)
        self.deployed.append(run.id)
        return "noted"

    def on_startup(self) -> None:
        self.events.append("startup")

    def on_shutdown(self) -> None:
        self.events.append("shutdown")


def polled(agent: Recorder) -> Recorder:
    agent.max_polls = 1
    agent.start()
    return agent


def log_of(server: InProcessServer, run_id: str) -> list[tuple[str, str]]:
    return [(one["level"], one["message"]) for one in server.client().get(f"flow_runs/{run_id}/logs")["items"]]


LABELS = [
    # those of the run, those of the agent, whether it takes the run
    ([], [], True),
    ([], ["a"], False),
    (["a"], [], False),
    (["a"], ["a"], True),
    (["a"], ["a", "b"], True),
    (["a", "b"], ["a"], False),
    (["a", "b"], ["b", "a"], True),
    (["A"], ["a"], False),
]


@pytest.mark.parametrize(("of_run", "of_agent", "takes"), LABELS)
def test_an_agent_takes_a_run_whose_labels_it_has_and_one_without_only_without(
    served: InProcessServer, of_run: list[str], of_agent: list[str], takes: bool
) -> None:
    run_id = served.client().create_flow_run(registered(served), labels=of_run)

    assert polled(Recorder(labels=of_agent)).deployed == ([run_id] if takes else [])


def test_a_run_that_is_not_due_is_left_alone(served: InProcessServer) -> None:
    client = served.client()
    run_id = client.create_flow_run(registered(served), labels=[], scheduled_start_time="2099-01-01T00:00:00Z")

    assert polled(Recorder()).deployed == []
    assert client.get(f"flow_runs/{run_id}")["state"] == "Scheduled"


def test_a_run_is_submitted_by_the_claim_and_its_log_says_so(served: InProcessServer) -> None:
    run_id = served.client().create_flow_run(registered(served), labels=[])

    agent = polled(Recorder(name="ann"))

    record = served.client().get(f"flow_runs/{run_id}")
    assert (record["state"], record["agent_id"]) == ("Submitted", agent.agent_id)
    assert ("INFO", "Submitted for execution: noted") in log_of(served, run_id)


def test_a_run_that_cannot_be_started_fails_with_the_reason_and_the_agent_goes_on(served: InProcessServer) -> None:
    client, flow_id = served.client(), registered(served)
    runs = [client.create_flow_run(flow_id, labels=[]) for _ in range(2)]

    agent = polled(Recorder(errors=[ValueError("no such image")]))

    failed = next(run for run in runs if run not in agent.deployed)
    record = client.get(f"flow_runs/{failed}")
    assert (record["state"], record["state_message"]) == ("Failed", "no such image")
    assert ("ERROR", "The agent could not start this run: no such image") in log_of(served, failed)
    assert len(agent.deployed) == 1


def test_a_run_that_another_agent_has_is_passed_over_quietly(served: InProcessServer) -> None:
    run_id = served.client().create_flow_run(registered(served), labels=[])

    polled(Recorder(errors=[ValueError("State update failed: it is submitted already")]))

    assert served.client().get(f"flow_runs/{run_id}")["state"] == "Submitted"
    assert log_of(served, run_id) == []


def test_what_may_pass_is_tried_again(served: InProcessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagflow.agent.agent.FIRST_WAIT", 0.001)
    run_id = served.client().create_flow_run(registered(served), labels=[])

    agent = polled(Recorder(errors=[ConnectionRefusedError("no daemon")] * 3))

    assert agent.deployed == [run_id]


def test_what_does_not_pass_after_three_more_tries_fails_the_run(
    served: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagflow.agent.agent.FIRST_WAIT", 0.001)
    run_id = served.client().create_flow_run(registered(served), labels=[])

    polled(Recorder(errors=[ConnectionRefusedError("no daemon")] * 4))

    assert served.client().get(f"flow_runs/{run_id}")["state"] == "Failed"


class Answered(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError("gone"), True),
        (TimeoutError("slow"), True),
        (BlockingIOError(11, "no more processes"), True),
        (Answered(503), True),
        (Answered(404), False),
        (FileNotFoundError("nothing"), False),
        (TypeError("wrong"), False),
    ],
)
def test_trouble_of_others_may_pass_and_mistakes_do_not(error: Exception, expected: bool) -> None:
    assert is_transient(error) is expected


def test_a_run_config_of_another_kind_names_both_kinds_and_the_run(served: InProcessServer) -> None:
    run_id = served.client().create_flow_run(registered(served), labels=[], run_config=DockerRun(image="etl"))

    polled(Recorder())

    record = served.client().get(f"flow_runs/{run_id}")
    assert record["state"] == "Failed"
    assert all(word in record["state_message"] for word in ("DockerRun", "LocalRun", run_id))


def test_a_universal_run_config_becomes_one_of_the_agents_kind(served: InProcessServer) -> None:
    document = UniversalRun(env={"A": "1"}, labels=["x"]).serialize()

    found = Recorder().run_config_of(ClaimedRun({"id": "1"}, {"id": "2"}, 1, document))

    assert found == LocalRun(env={"A": "1"}, labels=["x"])
    assert Recorder().run_config_of(ClaimedRun({"id": "1"}, {"id": "2"}, 1)) == LocalRun()


def test_the_agent_ends_after_max_polls_and_its_hooks_are_called(served: InProcessServer) -> None:
    agent = Recorder(max_polls=2)

    agent.start()

    assert agent.work.polls == 2
    assert agent.events == ["startup", "shutdown"]


def test_the_hook_for_the_end_is_called_whatever_happens(served: InProcessServer) -> None:
    agent = Recorder(max_polls=1)
    agent.work.claim = lambda: 1 / 0  # type: ignore[assignment,return-value]

    with pytest.raises(ZeroDivisionError):
        agent.start()

    assert agent.events == ["startup", "shutdown"]


def test_arguments_beat_the_configuration(served: InProcessServer) -> None:
    told = {
        "cloud.agent.name": "ann",
        "cloud.agent.labels": ["a"],
        "cloud.agent.env_vars": {"A": "1"},
        "cloud.send_flow_run_logs": False,
    }
    with set_temporary_config(told):
        configured, argued = Agent(), Agent(name="bob", labels=[], env_vars={}, no_cloud_logs=False)

    assert (configured.name, configured.labels, configured.env_vars) == ("ann", ["a"], {"A": "1"})
    assert configured.send_logs is False
    assert (argued.name, argued.labels, argued.env_vars, argued.send_logs) == ("bob", [], {}, True)


def test_labels_are_a_list_not_a_word(served: InProcessServer) -> None:
    with pytest.raises(TypeError, match=r"use \['gpu'\]"):
        Agent(labels="gpu")


def test_an_agent_is_the_same_after_a_restart_and_a_twin_is_another(served: InProcessServer) -> None:
    first, second = Agent(name="ann"), Agent(name="ann")
    ids = [first.register(), second.register()]
    first._leave()

    again = Agent(name="ann")

    assert again.register() == ids[0] != ids[1]
    assert len(served.client().get("agents")["items"]) == 2


def test_a_server_that_is_away_ends_the_start_with_its_address() -> None:
    with (
        set_temporary_config({"cloud.api": "http://127.0.0.1:9"}),
        pytest.raises(RuntimeError, match=r"http://127\.0\.0\.1:9/.*dagflow server start"),
    ):
        agent = Agent()
        agent.client._transport.retries = 0
        agent.start()


def test_a_server_that_goes_away_is_asked_again_after_longer_and_longer_pauses(
    served: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, pauses = Recorder(), []
    agent.register()

    def refuse(*args: Any, **more: Any) -> None:
        raise ServerUnreachableError("nobody there")

    monkeypatch.setattr(agent.client, "_request", refuse)
    monkeypatch.setattr(agent.work._wake, "wait", lambda seconds: pauses.append(seconds))
    for _ in range(9):
        agent.work._poll(lambda run: None, is_last=True)

    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


def test_an_agent_that_the_server_has_forgotten_makes_itself_known_again(
    served: InProcessServer, working: Working
) -> None:
    agent = working(Recorder())
    served.client().delete(f"agents/{agent.agent_id}")

    run_id = served.client().create_flow_run(registered(served), labels=[])

    until(lambda: run_id in agent.deployed)  # type: ignore[attr-defined]


def test_a_run_is_taken_as_soon_as_it_is_made(served: InProcessServer, working: Working) -> None:
    agent, flow_id = Recorder(), registered(served)
    working(agent)
    until(lambda: agent.work.polls == 1)

    served.client().create_flow_run(flow_id, labels=[])

    began = time.monotonic()
    until(lambda: agent.deployed)
    assert time.monotonic() - began < 0.9, "the claim waits at the server, there is no pause to sit out"


def test_four_agents_share_two_hundred_runs_and_none_is_taken_twice(served: InProcessServer, working: Working) -> None:
    client, flow_id = served.client(), registered(served)
    runs = {client.create_flow_run(flow_id, labels=["race"]) for _ in range(200)}

    agents = [working(Recorder(name=f"agent-{number}", labels=["race"])) for number in range(4)]

    until(lambda: sum(len(agent.deployed) for agent in agents) >= 200, 30)  # type: ignore[attr-defined]
    taken = list(itertools.chain.from_iterable(agent.deployed for agent in agents))  # type: ignore[attr-defined]
    assert sorted(taken) == sorted(runs)
    assert {client.get(f"flow_runs/{run}")["run_token"] for run in list(runs)[:10]} == {1}


# --- limits and pools ----------------------------------------------------------------------------------------


class Holder(Recorder):
    """Keeps what it starts in hand."""

    keeps_hold = True


def test_an_agent_takes_no_more_than_its_limit_and_more_when_some_have_ended(
    served: InProcessServer, working: Working
) -> None:
    client, flow_id = served.client(), registered(served)
    for _ in range(5):
        client.create_flow_run(flow_id, labels=[])
    agent = Holder(limit=2)
    working(agent)
    until(lambda: len(agent.deployed) == 2)

    assert agent.work.claimed == 2
    agent.hand.drop(agent.hand.runs()[0])
    until(lambda: len(agent.deployed) == 3)
    assert len(agent.hand) == 2


def test_an_agent_of_a_pool_takes_its_runs_and_no_others(served: InProcessServer) -> None:
    client, flow_id = served.client(), registered(served)
    client.post("work_pools", {"name": "big", "type": "process"})
    client.create_flow_run(flow_id, labels=[])
    group = client.get(f"flows/{flow_id}")["flow_group_id"]
    deployment = client.post("deployments", {"flow_group_id": group, "name": "nightly", "pool": "big"})["id"]
    pooled = client.post(f"deployments/{deployment}/create_run", {})["id"]

    agent = polled(Recorder(pool="big"))

    assert agent.deployed == [pooled]


def test_a_pool_of_another_type_is_refused_with_both_types(served: InProcessServer) -> None:
    class ForProcesses(Recorder):
        pool_type = "process"

    served.client().post("work_pools", {"name": "ships", "type": "docker"})

    with pytest.raises(ValueError, match=r"'ships' is of type docker, .* of type process.*worker start --pool ships"):
        ForProcesses(pool="ships").start()


def test_a_pool_that_does_not_exist_is_refused_with_the_command_that_makes_it(served: InProcessServer) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"no pool 'big'.*dagflow work-pool create big.*--create"):
        Recorder(pool="big").start()


def test_an_unknown_queue_of_a_pool_is_refused(served: InProcessServer) -> None:
    served.client().post("work_pools", {"name": "big", "type": "process"})

    with pytest.raises(ValueError, match="'big' has no queue 'fast'"):
        Recorder(pool="big", queues=["fast"]).start()


# --- stopping ------------------------------------------------------------------------------------------------


def test_what_a_claim_brings_after_the_agent_was_told_to_stop_is_given_back(served: InProcessServer) -> None:
    run_id = served.client().create_flow_run(registered(served), labels=[])
    agent = Recorder()
    agent.register()
    agent.stop()

    agent.work._poll(lambda run: None, is_last=True)

    record = served.client().get(f"flow_runs/{run_id}")
    assert (record["state"], record["held"]) == ("Scheduled", False)


def test_an_agent_that_is_told_to_stop_ends_though_its_claim_waits(served: InProcessServer) -> None:
    agent = Recorder()
    thread = threading.Thread(target=agent.start)
    thread.start()
    until(lambda: agent.work.polls == 1)

    began = time.monotonic()
    agent.stop()
    thread.join()

    assert time.monotonic() - began < 3, "the claim would wait for ten seconds"


# --- signs of life -------------------------------------------------------------------------------------------


def claimed(agent: Recorder) -> ClaimedRun:
    agent.register()
    (run,) = agent.work.claim()
    agent.hand.take(run)
    return run


def test_a_run_that_does_not_react_to_its_cancellation_for_a_minute_is_ended(served: InProcessServer) -> None:
    client = served.client()
    run_id = client.create_flow_run(registered(served), labels=[])
    agent, killed, now = Holder(), [], [1000.0]
    agent.kill = killed.append  # type: ignore[assignment,method-assign]
    agent._clock = lambda: now[0]
    run = claimed(agent)
    client.set_flow_run_state(run_id, Running())
    client.cancel_flow_run(run_id)

    agent.beat_once()
    now[0] += 59
    agent.beat_once()
    assert killed == []
    now[0] += 1
    agent.beat_once()
    agent.beat_once()

    assert killed == [run], "once is enough"
    agent.ends.tell(run, "signal 9")
    record = client.get(f"flow_runs/{run_id}")
    assert record["state"] == "Cancelled" and "did not react for 60 s" in record["state_message"]


def test_signs_of_life_are_given_for_a_run_that_nothing_executes_yet(served: InProcessServer) -> None:
    run_id = served.client().create_flow_run(registered(served), labels=[])
    agent = Holder()
    run = claimed(agent)

    for _ in range(4):
        served.tick(20)
        agent.beat_once()
    served.tick()
    assert served.client().get(f"flow_runs/{run_id}")["state"] == "Submitted"

    agent.hand.started(run)
    for _ in range(4):
        served.tick(20)
        agent.beat_once()
    served.tick()
    assert served.client().get(f"flow_runs/{run_id}")["state"] == "Scheduled", "its own process says nothing"


def test_an_error_in_a_sign_of_life_does_not_end_it(served: InProcessServer, working: Working) -> None:
    class Stumbling(Recorder):
        beats = 0

        def heartbeat(self) -> None:
            self.beats += 1
            raise RuntimeError("stumbled")

    agent = Stumbling()
    working(agent)

    until(lambda: agent.beats > 2)


# --- ends ----------------------------------------------------------------------------------------------------


def test_the_end_of_a_run_that_was_given_back_changes_nothing(served: InProcessServer) -> None:
    client = served.client()
    run_id = client.create_flow_run(registered(served), labels=[])
    agent = Holder()
    run = claimed(agent)
    client.set_flow_run_state(run_id, Running())
    client.post(f"flow_runs/{run_id}/release", {"token": run.token})

    agent.ends.tell(run, "exit code 0")

    assert client.get(f"flow_runs/{run_id}")["state"] == "Running"
    assert run not in agent.hand


def test_the_end_of_a_finished_run_leaves_neither_state_nor_log(served: InProcessServer) -> None:
    client = served.client()
    run_id = client.create_flow_run(registered(served), labels=[])
    agent = Holder()
    run = claimed(agent)
    client.set_flow_run_state(run_id, Running())
    client.set_flow_run_state(run_id, Success())

    agent.ends.tell(run, "exit code 1", ["Traceback"])

    assert client.get(f"flow_runs/{run_id}")["state"] == "Success"
    assert log_of(served, run_id) == []


def test_the_end_of_a_process_whose_run_others_have_by_now_changes_nothing(served: InProcessServer) -> None:
    client = served.client()
    run_id = client.create_flow_run(registered(served), labels=[])
    agent = Holder()
    old = claimed(agent)
    client.post(f"flow_runs/{run_id}/release", {"token": old.token, "reschedule": True})
    new = claimed(agent)

    agent.ends.tell(old, "exit code 1")

    assert client.get(f"flow_runs/{run_id}")["state"] == "Submitted"
    assert new in agent.hand and old not in agent.hand


def test_an_end_is_told_until_the_server_hears_it(served: InProcessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    client = served.client()
    run_id = client.create_flow_run(registered(served), labels=[])
    agent = Holder()
    run = claimed(agent)
    monkeypatch.setattr("dagflow.agent.ends.BETWEEN_TRIES", 0.001)
    answers, get = [0, 0], agent.client.get

    def away_twice(*args: Any) -> Any:
        if answers:
            answers.pop()
            raise ServerUnreachableError("away")
        return get(*args)

    monkeypatch.setattr(agent.client, "get", away_twice)
    agent.ends.tell(run, "exit code 1")

    assert client.get(f"flow_runs/{run_id}")["state"] == "Scheduled"


# --- health --------------------------------------------------------------------------------------------------


def test_health_is_answered_with_counts_and_poking_makes_the_agent_ask(
    served: InProcessServer, working: Working
) -> None:
    agent = working(Recorder(agent_address="http://127.0.0.1:0", limit=3))

    with urllib.request.urlopen(f"{agent.health_url}/api/health") as answer:
        facts = json.load(answer)
    with urllib.request.urlopen(f"{agent.health_url}/api/poke") as answer:
        poked = answer.status

    assert (facts["agent_id"], facts["runs"], facts["limit"], poked) == (agent.agent_id, 0, 3, 200)


def test_health_is_bad_when_the_server_has_not_answered_for_three_polls(
    served: InProcessServer, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = working(Recorder(agent_address="http://127.0.0.1:0"))
    monkeypatch.setattr(type(agent.work), "seconds_since_poll", property(lambda work: 31.0))

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{agent.health_url}/api/health")

    assert caught.value.code == 503
    caught.value.close()


def test_poking_ends_a_pause(served: InProcessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagflow.agent.work.PAUSES", (30.0,))
    agent = Recorder(max_polls=2)
    thread = threading.Thread(target=agent.start)
    thread.start()
    until(lambda: agent.work.polls == 1)

    until(lambda: agent.work.poke() or not thread.is_alive(), 5)

    assert agent.work.polls == 2
    thread.join()


@pytest.mark.parametrize("address", ["http://127.0.0.1", "nowhere", "http://:8080", "http://a:port"])
def test_an_address_without_host_or_port_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="needs a host and a port"):
        address_of(address)
