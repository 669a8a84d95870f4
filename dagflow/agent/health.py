"""The small HTTP server by which others see whether an agent works, and make it look for work."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

__all__ = ["HealthServer", "address_of"]

SLOWEST_REQUEST = 10.0
"""Seconds a request may take to arrive."""


def address_of(text: str) -> tuple[str, int]:
    """
    Return host and port of an address.

    Raises:
        ValueError: when it names no port.

    >>> address_of("http://127.0.0.1:8080")
    ('127.0.0.1', 8080)
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if port is None or not parts.hostname:
        raise ValueError(f"An agent's address needs a host and a port, as in http://127.0.0.1:8080; found {text!r}.")
    return parts.hostname, port


class HealthServer:
    """
    Answers ``/api/health`` and ``/api/poke``.

    Args:
        address: where it listens; port 0 takes a free one.
        health: returns whether all is well, and facts.
        poke: makes the agent ask for work now.
    """

    def __init__(
        self, address: str, health: Callable[[], tuple[bool, dict[str, Any]]], poke: Callable[[], None]
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = SLOWEST_REQUEST

            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                if path == "/api/health":
                    well, facts = health()
                    self._answer(200 if well else 503, facts)
                elif path == "/api/poke":
                    poke()
                    self._answer(200, {})
                else:
                    self._answer(404, {"error": "There are /api/health and /api/poke."})

            def _answer(self, status: int, facts: dict[str, Any]) -> None:
                body = json.dumps(facts).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: these requests come every few seconds."""

        host, port = address_of(address)
        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
