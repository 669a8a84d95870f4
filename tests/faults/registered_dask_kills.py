"""
R10 under a server: kill workers in the middle of the maps of a registered flow; no recorded success is repeated.

    python -m tests.faults.registered_dask_kills --runs 50 --seed 1
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

from tests.faults.backend_world import STEADY, World, arguments, world
from tests.faults.hurt_flows import ON_DASK, WIDTH
from tests.faults.records import check_run, starts, task_runs, value

__all__ = ["hurt_worker", "main"]

RIGHT = sum(2 * x + 1 for x in range(WIDTH))


def hurt_worker(here: World, rng: random.Random) -> tuple[int, int]:
    """Kill a worker in the middle of a run; return after how many bodies, and how many began again."""
    known = len(starts(here))
    run_id = here.run()
    wanted = rng.randrange(1, 2 * WIDTH - 5)
    here.wait_for(lambda: len(starts(here)) - known >= wanted, 40.0, f"{wanted} bodies to begin")
    time.sleep(rng.uniform(0.0, 0.03))
    seen = starts(here)[known:]
    with contextlib.suppress(ProcessLookupError):
        os.kill(seen[-1].pid, signal.SIGKILL)
    here.succeed(run_id, 60.0)
    states = {(one["task_slug"], one["state"]) for one in task_runs(here, run_id) if one["map_index"] >= 0}
    assert states == {("double-1", "Success"), ("more-1", "Success")}, states
    assert value(here, run_id, "total-1") == RIGHT
    # Children travel in batches; those of a batch that was lost begin again, but none whose success is recorded.
    return len(seen), check_run(here, run_id, most=WIDTH)


def main() -> None:
    """Run the full set and print a summary."""
    options = arguments(__doc__, runs=50)
    rng = random.Random(options.seed)
    total = 0
    with world(options.database_url, source=ON_DASK, settings=STEADY) as here:
        for number in range(options.runs):
            seen, again = hurt_worker(here, rng)
            total += again
            print(f"kill {number + 1}: after {seen} bodies, {again} began again", flush=True)
    print(f"{options.runs} of {options.runs} kills passed; {total} bodies began again, none whose success was recorded")


if __name__ == "__main__":
    main()
