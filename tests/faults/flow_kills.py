"""
Kill the process of a flow run at random moments; nothing that succeeded may be repeated (fault R1).

``python -m tests.faults.flow_kills --runs 200 --seed 1``
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import statistics
import time

from tests.faults.backend_world import World, world

__all__ = ["hurt_run", "main"]


def hurt_run(here: World, rng: random.Random, kills: int) -> tuple[int, list[float]]:
    """Execute one run, killing its process *kills* times; return how many bodies began again, and the recovery times."""
    run_id = here.run(start=1)
    done = 0
    recovered = []
    known: set[int] = set()
    while done < kills:
        found = here.wait_for(
            lambda: [pid for pid in here.flow_processes() if pid not in known] or here.state(run_id) == "Success",
            30.0, "a process of the run",
        )  # fmt: skip
        if found is True:
            break
        known.update(found)
        time.sleep(rng.uniform(0.0, 2.2))
        with contextlib.suppress(ProcessLookupError):
            for pid in found:
                os.kill(pid, signal.SIGKILL)
        done += 1
        before = len(here.starts())
        began = time.monotonic()
        here.wait_for(lambda: len(here.starts()) > before or here.state(run_id) == "Success", 30.0, "the run to go on")
        recovered.append(time.monotonic() - began)
    state = here.finish(run_id)
    assert state == "Success", f"the run ended as {state}\n{here.evidence()}"
    values = {
        (run["task_slug"], run["map_index"]): run["state"] for run in here.task_runs(run_id) if run["map_index"] == -1
    }
    assert values["total-1", -1] == "Success" and values["flaky-1", -1] == "Success", values
    return here.check(run_id, done), recovered


def main() -> None:
    """Run it and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    extra, times, kills = 0, [], 0
    with world(options.database_url) as here:
        for number in range(options.runs):
            wanted = rng.randint(1, 3)
            more, recovered = hurt_run(here, rng, wanted)
            extra, kills = extra + more, kills + len(recovered)
            times += recovered
            print(f"run {number + 1}: {len(recovered)} kills, {more} bodies again", flush=True)
    times.sort()
    print(f"{options.runs} of {options.runs} runs passed; {kills} kills, {extra} bodies began again; recovered in "
          f"{statistics.median(times):.2f} s (median), {times[int(len(times) * 0.95)]:.2f} s (p95)")


if __name__ == "__main__":
    main()
