"""The progress machine: the order of completions never changes the outcome."""

from __future__ import annotations

import random

import pytest

from dagflow.core.flow import Flow
from dagflow.engine.progress import Settle
from dagflow.engine.state import Cancelled, Finished, Mapped, State
from dagflow.tasks.control_flow import case, merge
from tests.engine.flows import add, describe, everything, inverse, is_even, kinds, numbers, told
from tests.engine.machine import Machine


def outcome(machine: Machine, states: list[State]) -> dict[str, object]:
    return told({step.slug: state for step, state in zip(machine.plan.steps, states, strict=True)})


EXPECTED = outcome(machine := Machine(everything(), seed=-1, n=4), machine.run())


def test_the_flow_of_these_tests_shows_every_kind_of_end() -> None:
    text = str(EXPECTED)

    for kind in ("Success", "Failed", "TriggerFailed", "Skipped"):
        assert kind in text
    assert EXPECTED["none-1"] == []
    assert EXPECTED["Merge-1"] == ("Success", "<4>")
    assert EXPECTED["flat_total-1"] == ("Success", 12)
    assert EXPECTED["repaired-1"] == ("Success", "repaired")


@pytest.mark.parametrize("block", range(10))
def test_any_order_of_completions_gives_one_outcome(block: int) -> None:
    flow = everything()

    for seed in range(block * 60, block * 60 + 60):
        machine = Machine(flow, seed, n=4)

        assert outcome(machine, machine.run()) == EXPECTED, f"seed {seed}"


def test_cancellation_after_any_event_ends_every_run_once() -> None:
    flow = everything()
    total = _events_of(flow)

    for stop in range(1, total + 1):
        machine = Machine(flow, stop, n=4)
        before = machine.run(after=lambda progress, events, stop=stop: events < stop)  # type: ignore[misc]
        verdicts = machine.progress.cancelled("enough")
        for one in verdicts:
            assert isinstance(one, Settle)
            machine.progress.record(one.step, one.child, one.state)

        states = machine.progress.snapshot()
        assert all(_ended(state) for state in states)
        assert machine.progress.finished(0, None, Cancelled("late")) == []
        for old, new in zip(before, states, strict=True):
            if isinstance(old, Finished) and not isinstance(old, Mapped):
                assert new is old, "a finished state was lost"


def _events_of(flow: object) -> int:
    seen = []
    Machine(flow, 0, n=4).run(after=lambda progress, events: seen.append(events) or True)  # type: ignore[arg-type, func-returns-value]
    return len(seen)


def _ended(state: State) -> bool:
    if isinstance(state, Mapped):
        return all(child is not None and child.is_finished() for child in state.map_states)
    return state.is_finished()


def test_a_run_from_any_partial_set_of_states_ends_the_same_and_repeats_nothing_that_finished() -> None:
    flow = everything()
    whole = Machine(flow, 7, n=4)
    states = dict(zip(whole.plan.place, whole.run(), strict=True))
    draw = random.Random(3)

    for seed in range(150):
        known = {task: state for task, state in states.items() if draw.random() < 0.5}
        known = {task: _with_holes(state, draw) for task, state in known.items()}
        machine = Machine(flow, seed, known, n=4)

        result = outcome(machine, machine.run())

        assert result == EXPECTED, f"seed {seed}"
        for index, child in machine.executed:
            seed_state = known.get(machine.plan.steps[index].task)
            if child is not None and isinstance(seed_state, Mapped) and child < len(seed_state.map_states):
                assert seed_state.map_states[child] is None, "a finished child ran again"
            elif seed_state is not None and child is None:
                pytest.fail(f"{machine.plan.steps[index]} ran again although it had finished")


def _with_holes(state: State, draw: random.Random) -> State:
    """Return a mapped state in which some children are not known, as after a crash."""
    if not isinstance(state, Mapped):
        return state
    return Mapped(map_states=[child if draw.random() < 0.6 else None for child in state.map_states])


def small() -> Flow:
    with Flow("small") as flow:
        xs = numbers(3)
        inverses = inverse.map(xs)
        sums = add.map(inverses, inverses)
        kinds(sums)
        even = is_even(2)
        with case(even, True):
            a = describe(xs)
        with case(even, False):
            b = describe(2)
        merge(a, b)
    return flow


def test_a_run_from_every_subset_of_its_states_ends_the_same() -> None:
    flow = small()
    whole = Machine(flow, 1)
    states = dict(zip(whole.plan.place, whole.run(), strict=True))
    expected = outcome(whole, list(states.values()))
    tasks = [one for one in states if not one.is_constant]

    for subset in range(2 ** len(tasks)):
        known = {one: states[one] for place, one in enumerate(tasks) if subset >> place & 1}
        machine = Machine(flow, subset, known)

        assert outcome(machine, machine.run()) == expected, f"subset {subset:b}"
        again = {machine.plan.steps[index].task for index, child in machine.executed if child is None}
        assert not again & {one for one in known if not isinstance(states[one], Mapped)}
