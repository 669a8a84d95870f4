"""
Run all benchmarks and print one table.

    python -m benchmarks [--prefect PYTHON] [--only NAME] [--rst]

PYTHON is an interpreter that has Prefect 0.15; its figures are then measured on the same flows in the same run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks import backend, building, cluster, engine, pages, pools
from benchmarks.flows import layered, mapped, work
from benchmarks.measure import Row, cpu_seconds, micro, rst_table, table
from dagflow import Flow

PARTS = {
    "engine": engine.rows,
    "building": building.rows,
    "pools": pools.rows,
    "dask": cluster.rows,
    "backend": backend.rows,
    "pages": pages.rows,
}


def prefect_rows(python: str) -> Iterator[Row]:
    """Measure Prefect 0.15 beside dagflow."""
    script = Path(__file__).with_name("prefect_peer.py")
    found = json.loads(subprocess.run([python, str(script)], capture_output=True, check=True).stdout.splitlines()[-1])
    with Flow("one") as one:
        work()
    layers, children = layered(1_000), mapped(1_000)
    with engine.level("CRITICAL"):
        ours = {
            "task": cpu_seconds(layers.run) / 1_000,
            "child": cpu_seconds(children.run) / 1_000,
            "one": cpu_seconds(one.run),
            "build": cpu_seconds(lambda: layered(1_000).sorted_tasks()) / 1_000,
        }
    for name, seconds in ours.items():
        peer = f"Prefect {found['version']} {micro(found[name])}"
        yield Row(f"against Prefect: {name}", micro(seconds), peer, seconds / found[name])


def shown(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield *rows*, and show each as soon as it is measured: all of them take minutes."""
    for row in rows:
        verdict = "" if row.met is None else "met" if row.met else "MISSED"
        print(f"{row.name.strip()}: {row.figure or row.peer}  {verdict}", file=sys.stderr, flush=True)
        yield row


def main() -> int:
    """Print the table; return how many targets were missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--prefect", metavar="PYTHON", help="an interpreter that has Prefect 0.15")
    parser.add_argument("--rst", action="store_true", help="print the table as it stands in the documents")
    parser.add_argument("--only", choices=sorted(PARTS), action="append")
    arguments = parser.parse_args()
    parts = arguments.only or list(PARTS)
    rows = list(shown(row for name in parts for row in PARTS[name]()))
    if arguments.prefect:
        rows += shown(prefect_rows(arguments.prefect))
        if "dask" in parts:
            rows += shown(cluster.prefect_rows(arguments.prefect))
    print(rst_table(rows) if arguments.rst else table(rows))
    missed = sum(row.met is False for row in rows)
    print(f"\n{missed} of {sum(row.met is not None for row in rows)} targets missed", file=sys.stderr)
    return missed


if __name__ == "__main__":
    sys.exit(main())
