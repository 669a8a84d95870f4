"""
Distributed runs beside plain Dask on the same cluster: two workers with one thread each.

The cluster is there before any clock starts, for dagflow as for its peers; a dagflow run connects to it anew each time,
Dask's client stays connected. The module is not called ``dask``, or ``import dask`` in a script that lies beside it
would find this.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import cluster_flows as flows
from benchmarks import cluster_peers as peers
from benchmarks.cluster_client import last_result
from benchmarks.engine import level, wall
from benchmarks.etl import PARTITIONS, flow_of, fused, fused_pool, load, plain_script
from benchmarks.measure import Row, against, at_most, interleaved, micro
from dagflow import Flow

CHUNKS = (100, 250)
"""Items in a key, as somebody who knows would cut 10,000 of them by hand for a few workers."""

MEGABYTE = 1e6


@dataclass(frozen=True)
class Cluster:
    """A cluster, a plain client of it, and how dagflow runs on it."""

    address: str
    client: Any

    def run(self, flow: Flow) -> Any:
        """Run *flow*; it has to succeed."""
        from dagflow.executors import DaskExecutor

        state = flow.run(executor=DaskExecutor(address=self.address))
        assert state.is_successful(), state
        return state

    def running(self, flow: Flow, expected: Any = None) -> Callable[[], Any]:
        """Return a call that runs *flow*; once, here, its last result has to be *expected*."""
        if expected is not None:
            assert last_result(flow, self.run(flow)) == expected
        return lambda: self.run(flow)

    def apart(self, name: str) -> dict[str, Any]:
        """Run a flow from a process of its own; see ``cluster_client``."""
        command = [sys.executable, "-m", "benchmarks.cluster_client", self.address, name]
        here = Path(__file__).parent.parent
        found = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=here, timeout=600)
        measured: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
        return measured


@contextlib.contextmanager
def cluster(threads: int = 1) -> Iterator[Cluster]:
    """Start two workers with *threads* threads each."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=threads, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as started,
        Client(started.scheduler_address, set_as_default=False) as client,
    ):
        yield Cluster(started.scheduler_address, client)


def rows() -> Iterator[Row]:
    """Measure everything; without Dask, say so."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        yield Row("distributed runs", "", "not measured: install the `dask` extra")
        return
    with level("CRITICAL"):
        with cluster() as two:
            for part in PARTS:
                yield from part(two)
        with cluster(threads=4) as wide:
            yield pipelines(wide)


def turns(*works: Callable[[], Any], repeats: int = 5) -> list[float]:
    """Return the median time on the wall of each of *works*."""
    return interleaved(*works, repeats=repeats, clock=time.perf_counter)


def small_children(two: Cluster) -> Iterator[Row]:
    """Measure 10,000 mapped no-ops, then three stages of 2,000."""
    count, raw_count = flows.MAPPED, 2_000
    items = list(range(count))
    ours, raw, *cut = turns(
        two.running(flows.mapped(flows.noop, items), items),
        peers.one_key_each(two.client, flows.noop, items[:raw_count]),
        *(peers.chunked(two.client, flows.noop, items, size) for size in CHUNKS),
    )
    each, raw_each = ours / count, raw / raw_count
    yield against(f"{count:,} mapped no-ops on Dask", ours, min(cut), count, 3, "hand-chunked Dask")
    faster = raw_each / each
    yield Row("  throughput", "", f"client.map {micro(raw_each)}", faster, "≥ 20×", faster >= 20)
    yield at_most("  each", ours, 80e-6, count)

    wide = flows.PIPELINE
    ours, raw, *cut = turns(
        two.running(flows.mapped(flows.noop, items[:wide], stages=3), items[:wide]),
        peers.one_key_each(two.client, flows.noop, items[:wide], stages=3),
        *(peers.chunked(two.client, flows.noop, items[:wide], size, stages=3) for size in CHUNKS),
    )
    yield at_most(f"three stages of {wide:,} no-ops, a child", ours, 80e-6, 3 * wide)
    for name, seconds in (("client.map", raw), ("chunked and fused by hand", min(cut))):
        yield Row("  beside Dask", "", f"{name} {micro(seconds, 3 * wide)}", ours / seconds)


def independent_tasks(two: Cluster) -> Iterator[Row]:
    """Measure 1,000 plain tasks."""
    count = 1_000
    ours, submitted, delayed = turns(
        two.running(flows.independent(count)), peers.submitted(two.client, count), peers.delayed(two.client, count)
    )
    name = "submit" if submitted < delayed else "delayed"
    yield against(f"{count:,} tasks that are not mapped", ours, min(submitted, delayed), count, 1, f"Dask, {name},")


def naps(two: Cluster) -> Iterator[Row]:
    """Measure three stages of 5 ms sleeps against the time that the sleeps alone take."""
    wide, stages = flows.PIPELINE, 3
    items = list(range(wide))
    ideal = stages * wide * flows.NAP_SECONDS / 2
    raw = wall(peers.one_key_each(two.client, flows.nap, items, stages))
    by_hand = wall(peers.chunked(two.client, flows.nap, items, wide // 2, stages))
    ours = sorted(wall(two.running(flows.mapped(flows.nap, items, stages))) for _ in range(3))[1]
    name = f"three stages of {wide:,} sleeps of 5 ms"
    yield Row(name, micro(ours), f"ideal {micro(ideal)}", ideal / ours, "≥ 0.95×", ideal / ours >= 0.95)
    # What sleeps last beyond their 5 ms is in all three.
    yield Row("  two keys with all the sleeps, cut by hand", "", micro(by_hand), ideal / by_hand)
    yield Row("  client.map", "", micro(raw), ideal / raw)


def many_children(two: Cluster) -> Iterator[Row]:
    """Measure what 100,000 children cost the client."""
    from benchmarks.cluster_client import Complaints

    complaints = Complaints()
    with complaints.listening():
        found = two.apart("mapped:100000")
    assert found["sum"] == sum(range(100_000))
    yield _megabytes("memory the client needs for 100,000 mapped no-ops", found["growth"], 100)
    yield Row("  each", micro(found["seconds"], 100_000), "", None)
    said = found["complaints"] + complaints.found
    for line in said:
        print(line, file=sys.stderr)
    yield Row("  warnings from Dask", str(len(said)), "", None, "0", not said)


def big_values(two: Cluster) -> Iterator[Row]:
    """Measure what goes through the client when 800 MB are made and used."""
    for name, what in (("chained", "a map"), ("gathered", "one task")):
        found = two.apart(name)
        assert found["sum"] == flows.BIG_BYTES * flows.BIG_COUNT
        through = found["read"] + found["written"]
        yield _megabytes(f"through the client: 800 MB of mapped values for {what}", through, 20)
        yield Row("  memory it needs", f"{found['growth'] / MEGABYTE:.1f} MB", micro(found["seconds"]))


def skew(two: Cluster) -> Iterator[Row]:
    """Measure 200 children of which five take 2 s, in three orders."""
    for order, times in flows.skews().items():
        best = flows.best_schedule(times)
        raw = wall(peers.one_key_each(two.client, flows.sleep_for, times))
        ours = sorted(wall(two.running(flows.mapped(flows.sleep_for, times))) for _ in range(3))[1]
        yield against(f"200 children, 5 of 2 s, {order}", ours, best, 1, 1.10, "best possible")
        yield Row("  client.map", "", micro(raw), raw / best)


def etl(two: Cluster) -> Iterator[Row]:
    """Measure the million-row ETL."""
    flow, expected = flow_of(), plain_script()
    with get_context("spawn").Pool(2) as pool:
        ours, warm, fresh, raw = turns(
            two.running(flow, expected),
            lambda: load(pool.map(fused, range(PARTITIONS), chunksize=1)),
            fused_pool,
            peers.etl(two.client),
        )
    yield against("ETL of a million rows, workers waiting", ours, warm, 1, 1.25, "hand-fused pool, waiting too,")
    yield Row("  the pool's start counted", "", micro(fresh), ours / fresh)
    yield Row("  Dask, stage after stage", "", micro(raw), ours / raw)


def messages(two: Cluster) -> Iterator[Row]:
    """Measure what the client sends for one task more, the flow itself included."""
    names = {"plain": (100, 1_100, "a task"), "mapped": (1_000, 11_000, "a mapped child")}
    for kind, (few, many, what) in names.items():
        each = (two.apart(f"{kind}:{many}")["written"] - two.apart(f"{kind}:{few}")["written"]) / (many - few)
        yield Row(f"sent for {what}", f"{each:.0f} B", "", None, "≤ 1 kB", each <= 1_000)
    # Tasks of 60 ms, so that each travels alone.
    each = (two.apart("slow:120")["written"] - two.apart("slow:20")["written"]) / 100
    yield Row("sent for a task that travels alone", f"{each:.0f} B", "", None, "≤ 1 kB", each <= 1_000)


def pipelines(wide: Cluster) -> Row:
    """Measure four slow sources with maps behind them, on eight threads."""
    flow = flows.pipelines()
    (seconds,) = turns(wide.running(flow), repeats=3)
    return at_most("four pipelines of 2 s with maps, 2 workers × 4 threads", seconds, 2.3)


def _megabytes(name: str, size: float, limit: float) -> Row:
    return Row(name, f"{size / MEGABYTE:.1f} MB", "", None, f"≤ {limit:g} MB", size <= limit * MEGABYTE)


PARTS: tuple[Callable[[Cluster], Iterator[Row]], ...] = (
    small_children,
    independent_tasks,
    naps,
    many_children,
    big_values,
    skew,
    etl,
    messages,
)


def prefect_rows(python: str) -> Iterator[Row]:
    """Measure mapped children beside Prefect 0.15 on a cluster of the same shape."""
    script = Path(__file__).with_name("prefect_cluster_peer.py")
    answer = subprocess.run([python, str(script)], capture_output=True, text=True, check=False)
    if answer.returncode:
        why = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
        yield Row("against Prefect: child on Dask", "", f"not measured: {why}")
        return
    found = json.loads(answer.stdout.splitlines()[-1])
    with level("CRITICAL"), cluster() as two:
        count = 1_000
        (ours,) = turns(two.running(flows.mapped(flows.noop, list(range(count)))), repeats=3)
    theirs = f"Prefect {found['version']} {micro(found['child'])}"
    yield Row("against Prefect: child on Dask", micro(ours, count), theirs, ours / count / found["child"])
