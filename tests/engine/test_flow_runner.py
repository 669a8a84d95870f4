"""``FlowRunner``: one pass over a flow."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest

from dagflow import Flow, Parameter, Task, context, task
from dagflow.engine import (
    FlowRunner,
    TaskRunner,
    get_default_executor_class,
    get_default_flow_runner_class,
    get_default_task_runner_class,
)
from dagflow.engine.signals import PAUSE, SKIP
from dagflow.engine.state import (
    Cached,
    Failed,
    Mapped,
    Paused,
    Pending,
    Resume,
    Running,
    Scheduled,
    Skipped,
    State,
    Submitted,
    Success,
)
from dagflow.executors import LocalDaskExecutor, LocalExecutor
from dagflow.tasks.core.resource_manager import ResourceCleanupTask, ResourceSetupTask
from dagflow.utilities.configuration import set_temporary_config
from tests.engine.record import Changes


@task
def seven() -> int:
    return 7


def one_task_flow(one: Task = seven, **options: Any) -> tuple[Flow, Task]:
    with Flow("f", **options) as flow:
        bound = one()
    return flow, bound


# --- what it starts from ---


@pytest.mark.parametrize(
    "state",
    [Success(result={}), Failed(), Skipped(), Scheduled(start_time=pendulum.datetime(2101, 1, 1)), Paused()],
    ids=repr,
)
def test_a_finished_flow_or_one_for_later_is_returned_as_it_is(state: State) -> None:
    ran: list[int] = []
    flow, _ = one_task_flow(task(lambda: ran.append(1), name="one"))

    assert FlowRunner(flow).run(state=state) is state
    assert FlowRunner(flow).run(state=Submitted(state=state)) is state
    assert ran == []


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        (None, [("Pending", "Running"), ("Running", "Success")]),
        (Pending(), [("Pending", "Running"), ("Running", "Success")]),
        (Scheduled(), [("Scheduled", "Running"), ("Running", "Success")]),
        (Running(), [("Running", "Success")]),
    ],
    ids=repr,
)
def test_a_flow_is_set_running_and_then_ended(state: State | None, seen: list[Any]) -> None:
    changes = Changes()
    flow, _ = one_task_flow(state_handlers=[changes])

    assert FlowRunner(flow).run(state=state).is_successful()
    assert changes == seen


def test_a_handler_may_keep_a_flow_from_starting() -> None:
    ran: list[int] = []
    flow, _ = one_task_flow(
        task(lambda: ran.append(1), name="one"), state_handlers=[lambda flow, old, new: Failed("not now")]
    )

    assert FlowRunner(flow).run().message == "not now"
    assert ran == []


# --- what it returns ---


def test_only_the_states_asked_for_are_returned() -> None:
    flow, one = one_task_flow()

    assert FlowRunner(flow).run().result == {}
    assert FlowRunner(flow).run(return_tasks=[one]).result == {one: Success(result=7)}


def test_asking_for_a_strange_task_fails_the_flow() -> None:
    flow, _ = one_task_flow()

    state = FlowRunner(flow).run(return_tasks=[Task(name="stranger")])

    assert type(state) is Failed and "stranger" in str(state.result)


def test_one_pass_waits_for_nothing() -> None:
    @task
    def waits() -> None:
        raise PAUSE

    with Flow("f") as flow:
        first = waits()
        after = task(lambda x: x, name="after")(first)
        other = seven()
    state = FlowRunner(flow).run(return_tasks=[first, after, other])

    assert type(state) is Running
    assert (type(state.result[first]), type(state.result[after])) == (Paused, Pending)
    assert state.result[other].result == 7


def test_a_paused_task_goes_on_from_the_start_when_resumed() -> None:
    ran: list[Any] = []

    @task
    def gate() -> bool:
        ran.append(context.get("resume"))
        if not context.get("resume"):
            raise PAUSE("approve")
        return True

    flow, one = one_task_flow(gate)
    FlowRunner(flow).run()
    state = FlowRunner(flow).run(task_states={one: Resume()}, return_tasks=[one])

    assert ran == [None, True] and state.result[one].result is True


# --- known task states ---


def test_a_finished_task_is_not_run_and_nobody_is_told() -> None:
    changes = Changes()
    flow, one = one_task_flow(task(lambda: 1, name="one", state_handlers=[changes]))
    known = Success(result="known")

    state = FlowRunner(flow).run(task_states={one: known}, return_tasks=[one])

    assert state.result[one] is known and changes == []


@pytest.mark.parametrize("kind", [ResourceSetupTask, ResourceCleanupTask])
def test_setup_and_cleanup_run_again_whatever_is_known(kind: Any) -> None:
    assert kind.always_reruns


def test_secrets_are_looked_up_again_whatever_is_known() -> None:
    from dagflow.tasks.secrets import PrefectSecret

    with Flow("f") as flow:
        secret = PrefectSecret("KEY")
        flow.add_task(secret)
    with context(secrets={"KEY": "fresh"}):
        state = FlowRunner(flow).run(task_states={secret: Success(result="old")}, return_tasks=[secret])
        cached = FlowRunner(flow).run(task_states={secret: Failed()}, return_tasks=[secret])

    assert state.result[secret].result == cached.result[secret].result == "fresh"


def test_states_of_tasks_of_other_flows_do_no_harm() -> None:
    flow, one = one_task_flow()

    assert FlowRunner(flow).run(task_states={Task(): Failed()}, return_tasks=[one]).result[one].result == 7


def test_a_cached_state_is_checked_and_a_mapped_one_spread_again() -> None:
    with Flow("f") as flow:
        one = task(lambda x: x, name="one").map([1, 2])
        two = seven()
    known: dict[Task, State] = {one: Mapped(map_states=[Success(result=9), None]), two: Cached(result=8)}

    state = FlowRunner(flow).run(task_states=known, return_tasks=[one, two])

    assert state.result[one].result == [9, 2] and state.result[two].result == 7


# --- what it is given ---


def test_parameters_are_merged_key_by_key_with_explicit_values_winning() -> None:
    with Flow("f") as flow:
        a, b, c = (Parameter(name, default="default") for name in "abc")
        one = task(lambda a, b, c: (a, b, c), name="one")(a, b, c)
    state = FlowRunner(flow).run(
        parameters={"a": "given"}, context={"parameters": {"a": "context", "b": "context"}}, return_tasks=[one]
    )

    assert state.result[one].result == ("given", "context", "default")


def test_a_required_parameter_without_a_value_fails() -> None:
    with Flow("f") as flow:
        p = Parameter("p")
        flow.add_task(p)

    assert FlowRunner(flow).run(return_tasks=[p]).result[p].is_failed()


def test_the_executor_is_the_one_given_else_the_flows_else_the_configured() -> None:
    used: list[str] = []

    class Named(LocalExecutor):
        def __init__(self, name: str = "configured") -> None:
            self.name = name

        def start(self) -> Any:
            used.append(self.name)
            return super().start()

    flow, _ = one_task_flow(executor=Named("flow"))
    plain, _ = one_task_flow()
    FlowRunner(flow).run(executor=Named("given"))
    FlowRunner(flow).run()
    with set_temporary_config({"engine.executor.default_class": Named}):
        FlowRunner(plain).run()

    assert used == ["given", "flow", "configured"]


def test_an_executor_that_cannot_start_fails_the_flow() -> None:
    class Broken(LocalExecutor):
        def start(self) -> Any:
            raise ConnectionError("no cluster")

    flow, _ = one_task_flow()
    state = FlowRunner(flow).run(executor=Broken())

    assert type(state) is Failed and isinstance(state.result, ConnectionError)


def test_task_handlers_and_contexts_of_the_run_reach_the_tasks() -> None:
    changes = Changes()
    flow, one = one_task_flow(task(lambda: context.mine, name="one"))

    state = FlowRunner(flow).run(
        task_runner_state_handlers=[changes], task_contexts={one: {"mine": 4}}, return_tasks=[one]
    )

    assert state.result[one].result == 4
    assert changes == [("Pending", "Running"), ("Running", "Success")]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_a_wish_to_stop_the_program_leaves_the_flow(error: type[BaseException], scheduler: str) -> None:
    def stops() -> None:
        raise error

    flow, _ = one_task_flow(task(stops))

    with pytest.raises(error):
        flow.run(executor=LocalDaskExecutor(scheduler, num_workers=2))
    assert "flow_name" not in context


def test_a_task_that_leaves_its_worker_process_fails_alone() -> None:
    def leaves() -> None:
        raise SystemExit(4)

    with Flow("f") as flow:
        one, two = task(leaves)(), seven()
    state = flow.run(executor=LocalDaskExecutor("processes", num_workers=1))

    assert state.result[one].is_failed() and state.result[two].result == 7


def test_a_flow_may_be_run_inside_a_task() -> None:
    inner, seven_inside = one_task_flow()

    @task
    def outer(x: int) -> Any:
        found = inner.run().result[seven_inside].result
        return found, context.task_name, context.map_index, context.flow_name

    with Flow("outer") as flow:
        one = outer.map([1, 2])
    expected = [(7, "outer", 0, "outer"), (7, "outer", 1, "outer")]

    assert flow.run().result[one].result == expected
    assert flow.run(executor=LocalDaskExecutor("threads")).result[one].result == expected
    assert flow.run(executor=LocalDaskExecutor("processes", num_workers=1)).result[one].result == expected


def test_a_skip_in_an_inner_flow_stays_inside() -> None:
    @task
    def skips() -> None:
        raise SKIP

    inner, _ = one_task_flow(skips)
    flow, one = one_task_flow(task(lambda: inner.run().is_successful(), name="one"))

    assert flow.run().result[one].result is True


# --- the classes the configuration names ---


class MyRunner(FlowRunner):
    """A runner of the user's."""


@pytest.mark.parametrize(
    ("key", "get", "default"),
    [
        ("engine.executor.default_class", get_default_executor_class, LocalExecutor),
        ("engine.flow_runner.default_class", get_default_flow_runner_class, FlowRunner),
        ("engine.task_runner.default_class", get_default_task_runner_class, TaskRunner),
    ],
)
def test_classes_come_from_the_configuration(key: str, get: Any, default: type) -> None:
    assert get() is default
    with set_temporary_config({key: MyRunner}):
        assert get() is MyRunner
    with set_temporary_config({key: "decimal.Decimal"}):
        assert get().__name__ == "Decimal", "imported when it was not"
    for wrong in ("no.such.module", "dagflow.no_such_name", "dagflow.engine.no.Such"):
        with set_temporary_config({key: wrong}), pytest.warns(UserWarning, match=wrong):
            assert get() is default


def test_a_configured_runner_runs_the_flow() -> None:
    ran: list[int] = []

    class Noted(FlowRunner):
        def run(self, *args: Any, **kwargs: Any) -> State:
            ran.append(1)
            return super().run(*args, **kwargs)

    flow, one = one_task_flow()
    with set_temporary_config({"engine.flow_runner.default_class": Noted}):
        assert flow.run().result[one].result == 7
    assert ran == [1]
