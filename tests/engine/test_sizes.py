"""How many children travel together."""

from __future__ import annotations

from dagflow.engine.sizes import BatchSize


def test_nothing_known_means_one_by_one() -> None:
    assert BatchSize().next(100_000, hands=4) == 1


def test_long_children_go_one_by_one() -> None:
    size = BatchSize()
    size.learn(children=1, seconds=1.0)

    assert size.next(10_000, hands=4) == 1


def test_short_children_go_together_and_still_leave_work_for_all_hands() -> None:
    size = BatchSize()
    size.learn(children=1, seconds=1e-6)

    assert size.next(1000, hands=4) == 125
    assert size.next(16, hands=4) == 2
    assert size.next(3, hands=4) == 1, "never none"


def test_a_batch_is_worth_its_carriage_and_no_longer() -> None:
    size = BatchSize()
    size.learn(children=10, seconds=0.01)

    assert size.next(1_000_000, hands=2) == 20


def test_what_was_seen_last_counts_most() -> None:
    size = BatchSize()
    size.learn(children=1, seconds=0.00001)
    fast = size.next(100_000, hands=1)
    for _ in range(20):
        size.learn(children=1, seconds=0.01)

    assert size.next(100_000, hands=1) == 2 < fast


def test_children_that_take_no_time_at_all_do_no_harm() -> None:
    size = BatchSize()
    size.learn(children=0, seconds=0.0)
    size.learn(children=5, seconds=0.0)

    assert size.next(80, hands=2) == 20
