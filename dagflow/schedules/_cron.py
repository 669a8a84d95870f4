"""
Cron strings: which wall times they name.

Fields are parsed by `cronsim`. Which day matches is its answer too; walking through the days is done here, because
going straight from one match to the next is several times faster than ticking there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from dagflow.schedules._instants import SECOND, day_is_missing, end_of_gap, offsets

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
DAY = timedelta(days=1)
# A 29 February on a given weekday comes back after 40 years at the latest; what has not come by then never does.
SEARCH_DAYS = 50 * 366


class CronRule:
    """
    A parsed cron string.

    Five fields as in crontab, or six, of which the last names seconds, as in Prefect 0.15. When both day fields are
    restricted a day matches if either does, or with *day_or* False if both do.
    """

    def __init__(self, cron: str, day_or: bool = True) -> None:
        from cronsim import CronSim, CronSimError

        try:
            self._fields = CronSim(_for_cronsim(cron), datetime(2000, 1, 1))
        except (CronSimError, ValueError, AttributeError, TypeError) as error:
            raise ValueError(
                f"Invalid cron string {cron!r}: {error}. Expected five fields (minute hour day month weekday), "
                "a sixth for seconds, or an alias such as '@daily'."
            ) from error
        fields = self._fields
        all_days, all_weekdays = set(range(1, 32)) <= fields.days, set(range(7)) <= fields.weekdays
        fields.day_and = not day_or or all_days or all_weekdays
        self._hours, self._minutes = sorted(fields.hours), sorted(fields.minutes)
        self._seconds = sorted(fields.seconds)

    @property
    def every_hour(self) -> bool:
        """Whether every hour of a matching day is named."""
        return len(self._hours) == 24

    @property
    def within_hours(self) -> bool:
        """Whether it is meant as a steady beat: every hour, and more than once in it."""
        return self.every_hour and len(self._minutes) * len(self._seconds) > 1

    def walls(self, after: datetime) -> Iterator[datetime]:
        """Yield the naive times that match, strictly after the naive time *after*."""
        first = after.replace(microsecond=0) + SECOND
        for day in self._days(first.date()):
            yield from self._on(day, first.time() if day == first.date() else time())

    def _days(self, day: date) -> Iterator[date]:
        give_up = day.toordinal() + SEARCH_DAYS
        matches, months = self._fields.match_day, self._fields.months
        while day.toordinal() < give_up:
            if day.month not in months:
                day = (day.replace(day=1) + 32 * DAY).replace(day=1)
                continue
            if matches(day):
                yield day
                give_up = day.toordinal() + SEARCH_DAYS
            day += DAY

    def _on(self, day: date, first: time) -> Iterator[datetime]:
        for hour in self._hours:
            if hour < first.hour:
                continue
            for minute in self._minutes:
                if (hour, minute) < (first.hour, first.minute):
                    continue
                for second in self._seconds:
                    if (hour, minute, second) >= (first.hour, first.minute, first.second):
                        yield datetime(day.year, day.month, day.day, hour, minute, second)


def _for_cronsim(cron: str) -> str:
    fields = ALIASES.get(cron.strip().lower(), cron).upper().split()
    if len(fields) not in (5, 6):
        raise ValueError(f"found {len(fields)} fields")
    minute, hour, day, month, weekday, *seconds = fields
    day = "*" if day == "?" else day
    # The last Friday is L5 in the strings that people bring along and 5L in cronsim's.
    weekday = "*" if weekday == "?" else re.sub(r"\bL(\d)", r"\1L", weekday)
    return " ".join((*(seconds or ["0"]), minute, hour, day, month, weekday))


def cron_instants(rule: CronRule, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """
    Yield the instants at which *rule* fires in *zone*, strictly after the instant *after*, strictly increasing.

    Where the clock is set forward, a time that is left out is made up for at once (unless the rule names every hour,
    so that the next one is near, or the whole day is left out). Where it is set back, a time that comes twice counts
    the second time, but a beat within the hours goes on evenly through both.
    """
    last = after
    again: list[datetime] = []
    for wall in rule.walls(_start(zone, after)):
        before, behind = offsets(wall, zone)
        due: list[datetime] = []
        if before == behind:
            due, again = [*again, wall - before], []
        elif before > behind and rule.within_hours:
            due = [wall - before]
            again.append(wall - behind)
        elif before > behind:
            due = [wall - behind]
        elif not rule.every_hour and not day_is_missing(wall, zone):
            due = [end_of_gap(wall, zone)]
        for moment in due:
            instant = moment.replace(tzinfo=UTC)
            if instant > last:
                last = instant
                yield instant


def _start(zone: tzinfo, after: datetime) -> datetime:
    """Return a wall time that no firing after *after* precedes."""
    wall = after.astimezone(zone).replace(tzinfo=None)
    before, behind = offsets(wall, zone)
    # In a fold the second round is still to come, with wall times that may be earlier than this one.
    return wall - (before - behind) if before > behind else wall
