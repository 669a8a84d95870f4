"""
R1: kill the process of a flow run at random moments; nothing that succeeded may be repeated.

    python -m tests.faults.flow_kills --runs 200 --seed 1
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import time
from functools import partial

from tests.faults.backend_world import FINISHED, World, arguments, percentile, world
from tests.faults.hurt_flows import RIGHT
from tests.faults.records import check_run, most_again, starts, value

__all__ = ["hurt_run", "main"]


def hurt_run(here: World, rng: random.Random, kills: int) -> tuple[int, list[float]]:
    """
    Execute one run, killing its process *kills* times; return how many bodies began again, and the recovery times.

    A process that had ended before it was to be killed does not count.
    """
    run_id = here.run(start=1)
    recovered: list[float] = []
    while len(recovered) < kills:
        found = here.wait_for(
            lambda: here.flow_processes(run_id) or here.state(run_id) in FINISHED, 30.0, "a process of the run"
        )
        if found is True:
            break
        time.sleep(rng.uniform(0.0, 1.8))
        if not here.flow_processes(run_id):
            continue
        before, began = len(starts(here)), time.monotonic()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        here.wait_for(partial(_goes_on, here, run_id, before), 30.0, "the run to go on")
        recovered.append(time.monotonic() - began)
    here.succeed(run_id)
    assert value(here, run_id, "total-2") == RIGHT
    return check_run(here, run_id, most_again(len(recovered))), recovered


def _goes_on(here: World, run_id: str, before: int) -> bool:
    return len(starts(here)) > before or here.state(run_id) in FINISHED


def main() -> None:
    """Run the full set and print a summary."""
    options = arguments(__doc__, runs=200)
    rng = random.Random(options.seed)
    extra, times = 0, []
    with world(options.database_url) as here:
        for number in range(options.runs):
            more, recovered = hurt_run(here, rng, rng.randint(1, 3))
            extra += more
            times += recovered
            print(f"run {number + 1}: {len(recovered)} kills, {more} bodies again", flush=True)
    print(
        f"{options.runs} of {options.runs} runs passed; {len(times)} kills, {extra} bodies began again; recovered in "
        f"{statistics.median(times):.2f} s (median), {percentile(times, 0.95):.2f} s (p95)"
    )


if __name__ == "__main__":
    main()
