"""Which source of a variable beats which, for each kind of agent."""

from __future__ import annotations

import os

import pytest

from dagflow.agent.claimed import ClaimedRun
from dagflow.agent.environment import (
    Told,
    container_environment,
    fixed_environment,
    local_environment,
    pod_environment,
)

RUN = ClaimedRun({"id": "run-1", "name": "brave-otter"}, {"id": "flow-1", "storage": {"type": "Local"}}, token=7)
FIXED = {
    "DAGFLOW__BACKEND": "server",
    "DAGFLOW__CLOUD__API": "http://127.0.0.1:4200",
    "DAGFLOW__CLOUD__API_KEY": "dfk_1",
    "DAGFLOW__CLOUD__AGENT__LABELS": "['a', 'b']",
    "DAGFLOW__CLOUD__USE_LOCAL_SECRETS": "false",
    "DAGFLOW__CLOUD__SEND_FLOW_RUN_LOGS": "true",
    "DAGFLOW__CONTEXT__FLOW_RUN_ID": "run-1",
    "DAGFLOW__CONTEXT__FLOW_ID": "flow-1",
    "DAGFLOW__CONTEXT__RUN_TOKEN": "7",
    "DAGFLOW__ENGINE__FLOW_RUNNER__DEFAULT_CLASS": "dagflow.engine.cloud.CloudFlowRunner",
    "DAGFLOW__ENGINE__TASK_RUNNER__DEFAULT_CLASS": "dagflow.engine.cloud.CloudTaskRunner",
}


def told(**env_vars: str) -> Told:
    return Told(api="http://127.0.0.1:4200", api_key="dfk_1", labels=("a", "b"), log_level="DEBUG", env_vars=env_vars)


def test_the_fixed_set_says_which_run_and_which_server() -> None:
    assert fixed_environment(told(), RUN) == FIXED
    assert fixed_environment(told(), RUN, "etl:1") == FIXED | {"DAGFLOW__CONTEXT__IMAGE": "etl:1"}


def test_what_is_not_known_is_left_out() -> None:
    assert "DAGFLOW__CLOUD__API_KEY" not in fixed_environment(Told(api="http://server"), RUN)


@pytest.mark.parametrize(
    ("own", "agent", "run", "expected"),
    [
        ({"X": "own"}, {}, {}, "own"),
        ({"X": "own"}, {"X": "agent"}, {}, "agent"),
        ({"X": "own"}, {"X": "agent"}, {"X": "run"}, "run"),
    ],
)
def test_a_process_has_what_the_run_config_says_before_the_agent_before_its_environment(
    own: dict[str, str], agent: dict[str, str], run: dict[str, str], expected: str
) -> None:
    assert local_environment(told(**agent), RUN, own, run)["X"] == expected


def test_the_log_level_of_the_agent_yields_to_that_of_a_run() -> None:
    name = "DAGFLOW__LOGGING__LEVEL"

    assert local_environment(told(), RUN, {name: "ERROR"})[name] == "DEBUG"
    assert local_environment(told(**{name: "INFO"}), RUN, {}, {name: "WARNING"})[name] == "WARNING"
    assert container_environment(told(), RUN, "etl:1", {name: "WARNING"})[name] == "WARNING"


@pytest.mark.parametrize("name", sorted(FIXED))
def test_nothing_overrides_the_fixed_set(name: str) -> None:
    wrong = {name: "wrong"}

    assert local_environment(told(**wrong), RUN, wrong, wrong)[name] == FIXED[name]
    assert pod_environment(told(**wrong), RUN, "etl:1", wrong)[name] == FIXED[name]


def test_a_container_may_be_told_another_address_and_nothing_else_of_the_fixed_set() -> None:
    wrong = dict.fromkeys(FIXED, "wrong")

    found = container_environment(told(), RUN, "etl:1", wrong)

    assert {name for name in FIXED if found[name] != FIXED[name]} == {"DAGFLOW__CLOUD__API"}


def test_the_path_for_modules_starts_where_the_process_does() -> None:
    own = {"PYTHONPATH": "/old"}

    assert local_environment(told(), RUN, own, None, "/work", ["/more"])["PYTHONPATH"] == "/work:/old:/more"
    assert local_environment(told(), RUN, {})["PYTHONPATH"] == os.getcwd()
