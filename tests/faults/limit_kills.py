"""
R30: kill processes whose tasks share few slots; there are never more at once, and no slot stays taken.

    python -m tests.faults.limit_kills --runs 100 --seed 1
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterable

from tests.faults.backend_world import STEADY, World, arguments, world
from tests.faults.hurt_flows import LIMIT, LIMITED
from tests.faults.records import Start, starts, value

__all__ = ["hurt_limited", "main", "most_at_once"]

AT_ONCE = 3
SUM = sum(range(6))


def most_at_once(notes: Iterable[Start], killed: dict[int, float]) -> int:
    """
    Return how many bodies ran at once.

    Args:
        notes: what they wrote down, at their beginnings and ends.
        killed: when processes were killed; their bodies ended then.
    """
    notes = list(notes)
    ends = {(one.task_run_id, one.pid): one.seconds for one in notes if one.name == "end"}
    moments = []
    for one in notes:
        if one.name == "begin":
            moments.append((one.seconds, 1))
            moments.append((ends.get((one.task_run_id, one.pid)) or killed[one.pid], -1))
    count = most = 0
    for _, step in sorted(moments):
        count += step
        most = max(most, count)
    return most


def hurt_limited(here: World, rng: random.Random, killed: dict[int, float]) -> int:
    """Execute a few runs at once, killing one of their processes; return how many bodies of all runs ran at once."""
    here.client.update_task_tag_limit("scarce", LIMIT)
    runs = [here.run() for _ in range(AT_ONCE)]
    victim = rng.choice(runs)
    (pid,) = here.wait_for(lambda: here.flow_processes(victim), 30.0, "a process")
    time.sleep(rng.uniform(0.5, 2.5))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        killed[pid] = time.time()
    for run in runs:
        here.succeed(run, 90.0)
        assert value(here, run, "total-1") == SUM
    limit = here.client.get("limits/task_tag/scarce")
    assert limit["in_use"] == 0, f"slots are still taken: {limit}"
    most = most_at_once(starts(here), killed)
    assert most <= LIMIT, f"{most} bodies ran at once, {LIMIT} may"
    return most


def main() -> None:
    """Run the full set and print a summary."""
    options = arguments(__doc__, runs=100)
    rng = random.Random(options.seed)
    killed: dict[int, float] = {}
    most = 0
    with world(options.database_url, source=LIMITED, settings=STEADY) as here:
        for number in range(options.runs):
            most = hurt_limited(here, rng, killed)
            print(f"kill {number + 1}: at most {most} at once", flush=True)
    print(
        f"{options.runs} of {options.runs} passed: {len(killed)} processes killed, never more than {most} of {LIMIT} "
        "slots in use, none left taken"
    )


if __name__ == "__main__":
    main()
