"""
The pages, in a real Chromium, over a database with 100,000 flow runs and 1,000,000 task runs.

``DAGFLOW_TESTS_CHROMIUM`` names the browser if it is not ``chromium``; without one there are no rows.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.backend import Backend, backend, wide
from benchmarks.backend_load import percentile, timed
from benchmarks.measure import Row, at_most
from dagflow.utilities.identities import new_id, task_run_id

RUNS, TASKS = 100_000, 10
OPEN_PAGES = 200


def rows() -> Iterator[Row]:
    """Measure all of it."""
    program = os.environ.get("DAGFLOW_TESTS_CHROMIUM") or shutil.which("chromium")
    if program is None:
        return
    with tempfile.TemporaryDirectory(prefix="dagflow-bench-") as folder:
        with backend(None, folder) as here:
            flow_id, large = here.register(wide(TASKS)), here.register(wide(1_000))
        _fill(f"sqlite:///{folder}/bench.db", flow_id)
        with backend(None, folder) as here:
            yield from _page_rows(here, program, flow_id, large)
            yield _crowd_row(here)


def _fill(database_url: str, flow_id: str) -> None:
    """Put finished runs with their task runs into the database while no server has it."""
    from dagflow.server.database.engine import Database

    database = Database(database_url)
    try:
        for _ in range(RUNS // 1_000):
            database.write(lambda tx: _add_runs(tx, flow_id, 1_000))
        with database.writer.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
    finally:
        database.close()


def _add_runs(tx: Any, flow_id: str, count: int) -> None:
    from sqlalchemy import insert, select

    from dagflow.server.database import tables
    from dagflow.server.store import creation

    runs, tasks = tables.flow_run, tables.task
    first = creation.create_flow_run(tx, creation.WantedRun(flow_id=flow_id))["id"]
    like = dict(tx.execute(select(runs).where(runs.c.id == first)).one()._mapping)
    like |= {"start_time": tx.stamp, "end_time": tx.stamp, "tasks_made": True}
    states = ("Failed", *["Success"] * 9)
    made = [like | {"id": new_id(), "state": states[number % 10]} for number in range(count - 1)]
    tx.execute(insert(runs), made)
    task_ids = tx.execute(select(tasks.c.id).where(tasks.c.flow_id == flow_id)).scalars().all()
    one = {
        "created": tx.stamp, "updated": tx.stamp, "map_index": -1, "run_count": 1, "version": 3,
        "start_time": tx.stamp, "end_time": tx.stamp, "state_message": "Task run succeeded.",
    }  # fmt: skip
    tx.execute(
        insert(tables.task_run),
        [
            one | {"id": task_run_id(run["id"], task), "flow_run_id": run["id"], "task_id": task, "state": run["state"]}
            for run in made
            for task in task_ids
        ],
    )


def _page_rows(here: Backend, program: str, flow_id: str, large: str) -> Iterator[Row]:
    from playwright.sync_api import sync_playwright

    run = here.client.get("flow_runs", {"limit": 1, "state": "Failed"})["items"][0]
    group = here.client.get(f"flows/{flow_id}")["flow_group_id"]
    large_run = here.client.create_flow_run(flow_id=large)
    here.client.post(f"flow_runs/{large_run}/begin", {})
    paths = [
        "/", "/flows", f"/flows/{group}", f"/flows/{group}?tab=grid", f"/flows/{group}?tab=tasks",
        f"/flows/{group}/run", "/runs", "/runs?state=failed", f"/runs/{run['id']}", f"/runs/{run['id']}?tab=logs",
        "/queue", "/agents", "/events", "/data", "/projects", "/admin",
    ]  # fmt: skip
    paints, answers, weights = {}, [], {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for path in paths:
            seen = _visit(browser, here.url + path)
            paints[path], weights[path] = seen["shown"], seen["bytes"]
            answers += seen["answers"]
        graph = _graph_seconds(browser, f"{here.url}/runs/{large_run}?tab=graph")
        browser.close()
    slowest, heaviest = max(paints, key=paints.__getitem__), max(weights, key=weights.__getitem__)
    yield at_most(f"slowest page to show its content ({_short(slowest)})", paints[slowest], 1.0)
    yield at_most("answers to pages, p95", percentile(answers, 0.95), 0.100)
    kilobytes = weights[heaviest] / 1e3
    yield Row(
        f"heaviest page ({_short(heaviest)})", f"{kilobytes:.0f} kB", "", None, "≤ 150 kB", kilobytes <= 150
    )
    yield at_most("graph of 1,000 tasks to be used", graph, 1.5)


def _short(path: str) -> str:
    return "/".join(part if len(part) < 30 else "…" + part[36:] for part in path.split("/"))


def _visit(browser: Any, address: str) -> dict[str, Any]:
    """Open a page as a new visitor and return when its heading stood, how long answers took, and what came."""
    context = browser.new_context()
    page = context.new_page()
    finished: list[Any] = []
    page.on("requestfinished", finished.append)
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#page h1")
    shown = time.perf_counter() - began
    page.wait_for_timeout(500)
    answers, size = [], 0
    for request in finished:
        timing = request.timing
        size += request.sizes()["responseBodySize"]
        if "/api/" in request.url:
            answers.append((timing["responseStart"] - timing["requestStart"]) / 1e3)
    context.close()
    return {"shown": shown, "answers": answers, "bytes": size}


def _graph_seconds(browser: Any, address: str) -> float:
    context = browser.new_context()
    page = context.new_page()
    _ = page.goto(address)  # makes the layout, once for the version
    page.wait_for_selector("#page svg g.node, #page svg [data-slug], #page svg text")
    context.close()
    context = browser.new_context()
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#page svg text")
    seconds = time.perf_counter() - began
    context.close()
    return seconds


def _crowd_row(here: Backend) -> Row:
    """Measure the API while many pages listen to the event stream and ask for what they show every 8 seconds."""
    streams = [_stream(here.port) for _ in range(OPEN_PAGES)]
    end = threading.Event()
    asking = threading.Thread(target=_ask_like_pages, args=(here, end))
    asking.start()
    try:
        times = [timed(lambda: here.client.get("flow_runs", {"limit": 50})) for _ in range(300)]
    finally:
        end.set()
        asking.join()
        for one in streams:
            one.close()
    return at_most(f"list of runs while {OPEN_PAGES} pages are open, p99", percentile(times, 0.99), 0.050)


def _stream(port: int) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n\r\n" % port)
    return one


def _ask_like_pages(here: Backend, end: threading.Event) -> None:
    from dagflow.client.client import Client

    with Client(here.url) as client:
        while not end.is_set():
            client.get("flow_runs", {"limit": 50})
            end.wait(8 / OPEN_PAGES)
