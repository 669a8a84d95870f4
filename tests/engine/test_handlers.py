"""State handlers: who is called, in which order, and what their answers change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dagflow import Flow, task
from dagflow.engine import FlowRunner, TaskRunner
from dagflow.engine.signals import FAIL, PAUSE, SKIP
from dagflow.engine.state import Cancelled, Failed, Mapped, Paused, Pending, Resume, Running, Skipped, State, Success
from dagflow.executors import LocalDaskExecutor
from tests.engine.record import Changes, names


@task
def follow(x: Any) -> Any:
    return x


def on(kind: type[State], act: Any) -> Any:
    """Return a handler that calls *act* when the new state is of *kind*."""

    def handler(subject: Any, old: State, new: State) -> Any:
        return act(new) if isinstance(new, kind) else None

    return handler


def raising(error: BaseException | type[BaseException]) -> Any:
    def act(new: State) -> None:
        raise error

    return act


# --- order ---


def test_each_handler_sees_what_the_one_before_it_returned() -> None:
    seen: list[tuple[str, Any]] = []

    def handler(name: str, answer: Any) -> Any:
        def see(subject: Any, old: State, new: State) -> Any:
            if new.is_finished():
                seen.append((name, new.result))
                return answer
            return None

        return see

    handlers = [handler("a", Success(result=2)), handler("b", None), handler("c", Success(result=3))]
    one = task(lambda: 1, name="one", state_handlers=handlers)
    runners = handler("runner", None)

    state = TaskRunner(one, state_handlers=[runners]).run()

    assert seen == [("a", 1), ("b", 2), ("c", 2), ("runner", 3)]
    assert state.result == 3


def test_handlers_are_called_with_the_task_and_those_of_the_runner_with_the_runner() -> None:
    seen: list[Any] = []
    one = task(lambda: 1, name="one", state_handlers=[lambda subject, old, new: seen.append(subject)])

    with Flow("f") as flow:
        bound = one()
    flow.run(task_runner_state_handlers=[lambda subject, old, new: seen.append(subject)])

    assert seen[0] is seen[2] is bound
    assert isinstance(seen[1], TaskRunner) and isinstance(seen[3], TaskRunner) and seen[1].task is bound


def test_flow_handlers_see_the_start_and_the_end() -> None:
    flows, runners = Changes(), Changes()
    with Flow("f", state_handlers=[flows]) as flow:
        follow(1)

    FlowRunner(flow, state_handlers=[runners]).run()

    assert flows == runners == [("Pending", "Running"), ("Running", "Success")]


def test_flow_handlers_do_not_see_a_pass_that_ends_unfinished() -> None:
    flows = Changes()
    with Flow("f", state_handlers=[flows]) as flow:
        task(raising(PAUSE()), name="waits")(1)

    assert FlowRunner(flow).run().is_running()
    assert flows == [("Pending", "Running")]


def test_what_does_not_change_is_not_announced() -> None:
    changes = Changes()
    done = Success(result=1)

    with Flow("f") as flow:
        one = task(lambda: 2, name="one", state_handlers=[changes])()
    flow.run(task_states={one: done})

    assert changes == []


def test_a_parent_is_announced_once_and_each_child_for_itself() -> None:
    parents, children = Changes(), Changes()

    def note(subject: Any, old: State, new: State) -> None:
        (parents if isinstance(new, Mapped) else children)(subject, old, new)

    with Flow("f") as flow:
        task(lambda x: x, name="one", state_handlers=[note]).map([1, 2])
    flow.run()

    assert parents == [("Pending", "Mapped")]
    assert children == [("Pending", "Running"), ("Running", "Success")] * 2


def test_verdicts_are_announced_too() -> None:
    changes = Changes()

    with Flow("f") as flow:
        failed = task(raising(ValueError), name="failed")(1)
        skipped = task(raising(SKIP()), name="skipped")(1)
        task(lambda x: x, name="a", state_handlers=[changes])(failed)
        task(lambda x: x, name="b", state_handlers=[changes])(skipped)
    flow.run()

    assert sorted(changes) == [("Pending", "Skipped"), ("Pending", "TriggerFailed")]


# --- answers ---


def test_a_failure_may_be_turned_into_a_success_which_is_not_retried() -> None:
    changes = Changes()
    handlers = [changes, on(Failed, lambda new: Success("patched", result=-1))]

    with Flow("f") as flow:
        risky = task(lambda: 1 / 0, name="risky", max_retries=3, retry_delay=timedelta(0), state_handlers=handlers)()
        after = follow(risky)
    state = flow.run()

    assert changes == [("Pending", "Running"), ("Running", "Failed")]
    assert state.is_successful() and state.result[after].result == -1
    assert state.result[risky].message == "patched"


def test_a_success_may_be_turned_into_a_failure_which_is_retried() -> None:
    changes = Changes()
    handlers = [changes, on(Success, lambda new: Failed("too good"))]
    one = task(lambda: 1, name="one", max_retries=1, retry_delay=timedelta(0), state_handlers=handlers)

    assert TaskRunner(one).run().is_retrying()
    assert changes[-1] == ("Failed", "Retrying")


@pytest.mark.parametrize("kind", [Running, Success])
def test_an_exception_in_a_handler_fails_the_run_and_the_later_handlers_are_not_called(kind: type[State]) -> None:
    ran: list[int] = []
    later = Changes()
    handlers = [on(kind, raising(ZeroDivisionError("oh"))), later]
    with Flow("f") as flow:
        one = task(lambda: ran.append(1), name="one", state_handlers=handlers)()
    state = flow.run()

    found = state.result[one]
    assert state.is_failed() and isinstance(found, Failed) and isinstance(found.result, ZeroDivisionError)
    assert found.message == "Unexpected error while calling state handlers: ZeroDivisionError('oh')"
    assert later == ([] if kind is Running else [("Pending", "Running")])
    assert ran == ([] if kind is Running else [1])


@pytest.mark.parametrize(("signal", "kind"), [(PAUSE("hm"), Paused), (SKIP("hm"), Skipped), (FAIL("hm"), Failed)])
def test_a_signal_in_a_handler_becomes_the_state_and_the_code_does_not_run(signal: Any, kind: type[State]) -> None:
    ran: list[int] = []
    one = task(lambda: ran.append(1), name="one", state_handlers=[on(Running, raising(signal))])

    state = TaskRunner(one).run()

    assert type(state) is kind and state.message == "hm" and ran == []


@pytest.mark.parametrize("garbage", [3, "Success", Success, True, [Success()]])
def test_an_answer_that_is_no_state_fails_the_run(garbage: Any) -> None:
    one = task(lambda: 1, name="one", state_handlers=[on(Success, lambda new: garbage)])

    state = TaskRunner(one).run()

    assert isinstance(state, Failed) and isinstance(state.result, TypeError) and "return a State" in str(state.result)


def test_a_handler_that_gives_the_old_state_back_stops_the_run_before_its_code() -> None:
    ran: list[int] = []
    one = task(lambda: ran.append(1), name="one", state_handlers=[lambda subject, old, new: old])

    first, second = TaskRunner(one).run(), TaskRunner(one).run()

    assert type(first) is Pending and ran == []
    assert first is not second, "what is noted on one must not show on the other"


def test_a_handler_may_change_the_state_it_is_given() -> None:
    def mutate(subject: Any, old: State, new: State) -> None:
        if new.is_successful():
            new.result, new.message = 10, "changed"

    with Flow("f") as flow:
        one = task(lambda: 1, name="one", state_handlers=[mutate])()
        after = follow(one)
    state = flow.run()

    assert (state.result[one].message, state.result[after].result) == ("changed", 10)


# --- the parent of a map ---


@pytest.fixture(params=["local", "threads"])
def executor(request: pytest.FixtureRequest) -> Any:
    return None if request.param == "local" else LocalDaskExecutor("threads", num_workers=2)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda new: Mapped("mine"), [0, 1, 2]),
        (lambda new: Mapped(map_states=[Success(result=9)]), [0, 1, 2]),
        (lambda new: Mapped(map_states=[None] * 7), [0, 1, 2]),
        (lambda new: Success(result=[5, 6]), [5, 6]),
        (lambda new: Failed("no"), None),
        (lambda new: Skipped("no"), None),
        (lambda new: Cancelled("no"), None),
    ],
    ids=["mapped", "shorter", "longer", "value", "failed", "skipped", "cancelled"],
)
def test_a_parent_may_become_something_else(answer: Any, expected: Any, executor: Any) -> None:
    with Flow("f") as flow:
        one = task(lambda x: x, name="one", state_handlers=[on(Mapped, answer)]).map([0, 1, 2])
        after = follow.map(one)
        whole = follow(one)
    state = flow.run(executor=executor)

    if expected is None:
        assert type(state.result[whole]) is type(state.result[after]) or state.result[after].is_failed()
        assert not state.result[whole].has_result() or not state.result[whole].is_successful()
    else:
        assert state.result[after].result == state.result[whole].result == expected


def test_a_paused_parent_goes_on_when_resumed() -> None:
    def pause_first(subject: Any, old: State, new: State) -> None:
        if new.is_mapped() and type(old) is Pending:
            raise PAUSE

    with Flow("f") as flow:
        one = task(lambda x: x, name="one", state_handlers=[pause_first]).map([0, 1])

    paused = FlowRunner(flow).run(return_tasks=[one])
    still = FlowRunner(flow).run(task_states={one: Paused()}, return_tasks=[one])
    resumed = FlowRunner(flow).run(task_states={one: Resume()}, return_tasks=[one])

    assert isinstance(paused.result[one], Paused) and paused.is_running()
    assert isinstance(still.result[one], Paused)
    assert resumed.result[one].result == [0, 1] and names(resumed.result[one].map_states) == ["Success"] * 2
