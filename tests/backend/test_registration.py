"""What is checked before a flow is registered, and what is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dagflow.core.flow import Flow
from dagflow.core.parameter import Parameter
from dagflow.exceptions import ClientError
from dagflow.run_configs import LocalRun
from dagflow.schedules import CronSchedule
from dagflow.storage import Local
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context
from tests.doubles import HttpDouble
from tests.served import small_flow


@pytest.mark.parametrize(
    "call",
    [
        lambda flow: flow.register("p"),
        lambda flow: flow.run_agent(),
        lambda flow: flow.deploy(),
        lambda flow: flow.serve("x"),
    ],
)
def test_inside_the_flows_block_it_is_refused_with_both_code_shapes(call: Any) -> None:
    with (
        Flow("open") as flow,
        pytest.raises(ValueError, match=r"(?s)inside its own `with` block.*Do this:.*instead of this:"),
    ):
        call(flow)


@pytest.mark.parametrize(("call", "args"), [("register", ()), ("run_agent", ()), ("deploy", ()), ("serve", ("x",))])
def test_while_the_flow_is_loaded_it_is_passed_over_with_a_warning(call: str, args: Any) -> None:
    with context(loading_flow=True), pytest.warns(UserWarning, match=f"call of flow.{call}.* is passed over"):
        assert getattr(Flow("loaded"), call)(*args) is None


def test_without_a_server_its_address_is_named_and_nothing_is_built(tmp_path: Path) -> None:
    flow = Flow("etl")

    with (
        set_temporary_config({"cloud.api": "http://127.0.0.1:9"}),
        pytest.raises(ClientError, match=r"http://127\.0\.0\.1:9/api/health cannot be reached.*`dagflow server start`"),
    ):
        flow.register("p")

    assert flow.storage is None and not (tmp_path / "home").exists()


def test_the_metadata_is_sent_completed(api: HttpDouble, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers["/api/projects?name=night&limit=200"] = 200, {"items": [{"id": "p", "name": "night"}]}
    api.answers["/api/flows/register"] = 200, {"id": "flow-id", "flow_group_id": "group-id"}
    flow = Flow("etl")

    with set_temporary_config({"cloud.api": api.url}):
        flow_id = flow.register("night", labels=["b"], add_default_labels=False, idempotency_key="k")

    method, path, _, body = api.requests[-1]
    assert (flow_id, method, path) == ("flow-id", "POST", "/api/flows/register")
    assert (body["project_id"], body["idempotency_key"]) == ("p", "k")
    assert list(body["flow"]["storage"]["flows"]) == ["etl"] and body["flow"]["run_config"]["labels"] == ["b"]
    assert flow.result is flow.storage.result
    assert "night" in capsys.readouterr().out


def test_a_project_is_needed() -> None:
    with pytest.raises(TypeError, match="needs a project"):
        Flow("etl").register()


def test_a_schedule_must_give_every_required_parameter(api: HttpDouble) -> None:
    flow = Flow("etl", schedule=CronSchedule("@daily"), tasks=[Parameter("day")], storage=Local())

    with (
        set_temporary_config({"cloud.api": api.url}),
        pytest.raises(ClientError, match=r"required parameters day\. Give each clock parameter_defaults"),
    ):
        flow.register("p")


def test_an_agent_takes_runs_with_the_labels_of_the_flow(served: InProcessServer) -> None:
    flow = small_flow(run_config=LocalRun(labels=["a", "b"]))

    flow.run_agent(max_polls=1, name="mine", hostname_label=False)

    [agent] = served.client().get("agents")["items"]
    assert (agent["name"], agent["labels"]) == ("mine", ["a", "b"])


def test_a_served_flow_has_an_agent_of_its_own_and_is_paused_afterwards(served: InProcessServer) -> None:
    small_flow().serve("mine", interval=3600, agent_options={"max_polls": 1})

    client = served.client()
    [agent] = client.get("agents")["items"]
    [deployment] = client.get("deployments", {"name": "mine"})["items"]
    assert deployment["labels"] == agent["labels"] and agent["labels"][0].startswith("serve-")
    assert deployment["schedule"] is not None and deployment["is_schedule_active"] is False


def test_a_flow_is_served_under_a_name_of_its_own() -> None:
    with pytest.raises(ValueError, match="under a name of its own"):
        small_flow().serve("default")
