"""Delays between retries."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest

from dagflow.utilities.datetimes import retry_delay


@pytest.mark.parametrize("wait", [retry_delay(timedelta(seconds=10)), retry_delay(seconds=10)])
def test_a_constant_delay_in_two_ways(wait: object) -> None:
    assert [wait(count) for count in (1, 2, 9)] == [timedelta(seconds=10)] * 3  # type: ignore[operator]


def test_a_doubling_delay_starts_with_the_interval_and_stops_at_the_limit() -> None:
    wait = retry_delay(minutes=10, exponential_backoff=True)

    assert [wait(count).total_seconds() / 60 for count in (1, 2, 3, 4, 5, 100_000)] == [10, 20, 40, 80, 120, 120]


def test_the_limit_holds_for_constant_delays_too() -> None:
    assert retry_delay(hours=5)(1) == timedelta(hours=2)
    assert retry_delay(hours=5, max_delay=timedelta(hours=6))(1) == timedelta(hours=5)


def test_two_times_or_none_are_refused() -> None:
    with pytest.raises(ValueError, match="both an interval and seconds"):
        retry_delay(timedelta(1), seconds=1)
    with pytest.raises(ValueError, match="needs a time"):
        retry_delay()


def test_a_delay_can_be_pickled() -> None:
    wait = pickle.loads(pickle.dumps(retry_delay(seconds=1, exponential_backoff=True)))

    assert wait(3) == timedelta(seconds=4)
    assert "exponential_backoff=True" in repr(wait)
