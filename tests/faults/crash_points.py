"""
R1c: kill the process of a flow run at points that have names, each once; nothing that succeeded may be repeated.

    python -m tests.faults.crash_points --runs 4
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from tests.faults.backend_world import World, arguments, world
from tests.faults.hurt_flows import RIGHT
from tests.faults.records import check_run, most_again, value
from tests.faults.saboteur.sitecustomize import POINTS

__all__ = ["OFTEN", "crash", "main"]

OFTEN = {
    "before a state of the flow": 2, "after a state of the flow": 2, "before a task is reported to start": 30,
    "after a task was reported to start": 30, "before a body": 25, "before the result is written": 25,
    "between the bytes of a result and its name": 20, "between result and state": 20,
    "before a task is reported to be done": 30, "after a task was reported to be done": 30,
    "before states are sent": 15, "between states sent and their answer": 12,
    "before log lines are sent": 2, "while log lines are sent": 2,
}  # fmt: skip
"""Points that a run passes at least this often."""


def crash(here: World, points: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Execute a run for each point, all at once, and return how many bodies began again in each."""
    runs = {f"{point}:{number}": here.run(env={"DAGFLOW_TEST_CRASH_AT": f"{point}:{number}"}, start=1)
            for point, number in points}  # fmt: skip
    again = {}
    for point, run_id in runs.items():
        here.succeed(run_id)
        marker = Path(here.folder / f"crash-{run_id}")
        assert marker.exists(), f"no process came to the point {point!r}"
        assert value(here, run_id, "total-2") == RIGHT, point
        again[point] = check_run(here, run_id, most_again(1))
    return again


def main() -> None:
    """Run the full set and print a summary: each point at its first time, then at random times."""
    options = arguments(__doc__, runs=4)
    rng = random.Random(options.seed)
    total = 0
    with world(options.database_url) as here:
        for number in range(options.runs):
            for point in POINTS:
                times = 1 if number == 0 else rng.randint(1, OFTEN.get(point, 1))
                for name, again in crash(here, [(point, times)]).items():
                    total += again
                    print(f"{name}: {again} bodies again", flush=True)
    print(f"{options.runs * len(POINTS)} of {options.runs * len(POINTS)} crashes passed; {total} bodies began again")


if __name__ == "__main__":
    main()
