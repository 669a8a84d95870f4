"""Who may come in: keys, scopes, and every route of the application."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import select
from starlette.routing import Route

from dagflow.server.database import tables
from dagflow.server.store import keys
from dagflow.testing import InProcessServer
from tests.security.routes import operations
from tests.server.calls import Api, Refused, nobody

OPEN = {(method, path) for method in ("GET", "HEAD") for path in ("/api/health", "/api/version")}
"""All that may be read without a key. A new route must not come in here without a thought."""


@pytest.fixture
def closed(start: Callable[..., InProcessServer]) -> InProcessServer:
    """Give a server that asks for a key; its pages, which hold no data and need none, have tests of their own."""
    return start(require_key=True, ui=False)


def make_key(server: InProcessServer, scope: str, expires: str | None = None) -> str:
    made = server.backend.database.write(lambda tx: keys.create_key(tx, f"a {scope} key", scope, expires))
    return str(made["key"])


def every_route(server: InProcessServer) -> Iterator[tuple[str, str]]:
    """Yield method and path of everything that the application serves, whether it is documented or not."""
    for route in walk(server.app.routes):
        for method in route.methods or {"GET"}:
            yield method, plain(route.path)


def plain(path: str) -> str:
    return path.replace("{", "").replace("}", "").replace(":path", "")


def walk(routes: Any) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif hasattr(route, "original_router"):
            prefix = route.include_context.prefix
            for inner in walk(route.original_router.routes):
                copy = Route(prefix + inner.path, lambda request: None, methods=list(inner.methods or ()))
                yield copy
        else:
            raise AssertionError(f"{route!r} is of a kind that this test does not know; it must be asked for keys too")


def test_the_routes_that_are_looked_at_are_all_there_are(closed: InProcessServer) -> None:
    found = {(method, path) for method, path in every_route(closed) if method != "HEAD"}
    documented = {(method, plain(path)) for method, path, _ in operations(closed.app)}

    assert documented <= found and len(documented) > 90
    assert found - documented == {("GET", "/metrics"), ("GET", "/api/openapi.json")}


def test_no_route_but_two_answers_without_a_valid_key(closed: InProcessServer) -> None:
    expired = make_key(closed, "admin", "2020-01-01T00:00:00.000000Z")
    revoked = make_key(closed, "admin")
    admin = Api(closed, make_key(closed, "admin"))
    admin.delete(f"/keys/{admin.items('/keys')[1]['id']}")
    valid = make_key(closed, "admin")
    headers: list[Any] = [
        {}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "},
        {"Authorization": "Bearer nonsense"}, {"Authorization": f"Bearer {expired}"},
        {"Authorization": f"Bearer {revoked}"}, {"Authorization": f"Basic {valid}"}, {"Authorization": valid},
        {"Authorization": f"Bearer {valid[:-1]}"}, {"Authorization": f"Bearer {valid}x"},
        {"Authorization": f"Bearer {valid.upper()}"}, {"Authorization": f"Bearer {keys.digest(valid)}"},
        {"X-DAGFLOW-AGENT-ID": "me"}, {"Cookie": f"key={valid}"}, {"Authorization": "Bearer é".encode("latin-1")},
    ]  # fmt: skip

    let_in = {
        (method, path)
        for method, path in every_route(closed)
        for some in headers
        if Api(closed).http.request(method, closed.url + path, headers=some).status_code != 401
    }

    assert let_in == OPEN
    assert Api(closed, valid).get("/projects")["items"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/health/../projects", "/api/health/%2e%2e/projects", "//api/projects", "/api//projects", "/api/projects/",
        "/api/projects?x=/api/health", "/api/projects#/api/health", "/API/projects", "/api/./projects",
        "/api/health;/api/projects", "/api/version/..%2fprojects", "/api/projects/health", "/x/api/health",
        "/api/health%00/../projects", "/api/projects%2f", "/./api/projects", "/api/health\\..\\projects", "/metrics/",
        "/api/health//", "/api/version%20", "/metrics", "/docs", "/redoc", "/openapi.json", "/",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_around_the_key(closed: InProcessServer, path: str) -> None:
    scope_path, _, query = path.partition("?")

    status = raw(closed, "GET", unquote(scope_path), scope_path.encode(), query.encode())

    assert status in (401, 404), status


def raw(server: InProcessServer, method: str, path: str, raw_path: bytes, query: bytes = b"", **headers: str) -> int:
    """Send a request as it is, without a client that makes paths nicer, and return the status."""
    told: list[int] = []
    named = {"host": "127.0.0.1:4200", **headers}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": raw_path, "query_string": query, "root_path": "", "server": ("127.0.0.1", 4200),
        "client": ("127.0.0.1", 1), "headers": [(k.encode(), v.encode("latin-1")) for k, v in named.items()],
    }  # fmt: skip

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    server.transport._run(server.app(scope, receive, send))
    return told[0]


# --- scopes ----------------------------------------------------------------------------------------------------

_TABLE = [
    # method, path, the least scope that may
    ("GET", "/projects", "read"), ("GET", "/flow_runs", "read"), ("GET", "/kv/x", "read"), ("GET", "/secrets", "read"),
    ("GET", "/secrets/x", "run"), ("GET", "/keys", "admin"), ("POST", "/keys", "admin"), ("DELETE", "/keys/x", "admin"),
    ("POST", "/secrets", "write"), ("DELETE", "/secrets/x", "write"), ("POST", "/projects", "write"),
    ("POST", "/flows/register", "write"), ("DELETE", "/flows/x", "write"), ("POST", "/states", "run"),
    ("POST", "/logs", "run"), ("POST", "/flow_runs", "run"), ("POST", "/flow_runs/x/begin", "run"),
    ("POST", "/flow_runs/x/heartbeat", "run"), ("POST", "/flow_runs/x/states", "run"), ("POST", "/agents", "run"),
    ("POST", "/agents/x/claim", "run"), ("POST", "/task_runs/get_or_create", "run"), ("POST", "/artifacts", "run"),
    ("DELETE", "/flow_runs/x", "write"), ("POST", "/flow_runs/x/restart", "write"), ("POST", "/limits", "write"),
    ("POST", "/automations", "write"), ("PATCH", "/work_pools/x", "write"), ("POST", "/deployments", "write"),
    ("POST", "/deployments/x/create_run", "run"), ("POST", "/flow_groups/x/schedule", "write"),
]  # fmt: skip


def test_a_key_may_do_what_its_scope_says_and_no_more(closed: InProcessServer) -> None:
    apis = {scope: Api(closed, make_key(closed, scope)) for scope in keys.SCOPES}

    found = {
        (method, path): next(scope for scope, api in apis.items() if api.ask(method, path, {}).status_code != 403)
        for method, path, _ in _TABLE
    }

    assert found == {(method, path): scope for method, path, scope in _TABLE}


def test_a_key_is_shown_once_and_only_its_digest_is_kept(closed: InProcessServer) -> None:
    admin = Api(closed, make_key(closed, "admin"))

    made = admin.post("/keys", {"name": "ci", "scope": "run"})

    listed = admin.items("/keys")
    stored = closed.backend.database.read(
        lambda connection: [tuple(row) for row in connection.execute(select(tables.api_key))]
    )
    digest = hashlib.sha256(made["key"].encode()).hexdigest()
    assert made["key"].startswith("dfk_") and len(made["key"]) >= 4 + 43
    assert made["key"] not in json.dumps(listed) and digest not in json.dumps(listed)
    assert made["key"] not in str(stored) and digest in str(stored)
    assert Api(closed, made["key"]).get("/projects")["items"] == []


def test_keys_are_never_alike(closed: InProcessServer) -> None:
    assert len({make_key(closed, "read") for _ in range(200)}) == 200


def test_a_key_ends_when_it_expires_or_is_revoked(closed: InProcessServer) -> None:
    admin = Api(closed, make_key(closed, "admin"))
    short = admin.post("/keys", {"name": "short", "scope": "read", "expires": admin.at(60)})
    other = admin.post("/keys", {"name": "other", "scope": "read"})
    admin.later(59)
    assert Api(closed, short["key"]).get("/projects")["items"] == []

    admin.later(1)
    admin.delete(f"/keys/{other['id']}")

    for key in (short["key"], other["key"]):
        with pytest.raises(Refused, match="401 UNAUTHENTICATED"):
            Api(closed, key).get("/projects")


def test_when_a_key_was_used_last_is_noted(closed: InProcessServer) -> None:
    admin = Api(closed, make_key(closed, "admin"))
    admin.get("/projects")

    assert admin.items("/keys")[0]["last_used"] == admin.at()


@pytest.mark.parametrize(
    "body", [{"name": "", "scope": "read"}, {"name": "x", "scope": "root"}, {"name": "x", "expires": "x"}]
)
def test_keys_that_make_no_sense_are_refused(closed: InProcessServer, body: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="422"):
        Api(closed, make_key(closed, "admin")).post("/keys", body)


def test_a_server_that_asks_for_no_key_still_heeds_the_scope_of_one(server: InProcessServer) -> None:
    reader = Api(server, make_key(server, "read"))

    with pytest.raises(Refused, match="403 FORBIDDEN"):
        reader.post("/projects", {"name": "x"})
    assert Api(server, "dfk_unknown").post("/projects", {"name": "x"})["created"]


# --- who asks through a browser --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil", "[::1", "10.0.0.1:4200"]
)
def test_a_name_that_is_not_the_servers_is_refused(server: InProcessServer, host: str) -> None:
    assert raw(server, "GET", "/api/projects", b"/api/projects", host=host) == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:4200", "[::1]:4200", "127.0.0.1:80", "LOCALHOST"])
def test_names_of_this_machine_are_taken(server: InProcessServer, host: str) -> None:
    assert raw(server, "GET", "/api/projects", b"/api/projects", host=host) == 200


def test_names_that_are_allowed_are_taken(start: Callable[..., InProcessServer]) -> None:
    server = start(allowed_hosts=("flows.example",), host="0.0.0.0", require_key=False)

    assert raw(server, "GET", "/api/projects", b"/api/projects", host="flows.example") == 200
    assert raw(server, "GET", "/api/projects", b"/api/projects", host="evil.example") == 400


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1", "x", "", "http://[::1"]
)
def test_pages_of_others_change_nothing(server: InProcessServer, origin: str) -> None:
    api = Api(server)

    for method, path, _ in operations(server.app):
        if method != "GET":
            answer = api.http.request(method, server.url + plain(path), headers={"Origin": origin}, json={"name": "x"})
            assert answer.status_code == 403, (method, path)

    assert api.items("/projects") == []


def test_our_own_pages_may_change_things(server: InProcessServer) -> None:
    answer = Api(server).ask("POST", "/projects", {"name": "x"}, headers={"Origin": server.url})

    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_nothing_is_found_that_was_not_there(closed: InProcessServer) -> None:
    admin = Api(closed, make_key(closed, "admin"))

    for path in ("/flow_runs/../../etc/passwd", f"/flow_runs/{nobody()}", "/kv/..%2f..%2fetc%2fpasswd"):
        assert admin.ask("GET", path).status_code == 404
