"""The summary at the end of a run."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow.core.task import Task
from dagflow.engine.signals import FAIL
from dagflow.engine.state import Failed, Mapped, Pending, Retrying, Skipped, State, Success, TriggerFailed
from dagflow.engine.summary import printable, summary
from dagflow.tasks.core.constants import Constant


def timed(state: State, seconds: float) -> State:
    state.run_started, state.run_ended = 100.0, 100.0 + seconds
    return state


def flow_state(states: dict[Task, State], kind: type[State] = Failed) -> State:
    return timed(kind("Some reference tasks failed.", result=states), 75)


def test_states_are_counted_child_by_child_and_constants_left_out() -> None:
    text = summary(
        "etl",
        flow_state(
            {
                Task("one"): Success(),
                Constant(5): Success(),
                Task("many"): Mapped(map_states=[Success(), Success(), Failed(), None]),
                Task("not"): Skipped(),
                Task("later"): Pending(),
            }
        ),
    )

    assert text.splitlines()[:2] == [
        "Flow 'etl': Failed after 1 min 15 s. Some reference tasks failed.",
        "  states   3 Success, 1 Failed, 1 Pending, 1 Skipped",
    ]


def test_the_slowest_three_are_named_with_all_their_attempts() -> None:
    retried = timed(Success(), 1)
    retried.earlier_attempts = ((0.0, 7210.0, "Failed"),)
    states: dict[Task, State] = {
        Task("quick"): timed(Success(), 0.0004),
        Task("map"): Mapped(map_states=[timed(Success(), 0.5), timed(Success(), 12.34)]),
        Task("again"): retried,
    }

    assert "  slowest  again 2 h 0 min, map[1] 12.3 s, map[0] 500 ms" in summary("etl", flow_state(states))


def test_each_failure_is_named_with_the_last_line_of_its_exception() -> None:
    states: dict[Task, State] = {
        Task("load"): Failed("Error during execution", result=ValueError("first line\nsecond")),
        Task("bare"): Failed("message", result=KeyError()),
        Task("told"): Failed("the signal's words", result=FAIL("the signal's words")),
        Task("after"): TriggerFailed("some upstream failed"),
    }

    assert summary("etl", flow_state(states)).splitlines()[2:] == [
        "  failed   load: ValueError: first line",
        "           bare: KeyError",
        "           told: the signal's words",
        "           1 not run because of failures before them",
    ]


def test_many_failures_and_long_messages_are_cut() -> None:
    children: list[State | None] = [Failed(result=ValueError("x" * 5000)) for _ in range(100)]

    lines = summary("etl", flow_state({Task("map"): Mapped(map_states=children)})).splitlines()

    assert lines[-1].strip() == "and 80 more" and len(lines) == 23
    assert all(len(line) < 240 for line in lines)


def test_terminal_escapes_in_names_and_messages_are_shown_not_sent() -> None:
    evil = "\x1b[2J\x9b31m\r\n\x07\u202e"
    states: dict[Task, State] = {Task(f"name{evil}"): timed(Failed(evil, result=ValueError(evil)), 1)}
    state = flow_state(states)
    state.message = evil

    text = summary(f"flow{evil}", state)

    assert all(letter.isprintable() for letter in text.replace("\n", ""))
    assert "\\x1b[2J" in text


def test_an_exception_without_a_text_does_not_hide_the_run() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert "load: Mute" in summary("etl", flow_state({Task("load"): Failed(result=Mute())}))


@pytest.mark.parametrize("result", [{}, ValueError("cycle"), None])
def test_a_run_without_task_states_has_a_headline_only(result: Any) -> None:
    assert summary("etl", Failed("It broke.", result=result)) == "Flow 'etl': Failed. It broke."


def test_colours_are_added_on_demand_only() -> None:
    state = flow_state({Task("wait"): Retrying(), Task("load"): Failed()})

    assert "\x1b[" not in summary("etl", state) and "\x1b[31m1 Failed\x1b[0m" in summary("etl", state, color=True)


def test_printable_keeps_ordinary_text() -> None:
    assert printable("Zürich — 流れ") == "Zürich — 流れ"
    assert printable("tab\tlone \ud800") == "tab\\tlone \\ud800"
