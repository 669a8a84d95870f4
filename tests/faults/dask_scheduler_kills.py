"""
R11: kill the scheduler of a real Dask cluster in the middle of a run, then run the flow again on another cluster.

    python -m tests.faults.dask_scheduler_kills --kills 10 --seed 1

A line passes when the first run ends soon, Failed with a cause that names the cluster and with the states of what had
finished; and when the second run gives the right result without beginning any body again whose value had been kept.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from dagflow.core.flow import Flow
from dagflow.engine.state import State
from dagflow.exceptions import ClusterError
from dagflow.executors import DaskExecutor
from dagflow.utilities.configuration import set_temporary_config
from tests.clusters import RunningCluster, end_orderly_when_told, running_cluster
from tests.faults.maps import Kind, executions, right_total, starts_in, three_stages
from tests.faults.witness import silence

WIDTH = 200
SOON = 15.0
"""Seconds after which a run without a scheduler must have ended."""
TARGET = "{task_name}-{map_index}"
KINDS = (Kind("small"), Kind("large", large=True), Kind("large, barrier", large=True, barrier=True))
COLUMNS = "{:>4}  {:<16} {:>8} {:>8} {:>9} {:>10} {:>12} {:>7}  {}"
HEADER = COLUMNS.format("kill", "flow", "at start", "ended in", "finished", "run again", "kept, again", "result", "")


class Outcome(NamedTuple):
    """What came of one kill."""

    kind: Kind
    seen: int
    seconds: float
    first: State
    named: bool
    finished: int
    """Runs that had succeeded when the scheduler was gone."""
    again: int
    """Bodies that the second run began."""
    kept_again: list[str]
    """Runs that had succeeded and began once more."""
    is_right: bool

    @property
    def passed(self) -> bool:
        """Whether all that is promised held."""
        ended = self.first.is_failed() and self.named and self.seconds < SOON
        return ended and self.finished > 0 and not self.kept_again and self.is_right

    def line(self, number: int) -> str:
        """Return a line of the table."""
        return COLUMNS.format(
            number,
            self.kind.name,
            self.seen,
            f"{self.seconds:.1f} s",
            self.finished,
            self.again,
            len(self.kept_again),
            "right" if self.is_right else "WRONG",
            "" if self.passed else "FAILED",
        )


class _Killer(threading.Thread):
    """Kills the scheduler once a given number of bodies has begun."""

    def __init__(self, cluster: RunningCluster, folder: Path, after: int) -> None:
        super().__init__(name="killer", daemon=True)
        self.seen = 0
        self.time = float("inf")
        self._cluster, self._folder, self._after = cluster, folder, after

    def run(self) -> None:
        while len(starts_in(self._folder)) < self._after:
            time.sleep(0.002)
        self._cluster.kill_scheduler()
        self.time = time.monotonic()
        self.seen = len(starts_in(self._folder))


def run_with_kill(kind: Kind, chance: random.Random, width: int = WIDTH) -> Outcome:
    """Run a flow, killing the scheduler on the way; run it again elsewhere."""
    with TemporaryDirectory(prefix="kills-") as made, set_temporary_config({"flows.checkpointing": True}):
        folder = Path(made)
        flow = three_stages(folder, kind, width, target=TARGET)
        with running_cluster(workers=2) as cluster:
            killer = _Killer(cluster, folder, chance.randrange(width // 4, 3 * width - 50))
            killer.start()
            before = flow.run(executor=DaskExecutor(address=cluster.address))
            seconds = time.monotonic() - killer.time
        done = successes(flow, before)
        counts = executions(folder)
        with running_cluster(workers=2) as cluster:
            after = flow.run(executor=DaskExecutor(address=cluster.address))
        more = executions(folder) - counts
        (end,) = flow.get_tasks("total")
        return Outcome(
            kind=kind,
            seen=killer.seen,
            seconds=seconds,
            first=before,
            named=names_the_cluster(flow, before),
            finished=len(done),
            again=more.total(),
            kept_again=sorted(done & more.keys()),
            is_right=after.is_successful() and after.result[end].result == right_total(width),
        )


def successes(flow: Flow, state: State) -> set[str]:
    """Return the full names of the runs that succeeded."""
    found = set()
    for one, ended in state.result.items():
        children = getattr(ended, "map_states", None)
        if children is None and ended.is_successful() and not one.is_constant:
            found.add(one.name)
        for number, child in enumerate(children or ()):
            if child is not None and child.is_successful():
                found.add(f"{one.name}[{number}]")
    return found


def names_the_cluster(flow: Flow, state: State) -> bool:
    """Tell whether some run failed because of the cluster, and none for another reason of its own."""
    causes = [
        child.result
        for ended in state.result.values()
        for child in (getattr(ended, "map_states", None) or [ended])
        if child is not None and type(child).__name__ == "Failed"
    ]
    return bool(causes) and all(isinstance(cause, ClusterError) for cause in causes)


def main() -> int:
    """Print the table; return how many kills did not pass."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.dask_scheduler_kills")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    silence()
    end_orderly_when_told()
    chance = random.Random(arguments.seed)
    failures = 0
    print(HEADER, flush=True)
    for number in range(arguments.kills):
        outcome = run_with_kill(KINDS[number % len(KINDS)], chance)
        failures += not outcome.passed
        print(outcome.line(number + 1), flush=True)
    print(f"{arguments.kills - failures} of {arguments.kills} kills passed (seed {arguments.seed})")
    return failures


if __name__ == "__main__":
    sys.exit(min(main(), 100))
