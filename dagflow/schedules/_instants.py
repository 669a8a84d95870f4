"""
Time on the wall and time in UTC, and what happens where a zone changes its offset.

Aware datetimes of one zone compare by their wall time, so that on the day the clock is set back two different moments
are "equal". Everything in `schedules` is therefore compared, sorted and counted as plain datetimes in UTC, called
*instants*, and becomes a pendulum DateTime in its own zone only at the very end.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pendulum

SECOND = timedelta(seconds=1)
ZERO = timedelta()


def aware(moment: datetime) -> pendulum.DateTime:
    """
    Return *moment* as a pendulum DateTime in its own zone; a naive one is read as UTC.

    >>> aware(datetime(2020, 1, 1)).timezone_name
    'UTC'
    """
    import pendulum

    if isinstance(moment, pendulum.DateTime) and moment.tzinfo is not None:
        return moment
    return pendulum_datetime(moment, _pendulum_zone(moment.tzinfo))


def _pendulum_zone(zone: tzinfo | None) -> tzinfo:
    import pendulum

    if zone is None or zone is UTC:
        return pendulum.UTC
    # zoneinfo calls its name `key`, pytz `zone`. A zone without a name is used as it is.
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    return pendulum.timezone(name) if isinstance(name, str) else zone


def pendulum_datetime(moment: datetime, zone: tzinfo) -> pendulum.DateTime:
    """Return the wall time of *moment* in *zone*; `pendulum.instance` does the same many times slower."""
    from pendulum import DateTime

    return DateTime(
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond,
        tzinfo=zone,
        fold=moment.fold,
    )


def to_instant(moment: datetime) -> datetime:
    """
    Return *moment* as a plain datetime in UTC; a naive one is read as UTC.

    >>> import pendulum
    >>> to_instant(pendulum.datetime(2020, 1, 1, tz="Asia/Tokyo"))
    datetime.datetime(2019, 12, 31, 15, 0, tzinfo=datetime.timezone.utc)
    """
    offset = moment.utcoffset()
    naive = datetime(
        moment.year,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond,
        tzinfo=UTC,
    )
    return naive - offset if offset else naive


def offsets(wall: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """
    Return the two offsets that the naive time *wall* can have in *zone*.

    They are equal on ordinary days. In a gap (the clock was set forward over *wall*) the first is the smaller one; in
    a fold (the clock was set back and shows *wall* twice) the second is.
    """
    # A zone looks at the fields and the fold only, so the naive time need not be labelled first.
    return zone.utcoffset(wall) or ZERO, zone.utcoffset(wall.replace(fold=1)) or ZERO


def wall_to_instant(wall: datetime, zone: tzinfo) -> datetime:
    """
    Return when *zone* shows the naive time *wall*: the later time in a fold, moved past a gap.

    >>> from zoneinfo import ZoneInfo
    >>> wall_to_instant(datetime(2018, 3, 11, 2, 30), ZoneInfo("America/New_York"))
    datetime.datetime(2018, 3, 11, 7, 30, tzinfo=datetime.timezone.utc)
    """
    # The smaller offset is the one before a gap and the one after a fold, which is what both cases want.
    first, second = offsets(wall, zone)
    return (wall - (first if first < second else second)).replace(tzinfo=UTC)


def end_of_gap(wall: datetime, zone: tzinfo) -> datetime:
    """
    Return the instant at which the clock jumped over the naive time *wall*.

    >>> from zoneinfo import ZoneInfo
    >>> end_of_gap(datetime(2018, 3, 11, 2, 30), ZoneInfo("America/New_York"))
    datetime.datetime(2018, 3, 11, 7, 0, tzinfo=datetime.timezone.utc)
    """
    before, after = offsets(wall, zone)
    early, late = (wall - after).replace(tzinfo=UTC, microsecond=0), (wall - before).replace(tzinfo=UTC, microsecond=0)
    # The offset changes somewhere between the two; no zone changes it within a second.
    while late - early > SECOND:
        middle = early + (late - early) // SECOND // 2 * SECOND
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


def day_is_missing(wall: datetime, zone: tzinfo) -> bool:
    """Tell whether *zone* left out the whole day of *wall*, as Samoa did when it crossed the date line."""
    ends = (wall.replace(hour=0, minute=0, second=0), wall.replace(hour=23, minute=59, second=59))
    return all(first < second for first, second in (offsets(end, zone) for end in ends))


def is_fixed(zone: Any) -> bool:
    """Tell whether *zone* surely never changes its offset."""
    return getattr(zone, "key", None) == "UTC" or zone is UTC
