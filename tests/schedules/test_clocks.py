from __future__ import annotations

import datetime as dt
import itertools
import pickle
from collections.abc import Iterator
from typing import Any

import dateutil.tz
import pendulum
import pytest
from dateutil.rrule import DAILY, HOURLY, rrule, rruleset

from dagflow.schedules.clocks import Clock, ClockEvent, CronClock, DatesClock, IntervalClock, RRuleClock

LONG_AGO = dt.datetime(2000, 1, 1)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def ny(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> pendulum.DateTime:
    return pendulum.datetime(year, month, day, hour, minute, tz="America/New_York")


def first(n: int, clock: Clock, after: dt.datetime = LONG_AGO) -> list[Any]:
    return [event.start_time for event in itertools.islice(clock.events(after=after), n)]


def shown(n: int, clock: Clock, after: dt.datetime = LONG_AGO) -> list[str]:
    return [time.strftime("%d %H:%M %z") for time in first(n, clock, after)]


class TestClockEvent:
    def test_equality_counts_time_parameters_and_labels(self) -> None:
        time = pendulum.datetime(2020, 1, 1)

        assert ClockEvent(time, {"a": 1}, ["x"]) == ClockEvent(time, {"a": 1}, ["x"])
        assert ClockEvent(time, {"a": 1}) != ClockEvent(time, {"a": 2})
        assert ClockEvent(time, labels=["x"]) != ClockEvent(time)
        assert ClockEvent(time) != ClockEvent(time.add(seconds=1))
        assert ClockEvent(time) != "2020-01-01"

    def test_a_datetime_is_compared_by_time_only(self) -> None:
        time = pendulum.datetime(2020, 1, 1)

        assert ClockEvent(time, {"a": 1}) == dt.datetime(2020, 1, 1) == ClockEvent(time.in_tz("Asia/Tokyo"))
        assert ClockEvent(time) < time.add(seconds=1) and ClockEvent(time) >= time
        assert ClockEvent(time) > ClockEvent(time.subtract(seconds=1)) and ClockEvent(time) <= ClockEvent(time)

    @pytest.mark.parametrize("other", [1, "2020", None])
    def test_order_with_anything_else_is_a_type_error(self, other: Any) -> None:
        event = ClockEvent(pendulum.datetime(2020, 1, 1))

        with pytest.raises(TypeError, match="ClockEvent"):
            _ = event < other
        with pytest.raises(TypeError, match="ClockEvent"):
            _ = event > other

    def test_the_two_same_wall_times_of_autumn_are_different_events(self) -> None:
        before, after = (pendulum.datetime(2018, 11, 4, hour).in_tz("America/New_York") for hour in (5, 6))

        assert before.naive() == after.naive()
        assert ClockEvent(before) != ClockEvent(after) and ClockEvent(before) < ClockEvent(after)


class TestIntervalClock:
    @pytest.mark.parametrize("interval", [1, "1h", None])
    def test_the_interval_must_be_a_timedelta(self, interval: Any) -> None:
        with pytest.raises(TypeError, match="timedelta"):
            IntervalClock(interval)

    @pytest.mark.parametrize("interval", [dt.timedelta(0), dt.timedelta(seconds=-1)])
    def test_the_interval_must_be_positive(self, interval: dt.timedelta) -> None:
        with pytest.raises(ValueError, match="longer than nothing"):
            IntervalClock(interval)

    def test_without_a_start_it_counts_from_2019_in_utc(self) -> None:
        assert first(2, IntervalClock(DAY)) == [pendulum.datetime(2019, 1, 1), pendulum.datetime(2019, 1, 2)]
        assert first(1, IntervalClock(DAY), dt.datetime(2020, 5, 5, 5)) == [pendulum.datetime(2020, 5, 6)]

    def test_a_future_start_is_the_first_event_and_equality_goes_on(self) -> None:
        start = pendulum.datetime(2030, 1, 1)
        clock = IntervalClock(DAY, start_date=start)

        assert first(1, clock) == [start]
        assert first(1, clock, start.subtract(microseconds=1)) == [start]
        assert first(1, clock, start) == [start.add(days=1)]

    def test_the_end_is_inclusive(self) -> None:
        start = pendulum.datetime(2020, 1, 1)

        assert len(first(9, IntervalClock(DAY, start_date=start, end_date=start.add(days=2)))) == 3
        assert len(first(9, IntervalClock(DAY, start_date=start, end_date=start.add(days=2, seconds=-1)))) == 2

    def test_microseconds_and_short_intervals_are_kept(self) -> None:
        clock = IntervalClock(dt.timedelta(seconds=0.5), start_date=dt.datetime(2020, 1, 1, microsecond=7))

        assert [time.microsecond for time in first(3, clock)] == [7, 500_007, 7]

    def test_hours_are_even_in_utc_and_days_stay_on_the_wall(self) -> None:
        assert shown(4, IntervalClock(HOUR, start_date=ny(2018, 3, 11))) == [
            "11 00:00 -0500", "11 01:00 -0500", "11 03:00 -0400", "11 04:00 -0400",
        ]  # fmt: skip
        assert shown(4, IntervalClock(HOUR, start_date=ny(2018, 11, 4))) == [
            "04 00:00 -0400", "04 01:00 -0400", "04 01:00 -0500", "04 02:00 -0500",
        ]  # fmt: skip
        assert shown(3, IntervalClock(24 * HOUR, start_date=ny(2018, 3, 10, 9))) == [
            "10 09:00 -0500", "11 09:00 -0400", "12 09:00 -0400",
        ]  # fmt: skip

    def test_hours_stay_even_in_utc_however_long_ago_they_began(self) -> None:
        instants = [time.timestamp() for time in first(3000, IntervalClock(HOUR, start_date=ny(2018, 9, 9)))]

        assert {later - earlier for earlier, later in itertools.pairwise(instants)} == {3600}

    def test_a_daily_time_in_the_gap_moves_past_it_that_day_only(self) -> None:
        assert shown(3, IntervalClock(DAY, start_date=ny(2018, 3, 10, 2, 30))) == [
            "10 02:30 -0500", "11 03:30 -0400", "12 02:30 -0400",
        ]  # fmt: skip

    def test_of_a_day_and_a_half_the_days_of_the_sum_move_on_the_wall(self) -> None:
        assert shown(3, IntervalClock(36 * HOUR, start_date=ny(2018, 3, 9, 9))) == [
            "09 09:00 -0500", "10 21:00 -0500", "12 09:00 -0400",
        ]  # fmt: skip

    def test_a_start_in_the_first_round_of_a_fold_is_kept(self) -> None:
        start = pendulum.datetime(2018, 11, 4, 5, 30).in_tz("America/New_York")

        assert shown(2, IntervalClock(DAY, start_date=start)) == ["04 01:30 -0400", "05 01:30 -0500"]

    def test_asking_later_gives_the_same_times(self) -> None:
        clock = IntervalClock(DAY, start_date=ny(2018, 1, 1, 2, 30))
        times = first(700, clock)

        assert first(100, clock, times[599]) == times[600:]

    def test_it_ends_with_the_calendar(self) -> None:
        tokyo = pendulum.datetime(2020, 1, 1, tz="Asia/Tokyo")

        assert len(first(9, IntervalClock(DAY), dt.datetime(9999, 12, 30, 23))) == 1
        for interval in (HOUR, DAY):
            assert first(9, IntervalClock(interval, start_date=tokyo), dt.datetime(9999, 12, 31, 14)) == []


class TestCronClock:
    @pytest.mark.parametrize("cron", ["", "x", "* * * *", "60 * * * *", "* * * * * * *", "0 0 31 2 *", "@often", None])
    def test_an_invalid_string_is_a_value_error_that_shows_it(self, cron: Any) -> None:
        with pytest.raises(ValueError, match="Expected five fields"):
            CronClock(cron)

    @pytest.mark.parametrize(
        ("cron", "expected"),
        [
            ("@hourly", ["01 01:00:00", "01 02:00:00"]),
            ("@daily", ["02 00:00:00", "03 00:00:00"]),
            ("@Midnight", ["02 00:00:00", "03 00:00:00"]),
            ("*/20 * * * *", ["01 00:20:00", "01 00:40:00"]),
            ("* * * * * */30", ["01 00:00:30", "01 00:01:00"]),
            ("5 4 * * * 3", ["01 04:05:03", "02 04:05:03"]),
            ("0 0 ? * MON-FRI", ["02 00:00:00", "03 00:00:00"]),
            ("0 0 * * L5", ["31 00:00:00", "28 00:00:00"]),
            ("0 0 * * fri#2", ["10 00:00:00", "14 00:00:00"]),
            ("0 0 L * *", ["31 00:00:00", "29 00:00:00"]),
        ],
    )
    def test_strings_are_understood(self, cron: str, expected: list[str]) -> None:
        times = first(2, CronClock(cron), dt.datetime(2020, 1, 1))

        assert [time.strftime("%d %H:%M:%S") for time in times] == expected

    def test_two_restricted_day_fields_mean_or_unless_told_otherwise(self) -> None:
        after = dt.datetime(2020, 1, 1)

        assert [t.day for t in first(4, CronClock("0 0 13 * 5"), after)] == [3, 10, 13, 17]
        assert [str(t.date()) for t in first(2, CronClock("0 0 13 * 5", day_or=False), after)] == [
            "2020-03-13", "2020-11-13",
        ]  # fmt: skip
        assert [t.day for t in first(2, CronClock("0 0 13 * *"), after)] == [13, 13]

    def test_the_start_qualifies_and_after_does_not(self) -> None:
        start = pendulum.datetime(2020, 1, 1)
        clock = CronClock("0 0 * * *", start_date=start, end_date=start.add(days=2))

        assert first(9, clock) == [start, start.add(days=1), start.add(days=2)]
        assert first(9, clock, start) == [start.add(days=1), start.add(days=2)]

    def test_fractions_of_a_second_round_up(self) -> None:
        start = pendulum.datetime(2020, 1, 1).add(microseconds=1)

        assert first(1, CronClock("* * * * * *", start_date=start)) == [pendulum.datetime(2020, 1, 1, 0, 0, 1)]
        assert first(1, CronClock("* * * * *"), start) == [pendulum.datetime(2020, 1, 1, 0, 1)]

    def test_the_zone_is_the_one_of_the_start(self) -> None:
        assert shown(1, CronClock("0 9 * * *", start_date=ny(2020, 1, 1))) == ["01 09:00 -0500"]
        assert shown(1, CronClock("0 9 * * *"), dt.datetime(2020, 1, 1)) == ["01 09:00 +0000"]

    @pytest.mark.parametrize(
        "zone",
        [dt.timezone(dt.timedelta(hours=5.5)), pendulum.timezone(19_800), dateutil.tz.tzoffset(None, 19_800)],
    )
    def test_a_fixed_offset_is_a_zone_too(self, zone: dt.tzinfo) -> None:
        clock = CronClock("0 9 * * *", start_date=dt.datetime(2020, 1, 1, tzinfo=zone))

        assert shown(1, clock) == ["01 09:00 +0530"]

    def test_a_zone_of_dateutil_keeps_its_daylight_saving(self) -> None:
        start = dt.datetime(2018, 3, 10, tzinfo=dateutil.tz.gettz("America/New_York"))

        assert shown(3, CronClock("0 9 * * *", start_date=start)) == [
            "10 09:00 -0500", "11 09:00 -0400", "12 09:00 -0400",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("cron", "spring", "autumn"),
        [
            ("0 * * * *", "00:00- 01:00- 03:00+ 04:00+", "00:00+ 01:00- 02:00- 03:00-"),
            ("30 * * * *", "00:30- 01:30- 03:30+ 04:30+", "00:30+ 01:30- 02:30- 03:30-"),
            ("30 2 * * *", "03:00+ 02:30+", "02:30- 02:30-"),
            ("30 1 * * *", "01:30- 01:30+", "01:30- 01:30-"),
            ("0,30 2 * * *", "03:00+ 02:00+ 02:30+", "02:00- 02:30-"),
            ("0 */2 * * *", "00:00- 03:00+ 04:00+ 06:00+", "00:00+ 02:00- 04:00-"),
            ("0 9 * * *", "09:00+", "09:00-"),
            ("*/30 0-3 * * *", "00:00- 00:30- 01:00- 01:30- 03:00+ 03:30+", "00:00+ 00:30+ 01:00- 01:30- 02:00-"),
            (
                "*/30 * * * *",
                "00:00- 00:30- 01:00- 01:30- 03:00+ 03:30+",
                "00:00+ 00:30+ 01:00+ 01:30+ 01:00- 01:30- 02:00-",
            ),
        ],
    )
    def test_local_time_is_followed_when_the_clocks_change(self, cron: str, spring: str, autumn: str) -> None:
        for start, expected in ((ny(2018, 3, 11), spring.split()), (ny(2018, 11, 4), autumn.split())):
            times = first(len(expected), CronClock(cron, start_date=start))

            assert [f"{time:%H:%M}{'+' if time.is_dst() else '-'}" for time in times] == expected

    @pytest.mark.parametrize("cron", ["*/15 * * * *", "0 * * * *", "15,45 1 * * *"])
    def test_asking_in_the_midst_of_a_fold_goes_on_where_it_was(self, cron: str) -> None:
        clock = CronClock(cron, start_date=ny(2018, 11, 3, 22))
        times = first(40, clock)

        for number in range(39):
            assert first(1, clock, times[number]) == [times[number + 1]]

    def test_a_day_that_a_country_left_out_is_left_out(self) -> None:
        clock = CronClock("0 9 * * *", start_date=pendulum.datetime(2011, 12, 29, tz="Pacific/Apia"))

        assert [time.strftime("%d %H:%M") for time in first(3, clock)] == ["29 09:00", "31 09:00", "01 09:00"]

    def test_a_date_that_never_comes_ends_the_search(self) -> None:
        assert first(1, CronClock("0 0 31 2 1", day_or=False)) == []

    def test_it_ends_with_the_calendar(self) -> None:
        assert len(first(9, CronClock("@daily"), dt.datetime(9999, 12, 29, 12))) == 2


class TestDatesClock:
    def test_dates_are_sorted_and_bound_the_clock(self) -> None:
        early, late = pendulum.datetime(2020, 1, 1), pendulum.datetime(2020, 1, 2)
        clock = DatesClock([late, early, early])

        assert first(9, clock) == [early, late]
        assert first(9, clock, early) == [late]
        assert (clock.start_date, clock.end_date) == (early, late)

    def test_naive_dates_are_read_as_utc(self) -> None:
        assert first(9, DatesClock([dt.datetime(2020, 1, 1)]), ny(2019, 1, 1)) == [pendulum.datetime(2020, 1, 1)]

    def test_no_dates_are_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one date"):
            DatesClock([])


class TestRRuleClock:
    def test_only_rules_are_accepted(self) -> None:
        wrong: Any = "FREQ=DAILY"
        with pytest.raises(TypeError, match="rrule or rruleset"):
            RRuleClock(wrong)

    def test_naive_rules_are_read_as_utc_within_inclusive_bounds(self) -> None:
        rule = rrule(DAILY, dtstart=dt.datetime(2020, 1, 1))
        clock = RRuleClock(rule, start_date=dt.datetime(2020, 1, 3), end_date=dt.datetime(2020, 1, 5))

        assert shown(9, clock) == ["03 00:00 +0000", "04 00:00 +0000", "05 00:00 +0000"]
        assert shown(9, clock, dt.datetime(2020, 1, 4)) == ["05 00:00 +0000"]

    def test_aware_rules_keep_their_zone_and_wall_time(self) -> None:
        rule = rrule(DAILY, dtstart=dt.datetime(2018, 3, 10, 9, tzinfo=dateutil.tz.gettz("America/New_York")))

        assert shown(2, RRuleClock(rule)) == ["10 09:00 -0500", "11 09:00 -0400"]

    def test_times_are_strictly_increasing_over_a_fold(self) -> None:
        rule = rrule(HOURLY, dtstart=dt.datetime(2018, 11, 4, tzinfo=dateutil.tz.gettz("America/New_York")))

        times = [time.timestamp() for time in first(8, RRuleClock(rule))]

        assert times == sorted(set(times))

    def test_sets_of_rules_work_and_an_empty_one_never_fires(self) -> None:
        rules = rruleset()
        assert first(1, RRuleClock(rules)) == []

        rules.rrule(rrule(DAILY, dtstart=dt.datetime(2020, 1, 1), count=3))
        rules.exdate(dt.datetime(2020, 1, 2))

        assert [time.day for time in first(9, RRuleClock(rules))] == [1, 3]


CLOCKS = [
    IntervalClock(DAY, start_date=ny(2020, 1, 1), parameter_defaults={"a": 1}, labels=["x"]),
    CronClock("@daily", start_date=ny(2020, 1, 1), parameter_defaults={"a": 1}, labels=["x"]),
    DatesClock([ny(2030, 1, 1)], parameter_defaults={"a": 1}, labels=["x"]),
    RRuleClock(rrule(DAILY, dtstart=dt.datetime(2030, 1, 1)), parameter_defaults={"a": 1}, labels=["x"]),
]


@pytest.mark.parametrize("clock", CLOCKS, ids=lambda clock: type(clock).__name__)
def test_every_clock_hands_on_parameters_and_labels_and_can_be_pickled(clock: Clock) -> None:
    event = next(clock.events(after=LONG_AGO))
    again = next(pickle.loads(pickle.dumps(clock)).events(after=LONG_AGO))

    assert (event.parameter_defaults, event.labels) == ({"a": 1}, ["x"])
    assert again == event
    assert isinstance(event.start_time, pendulum.DateTime)


@pytest.mark.parametrize("clock", CLOCKS[:3], ids=lambda clock: type(clock).__name__)
def test_without_a_time_it_goes_on_from_now(clock: Clock) -> None:
    assert next(clock.events()).start_time > pendulum.now("utc")


def test_a_clock_of_ones_own_says_only_when() -> None:
    class Once(Clock):
        def _instants(self, after: dt.datetime) -> Iterator[dt.datetime]:
            yield dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

    assert first(2, Once()) == [pendulum.datetime(2020, 1, 1)]
    with pytest.raises(NotImplementedError, match="Clock must say"):
        list(Clock().events())
