"""A Docker server on this machine that only remembers: containers end when a test says so."""

from __future__ import annotations

import json
import re
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class FakeDocker:
    """
    Answers what the agent asks.

    Attributes:
        containers: by id, what was asked for, with the state it has.
        pulled: the images that were pulled.
        taken_names: names that other containers have.
        failing: the status that every request gets, instead of an answer.
    """

    def __init__(self) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.pulled: list[str] = []
        self.volumes: list[str] = []
        self.connected: list[tuple[str, str]] = []
        self.taken_names: set[str] = set()
        self.failing: int | None = None
        self._ended = threading.Condition()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.answer(self, "GET", b"")

            def do_POST(self) -> None:
                fake.answer(self, "POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def do_DELETE(self) -> None:
                fake.answer(self, "DELETE", b"")

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"tcp://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        for id in list(self.containers):
            self.end(id, 0)
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def end(self, id: str, code: int, output: str = "", killed: bool = False) -> None:
        """Let a container end."""
        with self._ended:
            if id in self.containers and self.containers[id]["code"] is None:
                self.containers[id].update(code=code, output=output, killed=killed)
            self._ended.notify_all()

    @property
    def only(self) -> tuple[str, dict[str, Any]]:
        """The one container."""
        ((id, container),) = self.containers.items()
        return id, container

    def answer(self, request: BaseHTTPRequestHandler, method: str, body: bytes) -> None:
        parts = urlsplit(request.path)
        path = re.sub(r"^/v[0-9.]+", "", parts.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if self.failing is not None and path != "/version":
            status, content = self.failing, json.dumps({"message": "trouble"}).encode()
        else:
            status, content = self._answer(method, path, query, json.loads(body) if body else {})
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, bytes]:
        if path == "/_ping":
            return 200, b"OK"
        if path == "/version":
            return 200, json.dumps({"ApiVersion": "1.44", "Version": "27.0"}).encode()
        if path == "/images/create":
            self.pulled.append(f"{query['fromImage']}:{query.get('tag', 'latest')}")
            return 200, b'{"status": "pulled"}\n'
        if path == "/volumes/create":
            self.volumes.append(body["Name"])
            return 201, json.dumps(body).encode()
        if match := re.fullmatch("/networks/(.*)/connect", path):
            self.connected.append((match[1], body["Container"]))
            return 200, b""
        return self._about_containers(method, path, query, body)

    def _about_containers(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, bytes]:
        if path == "/containers/create":
            return self._create(query["name"], body)
        if path == "/containers/json":
            (label,) = json.loads(query["filters"])["label"]
            name, _, value = label.partition("=")
            found = [
                {"Id": id, "Labels": one["asked"]["Labels"]}
                for id, one in self.containers.items()
                if one["asked"]["Labels"].get(name) == value
            ]
            return 200, json.dumps(found).encode()
        match = re.fullmatch("/containers/([^/]+)(?:/(.*))?", path)
        assert match, path
        id, what = match[1], match[2]
        if id not in self.containers:
            return 404, json.dumps({"message": "no such container"}).encode()
        return self._about_one(id, self.containers[id], method, what)

    def _create(self, name: str, body: Any) -> tuple[int, bytes]:
        if name in self.taken_names:
            return 409, json.dumps({"message": "the name is in use"}).encode()
        id = f"{len(self.containers):064x}"
        self.containers[id] = {"name": name, "asked": body, "started": False, "code": None, "output": ""}
        return 201, json.dumps({"Id": id, "Warnings": []}).encode()

    def _about_one(self, id: str, one: dict[str, Any], method: str, what: str | None) -> tuple[int, bytes]:
        if method == "DELETE":
            del self.containers[id]
            return 204, b""
        if what == "start":
            one["started"] = True
            return 204, b""
        if what == "stop":
            self.end(id, 143)
            return 204, b""
        if what == "wait":
            with self._ended:
                self._ended.wait_for(lambda: one["code"] is not None, 30)
            return 200, json.dumps({"StatusCode": one["code"]}).encode()
        if what == "json":
            state = {"ExitCode": one["code"], "OOMKilled": one.get("killed", False)}
            return 200, json.dumps({"Id": id, "State": state, "Config": {"Tty": False}}).encode()
        assert what == "logs", what
        text = one["output"].encode()
        return 200, struct.pack(">BxxxL", 1, len(text)) + text
