"""What happens to flow runs when processes, servers, databases and lines fail: a small set of each kind of fault."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.faults import (
    agent_kills,
    broken_flows,
    cancellations,
    crash_points,
    flow_kills,
    limit_kills,
    partitions,
    races,
    registered_dask_kills,
    server_kills,
)
from tests.faults.backend_world import HEARTBEAT, LOST_AFTER, STEADY, World, percentile, world
from tests.faults.hurt_flows import LIMITED, ON_DASK
from tests.faults.postgres import Postgres, postgres
from tests.faults.saboteur.sitecustomize import POINTS

# Each is a story of several runs, which take their time on a machine that is busy.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    """Give a world with SQLite; a test that kills a part of it starts another in its place."""
    with world() as one:
        yield one


@pytest.fixture(scope="module")
def steady() -> Iterator[World]:
    """Give a world that is patient with runs that are not heard of."""
    with world(settings=STEADY) as one:
        yield one


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """Give a PostgreSQL server."""
    with postgres() as one:
        yield one


@pytest.fixture(scope="module")
def on_postgresql(database: Postgres) -> Iterator[World]:
    """Give a world with PostgreSQL."""
    with world(database.url, settings=STEADY) as one:
        yield one


# --- the process of a run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_run_whose_process_is_killed_is_taken_up_where_it_was(here: World, seed: int) -> None:
    rng = random.Random(seed)

    times = [seconds for kills in (1, 2, 3) for seconds in flow_kills.hurt_run(here, rng, kills)[1]]

    assert percentile(times, 0.95) <= LOST_AFTER + 3.0


@pytest.mark.parametrize("part", range(5))
def test_a_run_survives_a_crash_at_each_point(here: World, part: int) -> None:
    rng = random.Random(part)
    points = list(POINTS)[part::5]

    again = crash_points.crash(here, [(point, rng.randint(1, crash_points.OFTEN.get(point, 1))) for point in points])

    assert len(again) == len(points)


@pytest.mark.parametrize("way", partitions.WAYS)
@pytest.mark.parametrize("seconds", [1.0, LOST_AFTER + 2 * HEARTBEAT])
def test_a_run_that_is_cut_off_goes_on_or_is_left_to_another_process(here: World, way: str, seconds: float) -> None:
    with partitions.line(here) as line:
        outcome = partitions.hurt_line(here, line, way, seconds, random.Random(way))

    assert outcome.tokens == (1 if seconds < LOST_AFTER else 2)


def test_a_cancelled_run_ends_soon_and_leaves_nothing_behind(steady: World) -> None:
    rng = random.Random(27)

    outcomes = [cancellations.cancel(steady, rng, 1.6) for _ in range(6)]

    assert sum(one.state == "Cancelled" for one in outcomes) >= 3


# --- agents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_runs_go_on_without_their_agent_and_none_is_lost(steady: World, seed: int) -> None:
    rng = random.Random(seed)

    outcomes = [agent_kills.hurt_agent(steady, rng) for _ in range(5)]

    assert any(went_on for went_on, _ in outcomes)


# --- server and database -----------------------------------------------------------------------------------------


def test_what_was_acknowledged_is_there_after_the_server_was_killed(steady: World) -> None:
    rng = random.Random(3)

    outcomes = [server_kills.hurt(steady, rng, server_kills.kill_server) for _ in range(3)]

    assert all(one.acknowledged and one.lines for one in outcomes)


def test_what_was_acknowledged_is_there_after_the_server_on_postgresql_was_killed(on_postgresql: World) -> None:
    rng = random.Random(4)

    outcomes = [server_kills.hurt(on_postgresql, rng, server_kills.kill_server) for _ in range(3)]

    assert all(one.acknowledged and one.lines for one in outcomes)


def test_a_server_that_is_stopped_ends_soon_and_costs_nothing(steady: World) -> None:
    rng = random.Random(5)

    outcomes = [server_kills.hurt(steady, rng, server_kills.stop_server) for _ in range(3)]

    assert all(one.lines for one in outcomes)


def test_runs_wait_for_a_database_that_another_process_has_locked_and_none_is_taken_for_lost(steady: World) -> None:
    outcome = server_kills.hurt(steady, random.Random(7), server_kills.lock_database)

    assert outcome.acknowledged and outcome.lines


@pytest.mark.parametrize("how", ["restart_fast", "restart_killed"])
def test_runs_outlive_a_restart_of_the_database(on_postgresql: World, database: Postgres, how: str) -> None:
    restart = server_kills.restart_database(getattr(database, how))

    outcome = server_kills.hurt(on_postgresql, random.Random(8), restart)

    assert outcome.acknowledged and outcome.lines


# --- worlds of their own -----------------------------------------------------------------------------------------


def test_limits_hold_while_processes_are_killed_and_no_slot_stays_taken() -> None:
    rng = random.Random(30)
    killed: dict[int, float] = {}

    with world(source=LIMITED, settings=STEADY) as limited:
        most = [limit_kills.hurt_limited(limited, rng, killed) for _ in range(3)]

    assert max(most) == 2 and killed


def test_runs_on_dask_outlive_their_workers_and_end_when_they_are_cancelled() -> None:
    rng = random.Random(10)

    with world(source=ON_DASK, settings=STEADY) as on_dask:
        killed_after = [registered_dask_kills.hurt_worker(on_dask, rng)[0] for _ in range(3)]
        outcomes = [cancellations.cancel(on_dask, rng, 5.0) for _ in range(3)]

    assert all(killed_after) and any(one.state == "Cancelled" for one in outcomes)


def test_code_and_results_that_are_broken_fail_their_run_with_the_cause() -> None:
    with world(source=broken_flows.GOOD, settings=STEADY) as breakable:
        for name, (change, named) in broken_flows.CODE.items():
            assert named in broken_flows.break_code(breakable, change), name
        for name in ("a bit flipped", "gone"):
            damage, named = broken_flows.RESULTS[name]
            assert named in broken_flows.break_result(breakable, damage), name


def test_agents_that_race_get_each_run_once_and_a_key_stands_for_one_run() -> None:
    with world(agents=0, settings=STEADY) as empty:
        races.ask_at_once(empty, 5)
        for run in empty.client.get("flow_runs")["items"]:
            empty.client.cancel_flow_run(run["id"])

        races.race(empty, 200)
