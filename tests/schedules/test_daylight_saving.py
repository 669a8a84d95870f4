"""What must hold in every time zone, whatever its government decides."""

from __future__ import annotations

import datetime as dt
import itertools

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagflow.schedules.clocks import Clock, CronClock, IntervalClock

# Gaps at midnight, halves of an hour, both hemispheres, zones that gave it up, and a day that never was.
ZONES = [
    "UTC",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "America/St_Johns",
    "America/Nuuk",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Dublin",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Easter",
]
zones = st.sampled_from(ZONES)
starts = st.datetimes(dt.datetime(2010, 1, 1), dt.datetime(2035, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
minutes = st.integers(0, 59)
hours = st.integers(0, 23)


def instants(clock: Clock, n: int) -> list[float]:
    events = itertools.islice(clock.events(after=dt.datetime(2000, 1, 1)), n)
    return [event.start_time.timestamp() for event in events]


def existing_days(zone: str, first: dt.date, n: int) -> list[dt.date]:
    """Return *n* days from *first* on that the calendar of *zone* has."""
    days = (first + dt.timedelta(days=number) for number in itertools.count())
    return list(itertools.islice((day for day in days if zone != "Pacific/Apia" or day != dt.date(2011, 12, 30)), n))


@settings(max_examples=60, deadline=None)
@given(zones, starts, hours, minutes)
def test_a_daily_cron_job_fires_once_on_each_day_there_is(
    zone: str, start: dt.datetime, hour: int, minute: int
) -> None:
    clock = CronClock(f"{minute} {hour} * * *", start_date=pendulum.instance(start, tz=zone).start_of("day"))

    times = [e.start_time for e in itertools.islice(clock.events(after=dt.datetime(2000, 1, 1)), 400)]

    # A time in the gap before midnight is made up for after midnight; it still belongs to the day it was set for.
    late = [(time.hour, time.minute) < (hour, minute) for time in times]
    days = [time.date() - dt.timedelta(days=after) for time, after in zip(times, late, strict=True)]
    assert days == existing_days(zone, days[0], 400)
    assert days[0] == start.date() or zone == "Pacific/Apia"


@settings(max_examples=60, deadline=None)
@given(zones, starts, hours, minutes)
def test_a_daily_interval_strictly_increases_and_keeps_its_day(
    zone: str, start: dt.datetime, hour: int, minute: int
) -> None:
    first = pendulum.datetime(start.year, start.month, start.day, hour, minute, tz=zone)
    clock = IntervalClock(dt.timedelta(days=1), start_date=first)

    times = [e.start_time for e in itertools.islice(clock.events(after=dt.datetime(2000, 1, 1)), 400)]

    moments = [time.timestamp() for time in times]
    assert all(earlier < later for earlier, later in itertools.pairwise(moments))
    assert len({time.date() for time in times}) >= 399


@settings(max_examples=60, deadline=None)
@given(zones, starts, st.sampled_from([1, 2, 3, 5, 6, 10, 15, 30]))
def test_a_beat_within_the_hour_is_even_in_utc(zone: str, start: dt.datetime, step: int) -> None:
    for day in _changes(zone, start):
        clock = CronClock(f"*/{step} * * * *", start_date=day)

        times = instants(clock, 26 * 60 // step)

        assert {later - earlier for earlier, later in itertools.pairwise(times)} == {step * 60}


def _changes(zone: str, start: dt.datetime) -> list[pendulum.DateTime]:
    """Return the days in the year after *start* on which *zone* changes its offset, else the start itself."""
    days = [pendulum.instance(start, tz="UTC").add(days=number).in_tz(zone) for number in range(366)]
    changed = [one for one, two in itertools.pairwise(days) if one.utcoffset() != two.utcoffset()]
    return changed or days[:1]


@settings(max_examples=60, deadline=None)
@given(
    zones,
    starts,
    st.sampled_from(["*/7 * * * *", "13 * * * *", "0,30 */2 * * *", "5 0-3 * * *", "30 23 * * *", "0 0 * * 0 */20"]),
    st.data(),
)
def test_asking_after_any_event_gives_the_next_one(
    zone: str, start: dt.datetime, cron: str, data: st.DataObject
) -> None:
    begin = data.draw(st.sampled_from(_changes(zone, start)))
    clock = CronClock(cron, start_date=begin)
    events = [event.start_time for event in itertools.islice(clock.events(after=dt.datetime(2000, 1, 1)), 60)]

    for earlier, later in itertools.pairwise(events):
        assert earlier.timestamp() < later.timestamp()
        assert next(clock.events(after=earlier)).start_time.timestamp() == later.timestamp()


@pytest.mark.parametrize(
    ("zone", "start", "cron", "expected"),
    [
        ("Africa/Cairo", (2024, 4, 25), "0 0 * * *", ["25 00:00", "26 01:00", "27 00:00"]),
        ("America/Santiago", (2024, 9, 7), "30 0 * * *", ["07 00:30", "08 01:00", "09 00:30"]),
        ("Australia/Lord_Howe", (2024, 10, 5), "15 2 * * *", ["05 02:15", "06 02:30", "07 02:15"]),
        ("Australia/Lord_Howe", (2024, 4, 6), "45 1 * * *", ["06 01:45", "07 01:45", "08 01:45"]),
        ("America/Nuuk", (2024, 3, 30), "30 23 * * *", ["31 00:00", "31 23:30", "01 23:30"]),
        ("Pacific/Apia", (2011, 12, 29), "0 12 * * *", ["29 12:00", "31 12:00", "01 12:00"]),
    ],
)
def test_odd_changes_of_the_past(zone: str, start: tuple[int, int, int], cron: str, expected: list[str]) -> None:
    clock = CronClock(cron, start_date=pendulum.datetime(*start, tz=zone))

    times = [e.start_time for e in itertools.islice(clock.events(after=dt.datetime(2000, 1, 1)), 3)]

    assert [f"{time:%d %H:%M}" for time in times] == expected
