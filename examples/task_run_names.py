"""
Names for single task runs, made of inputs, parameters and dates.

Expected output:

    load-north-20240228
    load-south-20240228
"""

from __future__ import annotations

import dagflow
from dagflow import Flow, task


@task(task_run_name="load-{region}-{today_nodash}")
def load(region: str) -> str:
    """Return what this run is called."""
    name: str = dagflow.context.task_run_name
    return name


with Flow("task run names") as flow:
    names = load.map(["north", "south"])


if __name__ == "__main__":
    # The date may be given; without it, it is now.
    for name in flow.run(context={"date": "2024-02-28"}).result[names].result:
        print(name)
