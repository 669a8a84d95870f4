"""States: hierarchy, content, equality, pickling."""

from __future__ import annotations

import datetime
import pickle
import threading
from typing import Any

import cloudpickle
import pendulum
import pytest

from dagflow.engine import state as states
from dagflow.engine.carried import Packed
from dagflow.engine.result import NoResult, Result
from dagflow.engine.state import (
    Cached,
    Cancelled,
    Cancelling,
    ClientFailed,
    Failed,
    Finished,
    Looped,
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
    TimedOut,
    TriggerFailed,
    ValidationFailed,
)
from dagflow.utilities.context import context
from dagflow.utilities.pickling import dumps

PARENTS = {
    Pending: State, Scheduled: Pending, Paused: Scheduled, Resume: Scheduled, Retrying: Scheduled,
    ClientFailed: states._MetaState, Submitted: states._MetaState, Queued: states._MetaState,
    Running: State, Cancelling: Running, Finished: State, Looped: Finished, Success: Finished, Cached: Success,
    Mapped: Success, Skipped: Success, Cancelled: Finished, Failed: Finished, TimedOut: Failed,
    TriggerFailed: Failed, ValidationFailed: Failed,
}  # fmt: skip
COLORS = {
    State: "#696969", Pending: "#7ebdff", Scheduled: "#ffab00", Paused: "#99a8e8", Resume: "#f58c0c",
    Retrying: "#f66a0a", ClientFailed: "#eb0000", Submitted: "#ffdf5d", Queued: "#ffea7f", Running: "#3d67ff",
    Cancelling: "#E8E8E8", Finished: "#003ccb", Looped: "#003ccb", Success: "#28a745", Cached: "#34d058",
    Mapped: "#003ccb", Skipped: "#62757f", Cancelled: "#bdbdbd", Failed: "#eb0000", TimedOut: "#ff4e33",
    TriggerFailed: "#ff5131", ValidationFailed: "#ff5131",
}  # fmt: skip
TRUE_OF = {
    "pending": {Pending, Scheduled, Paused, Resume, Retrying},
    "scheduled": {Scheduled, Paused, Resume, Retrying, Queued},
    "retrying": {Retrying},
    "queued": {Queued},
    "submitted": {Submitted},
    "meta_state": {ClientFailed, Submitted, Queued},
    "running": {Running, Cancelling},
    "finished": {
        Finished, Looped, Success, Cached, Mapped, Skipped, Cancelled, Failed, TimedOut, TriggerFailed,
        ValidationFailed,
    },
    "successful": {Success, Cached, Mapped, Skipped},
    "failed": {Failed, TimedOut, TriggerFailed, ValidationFailed},
    "skipped": {Skipped},
    "mapped": {Mapped},
    "cached": {Cached},
    "looped": {Looped},
}  # fmt: skip


@pytest.mark.parametrize("cls", PARENTS, ids=lambda cls: cls.__name__)
def test_each_state_has_its_place_its_colour_and_its_answers(cls: type[State]) -> None:
    state = cls()

    assert cls.__bases__ == (PARENTS[cls],)
    assert state.color == COLORS[cls]
    for question, yes in TRUE_OF.items():
        assert getattr(state, f"is_{question}")() is (cls in yes), question


def test_every_public_state_is_in_the_tables() -> None:
    assert {cls for cls in State.children() if cls.__module__ == "dagflow.engine.state"} == set(PARENTS)
    assert set(states.__all__) == {"State", *(cls.__name__ for cls in PARENTS)}


def test_children_and_parents_are_listed_without_private_classes() -> None:
    assert State.children(names_only=True).count("Mapped") == 1
    assert "_MetaState" not in State.children(names_only=True)
    assert Failed.children(include_self=True, names_only=True)[0] == "Failed"
    assert set(Scheduled.children(names_only=True)) >= {"Paused", "Resume", "Retrying"}
    assert Retrying.parents(names_only=True) == ["Scheduled", "Pending", "State"]


@pytest.mark.parametrize("cls", PARENTS, ids=lambda cls: cls.__name__)
def test_message_and_result_come_first(cls: type[State]) -> None:
    state = cls("why", 5, context={"a": 1}, cached_inputs={"x": Result(1)})

    assert (state.message, state.result, state.context["a"]) == ("why", 5, 1)
    assert state.cached_inputs["x"].value == 1
    with pytest.raises(TypeError):
        cls(nonsense=1)  # type: ignore[call-arg]


def test_extra_attributes_have_their_defaults() -> None:
    before = pendulum.now("UTC")

    assert Paused().start_time is None
    start = Scheduled().start_time
    assert start is not None and start >= before.subtract(seconds=1) and start.timezone_name == "UTC"
    assert Retrying().run_count == 1 and Looped().loop_count == 1
    assert Queued().start_time is not None
    assert Mapped().map_states == [] and Mapped(n_map_states=3).n_map_states == 3
    assert Mapped(map_states=[Success()]).n_map_states == 1
    assert Cached().cached_result_expiration is None and Cached().hashed_inputs is None


def test_counts_come_from_the_context_when_not_given() -> None:
    with context(task_run_count=4, task_loop_count=3, task_tags={"b", "a"}):
        retry, loop = Retrying(), Looped()

    assert retry.run_count == 4 and retry.context == {"tags": ["a", "b"], "task_run_count": 4}
    assert loop.loop_count == 3 and loop.context == {"tags": ["a", "b"]}


def test_naive_times_are_utc() -> None:
    naive = datetime.datetime(2024, 1, 2, 3)

    for state in (Scheduled(start_time=naive), Retrying(start_time=naive), Queued(start_time=naive)):
        assert state.start_time == pendulum.datetime(2024, 1, 2, 3)  # type: ignore[attr-defined]
        assert isinstance(state.start_time, pendulum.DateTime)  # type: ignore[attr-defined]
    cached = Cached(cached_result_expiration=naive)
    assert cached.cached_result_expiration == pendulum.datetime(2024, 1, 2, 3)


def test_a_result_is_wrapped_when_somebody_asks_for_the_wrapper() -> None:
    assert Success()._result is NoResult and Success().result is None
    assert Success(result=0).result == 0 and Success(result=0).has_result()
    assert Success(result=Result(5)).result == 5
    state = Success()
    state.result = 7
    assert state._result == Result(7)
    state._result = Result(8)  # type: ignore[assignment]
    assert state.result == 8


def test_meta_states_never_nest() -> None:
    inner = Retrying(run_count=2)

    assert Submitted(state=Queued(state=inner)).state is inner
    assert states.unwrapped(Queued(state=Submitted(state=inner))) is inner


def test_equality_looks_at_type_result_and_public_attributes() -> None:
    when = pendulum.datetime(2024, 1, 1)

    assert Success("a", result=1) == Success("b", result=1, context={"x": 1})
    assert Success(result=1) != Success(result=2) and Success() != Skipped()
    assert Success(cached_inputs={"x": 1}) != Success()
    assert Scheduled(start_time=when) == Scheduled(start_time=when) != Scheduled(start_time=when.add(days=1))
    assert Mapped(map_states=[Success()]) == Mapped(map_states=[Success()]) != Mapped(map_states=[Failed()])
    assert Retrying(start_time=when, run_count=1) != Retrying(start_time=when, run_count=2)
    assert Success() != "Success"
    assert len({Success(), Success()}) == 2


def test_repr_shows_type_and_message() -> None:
    assert repr(Failed("why")) == '<Failed: "why">' and repr(Failed()) == "<Failed>"


class Awkward(Exception):
    """An exception that pickles but cannot be made again."""

    def __reduce__(self) -> Any:
        return int, ("awkward",)


@pytest.mark.parametrize("state", [
    Success("m", result=[1]), Failed("m", result=ValueError("x")), Retrying("m", run_count=3),
    Mapped(map_states=[Success(result=1), None]), Cached(cached_parameters={"a": 1}), Submitted(state=Pending()),
    Paused(start_time=pendulum.datetime(2024, 1, 1)), Looped(loop_count=4),
], ids=lambda state: type(state).__name__)  # fmt: skip
def test_states_pickle(state: State) -> None:
    copy = pickle.loads(pickle.dumps(state))

    assert type(copy) is type(state) and copy.message == state.message
    assert repr(copy.result) == repr(state.result)
    if not isinstance(state.result, BaseException):
        assert copy == state


@pytest.mark.parametrize("error", [Awkward(), ValueError(threading.Lock())])
def test_an_exception_that_does_not_pickle_becomes_a_sentence(error: Exception) -> None:
    copy = cloudpickle.loads(cloudpickle.dumps(Failed(result=error)))

    assert "could not be pickled" in copy.result and type(error).__name__ in copy.result


def test_another_result_that_does_not_pickle_raises() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Success(result=threading.Lock()))


def test_a_packed_value_is_opened_by_whoever_looks_and_not_by_pickling() -> None:
    state = Success()
    state._value = Packed(dumps([1, 2]))

    sent = pickle.loads(pickle.dumps(state))

    assert type(sent._value) is Packed and sent.carried() is sent._value
    assert sent.result == [1, 2] and sent.carried() == [1, 2]


def test_a_stored_result_is_read_when_the_value_is_not_in_memory(tmp_path: Any) -> None:
    from dagflow.engine.results import LocalResult

    stored = LocalResult(dir=str(tmp_path), location="x").write(5)
    stored.value = None
    state, child = Success(result=stored), Success(result=stored.copy())

    assert state.load_result().result == 5
    assert Mapped(map_states=[child]).load_result().result == [5]
    inputs = Success(cached_inputs={"x": stored.copy()}).load_cached_results().cached_inputs
    assert inputs["x"].value == 5
