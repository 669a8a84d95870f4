"""Requests that make no sense: each is answered, none by an error of the server's."""

from __future__ import annotations

import itertools
import logging
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import func, select

from dagflow.server.database import tables
from dagflow.testing import InProcessServer
from tests.security.routes import Maker, operations, world
from tests.server.calls import Api

NUMBER = 5_000
"""Requests to each of the two databases."""


def sent(api: Api, method: str, path: str, options: dict[str, Any]) -> int:
    return int(api.http.request(method, f"{api.server.url}{path}", **options).status_code)


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """Let refusals, of which there are thousands, not be logged."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_no_request_makes_the_server_fail(server: InProcessServer) -> None:
    ids = world(server)
    found = [one for one in operations(server.app) if one[1] != "/api/events" and one[0] != "DELETE"]
    api = Api(server)

    statuses: dict[int, int] = {}
    failed = []
    for method, path, options in itertools.islice(Maker(1, ids).requests(found), NUMBER):
        status = sent(api, method, path, options)
        statuses[status] = statuses.get(status, 0) + 1
        if status >= 500:
            failed.append((method, path, options))

    assert failed == []
    for service in server.app.state.services.services:
        service.run(server.backend)
    assert api.get("/health")["status"] == "ok"
    # Nearly right requests reach deep: a good part is taken, and a good part refused.
    assert statuses[200] > NUMBER / 20 and statuses[422] > NUMBER / 20, statuses


PAYLOADS = [
    text.format(quote=quote, end=end)
    for quote, end, text in itertools.product(
        ("'", '"', "`", "\\'", "%27", "')"),
        ("--", "#", "/*", ";", ""),
        (
            "{quote} OR 1=1{end}",
            "{quote}; DROP TABLE flow_run{end}",
            "{quote}; DELETE FROM project{end}",
            "{quote} UNION SELECT digest FROM api_key{end}",
            "{quote} AND (SELECT 1 FROM pg_sleep(1)) IS NULL{end}",
            "{quote} AND randomblob(1000000000){end}",
            "{quote}; ATTACH DATABASE 'x' AS y{end}",
            "%{quote}{end}",
            "{quote}; COPY project TO PROGRAM 'id'{end}",
            "x{quote}||(SELECT value FROM secret)||{quote}{end}",
            "$1{quote}{end}",
            ":id{quote}{end}",
            "%(id)s{quote}{end}",
            "?{quote}{end}",
            "{quote} LIMIT 0{end}",
            "{quote}\n\t{end}",
            "{quote}; UPDATE api_key SET scope='admin'{end}",
        ),
    )
]


def rows(server: InProcessServer) -> dict[str, int]:
    """Return how many rows each table has."""

    def read(connection: Any) -> dict[str, int]:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in tables.metadata.tables.items()
        }

    return dict(server.backend.database.read(read))


def test_no_text_is_taken_for_sql(server: InProcessServer) -> None:
    assert len(PAYLOADS) >= 500
    ids = world(server)
    api = Api(server)
    reads = [one for one in operations(server.app) if one[0] == "GET" and one[1] not in ("/api/events",)]
    texts = [
        (path, parameter["name"], parameter["in"])
        for _, path, operation in reads
        for parameter in operation.get("parameters", ())
        if "string" in str(parameter["schema"])
    ]
    before = rows(server)

    maker = Maker(2, ids)
    statuses = set()
    for number, payload in enumerate(PAYLOADS):
        # Every parameter gets its share of the payloads, every payload several parameters.
        for path, name, where in texts[number % 16 :: 16]:
            if where == "path":
                target = path.replace("{" + name + "}", quote(payload, safe=""))
                options: dict[str, Any] = {}
            else:
                target, options = maker.path(path), {"params": {name: payload}}
            statuses.add(sent(api, "GET", target, options))

    assert rows(server) == before
    assert max(statuses) < 500
