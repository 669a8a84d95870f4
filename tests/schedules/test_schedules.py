from __future__ import annotations

import datetime as dt
import pickle
from typing import Any

import pendulum
import pytest
from dateutil.rrule import DAILY, rrule

from dagflow.schedules import CronSchedule, IntervalSchedule, RRuleSchedule, Schedule, adjustments, clocks, filters
from dagflow.schedules.clocks import CronClock, DatesClock, IntervalClock

START = pendulum.datetime(2020, 1, 1)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def test_clocks_are_merged_in_order_of_time() -> None:
    schedule = Schedule([IntervalClock(DAY, start_date=START), IntervalClock(DAY, start_date=START.add(hours=6))])

    assert [(time.day, time.hour) for time in schedule.next(3, after=START)] == [(1, 6), (2, 0), (2, 6)]


def test_equal_events_collapse_and_different_ones_do_not() -> None:
    same = Schedule([IntervalClock(DAY, start_date=START), IntervalClock(DAY, start_date=START)])
    different = Schedule(
        [IntervalClock(DAY, start_date=START, parameter_defaults={"a": n}, labels=["x"]) for n in (1, 2, 1)]
    )

    assert [time.day for time in same.next(3, after=START)] == [2, 3, 4]
    events = different.next(4, after=START, return_events=True)
    assert [(event.start_time.day, event.parameter_defaults) for event in events] == [
        (2, {"a": 1}), (2, {"a": 2}), (3, {"a": 1}), (3, {"a": 2}),
    ]  # fmt: skip
    assert events[0].labels == ["x"]


def test_the_repeated_hour_of_autumn_counts_twice() -> None:
    start = pendulum.datetime(2018, 11, 3, 23, tz="America/New_York")

    times = IntervalSchedule(start, HOUR).next(4, after=start)

    assert [time.hour for time in times] == [0, 1, 1, 2]


def test_filters_work_together() -> None:
    schedule = Schedule(
        [IntervalClock(HOUR, start_date=START)],
        filters=[filters.is_weekday, filters.between_times(dt.time(9), dt.time(10))],
        or_filters=[filters.is_day_of_week(0), filters.is_day_of_week(3)],
        not_filters=[filters.on_date(1, 6)],
        adjustments=[adjustments.add(dt.timedelta(minutes=5))],
    )

    times = schedule.next(3, after=START)

    assert [f"{time:%a %d %H:%M}" for time in times] == ["Thu 02 09:05", "Thu 02 10:05", "Thu 09 09:05"]


def test_an_impossible_filter_ends_the_search() -> None:
    schedule = Schedule([IntervalClock(HOUR)], filters=[lambda time: False])

    assert schedule.next(1, after=START) == []


def test_adjustments_that_move_times_onto_one_give_one_run() -> None:
    schedule = Schedule([IntervalClock(DAY, start_date=START)], adjustments=[adjustments.next_weekday])

    assert [time.day for time in schedule.next(4, after=START.add(days=1))] == [3, 6, 7, 8]


def test_adjustments_keep_parameters_and_labels() -> None:
    clock = DatesClock([START], parameter_defaults={"a": 1}, labels=["x"])
    schedule = Schedule([clock], adjustments=[adjustments.add(HOUR)])

    (event,) = schedule.next(5, after=dt.datetime(2019, 1, 1), return_events=True)

    assert (event.start_time, event.parameter_defaults, event.labels) == (START.add(hours=1), {"a": 1}, ["x"])


def test_start_and_end_are_the_outermost_of_those_that_have_one() -> None:
    schedule = Schedule(
        [
            IntervalClock(DAY),
            IntervalClock(DAY, start_date=START, end_date=START.add(days=9)),
            IntervalClock(DAY, start_date=START.add(days=1), end_date=START.add(days=5)),
        ]
    )

    assert (schedule.start_date, schedule.end_date) == (START, START.add(days=9))
    assert (Schedule([]).start_date, Schedule([IntervalClock(DAY)]).end_date) == (None, None)


def test_without_clocks_it_never_fires() -> None:
    assert Schedule([]).next(3) == []


def test_clocks_must_be_a_list() -> None:
    clock: Any = IntervalClock(DAY)
    with pytest.raises(TypeError, match=r"Schedule\(clocks=\[clock\]\)"):
        Schedule(clock)


def test_asked_for_none_it_gives_none() -> None:
    assert IntervalSchedule(interval=DAY).next(0) == []


def test_the_default_is_from_now_on() -> None:
    (time,) = IntervalSchedule(interval=HOUR).next(1)

    assert dt.timedelta(0) < time - pendulum.now("utc") <= HOUR


def test_the_helpers_return_plain_schedules() -> None:
    interval = IntervalSchedule(START, DAY, START.add(days=3))
    cron = CronSchedule("0 0 13 * 5", start_date=START, end_date=START.add(years=1), day_or=False)
    rule = RRuleSchedule(rrule(DAILY, dtstart=dt.datetime(2020, 1, 1)), end_date=START.add(days=1))

    assert [type(schedule) for schedule in (interval, cron, rule)] == [Schedule] * 3
    assert len(interval.next(9, after=dt.datetime(2019, 1, 1))) == 4
    assert [time.month for time in cron.next(9, after=START)] == [3, 11]
    assert len(rule.next(9, after=dt.datetime(2019, 1, 1))) == 2
    assert isinstance(cron.clocks[0], CronClock)


def test_an_interval_schedule_needs_an_interval() -> None:
    with pytest.raises(TypeError, match="interval"):
        IntervalSchedule(start_date=START)


def test_schedules_can_be_pickled() -> None:
    schedule = Schedule(
        [IntervalClock(DAY, start_date=START), clocks.CronClock("@daily")],
        filters=[filters.on_date(1, 6), filters.is_weekday],
        adjustments=[adjustments.add(HOUR), adjustments.next_weekday],
    )

    copy = pickle.loads(pickle.dumps(schedule))

    assert copy.next(3, after=START) == schedule.next(3, after=START)
    assert repr(copy) == "<Schedule: IntervalClock, CronClock>"
