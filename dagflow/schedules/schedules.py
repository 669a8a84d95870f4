"""A schedule: several clocks merged, thinned by filters, moved by adjustments."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, overload

from dagflow.schedules._instants import to_instant
from dagflow.schedules.clocks import Clock, ClockEvent, CronClock, IntervalClock, RRuleClock

if TYPE_CHECKING:
    import pendulum
    from dateutil.rrule import rrulebase

__all__ = ["CronSchedule", "IntervalSchedule", "RRuleSchedule", "Schedule"]

Filter = Callable[[dt.datetime], bool]
Adjustment = Callable[[dt.datetime], dt.datetime]

# How many times of the clocks are tried before a schedule gives up looking for one that passes its filters.
MAX_CANDIDATES = 10_000


class Schedule:
    """
    The times of all *clocks*, in order.

    A time counts if all *filters* are true of it, at least one of the *or_filters* (when there are any) and none of
    the *not_filters*. Then the *adjustments* move it, in order. Equal events count once; they differ if their
    parameters or labels do.

    >>> import pendulum
    >>> from dagflow.schedules import filters
    >>> daily = IntervalClock(dt.timedelta(days=1), start_date=pendulum.datetime(2020, 1, 1))
    >>> [time.day for time in Schedule([daily], filters=[filters.is_weekend]).next(2, after=dt.datetime(2020, 1, 1))]
    [4, 5]
    """

    def __init__(
        self,
        clocks: Iterable[Clock],
        filters: Iterable[Filter] | None = None,
        or_filters: Iterable[Filter] | None = None,
        not_filters: Iterable[Filter] | None = None,
        adjustments: Iterable[Adjustment] | None = None,
    ) -> None:
        if not isinstance(clocks, Iterable):
            raise TypeError(f"Schedule expects a list of clocks; found {clocks!r}. Write Schedule(clocks=[clock]).")
        self.clocks = list(clocks)
        self.filters = list(filters or [])
        self.or_filters = list(or_filters or [])
        self.not_filters = list(not_filters or [])
        self.adjustments = list(adjustments or [])

    @property
    def start_date(self) -> pendulum.DateTime | None:
        """The earliest start date of its clocks, None when none has one."""
        return min((clock.start_date for clock in self.clocks if clock.start_date), key=to_instant, default=None)

    @property
    def end_date(self) -> pendulum.DateTime | None:
        """The latest end date of its clocks, None when none has one."""
        return max((clock.end_date for clock in self.clocks if clock.end_date), key=to_instant, default=None)

    @overload
    def next(
        self, n: int, after: dt.datetime | None = None, return_events: Literal[False] = False
    ) -> list[pendulum.DateTime]: ...

    @overload
    def next(self, n: int, after: dt.datetime | None = None, *, return_events: Literal[True]) -> list[ClockEvent]: ...

    @overload
    def next(self, n: int, after: dt.datetime | None = None, return_events: bool = False) -> list[Any]: ...

    def next(self, n: int, after: dt.datetime | None = None, return_events: bool = False) -> list[Any]:
        """
        Return up to *n* times strictly after *after* (default: now), or the events themselves.

        At most 10,000 times of the clocks are looked at, so filters that nothing passes give an empty list.
        """
        after = dt.datetime.now(dt.UTC) if after is None else after
        events = list(islice(self.events(after), max(n, 0)))
        return events if return_events else [event.start_time for event in events]

    def events(self, after: dt.datetime) -> Iterator[ClockEvent]:
        """Return the events strictly after *after*, each made when it is asked for; see :meth:`next` for their end."""
        merged = _merged([clock.events(after=after) for clock in self.clocks])
        chosen: Iterator[ClockEvent] = islice(merged, MAX_CANDIDATES)
        if self.filters or self.or_filters or self.not_filters:
            chosen = filter(lambda event: self._allows(event.start_time), chosen)
        if not self.adjustments:
            return chosen
        # Adjustments may move several times onto one, e.g. a weekend onto its Monday.
        return _without_repeats(self._adjusted(event) for event in chosen)

    def _allows(self, time: dt.datetime) -> bool:
        return (
            all(passes(time) for passes in self.filters)
            and (not self.or_filters or any(passes(time) for passes in self.or_filters))
            and not any(passes(time) for passes in self.not_filters)
        )

    def _adjusted(self, event: ClockEvent) -> ClockEvent:
        time = event.start_time
        for adjust in self.adjustments:
            time = adjust(time)
        return event.moved(time)

    def __repr__(self) -> str:
        return f"<Schedule: {', '.join(type(clock).__name__ for clock in self.clocks) or 'no clocks'}>"


def _merged(streams: list[Iterator[ClockEvent]]) -> Iterator[ClockEvent]:
    if len(streams) == 1:
        return streams[0]
    return _without_repeats(heapq.merge(*streams, key=attrgetter("instant")))


def _without_repeats(events: Iterable[ClockEvent]) -> Iterator[ClockEvent]:
    """Yield *events*, which are sorted, leaving out those that equal an earlier one of the same instant."""
    same: list[ClockEvent] = []
    for event in events:
        if same and same[0].instant != event.instant:
            same.clear()
        if event not in same:
            same.append(event)
            yield event


def IntervalSchedule(
    start_date: dt.datetime | None = None,
    interval: dt.timedelta | None = None,
    end_date: dt.datetime | None = None,
) -> Schedule:
    """
    Return a schedule of one `IntervalClock`; note the order of the arguments.

    >>> IntervalSchedule(interval=dt.timedelta(hours=1))
    <Schedule: IntervalClock>
    """
    if interval is None:
        raise TypeError("IntervalSchedule needs an interval, e.g. IntervalSchedule(interval=timedelta(hours=1)).")
    return Schedule([IntervalClock(interval, start_date=start_date, end_date=end_date)])


def CronSchedule(
    cron: str,
    start_date: dt.datetime | None = None,
    end_date: dt.datetime | None = None,
    day_or: bool | None = None,
) -> Schedule:
    """
    Return a schedule of one `CronClock`.

    >>> CronSchedule("0 9 * * *")
    <Schedule: CronClock>
    """
    return Schedule([CronClock(cron, start_date=start_date, end_date=end_date, day_or=day_or)])


def RRuleSchedule(
    rrule_obj: rrulebase,
    start_date: dt.datetime | None = None,
    end_date: dt.datetime | None = None,
) -> Schedule:
    """Return a schedule of one `RRuleClock`."""
    return Schedule([RRuleClock(rrule_obj, start_date=start_date, end_date=end_date)])
