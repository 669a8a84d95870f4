"""Questions to states in the words of Prefect 2 and 3."""

from __future__ import annotations

import pytest

from dagflow.engine.state import (
    Cached,
    Cancelled,
    Cancelling,
    Failed,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Scheduled,
    Skipped,
    State,
    Success,
    TimedOut,
)

QUESTIONS = (
    "is_awaiting_retry", "is_cancelled", "is_cancelling", "is_completed", "is_crashed", "is_final", "is_late",
    "is_paused",
)  # fmt: skip


@pytest.mark.parametrize(
    ("state", "yes"),
    [
        (Success(), {"is_completed", "is_final"}),
        (Cached(), {"is_completed", "is_final"}),
        (Mapped(), {"is_completed", "is_final"}),
        (Skipped(), {"is_completed", "is_final"}),
        (Failed(), {"is_final"}),
        (TimedOut(), {"is_final"}),
        (Cancelled(), {"is_cancelled", "is_final"}),
        (Cancelling(), {"is_cancelling"}),
        (Retrying(), {"is_awaiting_retry"}),
        (Paused(), {"is_paused"}),
        (Running(), set()),
        (Pending(), set()),
        (Scheduled(), set()),
        (Scheduled(context={"late": True}), {"is_late"}),
        (Running(context={"late": True}), set()),
        (Failed(context={"reason": "infrastructure"}), {"is_crashed", "is_final"}),
        (Success(context={"reason": "infrastructure"}), {"is_completed", "is_final"}),
    ],
)
def test_a_state_answers_in_both_words(state: State, yes: set[str]) -> None:
    assert {one for one in QUESTIONS if getattr(state, one)()} == yes


def test_there_are_no_new_classes_of_states() -> None:
    assert {"Completed", "Crashed", "Late", "AwaitingRetry"}.isdisjoint(State.children(names_only=True))
