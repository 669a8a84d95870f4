"""
A flow that runs by itself at the dates of a schedule.

``flow.run()`` sleeps until each date, runs, and returns the last state when there are no more dates.

Expected output:

    run 1
    run 2
    run 3
    the last one succeeded: True
    Thu 09:00, Fri 09:00, Mon 09:00
"""

from __future__ import annotations

import datetime

from dagflow import Flow, task
from dagflow.schedules import Schedule, filters
from dagflow.schedules.clocks import CronClock, DatesClock

runs: list[int] = []


@task
def count() -> None:
    """Count the runs."""
    runs.append(len(runs) + 1)
    print("run", runs[-1])


with Flow("schedules") as flow:
    count()

workdays = Schedule([CronClock("0 9 * * *")], filters=[filters.is_weekday])


if __name__ == "__main__":
    now = datetime.datetime.now(datetime.UTC)
    soon = [now + datetime.timedelta(milliseconds=1500 + 50 * step) for step in range(3)]
    flow.schedule = Schedule([DatesClock(soon)])
    print("the last one succeeded:", flow.run().is_successful())

    dates = workdays.next(3, after=datetime.datetime(2024, 5, 2, tzinfo=datetime.UTC))
    print(", ".join(f"{date:%a %H:%M}" for date in dates))
