"""The API against a small model of what it should do, over random sequences of calls."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dagflow.server.orchestration.kinds import FINISHED, HELD, READY
from dagflow.testing import FakeClock, InProcessServer
from tests.server.calls import Api, flow_document, state
from tests.server.conftest import START
from tests.server.databases import MakeUrl

EXAMPLES, STEPS = 50, 30
LOST_AFTER = 40.0


class Model(RuleBasedStateMachine):
    """
    Runs of one flow as a dictionary, changed by the same rules.

    The server is shared by all sequences; each begins with a flow of its own.
    """

    api: Api
    number = 0

    @initialize()
    def begin(self) -> None:
        type(self).number += 1
        self.label = f"agent {self.number}"
        self.flow = self.api.register(flow_document(f"flow {self.number}"))["id"]
        self.agent = self.api.agent(self.label)
        self.runs: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}

    def pick(self, data: Any) -> str:
        return str(data.draw(st.sampled_from(sorted(self.runs))))

    def moved(self, run: str, kind: str, start: float | None = None) -> None:
        model = self.runs[run]
        model.update(state=kind, version=model["version"] + 1, start=start)
        if kind in FINISHED:
            model["held"] = False

    # --- creating ----------------------------------------------------------------------------------------------

    @rule(key=st.sampled_from([None, "a", "b"]), delay=st.sampled_from([0, 0, 30]))
    def create(self, key: str | None, delay: int) -> None:
        start = self.api.clock.now() + delay
        body = {"flow_id": self.flow, "idempotency_key": key, "labels": [self.label],
                "scheduled_start_time": self.api.at(delay)}  # fmt: skip
        answer = self.api.post("/flow_runs", body)
        known = self.keys.get(key or "")
        assert (answer["created"], known or answer["id"]) == (known is None, answer["id"])
        if known is None:
            if key:
                self.keys[key] = answer["id"]
            self.runs[answer["id"]] = {
                "state": "Scheduled", "version": 1, "start": start, "token": 0, "held": False, "seen": 0.0, "times": 0,
            }  # fmt: skip

    # --- agents ------------------------------------------------------------------------------------------------

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        now = self.api.clock.now()
        due = [run for run, one in self.runs.items() if one["state"] in READY and one["start"] is not None
               and one["start"] <= now]  # fmt: skip
        due.sort(key=lambda run: (self.runs[run]["start"], run))

        taken = [one["flow_run"]["id"] for one in self.api.claim(self.agent, self.label, limit=limit)]

        assert taken == due[:limit]
        for run in taken:
            self.moved(run, "Submitted")
            self.runs[run].update(held=True, token=self.runs[run]["token"] + 1, seen=now)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), strange=st.booleans())
    def start_running(self, data: Any, strange: bool) -> None:
        run = self.pick(data)
        model = self.runs[run]
        answer = self.api.set_flow(run, "Running", token=model["token"] + strange)
        if strange:
            assert answer["code"] == "STALE_TOKEN"
        elif model["state"] in FINISHED:
            assert answer["code"] == "REFUSED"
        else:
            assert answer["status"] == "SUCCESS"
            self.moved(run, "Running")
            model["seen"] = self.api.clock.now()

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), kind=st.sampled_from(["Success", "Failed", "Cancelled", "TimedOut"]))
    def end(self, data: Any, kind: str) -> None:
        run = self.pick(data)
        assert self.api.set_flow(run, kind)["status"] == "SUCCESS"
        self.moved(run, kind)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), delay=st.sampled_from([0, 50]))
    def retry_later(self, data: Any, delay: int) -> None:
        run = self.pick(data)
        document = state("Retrying", start_time=self.api.at(delay), run_count=2)
        assert self.api.set_flow(run, document)["status"] == "SUCCESS"
        self.moved(run, "Retrying", self.api.clock.now() + delay)
        self.runs[run]["held"] = False

    # --- people ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        run = self.pick(data)
        model = self.runs[run]
        executed = model["state"] in ("Running", "Cancelling") and model["held"]
        expected = model["state"] if model["state"] in FINISHED else "Cancelling" if executed else "Cancelled"
        assert self.api.post(f"/flow_runs/{run}/cancel") == {"state": expected}
        if model["state"] != expected:
            self.moved(run, expected)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def restart(self, data: Any) -> None:
        run = self.pick(data)
        # Its tasks are never run here, so there is something to restart only when the run has ended.
        answer = self.api.ask("POST", f"/flow_runs/{run}/restart", {})
        if self.runs[run]["state"] not in FINISHED:
            assert answer.status_code == 409
            return
        assert answer.json()["state"] == "Scheduled"
        self.moved(run, "Scheduled", self.api.clock.now())
        self.runs[run]["times"] = 0

    # --- losses ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), strange=st.booleans())
    def lose(self, data: Any, strange: bool) -> None:
        run = self.pick(data)
        answer = self.api.post(f"/flow_runs/{run}/lost", {"token": self.runs[run]["token"] + strange})
        if not strange and self.runs[run]["held"]:
            self.lost(run)
        assert answer == {"state": self.runs[run]["state"]}

    def lost(self, run: str) -> None:
        model = self.runs[run]
        if model["state"] == "Cancelling":
            self.moved(run, "Cancelled")
        elif model["state"] in HELD and model["times"] < 3:
            self.moved(run, "Scheduled", self.api.clock.now())
            model["times"] += 1
        elif model["state"] in HELD:
            self.moved(run, "Failed")
        model["held"] = False

    @rule(seconds=st.sampled_from([1, 30, 45]))
    def wait(self, seconds: int) -> None:
        self.api.tick(seconds)
        now = self.api.clock.now()
        for run, model in self.runs.items():
            if model["held"] and model["state"] not in FINISHED and now - model["seen"] >= LOST_AFTER:
                self.lost(run)

    # --- always ------------------------------------------------------------------------------------------------

    @invariant()
    def the_server_agrees(self) -> None:
        if not hasattr(self, "flow"):
            return
        found = {
            one["id"]: (one["state"], one["version"], one["run_token"], one["held"], one["times_resurrected"])
            for one in self.api.items("/flow_runs", flow_id=self.flow, limit=200)
        }
        assert found == {
            run: (one["state"], one["version"], one["token"], one["held"], one["times"])
            for run, one in self.runs.items()
        }


def test_the_server_does_what_a_small_model_of_it_does(new_database: MakeUrl) -> None:
    with InProcessServer(FakeClock(START), new_database()) as server:
        machine = type("Served", (Model,), {"api": Api(server)})
        options = settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate],
        )  # fmt: skip
        run_state_machine_as_test(machine, settings=options)
