"""
R3, R5, R7 and R8: end the server or its database, or lock that, while runs are in flight; what was acknowledged stays.

    python -m tests.faults.server_kills --runs 60 --seed 1 --how kill
    python -m tests.faults.server_kills --runs 30 --how kill --postgresql
    python -m tests.faults.server_kills --runs 50 --how term
    python -m tests.faults.server_kills --runs 20 --how database
    python -m tests.faults.server_kills --runs 10 --how lock
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from dagflow.exceptions import ClientError
from tests.faults.agent_kills import check_claims
from tests.faults.backend_world import STEADY, World, arguments, percentile, world
from tests.faults.hurt_flows import RIGHT
from tests.faults.postgres import postgres
from tests.faults.records import check_acknowledged, check_database, check_log, check_run, task_runs, value

__all__ = ["Outcome", "hurt", "kill_server", "lock_database", "main", "restart_database", "stop_server"]

AT_ONCE = 3
READY = 3.0
DRAINED = 5.0
USABLE = 5.0
LOCKED = 30.0
"""Seconds for which another process has the database to itself."""


class Outcome(NamedTuple):
    """
    What came of one fault.

    Attributes:
        seconds: until the server was there again.
        acknowledged: how many states the runs were told are recorded, all of which were found.
        lines: how many log lines of bodies were found.
    """

    seconds: float
    acknowledged: int
    lines: int


def kill_server(here: World, rng: random.Random) -> float:
    """Kill the server, look at its file, start it, and return how long it took to be ready."""
    here.end_server(signal.SIGKILL)
    check_database(here)
    time.sleep(rng.uniform(0.0, 1.0))
    return _started(here)


def stop_server(here: World, rng: random.Random) -> float:
    """Stop the server in order, start it, and return how long it took to be ready."""
    drained = here.end_server(signal.SIGTERM)
    assert drained <= DRAINED, f"the server took {drained:.1f} s to end"
    server = here.server
    assert server is not None
    assert server.returncode in (0, -signal.SIGTERM), server.returncode
    time.sleep(rng.uniform(0.0, 1.0))
    return _started(here)


def _started(here: World) -> float:
    seconds = here.start_server()
    assert seconds <= READY, f"the server was ready after {seconds:.1f} s"
    return seconds


def lock_database(here: World, rng: random.Random) -> float:
    """Keep the file of the database locked for half a minute, and return how long after that the server could write."""
    connection = sqlite3.connect(here.database_url.removeprefix("sqlite:///"), timeout=10.0, isolation_level=None)
    with contextlib.closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        end = time.monotonic() + LOCKED
        assert not _can_write(here), "the server wrote to a database that was locked"
        assert here.client.get("projects")["items"], "the server could not even read"
        time.sleep(max(0.0, end - time.monotonic()))
        connection.execute("COMMIT")
    began = time.monotonic()
    here.wait_for(partial(_can_write, here), 20.0, "the server to write again")
    seconds = time.monotonic() - began
    assert seconds <= USABLE, f"the database was free for {seconds:.1f} s before the server wrote to it"
    return seconds


def _can_write(here: World) -> bool:
    """Tell whether the server takes a write; one that it does not take is answered by 503 and a time to come again."""
    try:
        here.client._request("POST", "kv", body={"key": "written", "value": 1}, retries=0)
    except ClientError as error:
        assert error.status == 503, error
        return False
    return True


def restart_database(*ways: Callable[[], None]) -> Callable[[World, random.Random], float]:
    """Return what restarts the database in one of some *ways*, and tells when the server can use it."""

    def restart(here: World, rng: random.Random) -> float:
        rng.choice(ways)()
        began = time.monotonic()
        ask = partial(here.client._request, "GET", "projects", retries=0)
        here.wait_for(ask, 20.0, "the server to answer with data")
        seconds = time.monotonic() - began
        assert seconds <= USABLE, f"the database was back for {seconds:.1f} s before the server could use it"
        return seconds

    return restart


FAULTS = {"kill": kill_server, "term": stop_server, "lock": lock_database}


def hurt(here: World, rng: random.Random, fault: Callable[[World, random.Random], float]) -> Outcome:
    """Let *fault* happen somewhere in the middle of a few runs."""
    runs = [here.run(start=1) for _ in range(AT_ONCE)]
    # Most faults shall hit while bodies run, which is after a second or so.
    time.sleep(rng.triangular(0.0, 3.0, 1.5))
    seconds = fault(here, rng)
    lines = 0
    for run in runs:
        here.succeed(run)
        assert value(here, run, "total-2") == RIGHT
        # The bodies are not hurt. That they saw no error: the one retry is the flow's own.
        check_run(here, run, most=0)
        assert all(one["state"] not in ("Failed", "TriggerFailed") for one in task_runs(here, run))
        assert here.client.get(f"flow_runs/{run}")["times_resurrected"] == 0, "a run that lived was taken for lost"
        # The last lines are sent after the last state.
        here.wait_for(partial(_has_ended, here, run), 20.0, "the process to end")
        lines += check_log(here, run)
    check_claims(here)
    return Outcome(seconds, check_acknowledged(here), lines)


def _has_ended(here: World, run_id: str) -> bool:
    return not here.flow_processes(run_id)


def main() -> None:
    """Run the full set and print a summary."""
    how = "kill"
    if "--how" in sys.argv:
        place = sys.argv.index("--how")
        how = sys.argv[place + 1]
        del sys.argv[place : place + 2]
    options = arguments(__doc__, runs=60)
    rng = random.Random(options.seed)
    times, acknowledged, lines = [], 0, 0
    with contextlib.ExitStack() as exits:
        url = options.database_url
        fault: Callable[[World, random.Random], float] | None = FAULTS.get(how)
        if how == "database" or options.postgresql:
            database = exits.enter_context(postgres())
            url, fault = database.url, fault or restart_database(database.restart_fast, database.restart_killed)
        assert fault is not None, f"--how is kill, term, lock or database, not {how}"
        here = exits.enter_context(world(url, settings=STEADY))
        for number in range(options.runs):
            outcome = hurt(here, rng, fault)
            times.append(outcome.seconds)
            acknowledged, lines = outcome.acknowledged, lines + outcome.lines
            print(f"{how} {number + 1}: {outcome}", flush=True)
    print(
        f"{options.runs} of {options.runs} passed ({how}, {(url or 'sqlite').partition(':')[0]}): {acknowledged} "
        f"acknowledged states and {lines} log lines, none missing; back after {percentile(times, 0.5):.2f} s "
        f"(median), {max(times):.2f} s (longest)"
    )


if __name__ == "__main__":
    main()
