"""
R2: kill an agent while it starts and watches runs; none is lost, none given away twice, and what runs goes on.

    python -m tests.faults.agent_kills --runs 100 --seed 1
"""

from __future__ import annotations

import os
import random
import signal
import time

from tests.faults.backend_world import STEADY, World, arguments, world
from tests.faults.hurt_flows import RIGHT
from tests.faults.records import check_run, starts, task_runs, value

__all__ = ["check_claims", "hurt_agent", "main"]

AT_ONCE = 3


def hurt_agent(here: World, rng: random.Random) -> tuple[int, int]:
    """Kill the agent somewhere in the middle of a few runs; return how many ran on, and were taken up again."""
    runs = [here.run(start=1) for _ in range(AT_ONCE)]
    time.sleep(rng.uniform(0.0, 2.5))
    agent = here.agents.pop()
    os.kill(agent.pid, signal.SIGKILL)
    agent.wait()
    working = {pid: run for run in runs for pid in here.flow_processes(run)}
    here.start_agent()
    for run in runs:
        here.succeed(run)
        assert value(here, run, "total-2") == RIGHT
        # No process of a run was hurt, so no body has a reason for beginning again.
        check_run(here, run, most=0)
    began = starts(here)
    for pid, run in working.items():
        ours = {one["id"] for one in task_runs(here, run)}
        others = {one.pid for one in began if one.task_run_id in ours} - {pid}
        assert not others, f"run {run} was executed by process {pid}, which nobody killed, and by {others}"
    check_claims(here)
    return len(working), sum(here.client.get(f"flow_runs/{run}")["times_resurrected"] for run in runs)


def check_claims(here: World) -> int:
    """Look whether any run was given away twice under one token; return how many there were."""
    claims = [tuple(line.split(" ")[:2]) for line in here.claims.read_text().splitlines()]
    twice = {one for one in claims if claims.count(one) > 1}
    assert not twice, f"given away twice: {twice}"
    return len(claims)


def main() -> None:
    """Run the full set and print a summary."""
    options = arguments(__doc__, runs=100)
    rng = random.Random(options.seed)
    on, again = 0, 0
    with world(options.database_url, settings=STEADY) as here:
        for number in range(options.runs):
            more, up = hurt_agent(here, rng)
            on, again = on + more, again + up
            print(f"kill {number + 1}: {more} runs went on, {up} taken up by the next agent", flush=True)
    print(
        f"{options.runs} of {options.runs} kills passed: {options.runs * AT_ONCE} runs, {on} ran on without their "
        f"agent, {again} were taken up by the next one"
    )


if __name__ == "__main__":
    main()
