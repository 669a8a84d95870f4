"""Adjustments: move a time that the filters chose."""

from __future__ import annotations

import datetime as dt

from dagflow.schedules._instants import aware
from dagflow.schedules._parametrised import Parametrised

__all__ = ["add", "next_weekday"]

MONDAY_AFTER = {5: 2, 6: 1}


class add(Parametrised):
    """
    Later by *interval*; its whole days move on the wall clock.

    >>> add(dt.timedelta(minutes=5))(dt.datetime(2020, 1, 1)).minute
    5
    """

    __slots__ = ("interval",)

    def __init__(self, interval: dt.timedelta) -> None:
        self.interval = interval

    def __call__(self, dt: dt.datetime) -> dt.datetime:
        return aware(dt) + self.interval


def next_weekday(dt: dt.datetime) -> dt.datetime:
    """
    Move Saturdays and Sundays to Monday, at the same time of day.

    >>> next_weekday(dt.datetime(2024, 6, 1)).day
    3
    """
    days = MONDAY_AFTER.get(dt.weekday(), 0)
    return aware(dt).add(days=days) if days else dt
