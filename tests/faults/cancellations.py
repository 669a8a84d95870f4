"""
R27: cancel runs at random moments; they are soon cancelled, stay so, and leave no process behind.

    python -m tests.faults.cancellations --runs 100 --seed 1
"""

from __future__ import annotations

import random
import time
from typing import NamedTuple

from tests.faults.backend_world import FINISHED, STEADY, World, arguments, percentile, world
from tests.faults.hurt_flows import FLOW, ON_DASK
from tests.faults.records import starts

__all__ = ["MOST_SECONDS", "Outcome", "cancel", "main"]

MOST_SECONDS = 10.0


class Outcome(NamedTuple):
    """
    What came of a cancellation.

    Attributes:
        state: the run has in the end; it may have finished before it was cancelled.
        seconds: until it was cancelled.
    """

    state: str
    seconds: float


def cancel(here: World, rng: random.Random, longest: float) -> Outcome:
    """Cancel a run within its first *longest* seconds."""
    run_id = here.run(start=1) if longest < 5 else here.run()
    time.sleep(rng.uniform(0.0, longest))
    before = here.state(run_id)
    began = time.monotonic()
    if before not in FINISHED:
        here.client.cancel_flow_run(run_id)
    state = here.finish(run_id, MOST_SECONDS)
    seconds = time.monotonic() - began
    assert seconds <= MOST_SECONDS, f"cancelled {before} after {seconds:.1f} s\n{here.evidence()}"
    assert state == "Cancelled" or before in (*FINISHED, "Running"), f"{before} became {state}"
    here.wait_for(lambda: not here.processes(), MOST_SECONDS, f"processes to end, of {here.processes()}")
    count = len(starts(here))
    time.sleep(0.3)
    assert (here.state(run_id), len(starts(here))) == (state, count), "something went on after the end of the run"
    states = [one["state"] for one in here.client.get(f"flow_runs/{run_id}/states")["items"]]
    assert not any(one in FINISHED for one in states[:-1]), f"it went on after an end: {states}"
    if state == "Cancelled":
        items = here.client.get(f"flow_runs/{run_id}/task_runs", {"limit": 1000})["items"]
        left = {one["state"] for one in items} - {"Success", "Cancelled", "Skipped", "Mapped", "Failed"}
        assert not left, f"runs of tasks were left in {left}"
    return Outcome(state, seconds)


def main() -> None:
    """Run the full set, half of it on Dask, and print a summary."""
    options = arguments(__doc__, runs=100)
    rng = random.Random(options.seed)
    outcomes = []
    for source, longest in ((FLOW, 2.5), (ON_DASK, 6.0)):
        with world(options.database_url, source=source, settings=STEADY) as here:
            for number in range(options.runs // 2):
                outcomes.append(cancel(here, rng, longest))
                print(f"run {number + 1}: {outcomes[-1]}", flush=True)
    times = [one.seconds for one in outcomes if one.state == "Cancelled"]
    print(
        f"{len(outcomes)} of {len(outcomes)} passed: {len(times)} cancelled after {percentile(times, 0.5):.2f} s "
        f"(median), {max(times):.2f} s (longest); the others had finished"
    )


if __name__ == "__main__":
    main()
