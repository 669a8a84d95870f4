"""
R12 and R14: four agents want the same runs, and fifty clients ask for the same one; each is there once.

    python -m tests.faults.races --runs 1000
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dagflow.exceptions import ConflictError
from tests.faults.backend_world import ROOT, STEADY, World, arguments, world

__all__ = ["ask_at_once", "main", "race"]

AGENTS = 4
ASKING = 50

AGENT = """
import sys
from dagflow.agent.agent import Agent

class Quick(Agent):
    "Ends a run at once, and writes down that it had it."

    def deploy_flow(self, run):
        with open(sys.argv[1], "a") as file:
            file.write(f"{run.id}\\n")
        self.set_state(run, "Success", "Done by an agent.")
        return "at once"

Quick(name=sys.argv[2], labels=[]).start()
"""


def race(here: World, runs: int) -> float:
    """Let agents, in processes of their own, share *runs* runs; return the seconds that took."""
    wanted = [here.run() for _ in range(runs)]
    paths = [here.folder / f"agent-{number}" for number in range(AGENTS)]
    began = time.monotonic()
    agents = [
        subprocess.Popen(
            [sys.executable, "-c", AGENT, str(path), path.name],
            env=here.environment, cwd=ROOT, stdout=here.agent_log, stderr=here.agent_log,
        )
        for path in paths
    ]  # fmt: skip
    try:
        here.wait_for(lambda: sum(map(len, map(_lines, paths))) >= runs, 120.0, "all runs")
        seconds = time.monotonic() - began
        here.wait_for(lambda: {here.state(run) for run in wanted} == {"Success"}, 30.0, "their ends to be recorded")
    finally:
        for agent in agents:
            agent.kill()
            agent.wait()
    given = Counter(line for path in paths for line in _lines(path))
    assert set(given) == set(wanted) and set(given.values()) == {1}, f"{sum(given.values())} claims of {runs} runs"
    return seconds


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def ask_at_once(here: World, keys: int) -> None:
    """Ask for runs, fifty times at once under each key."""
    with ThreadPoolExecutor(ASKING) as threads:
        for key in range(keys):
            wanted: dict[str, Any] = {"flow_id": here.flow_id, "idempotency_key": f"key-{key}"}
            asked = [
                threads.submit(here.client.create_flow_run, **wanted, parameters={"start": 1}) for _ in range(ASKING)
            ]
            found = {one.result() for one in asked}
            assert len(found) == 1, f"{len(found)} runs under one key"
            try:
                here.client.create_flow_run(**wanted, parameters={"start": 2})
            except ConflictError:
                continue
            raise AssertionError("another body was taken under the same key")
    count = here.client.get("flow_runs", {"count": True, "limit": 1})["count"]
    assert count == keys, f"{count} runs under {keys} keys"


def main() -> None:
    """Run the full sets: keys first, while there are no other runs."""
    options = arguments(__doc__, runs=1000)
    with world(options.database_url, agents=0, settings=STEADY) as here:
        ask_at_once(here, max(1, options.runs // 10))
        print(f"{max(1, options.runs // 10)} keys asked for {ASKING} times at once: one run each", flush=True)
    with world(options.database_url, agents=0, settings=STEADY) as here:
        seconds = race(here, options.runs)
        print(f"{options.runs} runs shared by {AGENTS} agents in {seconds:.1f} s: each given away once")


if __name__ == "__main__":
    main()
