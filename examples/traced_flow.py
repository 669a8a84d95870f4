"""
A flow made of a function: its arguments are parameters with types, its calls of tasks are the graph.

Expected output:

    {'day': '2024-01-31', 'total': 60}
    graph: clean/drop-1, count, day, load-1, report-1, total-1
    not run: count: input should be a valid integer
"""

from __future__ import annotations

import datetime
from typing import Any

from dagflow import flow, task
from dagflow.exceptions import ParameterError


@task(retries=2, retry_delay_seconds=1)
def load(day: datetime.date, count: int) -> list[int]:
    """Pretend to read."""
    return [10 * number for number in range(-1, count)]


@task
def drop(rows: list[int]) -> list[int]:
    """Leave out what is below zero."""
    return [row for row in rows if row >= 0]


@task
def total(rows: list[int]) -> int:
    """Add up."""
    return sum(rows)


@task
def report(day: datetime.date, value: int) -> dict[str, Any]:
    """Put together."""
    return {"day": day.isoformat(), "total": value}


@flow
def clean(rows: list[int]) -> Any:
    """Leave only good rows; inside another flow its tasks are copied there."""
    return drop(rows)


@flow
def daily(day: datetime.date, count: int = 4) -> Any:
    """Report one day."""
    return report(day, total(clean(load(day, count))))


if __name__ == "__main__":
    print(daily("2024-01-31"))
    print("graph:", ", ".join(sorted(daily.slugs.values())))
    try:
        daily("2024-01-31", count="many")
    except ParameterError as error:
        print("not run:", str(error).splitlines()[1].strip().partition(",")[0])
