"""
One flow, several deployments: each has parameters, a schedule and a time zone of its own; the server plans the runs.

The server runs inside this process and its clock stands still until it is told otherwise, so nobody waits: hours go
by in a moment. ``dagflow.testing`` has it for tests of your own.

Expected output:

    planned for Wednesday, UTC:
      06:00 paris    {'city': 'Paris'}
      12:00 new york {'city': 'New York'}
    late at nine: paris
"""

from __future__ import annotations

import datetime
from typing import Any

from dagflow import Client, Flow, Parameter, task
from dagflow.testing import FakeClock, InProcessServer
from dagflow.utilities.configuration import set_temporary_config


@task
def open_shop(city: str) -> str:
    """Open."""
    return f"{city} is open"


with Flow("shops") as flow:
    open_shop(Parameter("city"))

PLACES = {"paris": "Europe/Paris", "new york": "America/New_York"}
WEDNESDAY = datetime.datetime(2024, 1, 17, 0, 0, tzinfo=datetime.UTC)
HOUR = 3_600


def planned(**wanted: Any) -> list[dict[str, Any]]:
    """Return the runs that have yet to start, by the time they should."""
    runs = Client().get("flow_runs", {"state": "Scheduled", **wanted})["items"]
    return sorted(runs, key=lambda run: run["scheduled_start_time"])


if __name__ == "__main__":
    clock = FakeClock(WEDNESDAY.timestamp())
    with InProcessServer(clock, port=True) as server, set_temporary_config({"cloud.api": server.url}):
        Client().create_project("examples")
        flow.register("examples", no_url=True)
        for name, timezone in PLACES.items():
            # The flow is in its storage already, so it is not built again.
            parameters = {"city": name.title()}
            flow.deploy(name, "examples", cron="0 7 * * *", timezone=timezone, parameters=parameters, build=False)
        server.tick()

        print("planned for Wednesday, UTC:")
        for run in planned():
            if run["scheduled_start_time"].startswith("2024-01-17"):
                print(f"  {run['scheduled_start_time'][11:16]} {run['deployment_name']:<8} {run['parameters']}")

        server.tick(9 * HOUR)
        print("late at nine:", *(run["deployment_name"] for run in planned(late=True)))
