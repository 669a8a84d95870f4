"""
A flow that runs by itself at the dates of a schedule.

``flow.run()`` sleeps until each date, runs, and returns the last state when there are no more dates. So that nobody has
to wait for three mornings here, the clock jumps when somebody sleeps; leave ``runner_cls`` out to wait for real.

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
from dagflow.engine import FlowRunner
from dagflow.schedules import Schedule, filters
from dagflow.schedules.clocks import CronClock, DatesClock
from dagflow.testing import FakeClock

runs: list[int] = []


@task
def count() -> None:
    """Count the runs."""
    runs.append(len(runs) + 1)
    print("run", runs[-1])


with Flow("schedules") as flow:
    count()

workdays = Schedule([CronClock("0 9 * * *")], filters=[filters.is_weekday])


class InNoTime(FlowRunner):
    """Runs flows by a clock that jumps instead of waiting."""

    clock = FakeClock(datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC).timestamp())


if __name__ == "__main__":
    mornings = [datetime.datetime(2024, 5, day, 9, tzinfo=datetime.UTC) for day in (2, 3, 6)]
    flow.schedule = Schedule([DatesClock(mornings)])
    print("the last one succeeded:", flow.run(runner_cls=InNoTime).is_successful())

    dates = workdays.next(3, after=datetime.datetime(2024, 5, 2, tzinfo=datetime.UTC))
    print(", ".join(f"{date:%a %H:%M}" for date in dates))
