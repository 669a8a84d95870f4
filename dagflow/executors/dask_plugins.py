"""What a :class:`~dagflow.executors.dask.DaskExecutor` puts on a cluster while a flow runs, and takes away again."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
from collections.abc import Coroutine
from typing import Any

from distributed import SchedulerPlugin, WorkerPlugin, get_worker

from dagflow._version import __version__
from dagflow.configuration import Config, config
from dagflow.exceptions import ClusterError
from dagflow.executors import published
from dagflow.utilities.collections import as_nested_dict

__all__ = ["DaskOutpost", "DeafPlugin", "DriverPlugin", "PublishedPlugin", "SettingsPlugin"]


class DriverPlugin(SchedulerPlugin):
    """
    Serves one run on the scheduler.

    A call that goes down with its worker is not made again by Dask, which would repeat runs that have ended: the driver
    is told, and decides. Messages that workers send to the driver are handed on at once; so are lines for its log, of
    workers that come and go and of calls that find none. When the driver is gone, for whatever reason, so is all that
    was put on the cluster for it.

    Args:
        prefix: of the run; the keys of its calls end in it.
        driver: the id of the driver's client.
    """

    def __init__(self, prefix: str, driver: str) -> None:
        self.name = f"dagflow-{prefix}"
        self._prefix = prefix
        self._driver = driver
        self._scheduler: Any = None
        self._goodbyes: list[Any] = []
        self._missed: list[dict[str, float]] = []

    async def start(self, scheduler: Any) -> None:
        """Know the scheduler."""
        self._scheduler = scheduler

    def log_event(self, topic: str, msg: Any) -> None:
        """Drop what was handed on to the driver; Dask would keep it for people to look at."""
        if topic == self.name:
            self._scheduler._broker.truncate(topic)

    def _tell(self, level: int, line: str) -> None:
        self._scheduler.log_event(self.name, [level, line])

    def _is_ours(self, key: Any) -> bool:
        return type(key) is str and key.endswith(self._prefix)

    def update_graph(self, scheduler: Any, *, keys: Any = (), **_: Any) -> None:
        """Allow no worker to die with a call of ours."""
        for key in keys:
            if self._is_ours(key):
                scheduler.tasks[key].suspicious = scheduler.allowed_failures

    def transition(self, key: Any, start: str, finish: str, *_: Any, **__: Any) -> None:
        """Forget how to make a call that has returned: what it found was told, and must not be found again."""
        if finish == "memory" and self._is_ours(key):
            self._scheduler.tasks[key].run_spec = None
        elif finish == "no-worker" and self._is_ours(key):
            self._say_what_is_missing(self._scheduler.tasks[key])

    def _say_what_is_missing(self, task: Any) -> None:
        """Warn, once for each demand, of a call for which there is no worker."""
        wanted = dict(task.resource_restrictions or {})
        if wanted and self._scheduler.workers and wanted not in self._missed:
            self._missed.append(wanted)
            self._tell(
                logging.WARNING, f"No worker of the Dask cluster has {wanted}; calls that ask for it wait for one."
            )

    def add_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        """Say so."""
        self._tell(logging.DEBUG, f"Dask worker {worker} was added.")

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        """Say so."""
        self._tell(logging.DEBUG, f"Dask worker {worker} was removed.")

    def remove_client(self, scheduler: Any, client: str) -> None:
        """Leave, when the driver has."""
        if client != self._driver:
            return
        scheduler.plugins.pop(self.name, None)
        scheduler._broker._topics.pop(self.name, None)
        for name in [name for name in scheduler.worker_plugins if name.startswith(f"{self.name}/")]:
            self._goodbyes.append(asyncio.ensure_future(_take_from_workers(scheduler, name)))


async def _take_from_workers(scheduler: Any, name: str) -> None:
    with contextlib.suppress(Exception):  # a worker that is leaving itself
        await scheduler.unregister_worker_plugin(None, name=name)


class PublishedPlugin(WorkerPlugin):
    """Makes something known on every worker of a cluster, those that join later included."""

    def __init__(self, prefix: str, key: str, data: bytes) -> None:
        self.name = f"dagflow-{prefix}/{key}"
        self.key = key
        self.data = data

    def setup(self, worker: Any) -> None:
        """Receive it."""
        published.receive(self.key, self.data)

    def teardown(self, worker: Any) -> None:
        """Forget it."""
        published.withdraw(self.key)


class SettingsPlugin(WorkerPlugin):
    """Gives workers the settings of the driver for the time of a run; of several drivers, those of the latest."""

    def __init__(self, prefix: str, process: str, settings: dict[str, Any]) -> None:
        self.name = f"dagflow-{prefix}/settings"
        self._process = process
        self._settings = settings
        self._version = __version__

    def setup(self, worker: Any) -> None:
        """
        Put them in force, except in the driver itself.

        Raises:
            ClusterError: on a worker with another dagflow, which would misunderstand what it is sent.
        """
        if self._version != __version__:
            raise ClusterError(
                f"The Dask worker {worker.address} has dagflow {__version__}, and the flow runs with {self._version}. "
                "Install the same version on all machines."
            )
        if published.process_name() != self._process:
            _settings.setdefault("", config.to_dict())
            _settings[f"{self.name}/{worker.id}"] = self._settings
            _follow_latest_settings()

    def teardown(self, worker: Any) -> None:
        """Put back what was in force."""
        if _settings.pop(f"{self.name}/{worker.id}", None) is not None:
            _follow_latest_settings()


_settings: dict[str, dict[str, Any]] = {}
"""The worker's own settings, then those of runs, oldest first; changes as runs come and go."""


def _follow_latest_settings() -> None:
    config.clear()
    config.update(as_nested_dict(next(reversed(_settings.values())), Config))


class DeafPlugin(WorkerPlugin):
    """Lets worker processes of ours ignore the Ctrl-C of the terminal they share with the driver, which ends them."""

    name = "dagflow-deaf"

    def setup(self, worker: Any) -> None:
        """Ignore it; where workers are threads of the driver there is nothing to do."""
        import signal
        import threading

        if worker.nanny is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)


class DaskOutpost:
    """
    What runs on a Dask worker may use, see :class:`dagflow.engine.posted.Outpost`.

    Args:
        client: the id of the driver's client, for which values are kept.
        topic: that the driver listens to.
    """

    def __init__(self, client: str, topic: str) -> None:
        self._client = client
        self._topic = topic
        self._worker: Any = None

    def arrive(self) -> DaskOutpost:
        """Note which worker this thread belongs to."""
        here = copy.copy(self)
        here._worker = get_worker()
        return here

    def size_of(self, value: Any) -> int:
        """Return about how many bytes *value* takes."""
        from dask.sizeof import sizeof

        try:
            return int(sizeof(value))
        except Exception:  # it does not tell, so what it takes when packed has to do
            return 0

    def keep(self, values: dict[str, Any]) -> None:
        """Keep *values* in the memory of this worker that Dask manages: it spills, moves and serves them."""
        self._on_loop(self._keep(values))

    async def _keep(self, values: dict[str, Any]) -> None:
        worker = self._worker
        sizes = worker.update_data(data=values)["nbytes"]
        places = {key: [worker.address] for key in values}
        await worker.scheduler.update_data(who_has=places, nbytes=sizes, client=self._client)

    def tell(self, message: bytes) -> None:
        """Send *message* to the driver, as an event of its topic."""
        self._worker.log_event(self._topic, message)

    def confirm(self, message: bytes) -> None:
        """Send *message* to the driver and wait until the scheduler has it."""
        self._on_loop(self._confirm(message))

    async def _confirm(self, message: bytes) -> None:
        await self._worker.scheduler.log_event(topic=self._topic, msg=message)

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._worker.loop.asyncio_loop).result()
