"""
What stands before all endpoints: who may come in, how much they may bring, and how long they may take.

Everything the endpoints get to see has passed here: the Host, the Origin, the path, the key, the size of the body, also
after it was unpacked.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import to_json

from dagflow.server.backend import REQUEST_ID, Backend
from dagflow.server.errors import (
    BadRequest,
    Busy,
    Forbidden,
    NotFound,
    Refusal,
    TooLarge,
    Unauthenticated,
    Unexpected,
)
from dagflow.server.store import keys
from dagflow.utilities.logging import get_logger

__all__ = ["Guard"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Endpoint = Callable[[Backend, bytes, Scope], Awaitable[Any]]
"""Answers a body; what it returns is sent as JSON."""

OPEN_PATHS = frozenset({"/api/health", "/api/version"})
"""What may be read without a key; nothing else, and only under exactly these paths."""

CLOSED_PATHS = ("/api", "/metrics")
"""Where data is; the pages beside have none and may be read without a key."""

READS = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "testserver"})
_RUN_PATHS = re.compile(
    r"^/api/(states|logs|artifacts(/[^/]+)?|slots(/[^/]+)?|task_runs/.*|agents(/.*)?|kv|flow_runs|flow_runs/[^/]+/"
    r"(states|name|heartbeat|begin|release|lost)|deployments/[^/]+/create_run)$"
)
"""What a key of scope ``run`` may write: what agents and running flows need."""

_ASKING_PATHS = frozenset({"/api/schedules/preview"})
"""What changes nothing, and is posted because what is asked about is long."""

_SECRET_PATHS = re.compile(r"^/api/secrets/.+$")
KEY_NOTED_SECONDS = 60.0


class Guard:
    """
    An ASGI application around another one.

    Args:
        app: what stands behind.
        backend: returns the server.
        direct: what answers requests by itself, by method and path; *app* answers the others.
    """

    def __init__(
        self, app: Any, backend: Callable[[], Backend], direct: Mapping[tuple[str, str], Endpoint] | None = None
    ) -> None:
        self.app = app
        self.backend = backend
        self.direct = direct or {}
        self._noted: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        try:
            body = await self._admit(scope, receive)
        except Refusal as refusal:
            await _refuse(send, refusal, close=True)
            return
        endpoint = self.direct.get((scope["method"], scope["path"]))
        if endpoint is not None:
            await self._answer(endpoint, body, scope, send)
            return
        token = REQUEST_ID.set(_request_id(scope))
        try:
            await self.app(scope, _replayed(body, receive), send)
        finally:
            REQUEST_ID.reset(token)

    async def _answer(self, endpoint: Endpoint, body: bytes, scope: Scope, send: Send) -> None:
        try:
            content = to_json(await endpoint(self.backend(), body, scope))
        except Refusal as refusal:
            await _refuse(send, refusal, close=False)
            return
        except Exception as error:
            get_logger("server").error("%s %s failed.", scope["method"], scope["path"], exc_info=error)
            await _refuse(send, Unexpected(), close=False)
            return
        await _send(send, 200, content)

    async def _admit(self, scope: Scope, receive: Receive) -> bytes:
        headers = {name.lower(): value for name, value in scope["headers"]}
        self._check_host(scope, headers)
        path = _checked_path(scope)
        await self._check_key(scope, path, headers)
        if scope["method"] in READS:
            return b""
        return await self._body(headers, receive)

    # --- who -----------------------------------------------------------------------------------------------------

    def _check_host(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Refuse requests that a page of somebody else's makes a browser send."""
        settings = self.backend().settings
        host = headers.get(b"host", b"").decode("latin-1")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        is_allowed = name in LOCAL_HOSTS or name.lower() in {*settings.allowed_hosts, settings.host, *LOCAL_HOSTS}
        if settings.is_local and not is_allowed:
            raise BadRequest(
                f"The Host {host!r} is not one of this server's. Add its name to server.allowed_hosts if it should be."
            )
        if settings.allowed_hosts and not is_allowed:
            raise BadRequest(f"The Host {host!r} is not among server.allowed_hosts.")
        origin = headers.get(b"origin")
        if origin is not None and scope["method"] not in READS and _place(origin.decode("latin-1")) != host:
            raise Forbidden("Pages of other origins may not change anything here.")

    async def _check_key(self, scope: Scope, path: str, headers: dict[bytes, bytes]) -> None:
        backend = self.backend()
        given = headers.get(b"authorization", b"").decode("latin-1")
        if not backend.settings.require_key and not given:
            return
        if scope["method"] in READS and (path in OPEN_PATHS or not path.startswith(CLOSED_PATHS)):
            return
        scheme, _, key = given.partition(" ")
        found = None
        if scheme.lower() == "bearer" and key.startswith(keys.PREFIX) and key.isascii():
            found = await backend.read(lambda connection: keys.find_key(connection, key.strip(), backend.now))
        if found is None:
            if not backend.settings.require_key:
                # Nobody needs a key here, so one of another server does no harm.
                return
            raise Unauthenticated(
                "This server needs an API key: `dagflow auth login --key …`, or set DAGFLOW__CLOUD__API_KEY. "
                "The key given is unknown, revoked or expired." if given else
                "This server needs an API key: `dagflow auth login --key …`, or set DAGFLOW__CLOUD__API_KEY."
            )  # fmt: skip
        needed = _needed_scope(scope["method"], path)
        if not keys.allows(found["scope"], needed):
            raise Forbidden(f"The key {found['name']!r} has the scope {found['scope']!r}; this needs {needed!r}.")
        scope["dagflow.key"] = found
        self._note_use(backend, found["id"])

    def _note_use(self, backend: Backend, id: str) -> None:
        now = backend.clock.now()
        if now - self._noted.get(id, 0.0) > KEY_NOTED_SECONDS:
            self._noted[id] = now
            moment = backend.now
            backend.database.submit(lambda tx: keys.note_use(tx, {id: moment}))

    # --- how much ------------------------------------------------------------------------------------------------

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Return the whole body, unpacked."""
        settings = self.backend().settings
        most = settings.max_body_bytes
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > most:
            raise _too_large(most)
        try:
            async with asyncio.timeout(settings.body_timeout):
                body = await _received(receive, most)
        except TimeoutError as error:
            refusal = BadRequest(f"The body did not arrive within {settings.body_timeout:g} s.", code="TIMEOUT")
            refusal.status = 408
            raise refusal from error
        encoding = headers.get(b"content-encoding", b"identity").lower()
        if encoding == b"identity":
            return body
        if encoding != b"gzip":
            raise BadRequest(f"The body is packed with {encoding.decode('latin-1')!r}; gzip is the one that is known.")
        return _unpacked(body, most)


def _place(origin: str) -> str | None:
    """Return host and port of an origin, ``None`` for what is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _request_id(scope: Scope) -> str | None:
    """Return the identity that the sender gave a request which changes something; with the path, for safety."""
    if scope["method"] in READS:
        return None
    given = next((value for name, value in scope["headers"] if name.lower() == b"x-dagflow-request-id"), None)
    if given is None or not 8 <= len(given) <= 40:
        return None
    path = zlib.crc32(f"{scope['method']} {scope['path']}".encode())
    return f"{given.decode('latin-1')}-{path:08x}"


def _needed_scope(method: str, path: str) -> str:
    if path.startswith("/api/keys"):
        return "admin"
    if _SECRET_PATHS.match(path):
        return "run" if method in READS else "write"
    if method in READS or path in _ASKING_PATHS:
        return "read"
    return "run" if _RUN_PATHS.match(path) else "write"


def _checked_path(scope: Scope) -> str:
    path: str = scope["path"]
    raw = scope.get("raw_path") or b""
    if (
        "\0" in path
        or b"%00" in scope.get("query_string", b"")
        or "//" in path
        or "/../" in path
        or path.endswith("/..")
    ):
        raise NotFound("There is nothing under this path.")
    if b"%2e" in raw.lower():
        raise NotFound("There is nothing under this path.")
    return path


async def _received(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("The request broke off.")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The body is larger than {most:,} bytes (server.max_body_bytes).")


def _unpacked(body: bytes, most: int) -> bytes:
    """Return the unpacked body; a small one that unpacks to a huge one is refused before it does."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise BadRequest(f"The body is no gzip: {error}.") from error
    if len(content) > most:
        raise _too_large(most)
    if not unpacker.eof:
        raise BadRequest("The body is gzip that breaks off.")
    return content


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that hands out *body*, and then what the connection has to say."""
    sent = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


async def _refuse(send: Send, refusal: Refusal, *, close: bool) -> None:
    headers = []
    if close:
        headers.append((b"connection", b"close"))
    if isinstance(refusal, Busy):
        headers.append((b"retry-after", b"1"))
    if isinstance(refusal, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    await _send(send, refusal.status, to_json(refusal.document()), headers)


async def _send(send: Send, status: int, content: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    always = (b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*always, *headers]})
    await send({"type": "http.response.body", "body": content})
