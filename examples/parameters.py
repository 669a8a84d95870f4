"""
Values that are chosen for each run.

A parameter without a default has to be given; giving one that the flow does not have is refused before anything runs.

Expected output:

    12
    70
    Flow 'area' needs a value for the parameter 'width' ...
    2024-02-29 is a Thursday
"""

from __future__ import annotations

import datetime

from dagflow import Flow, Parameter, task
from dagflow.core.parameter import DateTimeParameter


@task
def area(width: int, height: int) -> int:
    """Multiply."""
    return width * height


@task
def weekday(day: datetime.datetime) -> str:
    """Name the day of the week."""
    return f"{day:%Y-%m-%d} is a {day:%A}"


with Flow("area") as flow:
    size = area(Parameter("width"), Parameter("height", default=4))

with Flow("weekday") as calendar:
    named = weekday(DateTimeParameter("day"))


if __name__ == "__main__":
    print(flow.run(width=3).result[size].result)
    print(flow.run(parameters={"width": 7}, height=10).result[size].result)
    try:
        flow.run()
    except ValueError as error:
        print(error)
    print(calendar.run(day="2024-02-29").result[named].result)
