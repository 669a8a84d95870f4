"""What a load on a server is made of: a client that costs next to nothing, and documents to send."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from dagflow.utilities.identities import new_id

RUNNING = {"type": "Running", "message": "Starting task run.", "context": {}, "_result": {"type": "NoResultType"}}
PENDING = {"type": "Pending", "message": "Again.", "context": {}, "_result": {"type": "NoResultType"}}
SUCCESS = {
    "type": "Success",
    "message": "Task run succeeded.",
    "context": {},
    "_result": {
        "type": "LocalResult",
        "location": "2026-01-31T12-00-00-33446cef5ceb4fe1b5d3ae6b2420545e.dagflow-result",
        "dir": "/home/somebody/.dagflow/results",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "size": 4096,
    },
}
CYCLE = (PENDING, RUNNING, SUCCESS)
"""A run that is done again and again goes through these."""


class PlainClient:
    """One connection; a library would take longer than the server."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host = f"127.0.0.1:{port}".encode()

    def post(self, path: str, body: bytes) -> bytes:
        """Send *body* and return the answer's."""
        head = b"POST /api/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.socket.sendall(head % (path.encode(), self.host, len(body)) + body)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, rest = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head + rest
        length = int(
            next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split()[1]
        )
        while len(rest) < length:
            rest += self._more()
        return rest

    def _more(self) -> bytes:
        data = self.socket.recv(262_144)
        assert data, "the server closed the connection"
        return data


def batch(ids: list[str], document: dict[str, Any], token: int) -> bytes:
    """Return a request that puts task runs into a state."""
    items = [{"task_run_id": one, "state": document, "id": new_id(), "token": token} for one in ids]
    return json.dumps({"task_runs": items}).encode()


def batches(ids: list[str], size: int, rounds: int, token: int) -> list[bytes]:
    """Return requests of *size* states each that take all runs through :data:`CYCLE`, *rounds* times."""
    return [
        batch(ids[start : start + size], document, token)
        for _ in range(rounds)
        for document in CYCLE
        for start in range(0, len(ids), size)
    ]


def sent(port: int, queues: Sequence[list[bytes]]) -> tuple[float, list[float]]:
    """Send *queues* of requests, each in order over a connection of its own; return how long all and each took."""
    times: list[float] = []
    failures: list[bytes] = []

    def work(bodies: list[bytes]) -> None:
        client = PlainClient(port)
        for body in bodies:
            began = time.perf_counter()
            answer = client.post("states", body)
            times.append(time.perf_counter() - began)
            if b'"ERROR"' in answer:
                failures.append(answer[:500])

    threads = [threading.Thread(target=work, args=(bodies,)) for bodies in queues]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    assert not failures, failures[0]
    return seconds, times


def percentile(times: list[float], share: float) -> float:
    """Return the time below which a share of *times* lies."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def timed(work: Callable[[], Any]) -> float:
    """Return how long *work* takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
