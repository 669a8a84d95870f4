"""What a run of a flow starts in: the flow's own state, and the parameters its tasks find in the context."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagflow.core.flow import Flow
from dagflow.core.parameter import Parameter
from dagflow.engine import FlowRunner
from dagflow.engine.results import LocalResult
from dagflow.engine.state import Failed, Pending, Scheduled, State, Success
from dagflow.testing import FakeClock
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context
from dagflow.utilities.tasks import task


@task
def parameters() -> dict[str, Any]:
    return dict(context.parameters)


def flow_with_parameters() -> Flow:
    with Flow("parameters") as flow:
        for parameter in (Parameter("given", default=1), Parameter("kept", default=[2]), Parameter("needed")):
            flow.add_task(parameter)
        parameters()
    return flow


def test_defaults_of_parameters_are_in_the_context() -> None:
    flow = flow_with_parameters()

    state = flow.run(given=10, needed=3)

    (asked,) = flow.get_tasks(name="parameters")
    assert state.result[asked].result == {"given": 10, "kept": [2], "needed": 3}


def test_a_runner_without_values_still_knows_the_defaults_and_only_those() -> None:
    flow = flow_with_parameters()
    (asked,) = flow.get_tasks(name="parameters")

    state = FlowRunner(flow).run(return_tasks=[asked])

    assert state.result[asked].result == {"given": 1, "kept": [2]}


def test_templates_may_name_a_parameter_that_keeps_its_default(tmp_path: Path) -> None:
    @task(result=LocalResult(dir=str(tmp_path)), target="{parameters[day]}.pkl", task_run_name="on {parameters[day]}")
    def load() -> str:
        return str(context.task_run_name)

    with Flow("templates") as flow:
        flow.add_task(Parameter("day", default="monday"))
        loaded = load()

    with set_temporary_config({"flows.checkpointing": True}):
        state = flow.run()

    assert state.result[loaded].result == "on monday"
    assert (tmp_path / "monday.pkl").is_file()


def test_handlers_see_a_flow_go_from_scheduled_to_running() -> None:
    seen: list[tuple[str, str]] = []

    def handler(flow: Flow, old: State, new: State) -> None:
        seen.append((type(old).__name__, type(new).__name__))

    Flow("f", state_handlers=[handler]).run()

    assert seen == [("Scheduled", "Running"), ("Running", "Success")]


def test_a_seed_that_lies_in_the_future_is_waited_for() -> None:
    fake = FakeClock(1_700_000_000.0)

    class Runner(FlowRunner):
        clock = fake

    later = Scheduled(start_time=datetime.fromtimestamp(1_700_000_060.0, UTC))
    with Flow("later") as flow:
        asked = parameters()

    state = flow.run(state=later, runner_cls=Runner)

    assert state.is_successful() and state.result[asked].is_successful()
    assert fake.now() >= 1_700_000_060.0


def test_a_finished_seed_names_every_task_as_not_run() -> None:
    flow = flow_with_parameters()

    state = flow.run(needed=1, state=Success("done elsewhere"))

    assert state.message == "done elsewhere"
    assert {type(one) for one in state.result.values()} == {Pending}
    assert state.result.keys() == flow.tasks


def test_a_handler_that_ends_the_flow_at_its_start_leaves_its_tasks_not_run() -> None:
    def refuse(flow: Flow, old: State, new: State) -> State | None:
        return Failed("not today") if new.is_running() else None

    with Flow("refused", state_handlers=[refuse]) as flow:
        asked = parameters()

    state = flow.run()

    assert state.is_failed() and state.result[asked] == Pending()
