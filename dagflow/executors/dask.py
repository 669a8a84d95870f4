"""
Runs on a Dask cluster: one that is there, or one of its own for the time of the run.

Dask carries calls to workers, balances them and holds values; what a flow does next, and what becomes of runs whose
worker was lost, is decided by the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from dagflow.exceptions import ClusterError, ConfigurationError, ValueLostError, WorkerLostError
from dagflow.executors.base import Executor, resolve_nested
from dagflow.executors.published import process_name
from dagflow.utilities.logging import get_logger

__all__ = ["DaskExecutor", "is_local", "resources_in"]

_HEAVY = 1 << 20
"""Bytes of an argument from which it is sent as data of its own and not within the graph."""

_PATIENCE = 3.0
"""Seconds to wait, after an interruption, for what runs on somebody else's cluster."""

_PROMPT = 0.002
"""Seconds that Dask's client may wait for more to send; its usual 0.01 is long for one who decides what is next."""

_LOOK = 2.0
"""Seconds to wait for something to come back before looking whether there are workers."""

_REMINDER = 10.0
"""Seconds between two lines that say that there is none."""

_CONNECTION_LOST = "The connection to the Dask scheduler was lost; it may have ended or been killed."

_RESOURCE_TAG = "dask-resource"

_logger = get_logger("DaskExecutor")


class DaskExecutor(Executor):
    """
    Runs on a Dask cluster.

    Args:
        address: of a scheduler that is there; default is the configured one. Without any, a cluster is started for the
            run and shut down after it.
        cluster_class: what starts that cluster: a callable or its dotted name; default ``distributed.LocalCluster``.
        cluster_kwargs: its arguments.
        adapt_kwargs: arguments of ``cluster.adapt``, such as ``{"minimum": 1, "maximum": 20}``.
        client_kwargs: arguments of ``distributed.Client``, such as ``{"security": Security(...)}``.
        debug: show warnings of Dask's own in the log; default is the configured ``debug``.
        performance_report_path: where to write Dask's HTML report of the run; needs bokeh.

    Raises:
        ValueError: for an address together with a cluster class or its arguments.

    A task's tag ``dask-resource:GPU=1``, or ``Task(resources={"GPU": 1})``, sends its runs to workers that have that.
    The arguments mirror Prefect 0.15.

    >>> DaskExecutor(address="tcp://10.0.0.1:8786").address
    'tcp://10.0.0.1:8786'
    """

    remote = True
    tracks = True
    resends = True
    batch_seconds = 0.2

    def __init__(
        self,
        address: str | None = None,
        cluster_class: str | Callable[..., Any] | None = None,
        cluster_kwargs: Mapping[str, Any] | None = None,
        adapt_kwargs: Mapping[str, Any] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
        debug: bool | None = None,
        performance_report_path: str | None = None,
    ) -> None:
        from dagflow.configuration import config

        self.address = address or config.engine.executor.dask.address or None
        if self.address and (cluster_class is not None or cluster_kwargs is not None):
            raise ValueError(
                f"DaskExecutor has the address {self.address!r}"
                f"{'' if address else ', from the setting engine.executor.dask.address,'} and was told how to start a "
                "cluster. Give either the address of a cluster that is there, or cluster_class and cluster_kwargs."
            )
        self.debug = bool(config.debug if debug is None else debug)
        self.cluster_class: Any = None
        self.cluster_kwargs = dict(cluster_kwargs or {})
        self.adapt_kwargs = dict(adapt_kwargs or {})
        if self.address is None:
            self.cluster_class = _imported(cluster_class or config.engine.executor.dask.cluster_class)
            if is_local(self.cluster_class):
                self.cluster_kwargs.setdefault("silence_logs", logging.WARNING if self.debug else logging.CRITICAL)
        elif adapt_kwargs:
            self.logger.warning("adapt_kwargs are for clusters that DaskExecutor starts; %s is left as it is.", address)
        self.client_kwargs = {"set_as_default": False, **(client_kwargs or {})}
        self.performance_report_path = performance_report_path
        self._held: list[_Held] = []

    @property
    def performance_report(self) -> str:
        """The HTML of the report, ``""`` when there is none."""
        if self.performance_report_path is None:
            self.logger.warning("There is no report: DaskExecutor was made without performance_report_path.")
            return ""
        try:
            with open(self.performance_report_path, encoding="utf-8") as file:
                return file.read()
        except OSError as error:
            self.logger.warning("The report at %s cannot be read: %s", self.performance_report_path, error)
            return ""

    # --- a run -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def start(self) -> Iterator[None]:
        """
        Hold a connection to the cluster, and the cluster itself when it is ours.

        Raises:
            ClusterError: when the scheduler does not answer or no worker comes.
        """
        from dagflow.executors.dask_clusters import connected

        with connected(self) as (client, cluster):
            held = _Held(client, cluster)
            self._held.append(held)
            try:
                held.settle_in()
                with self._reporting(client):
                    yield
            except BaseException:
                held.stop()
                raise
            finally:
                self._held.remove(held)
                held.leave()

    @contextlib.contextmanager
    def _reporting(self, client: Any) -> Iterator[None]:
        """Let Dask write its report when one was asked for."""
        if self.performance_report_path is None:
            yield
            return
        try:
            import bokeh  # noqa: F401
        except ImportError as error:
            raise ConfigurationError(
                "performance_report_path needs bokeh, which Dask draws its report with. Install the extra: "
                "pip install '.[report]' in the checkout of dagflow."
            ) from error
        import distributed

        report: Any = distributed.performance_report
        with client.as_current(), report(self.performance_report_path):
            yield

    def _holding(self) -> _Held:
        """Return what the run of this thread holds: one executor may serve several runs at once, one for a thread."""
        here = threading.get_ident()
        for held in reversed(self._held):
            if held.thread == here:
                return held
        if not self._held:
            raise ValueError("DaskExecutor has no cluster: submit inside `with executor.start():`.")
        return self._held[-1]

    @property
    def parallelism(self) -> int:
        """How many threads the workers have together, at the moment."""
        return self._holding().threads()

    @property
    def outpost(self) -> Any:
        """What runs may use on the workers."""
        return self._holding().outpost if self._held else None

    # --- carrying ----------------------------------------------------------------------------------------------

    def publish(self, key: str, value: Any) -> None:
        """Make *value* known to all workers, those that join later included."""
        self._holding().publish(key, value)

    def submit(
        self, fn: Callable[..., Any], *args: Any, extra_context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """
        Arrange for ``fn(*args, **kwargs)`` on a worker; futures among the arguments arrive as their values.

        Raises:
            ClusterError: when the cluster is gone.
            ValueError: outside ``start()``, and for a malformed ``dask-resource`` tag.
        """
        held = self._holding()
        about = extra_context or {}
        options: dict[str, Any] = {"priority": about.get("priority") or 0}
        resources = {**resources_in(about.get("task_tags") or ()), **_plain_dict(about.get("task_resources"))}
        if resources:
            options["resources"] = resources
        future = held.submit(fn, args, kwargs, self._key(about, held.prefix), options)
        if about.get("tells"):
            held.telling.add(future.key)
        return future

    def _key(self, about: Mapping[str, Any], prefix: str) -> str:
        """Return a name that dashboards group by task: ``<task name>-<index>-<uuid>``."""
        name = about.get("task_name") or "call"
        index = about.get("task_index")
        middle = "" if index is None else f"{index}-"
        return f"{name}-{middle}{uuid.uuid4().hex[:20]}{prefix}"

    def wait(self, futures: Any) -> Any:
        """
        Return the values of *futures*.

        Raises:
            ClusterError: when the cluster is gone.
            ValueLostError: when an argument of the call was lost with its worker.
            WorkerLostError: when the worker that made the call is gone.
        """
        from distributed import Future

        held = self._holding()
        found: dict[str, Any] = {}
        if isinstance(futures, list) and len(futures) > 1 and all(isinstance(one, Future) for one in futures):
            found = held.gathered(futures)

        def resolve(one: Any) -> Any:
            if not isinstance(one, Future):
                return one
            return found[one.key] if one.key in found else held.result(one)

        return resolve_nested(futures, resolve)

    def as_completed(self, futures: Collection[Any], timeout: float | None = None) -> list[Any]:
        """Return what has ended or was told since the last call, waiting for one; *futures* need not be given."""
        return self._holding().next(timeout)

    def kept(self, key: str) -> Any:
        """Return a future for a value that a worker keeps."""
        return self._holding().kept(key)

    def is_lost(self, future: Any) -> bool:
        """Tell whether a kept value is gone."""
        return bool(future.status != "finished")

    def cancel(self, futures: Collection[Any]) -> None:
        """Drop what has not begun to run."""
        if futures:
            self._holding().client.cancel(list(futures))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": []}


class _Held:
    """
    What one run holds: a client, what it put on the cluster, and the queue of what came back.

    What changes: the calls under way, and the number of threads the workers have, which is looked up now and then.
    """

    def __init__(self, client: Any, cluster: Any) -> None:
        self.client = client
        self.cluster = cluster
        self.thread = threading.get_ident()
        self.prefix = uuid.uuid4().hex[:12]
        self.outpost: Any = None
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._under_way: dict[str, tuple[Any, list[Any]]] = {}
        self.telling: set[str] = set()
        self._published: list[str] = []
        self._broken = ""
        self._alone: float | None = None
        self._reminded = 0.0
        self._threads = 0
        self._looked = 0.0

    def settle_in(self) -> None:
        """Put on the cluster what runs need there, and wait for a worker."""
        from dagflow.executors.dask_clusters import wait_for_worker
        from dagflow.executors.dask_plugins import DaskOutpost, DeafPlugin, DriverPlugin, SettingsPlugin

        self.client.scheduler_comm.interval = _PROMPT
        plugin = DriverPlugin(self.prefix, self.client.id)
        settings = SettingsPlugin(self.prefix, process_name(), _settings())
        others = [settings, DeafPlugin()] if is_local(type(self.cluster)) else [settings]
        self.client.sync(self._plug_in, [plugin, *others])
        self.client.subscribe_topic(plugin.name, self._heard)
        self._published.append(settings.name)
        self.outpost = DaskOutpost(self.client.id, plugin.name)
        wait_for_worker(self.client, self.cluster)

    async def _plug_in(self, plugins: list[Any]) -> None:
        """Register plugins, all at once."""
        try:
            await asyncio.gather(*map(self.client.register_plugin, plugins))
        except ImportError as error:
            raise ClusterError(
                f"The Dask scheduler or a worker cannot open what it is sent: {error}. Install dagflow, and Dask in "
                "the same version, where they run."
            ) from error

    def _heard(self, event: Any) -> None:
        """Take what the scheduler hands on: a message of a worker, or a line for the log."""
        _, message = event
        if isinstance(message, tuple | list):
            level, line = message
            _logger.log(level, "%s", line)
        else:
            self._done.put(message)

    # --- carrying ----------------------------------------------------------------------------------------------

    def publish(self, key: str, value: Any) -> None:
        from dagflow.executors.dask_plugins import PublishedPlugin
        from dagflow.utilities.pickling import dumps

        plugin = PublishedPlugin(self.prefix, key, dumps(value))
        self.client.register_plugin(plugin)
        self._published.append(plugin.name)

    def submit(self, fn: Any, args: Any, kwargs: Any, key: str, options: dict[str, Any]) -> Any:
        self._check_connection()
        inputs: list[Any] = []
        args = [self._lightened(one, inputs) for one in args]
        future = self.client.submit(fn, *args, key=key, pure=False, **options, **kwargs)
        self._under_way[key] = future, inputs
        future.add_done_callback(self._done.put)
        return future

    def _check_connection(self) -> None:
        """Raise when the scheduler was gone at any time since the start: it knows nothing of this run any more."""
        if not self._broken and self.client.status != "running":
            self._broken = _CONNECTION_LOST
        if self._broken:
            raise ClusterError(self._broken)

    def _lightened(self, value: Any, inputs: list[Any]) -> Any:
        """Return *value*, scattered when it is heavy; note the futures in it."""
        from distributed import Future

        if type(value) is bytes and len(value) > _HEAVY:
            value = self.client.scatter(value, hash=False)
        inputs += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Future)]
        return value

    def kept(self, key: str) -> Any:
        from distributed import Future

        known: Any = "memory"
        return Future(key, self.client, state=known)

    def next(self, timeout: float | None) -> list[Any]:
        """Return what came back, waiting for something; looks now and then whether there are workers at all."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            wait = _LOOK if deadline is None else min(_LOOK, max(0.0, deadline - time.monotonic()))
            try:
                found = [self._done.get(timeout=wait)]
                break
            except queue.Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    return []
                self._look_for_workers()
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._done.get_nowait())
        for one in found:
            if type(one) is not bytes and one.key in self.telling and one.status == "finished":
                self._under_way.pop(one.key, None)
        return found

    def _look_for_workers(self) -> None:
        """Warn while calls wait and there is no worker; give up after the configured time."""
        from dagflow.configuration import config

        if self.threads() or not self._under_way:
            self._alone = None
            return
        now = time.monotonic()
        self._alone = self._alone or now
        seconds = now - self._alone
        limit = float(config.engine.executor.dask.worker_timeout)
        if limit and seconds > limit:
            self._broken = f"The Dask cluster has had no worker for {seconds:.0f} s."
            self.client.cancel([future for future, _ in self._under_way.values()], force=True)
        elif now - self._reminded > _REMINDER:
            self._reminded = now
            _logger.warning(
                "The Dask cluster has no worker; %d calls have been waiting, for %.0f s by now.",
                len(self._under_way), seconds,
            )  # fmt: skip

    def result(self, future: Any) -> Any:
        """Return the value of *future*, with what went wrong in our words."""
        from distributed import CancelledError, KilledWorker

        _, inputs = self._under_way.pop(future.key, (future, []))
        if future.key in self.telling and future.status == "finished":
            self.telling.discard(future.key)  # what it returns is nothing, and need not be fetched
            return None
        try:
            return future.result()
        except KilledWorker as error:
            raise WorkerLostError(_words_for(error)) from error
        except CancelledError as error:
            raise self._reason(inputs, error) from error

    def gathered(self, futures: list[Any]) -> dict[str, Any]:
        """Return the values of many futures, fetched at once; nothing when one of them cannot be had."""
        with contextlib.suppress(Exception):
            return dict(zip([one.key for one in futures], self.client.gather(futures), strict=True))
        return {}

    def _reason(self, inputs: list[Any], error: Exception) -> Exception:
        """Return why a call was cancelled."""
        if not self._broken and getattr(error, "reason", "") == "scheduler-connection-lost":
            self._broken = _CONNECTION_LOST
        try:
            self._check_connection()
        except ClusterError as gone:
            return gone
        if any(one.status != "finished" for one in inputs):
            return ValueLostError("An input was lost with the worker that held it.")
        return WorkerLostError(f"The call was cancelled on the cluster: {error}")

    def threads(self) -> int:
        """Return how many threads the workers have, looked up at most every half second."""
        now = time.monotonic()
        if now - self._looked > 0.5 and self.client.status == "running":
            self._looked = now
            with contextlib.suppress(Exception):
                self._threads = int(self.client.scheduler_info(n_workers=0)["total_threads"])
        return self._threads

    # --- the end -----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Keep from starting what has not begun, and wait a little for what has; a cluster of ours just ends."""
        if _can_be_killed(self.cluster):
            self._published.clear()
            return
        futures = [future for future, _ in self._under_way.values()]
        self._unpublish()  # a batch that finds nothing there ends after its current run
        deadline = time.monotonic() + _PATIENCE
        while any(future.status == "pending" for future in futures) and time.monotonic() < deadline:
            time.sleep(0.02)
        with contextlib.suppress(Exception):
            self.client.cancel(futures, force=True)

    def leave(self) -> None:
        """Let go of what is under way; our plugin takes the rest from the cluster as the client goes."""
        self._under_way.clear()


    def _unpublish(self) -> None:
        while self._published and self.client.status == "running":
            with contextlib.suppress(Exception):
                self.client.unregister_worker_plugin(self._published.pop())


def _settings() -> dict[str, Any]:
    from dagflow.configuration import config

    return config.to_dict()


def is_local(kind: Any) -> bool:
    """Tell whether *kind* starts a cluster of processes of ours, on this machine."""
    from distributed import LocalCluster

    return isinstance(kind, type) and issubclass(kind, LocalCluster)


def resources_in(tags: Collection[str]) -> dict[str, float]:
    """
    Return what ``dask-resource:NAME=NUM`` tags ask for.

    Raises:
        ValueError: for a tag that begins like one and is none.

    >>> resources_in({"dask-resource:GPU=2", "daily"})
    {'GPU': 2.0}
    """
    found: dict[str, float] = {}
    for tag in tags:
        if not tag.lower().startswith(_RESOURCE_TAG):
            continue
        _, _, amount = tag.partition(":")
        name, _, number = amount.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise ValueError(f"The tag {tag!r} asks for no resource. Write dask-resource:NAME=NUMBER.")
    return found


def _can_be_killed(cluster: Any) -> bool:
    """Tell whether closing the cluster ends what runs there: it is ours, and its workers are processes."""
    return cluster is not None and bool(getattr(cluster, "processes", True))


def _plain_dict(value: Any) -> dict[str, float]:
    return dict(value) if isinstance(value, Mapping) else {}


def _words_for(error: Any) -> str:
    worker = getattr(error.last_worker, "address", "a worker")
    return (
        f"The worker {worker} was lost while it ran the task. The task may have ended the process, run out of memory "
        "or crashed; or the machine is gone."
    )


def _imported(cluster_class: Any) -> Callable[..., Any]:
    """Return the callable behind a dotted name."""
    if not isinstance(cluster_class, str):
        return cluster_class  # type: ignore[no-any-return]
    from dagflow.utilities.importtools import import_object

    return import_object(cluster_class)  # type: ignore[no-any-return]
