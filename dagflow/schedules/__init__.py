"""
When a flow runs: clocks give times, filters choose among them, adjustments move them.

>>> import datetime
>>> import pendulum
>>> schedule = IntervalSchedule(pendulum.datetime(2020, 1, 1), datetime.timedelta(hours=12))
>>> [time.to_datetime_string() for time in schedule.next(2, after=pendulum.datetime(2020, 1, 1))]
['2020-01-01 12:00:00', '2020-01-02 00:00:00']
"""

from __future__ import annotations

from dagflow.schedules import adjustments, clocks, filters
from dagflow.schedules.schedules import CronSchedule, IntervalSchedule, RRuleSchedule, Schedule

__all__ = ["CronSchedule", "IntervalSchedule", "RRuleSchedule", "Schedule", "adjustments", "clocks", "filters"]
