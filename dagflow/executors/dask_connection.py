"""What one run on a Dask cluster holds: a client, what it put on the cluster, and what came back."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
import uuid
from typing import Any

from dagflow.exceptions import ClusterError, ValueLostError, WorkerLostError
from dagflow.executors.dask_clusters import is_local, wait_for_worker
from dagflow.executors.published import process_name
from dagflow.utilities.logging import get_logger

__all__ = ["Connection"]

_logger = get_logger("DaskExecutor")

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


class Connection:
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

        waiting = [future for future, _ in self._under_way.values() if future.status == "pending"]
        if self.threads() or not waiting:
            self._alone = None
            return
        now = time.monotonic()
        self._alone = self._alone or now
        seconds = now - self._alone
        limit = float(config.engine.executor.dask.worker_timeout)
        if limit and seconds > limit:
            self._broken = f"The Dask cluster has had no worker for {seconds:.0f} s."
            self.client.cancel(waiting, force=True)
        elif now - self._reminded > _REMINDER:
            self._reminded = now
            _logger.warning(
                "The Dask cluster has no worker; %d calls have been waiting, for %.0f s by now.",
                len(waiting), seconds,
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


def _can_be_killed(cluster: Any) -> bool:
    """Tell whether closing the cluster ends what runs there: it is ours, and its workers are processes."""
    return cluster is not None and bool(getattr(cluster, "processes", True))


def _words_for(error: Any) -> str:
    worker = getattr(error.last_worker, "address", "a worker")
    return (
        f"The worker {worker} was lost while it ran the task. The task may have ended the process, run out of memory "
        "or crashed; or the machine is gone."
    )
