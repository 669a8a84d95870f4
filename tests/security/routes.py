"""All that the server's application answers to, and requests that are nearly right."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from dagflow.testing import InProcessServer
from tests.server.calls import Api, clock, flow_document, nobody, schedule, state

__all__ = ["Maker", "operations", "world"]


def operations(app: Any) -> list[tuple[str, str, dict[str, Any]]]:
    """Return method, path and description of every operation."""
    document = app.openapi()
    return [
        (method.upper(), path, resolved(operation, document))
        for path, methods in sorted(document["paths"].items())
        for method, operation in sorted(methods.items())
    ]


def resolved(node: Any, document: dict[str, Any]) -> Any:
    """Return *node* with references put in place."""
    if isinstance(node, list):
        return [resolved(one, document) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return resolved(found, document)
    return {key: resolved(value, document) for key, value in node.items()}


def world(server: InProcessServer) -> dict[str, list[str]]:
    """Fill a server a little, and return ids by what they are of."""
    api = Api(server)
    flow = api.register(flow_document(parameters={"x": 1}, schedule=schedule(clock(7200))))
    run = api.running(flow["id"])
    api.ran(run, "extract")
    api.set_task(run, "load", "Running", index=0)
    task = api.task_run_id(run, "extract")
    api.post("/work_pools", {"name": "pool"})
    deployment = api.post("/deployments", {"flow_group_id": flow["flow_group_id"], "name": "d", "pool": "pool"})["id"]
    api.post("/secrets", {"name": "s", "value": 1})
    api.post("/kv", {"key": "k", "value": 1})
    api.post("/logs", {"logs": [{"flow_run_id": run, "message": "x"}]})
    artifact = api.post("/artifacts", {"task_run_id": task, "kind": "link", "data": {}})["id"]
    limit = api.post("/limits", {"kind": "task_tag", "name": "t", "limit": 5})["id"]
    trigger = {"type": "state", "states": ["Failed"]}
    automation = api.post("/automations", {"name": "a", "trigger": trigger, "actions": [{"type": "message"}]})["id"]
    return {
        "flows": [flow["id"]], "flow_groups": [flow["flow_group_id"]], "flow_runs": [run], "task_runs": [task],
        "projects": [flow["project_id"]], "deployments": [deployment, flow["flow_group_id"]], "agents": [api.agent()],
        "tasks": [api.task_id(run, "extract")], "artifacts": [artifact], "limits": [limit], "automations": [automation],
        "work_pools": ["pool"], "kv": ["k"], "secrets": ["s"], "keys": [nobody()], "messages": [nobody()],
        "agent_configs": [nobody()],
    }  # fmt: skip


TEXTS = (
    "", " ", "x", "a" * 5000, "\0", "é\u2028", "\U0001f600", "'; DROP TABLE flow; --", "%00", "../../etc/passwd",
    "null",
    "NaN", "-1", "1e999", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01", "true", "{}", "[]",
    "\\", '"', "%", "_", "\x7f", "a" * 37,
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 0.5, -0.0, 1e308, 5e-324,
)  # fmt: skip
DOCUMENTS: tuple[Any, ...] = (
    None, True, [], {}, [[]], {"": None}, {"type": "Running"}, {"type": []},
    {"clocks": [{"type": "CronClock", "cron": "x"}]},
    {"type": "Schedule", "clocks": [clock(0)]}, {"clocks": [clock(86400.0, start_date={"dt": "x", "tz": "y"})]},
    {"clocks": [{"type": "RRuleClock", "rrule": "FREQ=SECONDLY"}]}, {"clocks": [{"type": "DatesClock", "dates": [5]}]},
)  # fmt: skip


_SOUND: dict[str, list[Any]] = {
    "trigger": [
        {"type": "state", "states": ["Failed"], "flow_group_ids": ["x"]},
        {"type": "agents", "seconds": 5, "min_healthy": 1, "agent_config_id": "x"},
        {"type": "not_running", "seconds": 5},
    ],
    "actions": [
        [{"type": "message", "title": "x", "text": "{state}"}],
        [{"type": "set_state", "state": "Failed"}, {"type": "email", "to": "x"}],
        [{"type": "webhook", "url": "http://x", "headers": {"a": "b"}, "secret_headers": {"a": "b"}}],
    ],
    "run_config": [{"type": "UniversalRun", "labels": ["a"], "env": {"A": "1"}}],
    "parameters": [{"x": 1}],
    "labels": [["a", "b"]],
    "tags": [["a"]],
}
"""What fields mean that a schema says little about."""


class Maker:
    """
    Makes requests that are wrong somewhere, from a seed.

    Args:
        seed: the same one makes the same requests.
        ids: known ids by noun.
    """

    def __init__(self, seed: int, ids: dict[str, list[str]]) -> None:
        self.random = random.Random(seed)
        self.ids = ids

    def value(self, schema: dict[str, Any] | None = None, depth: int = 0) -> Any:
        """Return a value that fits *schema* more often than not."""
        dice = self.random.random()
        if schema is None or not schema or dice < 0.2 or depth > 4:
            return self.nonsense()
        if "anyOf" in schema:
            return self.value(self.random.choice(schema["anyOf"]), depth)
        kind = schema.get("type")
        if kind == "object":
            return self.record(schema, depth)
        if kind == "array":
            return [self.value(schema.get("items"), depth + 1) for _ in range(self.random.randrange(3))]
        if kind == "string":
            return self.text()
        if kind == "integer":
            return self.random.choice([0, 1, 5, *NUMBERS[:9]])
        if kind == "number":
            return self.random.choice(NUMBERS)
        if kind == "boolean":
            return self.random.random() < 0.5
        return None if kind == "null" else self.nonsense()

    def record(self, schema: dict[str, Any], depth: int) -> Any:
        """Return an object with some of its fields, and sometimes one too many."""
        needed = set(schema.get("required", ()))
        fields = {
            name: self.value(one, depth + 1)
            for name, one in schema.get("properties", {}).items()
            if self.random.random() < (0.95 if name in needed else 0.4)
        }
        for name in list(fields):
            noun = name.removesuffix("_id") + "s"
            if noun in self.ids and self.random.random() < 0.6:
                fields[name] = self.random.choice(self.ids[noun])
        if "flow" in fields and self.random.random() < 0.8:
            fields["flow"] = self.spoiled(flow_document(schedule=schedule()))
        if "state" in fields and self.random.random() < 0.8:
            fields["state"] = self.spoiled(state("Running", start_time=None, context={}))
        if "schedule" in fields and self.random.random() < 0.6:
            fields["schedule"] = self.spoiled(schedule(clock(3600, labels=["a"], parameter_defaults={"x": 1})))
        for name, sound in _SOUND.items():
            if name in fields and self.random.random() < 0.7:
                fields[name] = self.spoiled(self.random.choice(sound))
        if "flow_runs" in fields or "task_runs" in fields:
            self.name_runs(fields)
        if self.random.random() < 0.05:
            fields[self.text()] = self.nonsense()
        return fields

    def name_runs(self, fields: dict[str, Any]) -> None:
        """Let the items of a batch be about runs that are there."""
        for noun in ("flow_runs", "task_runs"):
            items = fields.get(noun)
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict) and self.random.random() < 0.8:
                    item[noun.removesuffix("s") + "_id"] = self.random.choice(self.ids[noun])

    def spoiled(self, document: Any) -> Any:
        """Return *document* with something wrong in it."""
        if isinstance(document, dict) and document:
            name = self.random.choice(list(document))
            if self.random.random() < 0.15:
                return {key: value for key, value in document.items() if key != name}
            return {**document, name: self.spoiled(document[name])}
        if isinstance(document, list) and document and self.random.random() < 0.7:
            place = self.random.randrange(len(document))
            return [self.spoiled(one) if number == place else one for number, one in enumerate(document)]
        return self.nonsense()

    def nonsense(self) -> Any:
        """Return something that is hardly expected."""
        some: Any = self.random.choice([NUMBERS, DOCUMENTS, None])
        return self.text() if some is None else self.random.choice(some)

    def text(self) -> str:
        """Return a text."""
        if self.random.random() < 0.2:
            return self.random.choice(self.random.choice(list(self.ids.values())))
        return self.random.choice(TEXTS)

    def path(self, template: str) -> str:
        """Return a path, of something that is there more often than not."""
        parts = template.replace(":path", "").split("/")
        noun = parts[2] if len(parts) > 2 else ""
        for place, part in enumerate(parts):
            if part.startswith("{"):
                there = noun in self.ids and self.random.random() < 0.8
                text = self.random.choice(self.ids[noun]) if there else self.text() or "x"
                parts[place] = quote(text, safe="")
        return "/".join(parts)

    def query(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Return parameters."""
        found = {}
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query" and self.random.random() < 0.4:
                value = self.value(parameter["schema"])
                found[parameter["name"]] = value if isinstance(value, str | int | float | bool) else self.text()
        return found

    def body(self, operation: dict[str, Any]) -> bytes | None:
        """Return a body, sometimes with bytes changed."""
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return None
        text = json.dumps(self.value(content["schema"])).encode()
        return self.mutated(text) if self.random.random() < 0.1 else text

    def mutated(self, text: bytes) -> bytes:
        """Return *text* with bytes cut, changed or repeated."""
        if not text:
            return b"\xff"
        place = self.random.randrange(len(text))
        return self.random.choice(
            [
                text[:place],
                text[:place] + bytes([self.random.randrange(256)]) + text[place + 1 :],
                text[:place] + text[place:] * 3,
                b"[" * 100_000,
                b"NaN",
                b'{"a": 1e999}',
                b'{"a": "\\ud800"}',
                b"\xff\xfe" + text,
                b"",
            ]
        )

    def requests(self, found: list[tuple[str, str, dict[str, Any]]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield method, path and options of requests, without end."""
        while True:
            method, template, operation = self.random.choice(found)
            content = self.body(operation)
            options: dict[str, Any] = {"params": self.query(operation)}
            if content is not None:
                options["content"] = content
                options["headers"] = {"Content-Type": "application/json"}
            if method == "POST" and template.endswith("/claim") and content and b"wait_seconds" in content:
                continue  # they may wait, which takes time and is no mistake
            yield method, self.path(template), options
