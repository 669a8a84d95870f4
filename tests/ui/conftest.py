"""A real browser before a real server. Chromium comes from the system (Debian's package ``chromium``)."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dagflow.server.clock import SystemClock
from dagflow.testing import InProcessServer
from tests.ui.site import Site

FLAGS = [
    "--no-sandbox",  # Chromium's own needs rights that root in a container lacks
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """Return the program of the browser."""
    return os.environ.get("DAGFLOW_TESTS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Give a browser."""
    program = chromium()
    if program is None:
        pytest.skip("These tests need Chromium: apt-get install chromium, or name it in DAGFLOW_TESTS_CHROMIUM.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield one
        one.close()


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    """Give a server with an empty database that listens on a port."""
    with InProcessServer(clock=SystemClock(), port=True) as one:
        yield one


@pytest.fixture
def site(browser: Any, server: InProcessServer) -> Iterator[Site]:
    """Give the pages of that server; at the end, none of them may have failed or asked anybody else."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Europe/Berlin")
    with Site(server, context) as one:
        yield one
    context.close()
    assert one.faults == []


@pytest.fixture
def elsewhere() -> Iterator[Any]:
    """Give a function that serves a page of another origin and returns its address."""
    servers = []

    def serve(content: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, *words: Any) -> None:
                """Say nothing."""

        one = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=one.serve_forever, daemon=True).start()
        servers.append(one)
        return f"http://127.0.0.1:{one.server_port}/"

    yield serve
    for one in servers:
        one.shutdown()
        one.server_close()
