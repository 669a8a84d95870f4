"""The part of a Kubernetes API that the agent uses; jobs and pods change when a test says so."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes import client


class FakeKubernetes:
    """
    Keeps jobs, pods and events of one namespace.

    Attributes:
        jobs: by name, as they were asked for, with their status.
        pods: the pods.
        events: what the cluster says of pods.
        deleted: what was deleted, with how.
        failing: statuses for the next requests that make a job.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.deleted: list[tuple[str, str]] = []
        self.failing: list[int] = []
        self.pages = 0
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.answer(self, "GET")

            def do_POST(self) -> None:
                fake.answer(self, "POST")

            def do_DELETE(self) -> None:
                fake.answer(self, "DELETE")

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def client(self) -> Any:
        """Return a client of this cluster."""
        configuration = client.Configuration(host=f"http://127.0.0.1:{self.server.server_address[1]}")
        configuration.retries = False
        return client.ApiClient(configuration)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def only(self) -> dict[str, Any]:
        """The one job."""
        (job,) = self.jobs.values()
        return job

    def add_pod(self, phase: str, container: dict[str, Any] | None = None) -> None:
        """Give the one job a pod."""
        labels = self.only["spec"]["template"]["metadata"]["labels"]
        status = {"name": "flow", "image": "etl", "imageID": "", "ready": False, "restartCount": 0}
        self.pods.append(
            {
                "metadata": {"name": "pod-1", "uid": "pod-uid", "labels": labels},
                "status": {"phase": phase, "containerStatuses": [{**status, "state": container or {}}]},
            }
        )

    def answer(self, request: BaseHTTPRequestHandler, method: str) -> None:
        parts = urlsplit(request.path)
        body = json.loads(request.rfile.read(int(request.headers.get("Content-Length") or 0)) or b"{}")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        status, content = self._answer(method, parts.path, query, body)
        data = json.dumps(content).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        place = re.fullmatch(r"/(?:api/v1|apis/batch/v1)/namespaces/default/(\w+)(?:/(.+))?", path)
        assert place, path
        kind, name = place.groups()
        if method == "POST":
            return self._make(body)
        if method == "DELETE":
            self.deleted.append((name, body.get("propagationPolicy")))
            found = self.jobs.pop(name, None)
            return (200, {"status": "Success"}) if found else (404, {"reason": "NotFound"})
        if kind == "jobs":
            return 200, self._page(query)
        key, _, value = (query.get("labelSelector") or query["fieldSelector"]).partition("=")
        if kind == "pods":
            items = [pod for pod in self.pods if pod["metadata"]["labels"].get(key) == value]
        else:
            assert key == "involvedObject.uid"
            items = [event for event in self.events if event["involvedObject"]["uid"] == value]
        return 200, {"metadata": {}, "items": items}

    def _make(self, job: dict[str, Any]) -> tuple[int, Any]:
        if self.failing:
            return self.failing.pop(0), {"reason": "Trouble"}
        name = job["metadata"]["name"]
        if name in self.jobs:
            return 409, {"reason": "AlreadyExists"}
        self.jobs[name] = {**job, "status": {}}
        return 201, self.jobs[name]

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        self.pages += 1
        assert query["labelSelector"] == "dagflow.io/identifier"
        start, size = int(query.get("continue") or 0), int(query["limit"])
        jobs = list(self.jobs.values())
        more = {"continue": str(start + size)} if len(jobs) > start + size else {}
        return {"metadata": more, "items": jobs[start : start + size]}
