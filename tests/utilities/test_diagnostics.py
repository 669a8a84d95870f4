"""Facts for a bug report, and nothing that is nobody's business."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dagflow.core.flow import Flow
from dagflow.core.parameter import Parameter
from dagflow.engine.results import S3Result
from dagflow.executors import LocalExecutor
from dagflow.run_configs import LocalRun
from dagflow.schedules import CronSchedule
from dagflow.storage import Local
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.diagnostics import diagnostic_info


def facts(flow: Flow | None = None, **kwargs: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(diagnostic_info(flow, **kwargs))
    return found


def test_the_system_is_described() -> None:
    system = facts()["system_information"]

    assert {"dagflow_version", "platform", "python_version"} <= set(system)
    assert "networkx" in system["packages"]


def test_overridden_settings_are_named_without_their_values() -> None:
    with set_temporary_config({"logging.level": "canary", "mine.own": "canary", "flows.checkpointing": False}):
        found = facts()

    assert found["config_overrides"]["logging"] == {"level": True}
    assert found["config_overrides"]["mine"] == {"own": True}
    assert "flows" not in found["config_overrides"] and "canary" not in json.dumps(found)


def test_names_of_secrets_are_shown_only_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGFLOW__CONTEXT__SECRETS__HIDDEN_NAME", "canary")
    monkeypatch.setenv("DAGFLOW__LOGGING__LEVEL", "canary")
    with set_temporary_config({"context.secrets.HIDDEN_NAME": "canary"}):
        without, with_names = facts(), facts(include_secret_names=True)

    assert "HIDDEN_NAME" not in json.dumps(without) and without["config_overrides"]["context"] == {"secrets": True}
    assert without["env_vars"] == ["DAGFLOW__LOGGING__LEVEL", "DAGFLOW__USER_CONFIG_PATH"]
    assert with_names["config_overrides"]["context"]["secrets"] == {"HIDDEN_NAME": True}
    assert "DAGFLOW__CONTEXT__SECRETS__HIDDEN_NAME" in with_names["env_vars"]
    assert "canary" not in json.dumps([without, with_names])


def test_a_flow_is_described_by_types_and_counts() -> None:
    flow = Flow(
        "canary",
        schedule=CronSchedule("7 7 7 7 *"),
        executor=LocalExecutor(),
        run_config=LocalRun(env={"CANARY": "canary"}),
        storage=Local(),
        result=S3Result("canary", location="canary"),
        tasks=[Parameter("canary", default="canary")],
    )

    described = json.loads(flow.diagnostics())["flow_information"]

    assert described["schedule"]["clocks"] == ["CronClock"]
    assert described["storage"]["type"] == "Local" and described["run_config"]["env"] is True
    assert (described["task_count"], described["parameter_count"], described["executor"]) == (1, 1, "LocalExecutor")
    assert "canary" not in json.dumps(described).lower()
