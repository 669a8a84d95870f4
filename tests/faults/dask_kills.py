"""
R10: kill workers of a real Dask cluster in the middle of maps, and look at what came of it.

    python -m tests.faults.dask_kills --kills 50 --seed 1

Each line of the table is one run of a flow of three maps and a sum. While it runs, one worker is killed with -9 at a
random moment and another takes its place. A line passes when the result is right, no run whose success was recorded
began again, and where values could only be had by running again, each such run was named in a warning.
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

from dagflow.engine.state import State
from dagflow.executors import DaskExecutor
from dagflow.utilities.configuration import set_temporary_config
from tests.clusters import RunningCluster, end_orderly_when_told, running_cluster
from tests.faults.maps import KINDS, Kind, executions, right_total, starts_in, three_stages
from tests.faults.witness import Witness, histogram, silence

WIDTH = 200
COLUMNS = "{:>4}  {:<30} {:<9} {:>8}  {:<6} {:<18} {:>5} {:>7} {:>9} {:>7}  {}"
HEADER = COLUMNS.format(
    "kill", "flow", "killed", "at start", "result", "runs × executions", "extra", "after S", "announced", "seconds", ""
)


class Killer(threading.Thread):
    """
    Kills a worker once a given number of bodies has begun, and starts another in its place.

    Attributes:
        killed: the number of the worker.
        seen: how many bodies had begun by then.
    """

    def __init__(self, cluster: RunningCluster, folder: Path, after: int, chance: random.Random) -> None:
        super().__init__(name="killer")
        self.killed: int | None = None
        self.seen = 0
        self._cluster, self._folder, self._after = cluster, folder, after
        self._pause = chance.uniform(0, 0.004)
        self._victim = chance.choice(cluster.living())
        self._over = threading.Event()

    def run(self) -> None:
        while len(starts_in(self._folder)) < self._after:
            if self._over.wait(0.002):
                return
        time.sleep(self._pause)
        self._cluster.kill_worker(self._victim)
        self.killed = self._victim
        self.seen = len(starts_in(self._folder))
        self._cluster.start_worker()

    def stop(self) -> None:
        """Come to an end."""
        self._over.set()
        self.join()


class Outcome(NamedTuple):
    """What came of one kill."""

    kind: Kind
    killed: int | None
    seen: int
    is_right: bool
    executions: str
    extra: int
    after_success: list[str]
    unannounced: list[str]
    seconds: float
    state: State

    @property
    def passed(self) -> bool:
        """Whether all that is promised held."""
        if not self.is_right or self.killed is None:
            return False
        return not (self.unannounced if self.kind.may_run_again else self.after_success)

    def line(self, number: int) -> str:
        """Return a line of the table."""
        return COLUMNS.format(
            number,
            self.kind.name,
            f"worker {self.killed}" if self.killed is not None else "none",
            self.seen,
            "right" if self.is_right else "WRONG",
            self.executions,
            self.extra,
            len(self.after_success),
            f"{len(self.after_success) - len(self.unannounced)}" if self.after_success else "",
            f"{self.seconds:.2f}",
            "" if self.passed else "FAILED",
        )


def run_with_kill(cluster: RunningCluster, kind: Kind, chance: random.Random, width: int = WIDTH) -> Outcome:
    """Run a flow, killing a worker on the way."""
    cluster.wait_until_ready()
    with TemporaryDirectory(prefix="kills-") as made:
        folder = Path(made)
        flow = three_stages(folder, kind, width)
        killer = Killer(cluster, folder, chance.randrange(1, 3 * width - 10), chance)
        witness = Witness()
        began = time.monotonic()
        killer.start()
        try:
            with witness.listening(), set_temporary_config({"flows.checkpointing": True}):
                state = flow.run(executor=DaskExecutor(address=cluster.address), runner_cls=witness.runner)
        finally:
            seconds = time.monotonic() - began
            killer.stop()
        again = witness.started_after_success(flow, state, folder)
        (end,) = flow.get_tasks("total")
        counts = executions(folder)
        return Outcome(
            kind=kind,
            killed=killer.killed,
            seen=killer.seen,
            is_right=state.is_successful() and state.result[end].result == right_total(width),
            executions=histogram(folder),
            extra=counts.total() - len(counts),
            after_success=again,
            unannounced=witness.unannounced(again),
            seconds=seconds,
            state=state,
        )


def main() -> int:
    """Print the table; return how many kills did not pass."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.dask_kills")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--nthreads", type=int, default=1)
    arguments = parser.parse_args()
    silence()
    end_orderly_when_told()
    chance = random.Random(arguments.seed)
    failures = 0
    print(HEADER, flush=True)
    with running_cluster(arguments.workers, arguments.nthreads) as cluster:
        for number in range(arguments.kills):
            outcome = run_with_kill(cluster, KINDS[number % len(KINDS)], chance)
            failures += not outcome.passed
            print(outcome.line(number + 1), flush=True)
    print(f"{arguments.kills - failures} of {arguments.kills} kills passed (seed {arguments.seed})")
    return failures


if __name__ == "__main__":
    sys.exit(min(main(), 100))
