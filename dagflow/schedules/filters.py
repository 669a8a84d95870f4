"""
Filters: which of the clocks' times count.

A filter takes a datetime, in the zone of its clock, and says yes or no. Any callable will do on one machine; only the
ones here can be sent to a server. Those that take arguments are classes with small letters, so that calling one makes
the filter: `on_date(1, 6)`. All bounds are inclusive, and a start later than its end wraps around.
"""

from __future__ import annotations

import datetime as dt

from dagflow.schedules._instants import to_instant
from dagflow.schedules._parametrised import Parametrised

__all__ = [
    "at_time",
    "between_dates",
    "between_datetimes",
    "between_times",
    "is_day_of_week",
    "is_month_end",
    "is_month_start",
    "is_weekday",
    "is_weekend",
    "on_date",
    "on_datetime",
]

SATURDAY = 5


class on_datetime(Parametrised):
    """At exactly this moment."""

    __slots__ = ("moment",)

    def __init__(self, dt: dt.datetime) -> None:
        self.moment = dt

    def __call__(self, dt: dt.datetime) -> bool:
        return to_instant(dt) == to_instant(self.moment)


class on_date(Parametrised):
    """
    On this day of every year.

    >>> on_date(12, 24)(dt.datetime(2024, 12, 24, 18))
    True
    """

    __slots__ = ("month", "day")  # noqa: RUF023

    def __init__(self, month: int, day: int) -> None:
        self.month = month
        self.day = day

    def __call__(self, dt: dt.datetime) -> bool:
        return (dt.month, dt.day) == (self.month, self.day)


class at_time(Parametrised):
    """At exactly this time of day."""

    __slots__ = ("time",)

    def __init__(self, time: dt.time) -> None:
        self.time = time

    def __call__(self, dt: dt.datetime) -> bool:
        return dt.time() == self.time


class between_datetimes(Parametrised):
    """From one moment to another."""

    __slots__ = ("start", "end")  # noqa: RUF023

    def __init__(self, start: dt.datetime, end: dt.datetime) -> None:
        self.start = start
        self.end = end

    def __call__(self, dt: dt.datetime) -> bool:
        return to_instant(self.start) <= to_instant(dt) <= to_instant(self.end)


class between_times(Parametrised):
    """
    From one time of day to another, over midnight if the first is later.

    >>> [between_times(dt.time(22), dt.time(6))(dt.datetime(2024, 1, 1, hour)) for hour in (23, 5, 12)]
    [True, True, False]
    """

    __slots__ = ("start", "end")  # noqa: RUF023

    def __init__(self, start: dt.time, end: dt.time) -> None:
        self.start = start
        self.end = end

    def __call__(self, dt: dt.datetime) -> bool:
        time = dt.time()
        if self.start <= self.end:
            return self.start <= time <= self.end
        return time >= self.start or time <= self.end


class between_dates(Parametrised):
    """
    From one day of the year to another, over its end if the first is later.

    >>> [between_dates(12, 20, 1, 5)(dt.datetime(2024, month, 3)) for month in (12, 1, 2)]
    [False, True, False]
    """

    __slots__ = ("start_month", "start_day", "end_month", "end_day")  # noqa: RUF023

    def __init__(self, start_month: int, start_day: int, end_month: int, end_day: int) -> None:
        self.start_month = start_month
        self.start_day = start_day
        self.end_month = end_month
        self.end_day = end_day

    def __call__(self, dt: dt.datetime) -> bool:
        day, start, end = (dt.month, dt.day), (self.start_month, self.start_day), (self.end_month, self.end_day)
        if start <= end:
            return start <= day <= end
        return day >= start or day <= end


class is_day_of_week(Parametrised):
    """On this day of the week; Monday is 0."""

    __slots__ = ("day_of_week",)

    def __init__(self, day_of_week: int) -> None:
        self.day_of_week = day_of_week

    def __call__(self, dt: dt.datetime) -> bool:
        return dt.weekday() == self.day_of_week


def is_weekday(dt: dt.datetime) -> bool:
    """From Monday to Friday."""
    return dt.weekday() < SATURDAY


def is_weekend(dt: dt.datetime) -> bool:
    """On Saturday and Sunday."""
    return dt.weekday() >= SATURDAY


def is_month_start(dt: dt.datetime) -> bool:
    """On the first day of a month."""
    return dt.day == 1


def is_month_end(dt: dt.datetime) -> bool:
    """On the last day of a month."""
    from calendar import monthrange

    return dt.day == monthrange(dt.year, dt.month)[1]
