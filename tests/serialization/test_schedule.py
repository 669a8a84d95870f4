"""Schedules as documents."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from dateutil import tz
from dateutil.rrule import DAILY, FR, MO, MONTHLY, rrule, rruleset

from dagflow.core.flow import Flow
from dagflow.schedules import CronSchedule, IntervalSchedule, Schedule, adjustments, filters
from dagflow.schedules.clocks import Clock, ClockEvent, CronClock, DatesClock, IntervalClock, RRuleClock
from dagflow.serialization.schedule import deserialize_schedule, serialize_schedule

NEW_YORK = pendulum.datetime(2024, 3, 8, 2, 30, tz="America/New_York")
START = pendulum.datetime(2024, 1, 1)
PLUS_TWO = dt.timezone(dt.timedelta(hours=2))


def through_json(schedule: Schedule) -> Schedule:
    return deserialize_schedule(json.loads(json.dumps(serialize_schedule(schedule))))


def rule_set() -> rruleset:
    rules = rruleset()
    rules.rrule(rrule(MONTHLY, dtstart=dt.datetime(2024, 1, 1, 9), byweekday=[MO(1), FR(-1)], count=20))
    rules.rdate(dt.datetime(2024, 1, 2))
    rules.exdate(dt.datetime(2024, 1, 26, 9))
    rules.exrule(rrule(MONTHLY, dtstart=dt.datetime(2024, 3, 4, 9), count=1))
    return rules


@pytest.mark.parametrize(
    "clock",
    [
        IntervalClock(dt.timedelta(days=1), start_date=NEW_YORK, end_date=NEW_YORK.add(days=30)),
        IntervalClock(dt.timedelta(minutes=90), start_date=START, parameter_defaults={"x": [1]}, labels=["b", "a"]),
        IntervalClock(dt.timedelta(hours=5), start_date=dt.datetime(2024, 1, 1, tzinfo=PLUS_TWO)),
        CronClock("30 2 13 * 5", start_date=NEW_YORK, day_or=False),
        CronClock("@daily"),
        DatesClock([NEW_YORK, START], labels=[]),
        RRuleClock(rrule(DAILY, dtstart=dt.datetime(2024, 1, 1, 5), interval=3, until=dt.datetime(2025, 1, 1))),
        RRuleClock(rrule(DAILY, dtstart=dt.datetime(2024, 3, 8, 2, 30, tzinfo=ZoneInfo("America/New_York")))),
        RRuleClock(rrule(DAILY, dtstart=dt.datetime(2024, 7, 8, 2, 30, tzinfo=tz.gettz("America/New_York")))),
        RRuleClock(rule_set(), start_date=START),
    ],
    ids=lambda clock: type(clock).__name__,
)  # fmt: skip
def test_a_clock_goes_off_at_the_same_times_after_the_journey(clock: Clock) -> None:
    (again,) = through_json(Schedule([clock])).clocks

    events, expected = (list(islice(one.events(after=START), 40)) for one in (again, clock))

    assert [event.start_time for event in events] == [event.start_time for event in expected]
    assert [event.start_time.utcoffset() for event in events] == [event.start_time.utcoffset() for event in expected]
    assert again.parameter_defaults == clock.parameter_defaults
    assert again.labels == (None if clock.labels is None else sorted(clock.labels))


def test_filters_and_adjustments_survive() -> None:
    schedule = Schedule(
        [IntervalClock(dt.timedelta(hours=1), start_date=START)],
        filters=[
            filters.is_weekday,
            filters.between_times(dt.time(9), dt.time(17, 30)),
            filters.between_dates(1, 1, 6, 30),
            filters.between_datetimes(START, NEW_YORK),
        ],
        or_filters=[filters.is_day_of_week(0), filters.on_date(1, 3), filters.at_time(dt.time(12))],
        not_filters=[filters.is_month_end, filters.on_datetime(START)],
        adjustments=[adjustments.add(dt.timedelta(minutes=5)), adjustments.next_weekday],
    )

    again = through_json(schedule)

    assert again.filters == schedule.filters and again.or_filters == schedule.or_filters
    assert again.not_filters == schedule.not_filters and again.adjustments == schedule.adjustments
    assert again.next(20, after=START) == schedule.next(20, after=START)


def test_an_interval_under_a_minute_is_refused() -> None:
    flow = Flow("fast", schedule=IntervalSchedule(interval=dt.timedelta(seconds=59)))

    with pytest.raises(ValueError, match=r"every 59 s .* shortest interval there is a minute"):
        flow.serialize()


def test_code_of_the_user_is_refused() -> None:
    class Whenever(Clock):
        def events(self, after: dt.datetime | None = None) -> Iterator[ClockEvent]:
            return iter(())

    clock = CronClock("@daily")
    for schedule in (
        Schedule([Whenever()]),
        Schedule([clock], filters=[lambda moment: True]),
        Schedule([clock], adjustments=[filters.is_weekday]),  # type: ignore[list-item]
    ):
        with pytest.raises(ValueError, match="runs no code of its users"):
            serialize_schedule(schedule)


def test_parameter_defaults_must_be_json() -> None:
    with pytest.raises(ValueError, match="parameter_defaults of a CronClock cannot be written as JSON"):
        serialize_schedule(Schedule([CronClock("@daily", parameter_defaults={"x": object()})]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"clocks": [{"type": "SunClock"}]}, "Unknown clock type 'SunClock'"),
        ({"clocks": [{"type": "CronClock"}]}, "CronClock lacks the field 'cron'"),
        ({"clocks": [{"type": "RRuleClock", "rrule": 5}]}, "5 is not a serialized recurrence rule"),
        ({"filters": [{"fn": "os.system", "kwargs": {"command": "true"}}]}, r"Unknown schedule function 'os\.system'"),
        ({"filters": [{"fn": "dagflow.schedules.filters.Parametrised"}]}, "Unknown schedule function"),
        ({"clocks": None}, "clocks: "),
        (
            {"clocks": [{"type": "DatesClock", "dates": [{"dt": "2024-01-01T00:00:00", "tz": "Mars"}]}]},
            "'Mars' is not a known time zone",
        ),
    ],
)  # fmt: skip
def test_a_broken_schedule_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        deserialize_schedule(serialize_schedule(CronSchedule("@daily")) | change)


def test_a_flow_carries_its_schedule() -> None:
    document = Flow("daily", schedule=CronSchedule("0 9 * * *", start_date=NEW_YORK)).serialize()

    (clock,) = document["schedule"]["clocks"]
    assert clock["start_date"] == {"dt": "2024-03-08T02:30:00-05:00", "tz": "America/New_York"}
