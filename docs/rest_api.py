"""
Write the reference of the REST API from the server's own description: ``python docs/rest_api.py``.

The page is kept with the others, so that it can be read in a clone; a test compares it with the server.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "rest_api.rst"
METHODS = ("get", "post", "patch", "delete")

HEAD = """\
.. Written by docs/rest_api.py; change the docstrings of the server and run it again.

REST API
========

Everything below is asked for under the server's address; ``/api/openapi.json`` describes it for programs.

Bodies and answers are JSON; bodies may be packed with gzip.
Times are UTC, as text of one width: ``2026-11-20T19:31:45.123456Z``.
Ids are UUIDs, as text.

A server that asks for keys expects ``Authorization: Bearer dfk_...``.
Only ``/api/health`` and ``/api/version`` need none.

A list is ``{"items": [...], "cursor": "..."}``.
``limit`` is at most 200; ``cursor`` asks for the next page, and is ``null`` after the last.
``count=true`` adds how many there are, up to 10,000.

An error is ``{"error": {"code", "message", "detail"}}``:

.. list-table::
   :header-rows: 1
   :widths: 15 35 50

   * - Status
     - Code
     - Meaning
   * - 400
     - ``BAD_REQUEST``
     - The request makes no sense; the message says where.
   * - 401
     - ``UNAUTHENTICATED``
     - There is no key, or one that is unknown, revoked or expired.
   * - 403
     - ``FORBIDDEN``
     - The scope of the key does not cover this.
   * - 404
     - ``NOT_FOUND``
     - There is no such thing.
   * - 409
     - ``CONFLICT``, ``VERSION_LOCKING_ERROR``, ``STALE_TOKEN``
     - What the server holds stands against it: changed meanwhile, or another process has the run.
   * - 413
     - ``TOO_LARGE``
     - The body, or a value in it, is larger than it may be.
   * - 422
     - ``INVALID``
     - A field is missing or of a wrong type; ``detail`` names each.
   * - 503
     - ``BUSY``
     - The server has more to do than it can; ask again after ``Retry-After`` seconds.

Asking twice
------------

A client that got no answer may ask again and nothing happens twice:
states and flow runs carry an id that the client made, and other changes a header ``X-DAGFLOW-REQUEST-ID``.
The same id gives the first answer again.

``POST /api/states`` takes many states at once.
Each item has an answer of its own, with ``status`` ``SUCCESS``, ``QUEUED`` or ``ERROR``.
The HTTP status is 200 whatever they say.

What happens, as it happens
---------------------------

``GET /api/events`` is a stream of server-sent events: ``flow_run_state``, ``task_run_state``, ``log`` and ``ping``.
Each has an id; ``Last-Event-ID`` or ``after`` goes on after it.

``GET /metrics`` is for Prometheus; see :doc:`../howto/operate`.
"""


def description() -> dict[str, Any]:
    """Return the server's description of itself."""
    from dagflow.server.app import create_app
    from dagflow.server.settings import ServerSettings

    described: dict[str, Any] = create_app(ServerSettings(database_url="sqlite:////never/opened.db")).openapi()
    return described


def page() -> str:
    """Return the text of the page."""
    described = description()
    schemas = described.get("components", {}).get("schemas", {})
    groups: dict[str, list[str]] = {}
    for path, methods in sorted(described["paths"].items()):
        for method in METHODS:
            if method in methods:
                about = methods[method]
                row = "\n".join(rows(method, path, about, schemas))
                groups.setdefault(about.get("tags", ["other"])[0], []).append(row)
    return HEAD + "".join(section(name, groups[name]) for name in sorted(groups))


def section(name: str, table: list[str]) -> str:
    """Return one group of routes."""
    title = name.capitalize()
    head = f".. list-table::\n   :header-rows: 1\n   :widths: 40 35 25\n\n{row('Request', 'What it does', 'Fields')}\n"
    return f"\n{title}\n{'-' * len(title)}\n\n{head}" + "\n".join(table) + "\n"


def rows(method: str, path: str, about: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    """Yield the row of one route."""
    summary = " ".join(about.get("description", "").partition("\n\n")[0].split())
    query = [f"``{one['name']}``" for one in about.get("parameters", []) if one["in"] == "query"]
    fields = ", ".join(query or body(about, schemas))
    yield row(f"``{method.upper()} {path}``", summary, fields)


def row(*cells: str) -> str:
    """Return a row of a table."""
    first, *rest = cells
    return "\n".join([f"   * - {first}", *(f"     - {cell}".rstrip() for cell in rest)])


def body(about: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    """Return the fields of the body; those that must be given come in bold."""
    content = about.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    for option in [schema, *schema.get("anyOf", [])]:
        if "$ref" in option:
            schema = schemas[option["$ref"].rpartition("/")[2]]
    required = schema.get("required", ())
    names = sorted(schema.get("properties", {}), key=lambda name: name not in required)
    return [f"**{name}**" if name in required else f"``{name}``" for name in names]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE.relative_to(ROOT)}.")
