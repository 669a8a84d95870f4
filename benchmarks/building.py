"""Building, compiling, serializing, pickling; importing; dates."""

from __future__ import annotations

import datetime
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.engine import level
from benchmarks.flows import chain, layered
from benchmarks.measure import Row, against, at_most, cpu_seconds, interleaved, micro
from dagflow.engine.plan import compile_plan
from dagflow.schedules import CronSchedule, IntervalSchedule


def rows() -> Iterator[Row]:
    for count in (1_000, 10_000, 100_000):
        peer, ours = interleaved(bare(count), lambda count=count: compile_plan(layered(count)), repeats=3)  # type: ignore[misc]
        yield against(f"build and compile {count:,} layered tasks", ours, peer, count, 3, "networkx")
    with level("CRITICAL"):
        seconds = cpu_seconds(lambda: chain(100_000).run(), 1)
    yield Row("build, sort and run a chain of 100,000", micro(seconds, 100_000) + " a task")
    yield from _wire()
    yield from _dates()
    yield from _imports()


def bare(count: int, width: int = 50) -> Callable[[], Any]:
    """Return the layered graph as networkx alone builds and sorts it."""

    def build() -> Any:
        import networkx

        graph = networkx.MultiDiGraph()
        layer = [object() for _ in range(width)]
        graph.add_nodes_from(layer)
        for _ in range(count // width - 1):
            above, layer = layer, [object() for _ in range(width)]
            for i, node in enumerate(layer):
                graph.add_node(node)
                graph.add_edge(above[i], node, key="x")
                graph.add_edge(above[(i + 1) % width], node, key="y")
        return list(networkx.topological_sort(graph))

    return build


def _wire() -> Iterator[Row]:
    import cloudpickle

    flow = layered(1_000)
    yield at_most("serialize() of 1,000 tasks", cpu_seconds(flow.serialize), 40e-3)
    size = len(cloudpickle.dumps(flow)) / 1_000
    yield Row("cloudpickle of such a flow, per task", f"{size:.0f} B", "", None, "≤ 200 B", size <= 200)


def _dates() -> Iterator[Row]:
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    every = IntervalSchedule(interval=datetime.timedelta(hours=1), start_date=start)
    yield at_most("1,000 interval dates", cpu_seconds(lambda: every.next(1_000, after=start)), 5e-3)
    cron = CronSchedule("*/15 * * * *", start_date=start)
    yield at_most("1,000 cron dates", cpu_seconds(lambda: cron.next(1_000, after=start)), 25e-3)


def _imports() -> Iterator[Row]:
    ours, peer = _turns("import dagflow", "import networkx")
    yield against("import dagflow", ours, peer, 1, 1, "networkx")
    ours, peer = _turns("from dagflow import Flow, task, Parameter", "import networkx")
    yield Row("  and its first names", micro(ours), f"networkx {micro(peer)}", ours / peer)
    code = "import dagflow; print([l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')][0])"
    memory = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) / 1024
    yield Row("memory after import dagflow", f"{memory:.0f} MiB", "", None, "≤ 30 MiB", memory <= 30)
    yield at_most("dagflow --help", min(_run([sys.executable, "-m", "dagflow", "--help"]) for _ in range(5)), 0.150)


def _turns(one: str, other: str, repeats: int = 9) -> tuple[float, float]:
    """Return the median time of each statement, without that of starting Python."""
    found: list[list[float]] = [[], []]
    for _ in range(repeats):
        for times, code in zip(found, (one, other), strict=True):
            program = f"import time; begin = time.perf_counter(); {code}; print(time.perf_counter() - begin)"
            answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
            times.append(float(answer.stdout))
    return sorted(found[0])[repeats // 2], sorted(found[1])[repeats // 2]


def _run(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - begin
