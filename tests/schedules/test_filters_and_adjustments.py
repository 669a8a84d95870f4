from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Callable

import pendulum
import pytest

from dagflow.schedules import adjustments, filters

at = pendulum.datetime


@pytest.mark.parametrize(
    ("chosen", "true_of", "false_of"),
    [
        (filters.on_datetime(at(2020, 1, 1)), [at(2020, 1, 1), at(2020, 1, 1, 9, tz="Asia/Tokyo")], [at(2020, 1, 2)]),
        (filters.on_datetime(dt.datetime(2020, 1, 1)), [at(2020, 1, 1)], [at(2020, 1, 1, tz="Asia/Tokyo")]),
        (filters.on_date(1, 6), [at(2020, 1, 6), at(2024, 1, 6, 23)], [at(2020, 6, 1)]),
        (filters.at_time(dt.time(9, 30)), [at(2020, 1, 1, 9, 30)], [at(2020, 1, 1, 9, 30, 1)]),
        (
            filters.between_datetimes(at(2020, 1, 1), at(2020, 1, 2)),
            [at(2020, 1, 1), at(2020, 1, 2)],
            [at(2019, 12, 31), at(2020, 1, 2, 0, 0, 1)],
        ),
        (
            filters.between_times(dt.time(9), dt.time(10)),
            [at(2020, 1, 1, 9), at(2020, 1, 1, 10)],
            [at(2020, 1, 1, 8, 59), at(2020, 1, 1, 10, 1)],
        ),
        (
            filters.between_times(dt.time(22), dt.time(6)),
            [at(2020, 1, 1, 22), at(2020, 1, 1, 0), at(2020, 1, 1, 6)],
            [at(2020, 1, 1, 12)],
        ),
        (filters.between_dates(3, 1, 5, 31), [at(2020, 3, 1), at(2020, 5, 31)], [at(2020, 2, 29), at(2020, 6, 1)]),
        (filters.between_dates(12, 20, 1, 5), [at(2020, 12, 20), at(2020, 1, 5)], [at(2020, 1, 6), at(2020, 12, 19)]),
        (filters.between_dates(1, 20, 1, 5), [at(2020, 1, 20), at(2020, 6, 1), at(2020, 1, 5)], [at(2020, 1, 10)]),
        (filters.is_day_of_week(0), [at(2020, 1, 6)], [at(2020, 1, 5)]),
        (filters.is_weekday, [at(2020, 1, 3)], [at(2020, 1, 4), at(2020, 1, 5)]),
        (filters.is_weekend, [at(2020, 1, 4), at(2020, 1, 5)], [at(2020, 1, 3)]),
        (filters.is_month_start, [at(2020, 2, 1)], [at(2020, 2, 2)]),
        (filters.is_month_end, [at(2020, 2, 29), at(2021, 2, 28), at(2020, 12, 31)], [at(2020, 2, 28)]),
    ],
)
def test_filters_answer(
    chosen: Callable[[dt.datetime], bool], true_of: list[dt.datetime], false_of: list[dt.datetime]
) -> None:
    assert [chosen(moment) for moment in true_of] == [True] * len(true_of)
    assert [chosen(moment) for moment in false_of] == [False] * len(false_of)


@pytest.mark.parametrize(
    ("day", "expected"), [(3, 3), (4, 6), (5, 6), (6, 6)], ids=["friday", "saturday", "sunday", "monday"]
)
def test_next_weekday_moves_weekends_to_monday(day: int, expected: int) -> None:
    assert adjustments.next_weekday(at(2020, 1, day, 9)) == at(2020, 1, expected, 9)


def test_next_weekday_keeps_the_wall_time_when_the_clocks_change() -> None:
    saturday = at(2018, 3, 10, 9, tz="America/New_York")

    assert adjustments.next_weekday(saturday) == at(2018, 3, 12, 9, tz="America/New_York")


def test_add_moves_any_datetime() -> None:
    assert adjustments.add(dt.timedelta(days=1, minutes=5))(dt.datetime(2020, 1, 1)) == at(2020, 1, 2, 0, 5)


def test_filters_and_adjustments_can_be_compared_shown_and_pickled() -> None:
    chosen = filters.between_dates(1, 2, 3, 4)

    assert chosen == filters.between_dates(1, 2, 3, 4) != filters.between_dates(1, 2, 3, 5)
    assert filters.on_date(1, 2) != (1, 2)
    assert repr(chosen) == "between_dates(1, 2, 3, 4)"
    assert chosen.arguments() == {"start_month": 1, "start_day": 2, "end_month": 3, "end_day": 4}
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    assert len({filters.at_time(dt.time(9)), filters.at_time(dt.time(9))}) == 1
    assert pickle.loads(pickle.dumps(adjustments.add(dt.timedelta(1)))) == adjustments.add(dt.timedelta(1))
