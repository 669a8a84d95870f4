"""Cached results: recorded by a run, found by later ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
import pytest

from dagflow import Flow, Parameter, context, task
from dagflow.engine import FlowRunner
from dagflow.engine.cache_validators import all_inputs, all_parameters, duration_only, partial_inputs_only
from dagflow.engine.results import LocalResult
from dagflow.engine.signals import SKIP
from dagflow.engine.state import Cached, Success
from dagflow.executors import LocalDaskExecutor
from tests.engine.record import Changes, Waits, names

HOUR = timedelta(hours=1)


class Counted:
    """A function that notes its calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __call__(self, x: Any) -> Any:
        self.calls.append(x)
        return x * 2


def cached_flow(function: Any, value: Any, *, mapped: bool = False, **options: Any) -> tuple[Flow, Any]:
    with Flow("f") as flow:
        one = task(function, **{"name": "slow", "cache_for": HOUR, **options})
        bound = one.map(value) if mapped else one(value)
    return flow, bound


def double(x: int) -> int:
    return x * 2


# --- recording ---


def test_a_success_becomes_cached_with_what_later_runs_ask_about() -> None:
    changes, clock = Changes(), Waits()
    with Flow("f") as flow:
        p = Parameter("p")
        one = task(double, cache_for=HOUR, state_handlers=[changes])(p)
    state = flow.run(p=3, runner_cls=clock.runner).result[one]

    assert changes == [("Pending", "Running"), ("Running", "Success"), ("Success", "Cached")]
    assert type(state) is Cached and state.result == 6 and state.message == "Task run succeeded."
    assert state.cached_parameters == {"p": 3}
    assert state.hashed_inputs is not None and list(state.hashed_inputs) == ["x"]
    assert state.cached_result_expiration == pendulum.from_timestamp(clock.now() + 3600)


@pytest.mark.parametrize("error", [ValueError, SKIP])
def test_only_real_successes_are_recorded(error: Any) -> None:
    def breaks(x: int) -> None:
        raise error

    flow, one = cached_flow(breaks, 1)

    assert not flow.run().result[one].is_cached()
    assert not context.get("caches", {}).get("slow")


def test_a_bare_runner_records_nothing_for_later() -> None:
    function = Counted()
    flow, one = cached_flow(function, 1)

    for _ in range(2):
        assert FlowRunner(flow).run(return_tasks=[one]).result[one].is_cached()

    assert len(function.calls) == 2


# --- finding ---


def test_a_later_run_takes_what_an_earlier_one_recorded() -> None:
    function = Counted()
    flow, one = cached_flow(function, 4)

    first, second = flow.run().result[one], flow.run().result[one]

    assert function.calls == [4]
    assert second.is_cached() and second.result == 8 and second.message == first.message


def test_other_flows_share_by_name_unless_a_key_is_given() -> None:
    function = Counted()
    named, keyed, other = (
        cached_flow(function, 1)[0],
        cached_flow(function, 1, name="b", cache_key="shared")[0],
        cached_flow(function, 1, name="c", cache_key="shared")[0],
    )

    named.run()
    cached_flow(function, 1)[0].run()
    assert len(function.calls) == 1
    keyed.run()
    other.run()
    assert len(function.calls) == 2
    assert sorted(context.caches) == ["shared", "slow"]


def test_the_first_candidate_that_fits_wins() -> None:
    kept = [
        Cached("expired", result=1, cached_result_expiration=pendulum.datetime(2001, 1, 1)),
        Cached("first", result=2),
        Cached("second", result=3),
    ]
    flow, one = cached_flow(double, 9)

    with context(caches={"slow": kept}):
        state = flow.run().result[one]

    assert (state.message, state.result) == ("first", 2)


def test_an_expired_result_is_neither_used_nor_kept() -> None:
    function = Counted()
    flow, _ = cached_flow(function, 1)
    kept = {"slow": [Cached(result=1, cached_result_expiration=pendulum.datetime(2001, 1, 1))]}

    with context(caches=kept):
        flow.run()

    assert function.calls == [1]
    assert [one.result for one in kept["slow"]] == [2]


def test_other_inputs_or_parameters_run_again() -> None:
    function = Counted()
    with Flow("f") as flow:
        p = Parameter("p")
        flow.add_task(Parameter("q", default=0))
        task(function, name="by_inputs", cache_for=HOUR, cache_validator=all_inputs)(p)
        task(function, name="by_parameters", cache_for=HOUR, cache_validator=all_parameters)(7)
    for values in ({"p": 1}, {"p": 1}, {"p": 2}, {"p": 2, "q": 1}, {"p": 1}):
        flow.run(parameters=values)

    assert [call for call in function.calls if call != 7] == [1, 2]
    assert function.calls.count(7) == 3


def test_a_validator_of_ones_own_may_read_the_context() -> None:
    asked: list[Any] = []

    def validator(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:
        asked.append((type(state), inputs, parameters, context.task_name))
        return False

    function = Counted()
    with Flow("f") as flow:
        p = Parameter("p", default=5)
        task(function, name="slow", cache_for=HOUR, cache_validator=validator)(p)
    flow.run(p=6)
    flow.run(p=6)

    assert function.calls == [6, 6]
    assert asked == [(Cached, {"x": 6}, {"p": 6}, "slow")]


@pytest.mark.parametrize(
    ("known", "options", "ran"),
    [
        (Cached(result=50), {}, False),
        (Cached(result=50, cached_result_expiration=pendulum.datetime(2001, 1, 1)), {}, True),
        (Cached(result=50, hashed_inputs={"x": "other"}), {"cache_validator": all_inputs}, True),
        (Cached(result=50, hashed_inputs={"x": "other"}), {"cache_validator": partial_inputs_only(["y"])}, False),
        (Cached(result=50), {"cache_for": None}, True),
    ],
    ids=["fits", "expired", "other-inputs", "other-names", "no-caching"],
)
def test_a_cached_state_from_elsewhere_is_checked(known: Cached, options: dict[str, Any], ran: bool) -> None:
    function = Counted()
    flow, one = cached_flow(function, 1, **options)

    state = flow.run(task_states={one: known})

    assert bool(function.calls) is ran
    assert state.result[one].result == (2 if ran else 50)


# --- children ---


@pytest.mark.parametrize("validator", [duration_only, all_inputs])
@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_each_child_takes_what_it_recorded_itself(validator: Any, scheduler: str) -> None:
    flow, one = cached_flow(double, [1, 2, 3], mapped=True, cache_validator=validator)

    for _ in range(3):
        state = flow.run(executor=LocalDaskExecutor(scheduler, num_workers=1))

        assert state.result[one].result == [2, 4, 6]
        assert names(state.result[one].map_states) == ["Cached"] * 3
    assert len(context.caches["slow"]) == 3, "a hit is not recorded again"


def test_a_plain_run_does_not_take_a_childs_result_nor_a_child_a_plain_ones() -> None:
    function = Counted()
    cached_flow(function, [1, 2], mapped=True)[0].run()
    flow, one = cached_flow(function, 5)

    assert flow.run().result[one].result == 10
    wider, children = cached_flow(function, [8, 8, 8], mapped=True)
    assert wider.run().result[children].result == [2, 4, 16]


def test_a_hit_is_recorded_once_also_when_it_came_back_from_another_process() -> None:
    flow, _ = cached_flow(double, 3)

    for _ in range(3):
        flow.run(executor=LocalDaskExecutor("processes", num_workers=1))

    assert len(context.caches["slow"]) == 1


def test_runs_that_share_a_cached_state_keep_their_own_times() -> None:
    flow, one = cached_flow(double, 3)
    first = flow.run().result[one]
    times = first.run_started, first.run_ended

    second = flow.run().result[one]

    assert (first.run_started, first.run_ended) == times
    assert second is not first and second == first


def test_values_that_do_not_say_whether_they_are_equal_can_be_parameters() -> None:
    numpy = pytest.importorskip("numpy")
    function = Counted()
    with Flow("f") as flow:
        p = Parameter("p")
        task(lambda x: len(x), name="slow", cache_for=HOUR, cache_validator=all_parameters)(p)
        task(function, name="other", cache_for=HOUR)(1)

    for _ in range(2):
        assert flow.run(p=numpy.arange(3)).is_successful()

    assert [len(kept) for kept in context.caches.values()] == [1, 1]


def test_the_caches_may_be_given_or_cleared() -> None:
    function = Counted()
    flow, _ = cached_flow(function, 1)

    flow.run()
    with context(caches={}):
        flow.run()
    flow.run()
    context.pop("caches", None)
    flow.run()

    assert len(function.calls) == 3


def test_many_children_are_looked_up_by_number() -> None:
    flow, one = cached_flow(double, list(range(3000)), mapped=True)

    flow.run()
    state = flow.run()

    assert state.result[one].result == [2 * x for x in range(3000)]
    assert all(type(child) is Cached for child in state.result[one].map_states)


def test_a_cached_state_without_its_value_reads_it(tmp_path: Any) -> None:
    store = LocalResult(dir=str(tmp_path), location="value")
    written = store.write(41)
    flow, one = cached_flow(double, 1, result=store)

    state = flow.run(task_states={one: Cached(result=store.format().from_value(None))})
    located = store.format()
    located.value = None
    located.location = written.location
    read = flow.run(task_states={one: Cached(result=located)})

    assert state.result[one].result is None
    assert read.result[one].result == 41


def test_a_cached_value_that_is_damaged_fails_the_task_only(tmp_path: Any) -> None:
    store = LocalResult(dir=str(tmp_path), location="value")
    written = store.write(41)
    (tmp_path / "value").write_bytes(b"garbage")
    located = store.format()
    located.location = written.location
    with Flow("f") as flow:
        one = task(double, cache_for=HOUR, result=store)(1)
        other = task(double, name="other")(2)

    state = flow.run(task_states={one: Cached(result=located), other: Success(result=4)})

    assert state.result[one].is_failed() and str(written.location) in str(state.result[one].result)
    assert state.result[other].result == 4
