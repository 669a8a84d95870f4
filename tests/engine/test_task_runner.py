"""``TaskRunner``: the steps of one task run and what follows from their order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
import pytest

from dagflow import Flow, Task, context, task
from dagflow.core.edge import Edge
from dagflow.engine import TaskRunner
from dagflow.engine.results import LocalResult
from dagflow.engine.signals import ENDRUN, FAIL, PAUSE, RETRY, SKIP, SUCCESS, TRIGGERFAIL, VALIDATIONFAIL
from dagflow.engine.state import (
    Cached,
    Cancelled,
    Failed,
    Mapped,
    Paused,
    Pending,
    Queued,
    Resume,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Submitted,
    Success,
    TriggerFailed,
    ValidationFailed,
)
from dagflow.triggers import all_failed, always_run, manual_only
from dagflow.utilities.configuration import set_temporary_config
from tests.engine.record import Changes

PAST = pendulum.datetime(2001, 1, 1)
FUTURE = pendulum.datetime(2101, 1, 1)


@task
def seven() -> int:
    return 7


@task
def show(key: str) -> Any:
    return context.get(key)


def told(key: str, state: State | None, **given: Any) -> Any:
    """Return what a run that starts in *state* finds in its context under *key*."""
    return TaskRunner(task(lambda: context.get(key), name="show", **given)).run(state).result


# --- where a run starts ---


@pytest.mark.parametrize(
    "start",
    [
        None,
        Pending(),
        Scheduled(start_time=PAST),
        Resume(),
        Paused(start_time=PAST),
        Retrying(start_time=PAST),
        Mapped(),
        Submitted(state=Pending()),
        Queued(state=Submitted(state=Scheduled(start_time=PAST))),
    ],
    ids=repr,
)
def test_a_run_starts_from_what_waits_to_run(start: State | None) -> None:
    assert TaskRunner(seven).run(start).result == 7


@pytest.mark.parametrize(
    "start",
    [
        Running(),
        Success(result=1),
        Failed(),
        Skipped(),
        Cancelled(),
        Scheduled(start_time=FUTURE),
        Retrying(start_time=FUTURE),
        Paused(start_time=FUTURE),
        Paused(),
    ],
    ids=repr,
)
def test_a_run_that_is_under_way_or_over_or_not_due_is_returned_unchanged(start: State) -> None:
    changes = Changes()

    assert TaskRunner(seven, state_handlers=[changes]).run(start) is start
    assert changes == []


def test_a_wrapped_state_that_is_not_due_is_returned_without_its_wrapping() -> None:
    inner = Scheduled(start_time=FUTURE)

    assert TaskRunner(seven).run(Submitted(state=Queued(state=inner))) is inner


@pytest.mark.parametrize(
    ("start", "count"),
    [
        (None, 1),
        (Retrying(start_time=PAST, run_count=3), 4),
        (Pending(context={"task_run_count": 5}), 5),
        (Resume(context={"task_run_count": 2}), 2),
    ],
)
def test_the_attempt_is_counted_on_from_the_state(start: State | None, count: int) -> None:
    assert told("task_run_count", start) == count


@pytest.mark.parametrize("start", [Resume(), Paused(start_time=PAST)])
def test_a_run_that_goes_on_after_a_pause_knows_it(start: State) -> None:
    assert told("resume", start) is True
    assert told("resume", start, trigger=manual_only) is True, "the trigger is told, too"
    assert told("resume", Pending()) is None


# --- what is upstream ---


def upstream(one: Task, **states: State) -> dict[Edge, State]:
    return {Edge(Task(name=key), one, key=key): state for key, state in states.items()}


def test_inputs_come_from_the_results_upstream() -> None:
    add = task(lambda x, y: x + y, name="add")

    assert TaskRunner(add).run(upstream_states=upstream(add, x=Success(result=1), y=Success(result=2))).result == 3


@pytest.mark.parametrize("waiting", [Pending(), Running(), Retrying(), Mapped(map_states=[Success(), None])], ids=repr)
def test_a_run_waits_for_what_is_unfinished_upstream(waiting: State) -> None:
    one = task(lambda x: x, name="one", trigger=always_run)
    start = Pending()

    assert TaskRunner(one).run(start, upstream_states=upstream(one, x=waiting)) is start


def test_through_a_mapped_edge_the_children_upstream_are_not_waited_for() -> None:
    one = Task()
    edge = Edge(Task(), one, key="x", mapped=True)

    parent = TaskRunner(one).run(
        upstream_states={edge: Mapped(map_states=[Success(), Pending()])}, is_mapped_parent=True
    )

    assert isinstance(parent, Mapped) and parent.n_map_states == 2


@pytest.mark.parametrize("trigger", [always_run, all_failed, manual_only])
def test_a_skip_upstream_comes_before_any_trigger(trigger: Any) -> None:
    one = task(lambda x: x, name="one", trigger=trigger)

    assert isinstance(TaskRunner(one).run(upstream_states=upstream(one, x=Skipped())), Skipped)


def test_skipped_children_skip_who_takes_the_whole() -> None:
    one = task(lambda x: x, name="one", trigger=always_run)
    mapped = Mapped(map_states=[Success(), Skipped()])

    assert isinstance(TaskRunner(one).run(upstream_states=upstream(one, x=mapped)), Skipped)


def test_a_task_may_tolerate_skips_and_then_takes_what_they_hold() -> None:
    one = task(lambda x: x, name="one", skip_on_upstream_skip=False)

    assert TaskRunner(one).run(upstream_states=upstream(one, x=Skipped(result=4))).result == 4


def test_the_signal_is_the_input_of_a_task_that_tolerates_a_skip() -> None:
    @task
    def skipped() -> None:
        raise SKIP("no need")

    with Flow("f") as flow:
        s = skipped()
        t = task(lambda x: x, name="taker", skip_on_upstream_skip=False)(s)

    assert isinstance(flow.run().result[t].result, SKIP)


def test_an_exception_upstream_is_the_input_of_a_task_that_runs_all_the_same() -> None:
    one = task(lambda x: x, name="one", trigger=all_failed)
    error = ValueError("broken")

    assert TaskRunner(one).run(upstream_states=upstream(one, x=Failed(result=error))).result is error


# --- looking a result up does not go past the trigger ---


@pytest.mark.parametrize("how", ["cache", "target"])
def test_a_result_that_was_found_does_not_save_a_run_whose_trigger_says_no(how: str, tmp_path: Any) -> None:
    if how == "cache":
        one = task(lambda x: x, name="one", cache_for=timedelta(days=1))
        start: State | None = Cached(result=1)
    else:
        one = task(lambda x: x, name="one", result=LocalResult(dir=str(tmp_path)), target="there")
        LocalResult(dir=str(tmp_path), location="there").write(1)
        start = None

    found = TaskRunner(one).run(start, upstream_states=upstream(one, x=Success(result=0)))
    refused = TaskRunner(one).run(start, upstream_states=upstream(one, x=Failed()))

    assert isinstance(found, Cached) and found.result == 1
    assert isinstance(refused, TriggerFailed)


def test_a_cached_state_that_fits_is_returned_itself_and_nobody_is_told() -> None:
    changes = Changes()
    one = task(lambda: 1 / 0, name="one", cache_for=timedelta(days=1), state_handlers=[changes])
    known = Cached("from before", result=1)

    assert TaskRunner(one).run(known) is known
    assert changes == []


# --- how a run ends ---


def test_a_run_that_ends_well_says_so() -> None:
    state = TaskRunner(seven).run()

    assert type(state) is Success and state.message == "Task run succeeded." and state.result == 7


def test_an_exception_is_the_result_of_the_run_it_ended() -> None:
    error = ValueError("broken")

    @task
    def broken() -> None:
        raise error

    state = TaskRunner(broken).run()

    assert type(state) is Failed and state.result is error
    assert state.message == "Error during execution of task: ValueError('broken')"


@pytest.mark.parametrize(
    ("signal", "kind"),
    [
        (FAIL("x"), Failed),
        (SKIP("x"), Skipped),
        (SUCCESS("x"), Success),
        (PAUSE("x"), Paused),
        (RETRY("x"), Retrying),
        (TRIGGERFAIL("x"), TriggerFailed),
        (VALIDATIONFAIL("x"), ValidationFailed),
    ],
)
def test_a_signal_becomes_its_state(signal: Any, kind: type[State]) -> None:
    @task
    def signalling() -> None:
        raise signal

    state = TaskRunner(signalling).run()

    assert type(state) is kind and state.message == "x" and state.result is signal


def test_a_run_may_be_ended_with_any_state() -> None:
    wanted = Cancelled("enough")

    @task
    def ends() -> None:
        raise ENDRUN(wanted)

    assert TaskRunner(ends).run() is wanted


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_wish_to_stop_the_program_leaves_the_run(error: type[BaseException]) -> None:
    @task
    def stops() -> None:
        raise error

    with Flow("f") as flow:
        stops()

    with pytest.raises(error):
        flow.run()
    assert "task_name" not in context, "the context of the run is gone"


# --- what goes wrong around the code ---


def raises(**values: Any) -> Any:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "options",
    [
        {"task_run_name": "{nothing_of_that_name}"},
        {"task_run_name": raises},
        {"result": LocalResult(), "target": "{nothing_of_that_name}"},
        {"cache_for": timedelta(1), "cache_validator": lambda *given: 1 / 0},
        {"max_retries": 1, "retry_delay": raises},
    ],
    ids=["name-template", "name-function", "target", "validator", "retry-delay"],
)
def test_an_exception_around_the_code_fails_the_run_and_its_handlers_hear(options: dict[str, Any]) -> None:
    changes = Changes()

    def fails() -> None:
        raise ValueError

    one = task(fails, state_handlers=[changes], **options)

    with context(caches={"fails": [Cached()]}):
        state = TaskRunner(one).run()

    assert type(state) is Failed and state.message is not None and state.message.startswith("Unexpected error: ")
    assert isinstance(state.result, KeyError | ZeroDivisionError | TypeError)
    assert changes[-1][1] == "Failed"


def test_a_store_that_cannot_write_fails_the_run() -> None:
    class Full(LocalResult):
        def write(self, value_: Any, **kwargs: Any) -> Any:
            raise OSError(28, "No space left on device")

    changes = Changes()
    one = task(lambda: 1, name="one", result=Full(), state_handlers=[changes])

    with set_temporary_config({"flows.checkpointing": True}):
        state = TaskRunner(one).run()

    assert state.is_failed() and "No space left" in str(state.result)
    assert changes == [("Pending", "Running"), ("Running", "Failed")]


@pytest.mark.parametrize("place", ["task_run_name", "cache_validator", "store"])
def test_a_signal_around_the_code_becomes_the_state_too(place: str) -> None:
    def skips(*args: Any, **kwargs: Any) -> Any:
        raise SKIP("elsewhere")

    class Skips(LocalResult):
        def write(self, value_: Any, **kwargs: Any) -> Any:
            return skips()

    options: dict[str, dict[str, Any]] = {
        "task_run_name": {"task_run_name": skips},
        "cache_validator": {"cache_for": timedelta(1), "cache_validator": skips},
        "store": {"result": Skips()},
    }

    with set_temporary_config({"flows.checkpointing": True}), context(caches={"one": [Cached()]}):
        state = TaskRunner(task(lambda: 1, name="one", **options[place])).run()

    assert isinstance(state, Skipped) and state.message == "elsewhere"


# --- the runner itself ---


def test_the_runner_stores_where_the_task_says_else_where_the_flow_says() -> None:
    own, flows = LocalResult(), LocalResult()

    assert TaskRunner(task(lambda: 1, name="a", result=own), flow_result=flows).result is own
    assert TaskRunner(seven, flow_result=flows).result == flows
    assert repr(TaskRunner(seven)) == "<TaskRunner: seven>"


def test_the_runner_gives_the_task_a_context() -> None:
    state = TaskRunner(task(lambda: (context.mine, context.task_name, context.map_index), name="one")).run(
        context={"mine": 3, "map_index": 2}
    )

    assert state.result == (3, "one", 2)
