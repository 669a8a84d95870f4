"""Small real servers that tests talk to."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HttpDouble:
    """An HTTP server that gives prepared answers and keeps the requests."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.url = ""

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self.requests.append((method, path, headers, json.loads(body) if body else None))
        status, content = self.answers.get(path, (200, {}))
        return status, content if isinstance(content, bytes) else json.dumps(content).encode()


def _handler(double: HttpDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, content = double.answer(self.command, self.path, headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def http_double() -> Iterator[HttpDouble]:
    """Serve on a free port of this machine."""
    double = HttpDouble()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(double))
    double.url = f"http://127.0.0.1:{server.server_port}"
    with _serving(server):
        yield double


class MailDouble:
    """A mail server that keeps messages, or refuses to let anybody in."""

    def __init__(self) -> None:
        self.port = 0
        self.refuse = False
        self.messages: list[bytes] = []


def _mail_handler(double: MailDouble) -> type[socketserver.StreamRequestHandler]:
    replies = {b"EHLO": b"250-double\r\n250 AUTH PLAIN", b"QUIT": b"221 bye", b"DATA": b"354 go on"}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say(b"220 double")
            for line in self.rfile:
                command = line[:4].upper()
                if command == b"AUTH":
                    self.say(b"535 who are you?" if double.refuse else b"235 welcome")
                    continue
                self.say(replies.get(command, b"250 ok"))
                if command == b"DATA":
                    double.messages.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self.say(b"250 kept")
                if command == b"QUIT":
                    return

        def say(self, reply: bytes) -> None:
            self.wfile.write(reply + b"\r\n")

    return Handler


@contextmanager
def mail_double() -> Iterator[MailDouble]:
    """Serve on a free port of this machine."""
    double = MailDouble()
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _mail_handler(double))
    double.port = server.server_address[1]
    with _serving(server):
        yield double
