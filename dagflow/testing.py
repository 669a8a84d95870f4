"""
Doubles for tests: a clock that nobody waits for, and an executor that finishes work in an order of its own.

>>> from dagflow.core.flow import Flow
>>> from dagflow.utilities.tasks import task
>>> with Flow("sums") as flow:
...     total = task(lambda x, y: x + y, name="add")(1, 2)
>>> flow.run(executor=ScriptedExecutor(seed=1)).result[total].result
3
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, Self

from dagflow.engine.clock import Clock
from dagflow.executors.base import Executor, resolve_nested

if TYPE_CHECKING:
    from dagflow.client.client import Client

__all__ = ["FakeClock", "InProcessServer", "ScriptedExecutor", "assert_flow_structure", "flow_test_harness"]


class FakeClock(Clock):
    """
    A clock that stands still until somebody sleeps, and then jumps.

    Args:
        start: seconds since the epoch.

    Attributes:
        slept: the lengths of the sleeps, in seconds.
    """

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.time = start
        self.slept: list[float] = []

    def now(self) -> float:
        """Return the clock's own time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Jump ahead."""
        self.slept.append(seconds)
        self.time += seconds


class _Call:
    """A submitted call that has perhaps been made."""

    def __init__(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.fn, self.args, self.kwargs = fn, args, kwargs
        self.made = False
        self.value: Any = None


class ScriptedExecutor(Executor):
    """
    Makes calls one at a time, in an order drawn from *seed*, to show that order does not matter.

    Args:
        seed: of the order; the same seed gives the same order.
        hands: how many callables it claims to run at once.

    Attributes:
        before_each: called before each call is made, if set.
    """

    def __init__(self, seed: int = 0, hands: int = 3) -> None:
        self._random = random.Random(seed)
        self._hands = hands
        self.before_each: Callable[[], None] | None = None

    @property
    def parallelism(self) -> int:
        """How many callables it claims to run at once."""
        return self._hands

    def submit(
        self, fn: Callable[..., Any], *args: Any, extra_context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Note the call."""
        return _Call(fn, args, kwargs)

    def wait(self, futures: Any) -> Any:
        """Make the calls that are not made yet and return their values."""
        return resolve_nested(futures, lambda one: self._make(one) if isinstance(one, _Call) else one)

    def as_completed(self, futures: Collection[Any], timeout: float | None = None) -> list[Any]:
        """Make one call, drawn at random."""
        waiting = list(futures)
        if not waiting:
            return []
        chosen = self._random.choice(waiting)
        self._make(chosen)
        return [chosen]

    def _make(self, call: _Call) -> Any:
        if not call.made:
            if self.before_each is not None:
                self.before_each()
            call.made = True
            call.value = call.fn(*self.wait(list(call.args)), **self.wait(call.kwargs))
        return call.value


class InProcessServer:
    """
    A server in this process, with a database of its own in a temporary folder, for a ``with`` block.

    Services run only when :meth:`tick` is called, so nothing happens by itself. Clients reach it without a port, unless
    *port* is true.

    Args:
        clock: the server's clock; a :class:`FakeClock` that begins now when none is given.
        database_url: another database than a temporary SQLite file.
        port: also listen on a free port of this machine; ``url`` is its address.
        **settings: changes to :class:`~dagflow.server.settings.ServerSettings`.

    >>> with InProcessServer() as server:
    ...     server.client().get("version").keys()
    dict_keys(['version'])
    """

    def __init__(
        self, clock: Any = None, database_url: str | None = None, *, port: bool = False, **settings: Any
    ) -> None:
        self.clock = clock if clock is not None else FakeClock(time.time())
        self.settings = {"background": False, "secrets_key": "for tests", **settings}
        self.database_url = database_url
        self.url = "http://127.0.0.1:4200"
        self._wants_port = port
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        from dagflow.server.app import create_app
        from dagflow.server.settings import ServerSettings

        with self._exits:
            folder = self._exits.enter_context(tempfile.TemporaryDirectory(prefix="dagflow-"))
            url = self.database_url or f"sqlite:///{folder}/dagflow.db"
            self.app = create_app(ServerSettings(database_url=url, **self.settings), self.clock)
            self.transport = _Bridge(self.app)
            self._exits.callback(self.transport.stop)
            self.transport.start()
            if self._wants_port:
                self.url = self._exits.enter_context(_listening(self.app))
            # All went well, so what was entered stays open until the block ends.
            self._exits = self._exits.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    @property
    def backend(self) -> Any:
        """The server without its HTTP: settings, clock, database."""
        return self.app.state.backend

    def client(self, api_key: str | None = None) -> Client:
        """Return a client of this server."""
        from dagflow.client.client import Client

        return Client(self.url, api_key=api_key, _transport=None if self._wants_port else self.transport)

    def tick(self, seconds: float = 0.0) -> None:
        """Let time pass on a clock that stands still, then run one pass of each service."""
        if seconds:
            self.clock.time += seconds
        services = self.app.state.services
        for service in services.services:
            services.run_once(service)


class _Bridge:
    """Hands requests of a synchronous client to an application that runs on a loop of its own."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="dagflow-test-server", daemon=True)

    def start(self) -> None:
        """Start the loop and the application."""
        self._thread.start()
        self._life = self.app.router.lifespan_context(self.app)
        self._run(self._life.__aenter__())

    def stop(self) -> None:
        """Stop both."""
        try:
            if getattr(self, "_life", None) is not None:
                self._run(self._life.__aexit__(None, None, None))
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def handle_request(self, request: Any) -> Any:
        """Answer a request of httpx2."""
        import httpx2

        async def ask() -> Any:
            transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
            inner = httpx2.Request(request.method, request.url, headers=request.headers, content=request.read())
            answer = await transport.handle_async_request(inner)
            return answer.status_code, answer.headers, await answer.aread()

        status, headers, content = self._run(ask())
        return httpx2.Response(status, headers=headers, content=content, request=request)

    def close(self) -> None:
        """Nothing to do: the server outlives its clients."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@contextlib.contextmanager
def _listening(app: Any) -> Iterator[str]:
    """Serve *app*, which runs already, on a free port."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("The server could not listen.")
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def flow_test_harness(clock: Any = None, *, port: bool = False, **settings: Any) -> Any:
    """
    Give a backend of its own to a ``with`` block; see :func:`dagflow.harness.flow_test_harness`.

    >>> with flow_test_harness() as harness:
    ...     harness.client.get("health")["status"]
    'ok'
    """
    from dagflow.harness import flow_test_harness as harness

    return harness(clock, port=port, **settings)


def assert_flow_structure(flow: Any, edges: Collection[tuple[str, str]]) -> None:
    """
    Assert that the edges of *flow* are exactly those between the tasks with the given names.

    Args:
        flow: the flow.
        edges: pairs of names, upstream and downstream; constants do not count.

    Raises:
        AssertionError: which names what is missing and what is there besides.

    >>> from dagflow.core.flow import Flow
    >>> from dagflow.utilities.tasks import task
    >>> with Flow("two") as flow:
    ...     first = task(lambda: 1, name="first")()
    ...     second = task(lambda x: x, name="second")(first)
    >>> assert_flow_structure(flow, [("first", "second")])
    """
    found = {(edge.upstream_task.name, edge.downstream_task.name) for edge in flow.edges}
    wanted = set(edges)
    assert found == wanted, f"missing edges: {sorted(wanted - found)}; unexpected edges: {sorted(found - wanted)}"
