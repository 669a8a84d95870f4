"""
Requests to one server: pooled connections, patience with a server that is away, answers as values or errors.

A request that fails for a reason that may pass is sent again, up to :data:`RETRIES` times, after waits that double.
That an answer was lost does not mean that the request was: whoever sends something that must not happen twice puts an
identity of its own making into it, and every POST carries one in a header, the same each time it is sent.
"""

from __future__ import annotations

import email.utils
import gzip
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from dagflow.configuration import config
from dagflow.exceptions import InvalidRequestError, ServerUnreachableError
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    import httpx2

__all__ = ["RETRIES", "ServerEvent", "Transport", "routed"]

RETRIES = 6
FIRST_WAIT = 0.2
"""Seconds before the second try; each later wait is twice as long."""
LONGEST_WAIT = 300.0
"""Seconds that a server may make us wait by its Retry-After."""
MAY_PASS = frozenset({429, 500, 502, 503, 504})
"""Statuses of answers that another try may not get."""
GZIP_FROM = 1_000_000
"""Bytes from which a body is packed; below that packing takes longer than sending."""
SILENCE = 45.0
"""Seconds without a sign after which a stream of events is given up; the server sends one every fifteen."""

_routes: dict[str, Any] = {}


@contextmanager
def routed(server: str, transport: Any) -> Iterator[None]:
    """
    Send what goes to *server* through *transport* for a block: how a server in this process is reached.

    The transport is anything with ``handle_request``, as httpx2 calls it.
    """
    before = _routes.get(server)
    _routes[server] = transport
    try:
        yield
    finally:
        if before is None:
            _routes.pop(server, None)
        else:
            _routes[server] = before


class ServerEvent(NamedTuple):
    """One event of the server's stream."""

    id: str | None
    kind: str
    data: Any


class Transport:
    """
    Sends requests to the API below *server*.

    Args:
        server: the address, without ``/api``.
        headers: gives the headers of each request.
        transport: how requests travel instead of over the network.
        sleep: waits before another try.
        retries: how often a request may be sent again.
    """

    def __init__(
        self,
        server: str,
        headers: Callable[[], dict[str, str]],
        *,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        retries: int = RETRIES,
    ) -> None:
        self.server = server
        self.api_url = server if server.endswith("/api") else f"{server}/api"
        self.retries = retries
        self._headers = headers
        self._given = transport
        self._sleep = sleep
        self._opening = threading.Lock()
        self._connection: httpx2.Client | None = None
        self._process = os.getpid()

    @property
    def is_network(self) -> bool:
        """Whether requests leave this process, so that an answer may come bit by bit."""
        return self._given is None and self.server not in _routes

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_connection": None, "_opening": None}

    def __setstate__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields, _opening=threading.Lock(), _process=os.getpid())

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
        self._connection = None

    def __del__(self) -> None:
        # People write Client().create_flow_run(...): what they drop must not leave an open socket behind.
        with suppress(Exception):
            self.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        timeout: float | None = None,
        retries: int | None = None,
    ) -> Any:
        """
        Return the decoded answer, ``None`` when it is empty.

        Raises:
            ClientError: for a refusal, by its kind, and when there is no answer.
            VersionLockMismatchSignal: when the run has changed meanwhile.
        """
        from dagflow.client.answers import decoded

        url = f"{self.api_url}/{path.lstrip('/')}"
        content, headers = _packed(body)
        if method != "GET":
            from dagflow.utilities.identities import new_id

            headers["X-DAGFLOW-REQUEST-ID"] = new_id()
        seconds = timeout or float(config.cloud.request_timeout)
        options = {"params": _plain(params), "content": content, "timeout": seconds}
        problem = self._sent(method, url, {**self._headers(), **headers}, options)
        for tries in range(1, (self.retries if retries is None else retries) + 1):
            if not _may_pass(problem):
                break
            self._wait(tries, url, problem)
            problem = self._sent(method, url, {**self._headers(), **headers}, options)
        if isinstance(problem, Exception):
            raise _unreachable(url, problem, seconds) from problem
        return decoded(problem, url)

    def _sent(
        self, method: str, url: str, headers: dict[str, str], options: dict[str, Any]
    ) -> httpx2.Response | Exception:
        """Return the answer, or the error that there was instead of one."""
        import httpx2

        if config.cloud.diagnostics:
            get_logger("Client").info("%s %s with headers %s", method, url, _masked(headers))
        try:
            return self._connected().request(method, url, headers=headers, **options)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            return error

    def _wait(self, tries: int, url: str, problem: httpx2.Response | Exception) -> None:
        seconds = _asked_for(problem)
        if seconds is None:
            # Between half and all of it, so that many processes do not come back at the same moment.
            seconds = FIRST_WAIT * 2 ** (tries - 1) * random.uniform(0.5, 1)
        why = problem if isinstance(problem, Exception) else f"answered {problem.status_code}"
        log = get_logger("Client")
        (log.warning if tries > 2 else log.debug)("%s: %s; trying again in %.1f s.", url, why, seconds)
        self._sleep(seconds)

    def _connected(self) -> httpx2.Client:
        if self._connection is None or self._process != os.getpid():
            self._open()
        assert self._connection is not None
        return self._connection

    def _open(self) -> None:
        import httpx2

        with self._opening:
            if self._connection is not None and self._process == os.getpid():
                return
            given = self._given or _routes.get(self.server)
            transport = None if given is None else _lent(given)
            # The environment may name a proxy for the whole web; an address on this machine never goes through one.
            trust = not any(f"//{host}" in self.server for host in ("127.0.0.1", "localhost", "[::1]"))
            self._connection = httpx2.Client(transport=transport, trust_env=trust)
            self._process = os.getpid()

    def events(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[ServerEvent]:
        """Yield the events of a stream until it ends; ``ping`` events are among them."""
        import httpx2

        from dagflow.client.answers import decoded

        url = f"{self.api_url}/{path.lstrip('/')}"
        headers = {**self._headers(), "Accept": "text/event-stream"}
        patience = httpx2.Timeout(float(config.cloud.request_timeout), read=SILENCE)
        options: dict[str, Any] = {"params": _plain(params), "headers": headers, "timeout": patience}
        try:
            with self._connected().stream("GET", url, **options) as answer:
                if not answer.is_success:
                    answer.read()
                    decoded(answer, url)
                yield from _events(answer.iter_lines())
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise _unreachable(url, error, SILENCE) from error


def _events(lines: Iterator[str]) -> Iterator[ServerEvent]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value
            continue
        if "data" in fields or "event" in fields:
            data = fields.get("data")
            yield ServerEvent(fields.get("id"), fields.get("event", "message"), json.loads(data) if data else None)
        fields = {}


def _lent(transport: httpx2.BaseTransport) -> httpx2.BaseTransport:
    """Return *transport* so that closing a client leaves it open for others."""
    import httpx2

    class Lent(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            return transport.handle_request(request)

    return Lent()


def _plain(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return parameters of a query as text; those that are ``None`` are left out."""
    if not params:
        return None
    return {
        name: [_text(one) for one in value] if isinstance(value, (list, tuple, set, frozenset)) else _text(value)
        for name, value in params.items()
        if value is not None
    }


def _text(value: Any) -> Any:
    moment = getattr(value, "isoformat", None)
    return moment() if callable(moment) else value


def _packed(body: Any) -> tuple[bytes | None, dict[str, str]]:
    if body is None:
        return None, {}
    try:
        content = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(
            f"The request cannot be written as JSON: {error}. Parameters, context and values that are sent must be "
            "JSON: text, finite numbers, booleans, None, lists and objects."
        ) from error
    headers = {"Content-Type": "application/json"}
    if len(content) < GZIP_FROM:
        return content, headers
    return gzip.compress(content, compresslevel=1, mtime=0), {**headers, "Content-Encoding": "gzip"}


def _may_pass(problem: httpx2.Response | Exception) -> bool:
    if not isinstance(problem, Exception):
        return problem.status_code in MAY_PASS
    import httpx2

    return not isinstance(problem, (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.LocalProtocolError))


def _asked_for(problem: httpx2.Response | Exception) -> float | None:
    """Return the seconds that the server asks us to wait."""
    if isinstance(problem, Exception) or problem.status_code not in (429, 503):
        return None
    text = problem.headers.get("Retry-After")
    if text is None:
        return None
    try:
        return min(max(float(text), 0.0), LONGEST_WAIT)
    except ValueError:
        pass
    try:
        until = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None
    return min(max(until - time.time(), 0.0), LONGEST_WAIT)


def _masked(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "…" if name.lower() == "authorization" else value for name, value in headers.items()}


def _unreachable(url: str, error: Exception, seconds: float) -> ServerUnreachableError:
    import httpx2

    if isinstance(error, (httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
        return ServerUnreachableError(
            f"{url!r} is no address: {str(error).rstrip('.')}. cloud.api is to be the address of a server, such as "
            "http://127.0.0.1:4200, where `dagflow server start` starts one."
        )
    if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
        return ServerUnreachableError(f"{url} did not answer within {seconds:g} s (cloud.request_timeout).")
    return ServerUnreachableError(
        f"{url} cannot be reached: {error}. Is the server running? Start one with `dagflow server start`, or "
        "set cloud.api to the address of yours."
    )
