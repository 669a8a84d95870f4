"""Signs of life of a run, and what is heard of it at the same time."""

from __future__ import annotations

import contextlib
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from dagflow.backend import pulse
from dagflow.backend.heart import Heart
from dagflow.exceptions import ObjectNotFoundError
from dagflow.utilities.configuration import set_temporary_config


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with set_temporary_config({"cloud.heartbeat_interval": 0.05, "cloud.check_cancellation_interval": 0.05}):
        yield


class Caller:
    """A client whose requests are told to whoever waits for them."""

    api_url = "http://127.0.0.1:1/api"

    def __init__(self, answer: Any = None) -> None:
        self.headers: dict[str, str] = {}
        self.answer = answer or {"state": "Running"}
        self.beaten = threading.Event()

    def _request(self, method: str, path: str, **content: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        if path.endswith("heartbeat"):
            self.beaten.set()
        return self.answer


def test_a_thread_gives_the_signs_when_the_process_for_them_was_killed() -> None:
    client = Caller()

    with Heart(client, "run", 1, lambda kind, reason: None, mode="process") as heart:
        assert heart._process is not None
        assert not client.beaten.wait(0.3)
        heart._process.kill()

        assert client.beaten.wait(10.0)


def test_a_run_that_was_deleted_stops() -> None:
    stopped = threading.Event()
    reasons: list[tuple[str, str]] = []

    def stop(kind: str, reason: str) -> None:
        reasons.append((kind, reason))
        stopped.set()

    with Heart(Caller(ObjectNotFoundError("no such run")), "run", 1, stop, mode="off"):
        assert stopped.wait(10.0)

    assert reasons[0] == ("lost", "The flow run was deleted.")


def test_the_process_goes_on_when_somebody_answers_nonsense() -> None:
    asked = threading.Semaphore(0)

    class Nonsense(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"what?\r\n\r\n")
            asked.release()

    with socketserver.TCPServer(("127.0.0.1", 0), Nonsense) as server, beating(server) as process:
        assert asked.acquire(timeout=10.0) and asked.acquire(timeout=10.0)

        assert process.poll() is None


def test_the_process_ends_when_the_run_is_in_other_hands() -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(409)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server, beating(server) as process:
        assert process.wait(10.0) == 0


@contextlib.contextmanager
def beating(server: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Serve with *server*, and let a process give signs of life to it."""
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/api"
    command = [sys.executable, "-S", "-E", pulse.__file__, url, "1", "0.05"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        yield process
    server.shutdown()
