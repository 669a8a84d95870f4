"""What tests of the server say to it: documents of small flows, and calls that are short to write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx2

from dagflow.server.clock import stamp
from dagflow.testing import InProcessServer
from dagflow.utilities.identities import new_id, task_run_id

__all__ = ["NIGHT", "Api", "clock", "flow_document", "schedule", "state", "task_document"]

ENDS = ("upstream_task", "downstream_task")
NIGHT = "night"
"""The project that flows are registered in when nothing else is said."""


# --- documents -------------------------------------------------------------------------------------------------


def task_document(slug: str, **others: Any) -> dict[str, Any]:
    """Describe a task."""
    return {"name": slug, "slug": slug, "type": "dagflow.core.function_task.FunctionTask", **others}


def flow_document(
    name: str = "etl",
    tasks: Iterable[str | dict[str, Any]] = ("extract", "load"),
    edges: Iterable[str] = ("extract>load",),
    parameters: dict[str, Any] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """
    Describe a flow without any code.

    Args:
        name: of the flow.
        tasks: slugs, or whole documents.
        edges: such as ``a>b``; ``a>>b`` is mapped, ``a>>>b`` mapped over flattened values.
        parameters: defaults by name; ``...`` stands for a parameter that is required.
        **others: further fields.
    """
    documents = [one if isinstance(one, dict) else task_document(one) for one in tasks]
    there = {one["slug"] for one in documents}
    drawn = [one for one in map(_edge, edges) if {one[end]["slug"] for end in ENDS} <= there]
    return {
        "name": name,
        "type": "dagflow.core.flow.Flow",
        "schedule": None,
        "parameters": [_parameter(key, value) for key, value in (parameters or {}).items()],
        "tasks": documents,
        "edges": drawn,
        "reference_tasks": [],
        "run_config": None,
        "storage": None,
        "__version__": "0.1.0",
        **others,
    }


def _parameter(name: str, default: Any) -> dict[str, Any]:
    required = default is ...
    return {"name": name, "slug": name, "required": required, "default": None if required else default}


def _edge(text: str) -> dict[str, Any]:
    up, down = text[: text.index(">")], text[text.rindex(">") + 1 :]
    arrows = text.count(">")
    return {
        "upstream_task": {"slug": up},
        "downstream_task": {"slug": down},
        "key": "x",
        "mapped": arrows > 1,
        "flattened": arrows > 2,
    }


def clock(seconds: float = 3600.0, **others: Any) -> dict[str, Any]:
    """Describe a clock that ticks every so many seconds."""
    return {"type": "IntervalClock", "interval": seconds, **others}


def schedule(*clocks: dict[str, Any]) -> dict[str, Any]:
    """Describe a schedule; hourly without clocks."""
    return {"type": "Schedule", "clocks": list(clocks or [clock()])}


def state(kind: str, message: str | None = None, **others: Any) -> dict[str, Any]:
    """Describe a state."""
    return {"type": kind, "message": message, "context": {}, "_result": {"type": "NoResultType"}, **others}


# --- calls -----------------------------------------------------------------------------------------------------


class Refused(Exception):
    """The server did not do what it was asked."""

    def __init__(self, answer: httpx2.Response) -> None:
        error = answer.json()["error"]
        super().__init__(f"{answer.status_code} {error['code']}: {error['message']}")
        self.status = answer.status_code
        self.code = error["code"]
        self.message = error["message"]
        self.detail = error["detail"]


class Api:
    """Calls of a server, decoded."""

    def __init__(self, server: InProcessServer, key: str | None = None) -> None:
        self.server = server
        self.clock = server.clock
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        transport: Any = server.transport
        self.http = httpx2.Client(transport=transport, base_url=f"{server.url}/api", headers=headers)

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        """Send a request and return the answer as it is."""
        if body is not None:
            options["json"] = body
        return self.http.request(method, path, **options)

    def _decoded(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self.ask(method, path, body, **options)
        if answer.status_code != 200:
            raise Refused(answer)
        return answer.json()

    def get(self, path: str, **params: Any) -> Any:
        """Read something."""
        return self._decoded("GET", path, params={key: value for key, value in params.items() if value is not None})

    def items(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Read a list."""
        found: list[dict[str, Any]] = self.get(path, **params)["items"]
        return found

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """Write something."""
        return self._decoded("POST", path, {} if body is None else body, **options)

    def patch(self, path: str, body: Any) -> Any:
        """Change something."""
        return self._decoded("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """Delete something."""
        return self._decoded("DELETE", path)

    # --- flows and runs ----------------------------------------------------------------------------------------

    def register(self, document: dict[str, Any] | None = None, project: str = NIGHT, **others: Any) -> Any:
        """Register a flow, in a project that is made for it."""
        self.post("/projects", {"name": project})
        body = {"flow": flow_document() if document is None else document, "project_name": project, **others}
        return self.post("/flows/register", body)

    def new_run(self, flow_id: str | None = None, **others: Any) -> str:
        """Create a run, of a new small flow without an id, and return its id."""
        flow_id = flow_id or self.register()["id"]
        return str(self.post("/flow_runs", {"flow_id": flow_id, **others})["id"])

    def running(self, flow_id: str | None = None, **others: Any) -> str:
        """Create a run that a process has taken hold of, and return its id."""
        run = self.new_run(flow_id, **others)
        self.post(f"/flow_runs/{run}/begin", {})
        self.set_flow(run, "Running")
        return run

    def run(self, id: str) -> Any:
        """Return a flow run."""
        return self.get(f"/flow_runs/{id}")

    def task_id(self, run: str, slug: str) -> str:
        """Return the id of a task of a run's flow."""
        flow = self.run(run)["flow_id"]
        return str(next(one["id"] for one in self.items(f"/flows/{flow}/tasks") if one["slug"] == slug))

    def task_run_id(self, run: str, slug: str, index: int = -1) -> str:
        """Return the id of a task run."""
        return task_run_id(run, self.task_id(run, slug), index)

    def task_run(self, run: str, slug: str, index: int = -1) -> Any:
        """Return a task run."""
        return self.get(f"/task_runs/{self.task_run_id(run, slug, index)}")

    def task_states(self, run: str) -> dict[str, str]:
        """Return the states of all task runs of a run, such as ``{"extract": "Success", "load[0]": "Failed"}``."""
        items = self.items(f"/flow_runs/{run}/task_runs", limit=1000)
        return {
            one["task_slug"] + (f"[{one['map_index']}]" if one["map_index"] >= 0 else ""): one["state"] for one in items
        }

    # --- states ------------------------------------------------------------------------------------------------

    def set_flow(self, run: str, kind: str | dict[str, Any], **others: Any) -> Any:
        """Set the state of a flow run and return the answer."""
        document = state(kind) if isinstance(kind, str) else kind
        body = {"flow_runs": [{"flow_run_id": run, "state": document, **others}]}
        return self.post("/states", body)["flow_runs"][0]

    def set_task(self, run: str, slug: str, kind: str | dict[str, Any], index: int = -1, **others: Any) -> Any:
        """Set the state of a task run, which need not be there, and return the answer."""
        document = state(kind) if isinstance(kind, str) else kind
        item = {"flow_run_id": run, "task_id": self.task_id(run, slug), "map_index": index, "state": document, **others}
        return self.post("/states", {"task_runs": [item]})["task_runs"][0]

    def ran(self, run: str, slug: str, kind: str = "Success", index: int = -1) -> None:
        """Let a task have run and ended."""
        for one in ("Running", kind):
            answer = self.set_task(run, slug, one, index)
            assert answer["status"] == "SUCCESS", answer

    def finish(self, run: str, kind: str = "Success") -> None:
        """Let a run end."""
        answer = self.set_flow(run, kind)
        assert answer["status"] == "SUCCESS", answer

    # --- agents ------------------------------------------------------------------------------------------------

    def agent(self, *labels: str, **others: Any) -> str:
        """Register an agent and return its id."""
        return str(self.post("/agents", {"type": "LocalAgent", "labels": list(labels), **others})["id"])

    def claim(self, agent: str, *labels: str, limit: int = 10, **others: Any) -> list[Any]:
        """Take due runs for an agent."""
        asking = {"labels": list(labels), "limit": limit, **others}
        runs: list[Any] = self.post(f"/agents/{agent}/claim", asking)["runs"]
        return runs

    # --- time --------------------------------------------------------------------------------------------------

    def at(self, seconds: float = 0.0) -> str:
        """Return the moment so many seconds from now."""
        return stamp(self.clock.now() + seconds)

    def later(self, seconds: float) -> None:
        """Let time pass, and nothing else happen."""
        self.clock.time += seconds

    def tick(self, seconds: float = 0.0) -> None:
        """Let time pass, then let the services do one pass."""
        self.server.tick(seconds)

    def restart_server(self) -> None:
        """Pretend that the server has just been started."""
        self.server.backend.started = self.clock.now()


def nobody() -> str:
    """Return the id of nothing."""
    return new_id()
