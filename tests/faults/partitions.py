"""
R16: cut the line between the process of a run and the server; the run goes on, or is in other hands by then.

    python -m tests.faults.partitions --runs 50 --seed 1
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.faults.backend_world import LOST_AFTER, World, arguments, world
from tests.faults.hurt_flows import RIGHT
from tests.faults.proxy import Proxy
from tests.faults.records import Start, check_log, check_run, most_again, starts, task_runs, value

__all__ = ["Outcome", "hurt_line", "line", "main"]

PAUSE = 0.1
WAYS = ("freeze", "cut")


class Outcome(NamedTuple):
    """
    What came of one partition.

    Attributes:
        again: how many bodies began again.
        tokens: under how many holds the bodies began.
    """

    again: int
    tokens: int


@contextlib.contextmanager
def line(here: World) -> Iterator[Proxy]:
    """Give a line to the server that can be cut."""
    proxy = Proxy(here.port)
    try:
        yield proxy
    finally:
        proxy.close()


def hurt_line(here: World, proxy: Proxy, way: str, seconds: float, rng: random.Random) -> Outcome:
    """Execute a run whose line to the server is frozen or cut for some seconds."""
    env = {"DAGFLOW_TEST_API": f"http://127.0.0.1:{proxy.port}", "BODY_SECONDS": str(PAUSE)}
    run_id = here.run(env=env, start=1)
    before = len(starts(here))
    here.wait_for(lambda: len(starts(here)) > before + 1, 30.0, "bodies to begin")
    time.sleep(rng.uniform(0.0, 1.0))
    (old,) = here.flow_processes(run_id)
    getattr(proxy, way)()
    time.sleep(seconds)
    has_other_hands = here.client.get(f"flow_runs/{run_id}")["run_token"] > 1
    proxy.heal()
    healed = time.time()
    if has_other_hands:
        here.wait_for(lambda: old not in here.flow_processes(run_id), 15.0, "the old holder to stop")
    here.succeed(run_id, 90.0)
    here.wait_for(lambda: not here.flow_processes(run_id), 15.0, "all processes to end")
    assert value(here, run_id, "total-2") == RIGHT
    check_log(here, run_id)
    ours = {one["id"] for one in task_runs(here, run_id)}
    began = [one for one in starts(here) if one.task_run_id in ours]
    if not has_other_hands:
        return Outcome(check_run(here, run_id, most=0), len({one.token for one in began}))
    assert seconds > LOST_AFTER / 2, f"the run was declared lost after {seconds:.1f} s"
    # It may have begun what it could not know to be in other hands, until a moment after it could hear again.
    stubborn = [one for one in began if one.token == 1 and one.seconds > healed + 2.0]
    assert not stubborn, f"the old holder went on: {stubborn}"
    again = check_run(here, run_id, most=most_again(1, PAUSE) + _unheard(began))
    return Outcome(again, len({one.token for one in began}))


def _unheard(began: list[Start]) -> int:
    """Return how many bodies began under the old hold; of these none may have been recorded."""
    return sum(one.token == 1 for one in began)


def main() -> None:
    """Run the full set and print a summary."""
    options = arguments(__doc__, runs=50)
    rng = random.Random(options.seed)
    outcomes = []
    with world(options.database_url) as here, line(here) as proxy:
        for number in range(options.runs):
            way, seconds = WAYS[number % 2], rng.choice((rng.uniform(0.5, 1.5), rng.uniform(3.0, 8.0)))
            outcomes.append(hurt_line(here, proxy, way, seconds, rng))
            print(f"{way} {number + 1}: {seconds:.1f} s, {outcomes[-1]}", flush=True)
    changed = sum(one.tokens > 1 for one in outcomes)
    print(
        f"{options.runs} of {options.runs} partitions passed; {changed} runs changed hands, "
        f"{sum(one.again for one in outcomes)} bodies began again"
    )


if __name__ == "__main__":
    main()
