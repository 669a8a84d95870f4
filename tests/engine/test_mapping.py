"""Mapping: how a task spreads, what its children find, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dagflow import Flow, Parameter, Task, context, task, unmapped
from dagflow.engine import FlowRunner
from dagflow.engine.signals import FAIL, SKIP
from dagflow.engine.state import Cached, Cancelled, Failed, Mapped, Skipped, State, Success, TriggerFailed
from dagflow.executors import LocalDaskExecutor
from dagflow.testing import ScriptedExecutor
from dagflow.triggers import all_failed, all_finished, any_successful, manual_only
from tests.engine.record import names


@task
def give(x: Any) -> Any:
    return x


@task
def inverse(x: Any) -> Any:
    return 1 / x


@task
def odd(x: int) -> int:
    if x % 2 == 0:
        raise SKIP("even")
    return x


@task
def add(x: Any, y: Any) -> Any:
    return x + y


@task(trigger=all_finished, skip_on_upstream_skip=False)
def whole(xs: Any) -> Any:
    return xs


@pytest.fixture(params=["local", "threads", "processes", "scripted"])
def executor(request: pytest.FixtureRequest) -> Any:
    if request.param == "local":
        return None
    if request.param == "scripted":
        return ScriptedExecutor(seed=3)
    return LocalDaskExecutor(request.param, num_workers=2)


def mapped(function: Task, *args: Any, executor: Any = None, **kwargs: Any) -> State:
    """Map *function* and return its state."""
    with Flow("f") as flow:
        one = function.map(*args, **kwargs)
    state: State = flow.run(executor=executor).result[one]
    return state


# --- width ---


def test_a_parent_says_that_it_spreads_and_holds_its_children() -> None:
    state = mapped(give, [1, 2])

    assert type(state) is Mapped and state.message == "Ready to proceed with mapping." and state.n_map_states == 2
    assert [type(child) for child in state.map_states] == [Success, Success] and state.result == [1, 2]


def test_the_shortest_input_decides_how_many_there_are(executor: Any) -> None:
    assert mapped(add, [1, 2, 3], [10, 20], executor=executor).result == [11, 22]


@pytest.mark.parametrize("empty", [[], (), "", range(0)])
def test_nothing_to_map_over_is_an_empty_map(empty: Any, executor: Any) -> None:
    with Flow("f") as flow:
        one = give.map(give(empty))
        two = give.map(one)
        reduced = whole(two)
    state = flow.run(executor=executor)

    assert isinstance(state.result[one], Mapped) and state.result[one].result == []
    assert isinstance(state.result[two], Mapped) and state.result[reduced].result == []
    assert state.is_successful()


def test_constants_and_parameters_can_be_mapped_over() -> None:
    with Flow("f") as flow:
        p = Parameter("p")
        one = add.map(p, [10, 20])

    assert flow.run(p=[1, 2]).result[one].result == [11, 22]


def test_text_is_mapped_by_character() -> None:
    assert mapped(give, "abc").result == ["a", "b", "c"]


def test_with_only_unmapped_inputs_a_task_runs_once(executor: Any) -> None:
    state = mapped(give, unmapped([1, 2]), executor=executor)

    assert type(state) is Success and state.result == [1, 2]


def test_unmapped_inputs_go_to_every_child(executor: Any) -> None:
    assert mapped(add, [[1], [2]], unmapped([5]), executor=executor).result == [[1, 5], [2, 5]]


def test_children_know_their_number() -> None:
    @task
    def look(x: Any) -> Any:
        return context.map_index, context.task_full_name

    with Flow("f") as flow:
        one, plain = look.map([7, 7]), look(1)
    state = flow.run()

    assert state.result[one].result == [(0, "look[0]"), (1, "look[1]")]
    assert state.result[plain].result == (None, "look")


def test_a_dependency_without_a_value_does_not_widen() -> None:
    with Flow("f") as flow:
        before = give([1, 2, 3, 4])
        one = give.map([1, 2], upstream_tasks=[unmapped(before)])

    assert flow.run().result[one].result == [1, 2]


def test_a_mapped_dependency_without_a_value_counts_as_an_input() -> None:
    with Flow("f") as flow:
        before = inverse.map([1, 0, 2])
        one = give.map([1, 2, 3, 4], upstream_tasks=[before])
    state = flow.run().result[one]

    assert names(state.map_states) == ["Success", "TriggerFailed", "Success"]


# --- what cannot be mapped over ---


@pytest.mark.parametrize(
    "value", [None, 3, {1, 2}, {"a": 1}, iter([1]), object(), 1.5], ids=lambda value: type(value).__name__
)
def test_what_has_no_items_by_number_fails_the_task_only(value: Any) -> None:
    with Flow("f") as flow:
        one = give.map(give(value))
        other = task(lambda: 1, name="other")()
    state = flow.run()

    assert type(state.result[one]) is Failed
    assert state.result[one].message == "At least one upstream state has an unmappable result."
    assert state.result[other].is_successful() and state.is_failed()


def test_a_dict_says_how_to_map_over_it() -> None:
    state = mapped(give, {"a": 1})

    assert isinstance(state.result, TypeError) and "list(d.items())" in str(state.result)


@pytest.mark.parametrize("trigger", [all_finished, all_failed, any_successful])
@pytest.mark.parametrize("error", [ValueError, FAIL])
def test_without_a_successful_upstream_there_is_nothing_to_map_over(trigger: Any, error: Any) -> None:
    def breaks() -> None:
        raise error

    with Flow("f") as flow:
        one = task(lambda x: x, name="one", trigger=trigger).map(task(breaks)())
    state = flow.run().result[one]

    assert type(state) is Failed and state.message == "No upstream states can be mapped over."


def test_one_successful_upstream_is_enough_and_the_children_decide() -> None:
    with Flow("f") as flow:
        failed = inverse(0)
        strict = add.map(failed, [1, 2])
        lax = task(lambda x, y: y, name="lax", trigger=all_finished).map(failed, [1, 2])
    state = flow.run()

    assert names(state.result[strict].map_states) == ["TriggerFailed"] * 2
    assert state.result[lax].result == [1, 2]


class Lazy:
    """Three items, the second of which cannot be had."""

    def __init__(self, length: Any = 3) -> None:
        self.length = length

    def __len__(self) -> Any:
        return self.length

    def __getitem__(self, number: int) -> int:
        if number == 1:
            raise RuntimeError("no item")
        return number * 10


def test_an_item_that_cannot_be_taken_fails_its_child_only(executor: Any) -> None:
    with Flow("f") as flow:
        one = give.map(give(Lazy()))
        lax = task(lambda x: type(x).__name__, name="lax", trigger=all_finished).map(give(Lazy()))
        other = task(lambda: 1, name="other")()
    state = flow.run(executor=executor)

    assert names(state.result[one].map_states) == ["Success", "TriggerFailed", "Success"]
    assert state.result[one].result[::2] == [0, 20]
    assert state.result[lax].result == ["int", "RuntimeError", "int"]
    assert state.result[other].is_successful()


def test_a_length_that_cannot_be_had_fails_the_task_only() -> None:
    with Flow("f") as flow:
        one = give.map(give(Lazy(length=-1)))
        other = task(lambda: 1, name="other")()
    state = flow.run()

    assert type(state.result[one]) is Failed and isinstance(state.result[one].result, ValueError)
    assert state.result[other].is_successful()


def test_arrays_and_frames_are_mapped_by_row_number(executor: Any) -> None:
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    with Flow("f") as flow:
        rows = task(lambda x: x.sum(), name="rows").map(give(numpy.arange(6).reshape(3, 2)))
        series = give.map(give(pandas.Series([4, 5])))
        frame = give.map(give(pandas.DataFrame({"a": [1, 2]})))
        single = give.map(give(numpy.array(7)))
        passed = task(lambda x: len(x), name="passed")(give(pandas.DataFrame({"a": [1, 2]})))
    state = flow.run(executor=executor)

    assert state.result[rows].result == [1, 5, 9]
    assert state.result[series].result == [4, 5]
    assert names(state.result[frame].map_states) == ["TriggerFailed"] * 2
    assert type(state.result[single]) is Failed
    assert state.result[passed].result == 2


# --- skips ---


def test_a_skipped_upstream_skips_the_parent() -> None:
    @task
    def skipped() -> Any:
        raise SKIP(result=[1, 2])

    with Flow("f") as flow:
        s = skipped()
        over, beside = give.map(s), add.map([1, 2], unmapped(s))
        tolerant = task(lambda x: x, name="tolerant", skip_on_upstream_skip=False).map(s)
    state = flow.run()

    assert type(state.result[over]) is type(state.result[beside]) is Skipped
    assert state.result[tolerant].result == [1, 2]


def test_skipped_children_taken_as_a_whole_skip_the_parent() -> None:
    with Flow("f") as flow:
        some = odd.map([1, 2, 3])
        one = add.map([[1], [2]], unmapped(some))

    assert type(flow.run().result[one]) is Skipped


def test_skipped_children_taken_one_by_one_skip_their_own_chain(executor: Any) -> None:
    with Flow("f") as flow:
        some = odd.map([1, 2, 3])
        one = give.map(some)
        two = give.map(one)
        reduced = whole(two)
    state = flow.run(executor=executor)

    assert names(state.result[two].map_states) == ["Success", "Skipped", "Success"]
    assert state.result[reduced].result == [1, None, 3]


# --- triggers ---


def test_a_parents_trigger_is_never_asked_only_its_childrens() -> None:
    asked: list[Any] = []

    def trigger(states: Any) -> bool:
        asked.append(context.map_index)
        return bool(context.map_index != 1)

    with Flow("f") as flow:
        one = task(lambda x: x, name="one", trigger=trigger).map([5, 6, 7])
    state = flow.run().result[one]

    assert asked == [0, 1, 2]
    assert names(state.map_states) == ["Success", "TriggerFailed", "Success"]


def test_children_of_a_manual_task_pause_one_by_one() -> None:
    with Flow("f") as flow:
        one = task(lambda x: x, name="one", trigger=manual_only).map([5, 6])
    state = FlowRunner(flow).run(return_tasks=[one])

    assert state.is_running() and names(state.result[one].map_states) == ["Paused", "Paused"]


def test_a_failed_unmapped_upstream_fails_every_child() -> None:
    with Flow("f") as flow:
        one = add.map([1, 2], unmapped(inverse(0)))

    assert names(flow.run().result[one].map_states) == ["TriggerFailed", "TriggerFailed"]


# --- maps of maps ---


def test_children_follow_children_by_number(executor: Any) -> None:
    with Flow("f") as flow:
        one = inverse.map([1, 0, 2])
        two = add.map(one, unmapped(1))
        three = add.map(two, one)
    state = flow.run(executor=executor)

    assert names(state.result[one].map_states) == ["Success", "Failed", "Success"]
    assert names(state.result[three].map_states) == ["Success", "TriggerFailed", "Success"]
    assert [state.result[three].result[place] for place in (0, 2)] == [3.0, 2.0]
    assert state.result[one].is_successful() and state.is_failed()


def test_maps_of_maps_of_maps_go_by_number_to_any_depth(executor: Any) -> None:
    with Flow("f") as flow:
        level = give.map(list(range(5)))
        for _ in range(12):
            level = add.map(level, unmapped(1))

    assert flow.run(executor=executor).result[level].result == [12, 13, 14, 15, 16]


def test_maps_of_different_width_are_zipped() -> None:
    with Flow("f") as flow:
        wide, narrow = give.map([1, 2, 3, 4]), give.map([10, 20])
        both = add.map(wide, narrow)
        mixed = add.map(both, [100, 200, 300])

    state = flow.run()

    assert state.result[both].result == [11, 22] and state.result[mixed].result == [111, 222]


def test_the_children_of_a_level_finish_before_the_next_in_one_thread() -> None:
    order: list[Any] = []

    def note(level: str, x: int) -> int:
        order.append((level, x))
        return x

    with Flow("f") as flow:
        one = task(note).map(unmapped("a"), [0, 1])
        task(note).map(unmapped("b"), one)
    flow.run()

    assert order == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


def test_a_child_need_not_wait_for_its_siblings_elsewhere() -> None:
    order: list[Any] = []

    def note(level: str, x: int) -> int:
        order.append((level, x))
        return x

    with Flow("f") as flow:
        one = task(note).map(unmapped("a"), [0, 1, 2])
        task(note).map(unmapped("b"), one)
    orders = []
    for seed in range(8):
        order.clear()
        flow.run(executor=ScriptedExecutor(seed=seed))
        orders.append([level for level, _ in order])

    assert any(found != sorted(found) for found in orders)


# --- taken as a whole ---


def test_one_failed_child_fails_who_takes_the_whole() -> None:
    with Flow("f") as flow:
        one = inverse.map([1, 0])
        plain = give(one)
        any_good = task(lambda xs: len(xs), name="any_good", trigger=any_successful)(one)
    state = flow.run()

    assert type(state.result[plain]) is TriggerFailed
    assert state.result[any_good].result == 2


def test_who_runs_all_the_same_finds_exceptions_signals_and_nothing_in_the_list(executor: Any) -> None:
    @task
    def any_end(x: int) -> Any:
        if x == 1:
            raise ValueError("broken")
        if x == 2:
            raise FAIL("failed")
        if x == 3:
            raise SKIP("skipped")
        return x

    with Flow("f") as flow:
        ends = any_end.map([0, 1, 2, 3])
        after = give.map(ends)
        first, second = whole(ends), whole(after)
    state = flow.run(executor=executor)

    assert [type(value).__name__ for value in state.result[first].result] == ["int", "ValueError", "FAIL", "SKIP"]
    kinds = [type(value).__name__ for value in state.result[second].result]
    assert kinds == ["int", "TRIGGERFAIL", "TRIGGERFAIL", "NoneType"]


def test_the_flow_fails_when_a_child_of_a_reference_task_does() -> None:
    with Flow("f") as flow:
        one = inverse.map([1, 0])
    state = flow.run()

    assert state.is_failed() and state.result[one].is_successful()


# --- from known states ---


def test_known_children_are_kept_and_unknown_ones_run() -> None:
    ran: list[int] = []

    def note(x: int) -> int:
        ran.append(x)
        return x

    with Flow("f") as flow:
        one = task(note).map([0, 1, 2, 3])
    kept = Success(result="kept")
    known = Mapped(map_states=[kept, None, Cancelled("stopped"), Failed(result="lost")])
    state = FlowRunner(flow).run(task_states={one: known}, return_tasks=[one])

    assert ran == [1]
    assert state.result[one].map_states[0] is kept
    assert names(state.result[one].map_states) == ["Success", "Success", "Cancelled", "Failed"]


def test_known_children_beyond_the_width_are_dropped() -> None:
    with Flow("f") as flow:
        one = give.map([0, 1])
    known = Mapped(map_states=[None, Success(result="kept"), Success(result="too many")])

    state = flow.run(task_states={one: known}).result[one]

    assert state.result == [0, "kept"]


def test_a_known_number_of_children_says_nothing_of_them() -> None:
    with Flow("f") as flow:
        one = give.map([0, 1])

    assert flow.run(task_states={one: Mapped(n_map_states=2)}).result[one].result == [0, 1]


def test_a_known_cached_child_is_checked_again() -> None:
    with Flow("f") as flow:
        one = give.map([0, 1])

    state = flow.run(task_states={one: Mapped(map_states=[Cached(result="old"), Success(result="kept")])}).result[one]

    assert state.result == [0, "kept"], "a task that caches nothing never takes a cached state"


def test_a_whole_list_known_from_elsewhere_is_mapped_over() -> None:
    with Flow("f") as flow:
        one = give.map([0, 1])
        two = give.map(one)

    assert flow.run(task_states={one: Success(result=[7, 8, 9])}).result[two].result == [7, 8, 9]


# --- many ---


def test_a_generator_function_is_mapped_over_by_its_list() -> None:
    @task
    def count() -> list[int]:
        def numbers() -> Iterator[int]:
            yield from range(3)

        return list(numbers())

    with Flow("f") as flow:
        one = give.map(count())

    assert flow.run().result[one].result == [0, 1, 2]


def test_a_hundred_thousand_children_are_no_trouble() -> None:
    with Flow("f") as flow:
        one = give.map(list(range(100_000)))
        total = task(lambda xs: sum(xs), name="total")(one)

    assert flow.run().result[total].result == sum(range(100_000))
