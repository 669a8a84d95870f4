"""
Clocks: endless sources of times, each with the parameters and labels that a run started by it gets.

A clock yields events strictly after a given time, strictly increasing, whatever daylight saving does. Dates given
without a time zone are read as UTC; the zone of the start date is the zone of the events.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dagflow.schedules._cron import CronRule, cron_instants
from dagflow.schedules._instants import aware, is_fixed, pendulum_datetime, to_instant, wall_to_instant

if TYPE_CHECKING:
    from dateutil.rrule import rrulebase

__all__ = ["Clock", "ClockEvent", "CronClock", "DatesClock", "IntervalClock", "RRuleClock"]

DEFAULT_START = dt.datetime(2019, 1, 1, tzinfo=dt.UTC)
ONE_DAY = dt.timedelta(days=1)
# Just enough to let a start date itself qualify where only later times do.
TICK = dt.timedelta(microseconds=1)


class ClockEvent:
    """
    A time at which a clock goes off, and what it hands to the run.

    Events are ordered by time. Two of them are equal if time, parameters and labels are; an event equals a datetime
    if the time does.

    >>> import pendulum
    >>> event = ClockEvent(pendulum.datetime(2020, 1, 1), parameter_defaults={"x": 1})
    >>> event == pendulum.datetime(2020, 1, 1), event == ClockEvent(pendulum.datetime(2020, 1, 1))
    (True, False)
    """

    __slots__ = ("_instant", "labels", "parameter_defaults", "start_time")

    def __init__(
        self,
        start_time: dt.datetime,
        parameter_defaults: dict[str, Any] | None = None,
        labels: list[str] | None = None,
        _instant: dt.datetime | None = None,
    ) -> None:
        self.start_time = start_time
        self.parameter_defaults = parameter_defaults
        self.labels = labels
        self._instant = _instant

    @property
    def instant(self) -> dt.datetime:
        """The time as a plain datetime in UTC, which is what events are compared by."""
        if self._instant is None:
            self._instant = to_instant(self.start_time)
        return self._instant

    def moved(self, start_time: dt.datetime) -> ClockEvent:
        """Return the same event at another time."""
        return ClockEvent(start_time, self.parameter_defaults, self.labels)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, dt.datetime):
            return self.instant == to_instant(other)
        if not isinstance(other, ClockEvent):
            return NotImplemented
        mine = (self.instant, self.parameter_defaults, self.labels)
        return mine == (other.instant, other.parameter_defaults, other.labels)

    def __hash__(self) -> int:
        return hash(self.instant)

    def __lt__(self, other: ClockEvent | dt.datetime) -> bool:
        return self.instant < _instant_of(other, "<")

    def __le__(self, other: ClockEvent | dt.datetime) -> bool:
        return self.instant <= _instant_of(other, "<=")

    def __gt__(self, other: ClockEvent | dt.datetime) -> bool:
        return self.instant > _instant_of(other, ">")

    def __ge__(self, other: ClockEvent | dt.datetime) -> bool:
        return self.instant >= _instant_of(other, ">=")

    def __repr__(self) -> str:
        return f"<ClockEvent: {self.start_time}>"


def _instant_of(other: object, sign: str) -> dt.datetime:
    if isinstance(other, ClockEvent):
        return other.instant
    if isinstance(other, dt.datetime):
        return to_instant(other)
    raise TypeError(f"'{sign}' compares a ClockEvent with an event or a datetime, not with {other!r}.")


class Clock:
    """
    A source of events; subclasses say at which instants.

    *parameter_defaults* and *labels* are handed to the runs that this clock starts.
    """

    def __init__(
        self,
        start_date: dt.datetime | None = None,
        end_date: dt.datetime | None = None,
        parameter_defaults: dict[str, Any] | None = None,
        labels: list[str] | None = None,
    ) -> None:
        self.start_date = None if start_date is None else aware(start_date)
        self.end_date = None if end_date is None else aware(end_date)
        self.parameter_defaults = dict(parameter_defaults or {})
        self.labels = labels

    def events(self, after: dt.datetime | None = None) -> Iterator[ClockEvent]:
        """Yield the events strictly after *after* (default: now), up to and including the end date."""
        try:
            yield from self._events(dt.datetime.now(dt.UTC) if after is None else to_instant(after))
        except OverflowError:
            # The calendar of Python ends with the year 9999.
            return

    def _events(self, after: dt.datetime) -> Iterator[ClockEvent]:
        end = None if self.end_date is None else to_instant(self.end_date)
        zone = self._zone()
        fixed = is_fixed(zone)
        defaults, labels = self.parameter_defaults, self.labels
        for instant in self._instants(after):
            if end is not None and instant > end:
                return
            local = pendulum_datetime(instant if fixed else instant.astimezone(zone), zone)
            yield ClockEvent(local, defaults, labels, instant)

    def _instants(self, after: dt.datetime) -> Iterator[dt.datetime]:
        """Yield strictly increasing plain datetimes in UTC, all later than *after*; the end date is not their care."""
        raise NotImplementedError(f"{type(self).__name__} must say when it goes off.")

    def _zone(self) -> dt.tzinfo:
        import pendulum

        start = self.start_date
        return pendulum.UTC if start is None or start.tzinfo is None else start.tzinfo


class IntervalClock(Clock):
    """
    Goes off every *interval*, counted from the start date (default 2019-01-01 UTC), which is itself an event.

    Shorter than a day, the interval is absolute: `hours=1` is evenly spaced in UTC. From a day on, its whole days
    move on the wall clock and the rest is absolute: `days=1` stays at nine o'clock when the clocks change.

    >>> import itertools
    >>> import pendulum
    >>> clock = IntervalClock(dt.timedelta(days=1), start_date=pendulum.datetime(2018, 3, 10, 9, tz="America/New_York"))
    >>> [str(event.start_time) for event in itertools.islice(clock.events(after=pendulum.datetime(2018, 1, 1)), 2)]
    ['2018-03-10 09:00:00-05:00', '2018-03-11 09:00:00-04:00']
    """

    def __init__(
        self,
        interval: dt.timedelta,
        start_date: dt.datetime | None = None,
        end_date: dt.datetime | None = None,
        parameter_defaults: dict[str, Any] | None = None,
        labels: list[str] | None = None,
    ) -> None:
        if not isinstance(interval, dt.timedelta):
            raise TypeError(f"The interval must be a timedelta, e.g. timedelta(hours=1), not {interval!r}.")
        if interval <= dt.timedelta(0):
            raise ValueError(f"The interval must be longer than nothing; found {interval}.")
        super().__init__(start_date, end_date, parameter_defaults, labels)
        self.interval = interval

    def _instants(self, after: dt.datetime) -> Iterator[dt.datetime]:
        start = DEFAULT_START if self.start_date is None else to_instant(self.start_date)
        zone = self._zone()
        if self.interval < ONE_DAY or is_fixed(zone):
            return self._even(start, after)
        return self._by_days(start, after, zone)

    def _even(self, start: dt.datetime, after: dt.datetime) -> Iterator[dt.datetime]:
        passed = (after - start) // self.interval + 1 if after >= start else 0
        instant = start + passed * self.interval
        while True:
            yield instant
            instant += self.interval

    def _by_days(self, start: dt.datetime, after: dt.datetime, zone: dt.tzinfo) -> Iterator[dt.datetime]:
        wall = start.astimezone(zone).replace(tzinfo=None)
        # Local time may be up to a day off what was counted in UTC.
        number = max(0, (after - start) // self.interval - 2)
        whole_days = not self.interval % ONE_DAY
        last = after
        while True:
            step = number * self.interval
            days = step if whole_days else dt.timedelta(days=step.days)
            instant = wall_to_instant(wall + days, zone) if days else start
            if not whole_days:
                instant += step - days
            if instant > last:
                last = instant
                yield instant
            number += 1


class CronClock(Clock):
    """
    Goes off when a cron string says so, in local time of the start date's zone (default UTC).

    Understands aliases such as `@daily` and a sixth field for seconds. With *day_or* False, day of month and day of
    week must both match. A time left out when the clocks go forward is made up for at once; one that comes
    twice when they go back counts the second time. A beat within the hour (`*/15 * * * *`) stays even in UTC.

    >>> import pendulum
    >>> clock = CronClock("30 2 * * *", start_date=pendulum.datetime(2018, 3, 11, tz="America/New_York"))
    >>> str(next(clock.events(after=pendulum.datetime(2018, 1, 1))).start_time)
    '2018-03-11 03:00:00-04:00'
    """

    def __init__(
        self,
        cron: str,
        start_date: dt.datetime | None = None,
        end_date: dt.datetime | None = None,
        parameter_defaults: dict[str, Any] | None = None,
        labels: list[str] | None = None,
        day_or: bool | None = None,
    ) -> None:
        self._rule = CronRule(cron, day_or=day_or is not False)
        super().__init__(start_date, end_date, parameter_defaults, labels)
        self.cron = cron
        self.day_or = True if day_or is None else day_or

    def _instants(self, after: dt.datetime) -> Iterator[dt.datetime]:
        if self.start_date is not None:
            after = max(after, to_instant(self.start_date) - TICK)
        return cron_instants(self._rule, self._zone(), after)


class DatesClock(Clock):
    """
    Goes off at given dates.

    >>> clock = DatesClock([dt.datetime(2020, 1, 2), dt.datetime(2020, 1, 1)])
    >>> [event.start_time.day for event in clock.events(after=dt.datetime(2019, 1, 1))]
    [1, 2]
    """

    def __init__(
        self,
        dates: Iterable[dt.datetime],
        parameter_defaults: dict[str, Any] | None = None,
        labels: list[str] | None = None,
    ) -> None:
        self.dates = sorted((aware(date) for date in dates), key=to_instant)
        if not self.dates:
            raise ValueError("A DatesClock needs at least one date; found none.")
        super().__init__(self.dates[0], self.dates[-1], parameter_defaults, labels)

    def events(self, after: dt.datetime | None = None) -> Iterator[ClockEvent]:
        """Yield the dates strictly after *after* (default: now), each in its own zone."""
        last = dt.datetime.now(dt.UTC) if after is None else to_instant(after)
        for date in self.dates:
            event = ClockEvent(date, self.parameter_defaults, self.labels)
            if event.instant > last:
                last = event.instant
                yield event


class RRuleClock(Clock):
    """
    Goes off by a recurrence rule of `dateutil`; a rule without a time zone is read as UTC.

    >>> from dateutil.rrule import DAILY, rrule
    >>> clock = RRuleClock(rrule(DAILY, dtstart=dt.datetime(2020, 1, 1), count=2))
    >>> [event.start_time.day for event in clock.events(after=dt.datetime(2020, 1, 1))]
    [2]
    """

    def __init__(
        self,
        rrule_obj: rrulebase,
        start_date: dt.datetime | None = None,
        end_date: dt.datetime | None = None,
        parameter_defaults: dict[str, Any] | None = None,
        labels: list[str] | None = None,
    ) -> None:
        from dateutil.rrule import rrule, rruleset

        if not isinstance(rrule_obj, rrule | rruleset):
            raise TypeError(f"An RRuleClock needs a dateutil rrule or rruleset, not {rrule_obj!r}.")
        super().__init__(start_date, end_date, parameter_defaults, labels)
        self.rrule_obj = rrule_obj

    def _instants(self, after: dt.datetime) -> Iterator[dt.datetime]:
        if self.start_date is not None:
            after = max(after, to_instant(self.start_date) - TICK)
        limit = after if self._rule_zone() else after.replace(tzinfo=None)
        last = after
        # The limit goes back a little: dateutil compares moments of a fold by their wall time.
        for moment in self.rrule_obj.xafter(limit - ONE_DAY):
            instant = to_instant(moment)
            if instant > last:
                last = instant
                yield instant

    def _rule_zone(self) -> dt.tzinfo | None:
        return _zone_of_rule(self.rrule_obj)

    def _zone(self) -> dt.tzinfo:
        import pendulum

        zone = self._rule_zone()
        return pendulum.UTC if zone is None else aware(dt.datetime(2020, 1, 1, tzinfo=zone)).tzinfo or pendulum.UTC


def _zone_of_rule(rule: Any) -> dt.tzinfo | None:
    """Return the zone of a rule's moments, read off its parts: one that never comes true would be searched for ever."""
    if hasattr(rule, "_dtstart"):
        zone: dt.tzinfo | None = rule._dtstart.tzinfo
        return zone
    return next(
        (zone for zone in (*map(_zone_of_rule, rule._rrule), *(date.tzinfo for date in rule._rdate)) if zone), None
    )
