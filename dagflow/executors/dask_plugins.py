"""
What a :class:`~dagflow.executors.dask.DaskExecutor` puts on a cluster while a flow runs, and takes away afterwards.

The plugin of the scheduler travels by value, so that a scheduler needs no dagflow; workers need it anyway.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Coroutine
from typing import Any

from distributed import SchedulerPlugin, WorkerPlugin, get_worker

from dagflow.executors import published

__all__ = ["DaskOutpost", "PublishedPlugin", "scheduler_plugin"]


def scheduler_plugin(prefix: str, client: str) -> SchedulerPlugin:
    """
    Return the plugin for a scheduler.

    It does two things. A call of ours (its key ends in *prefix*) that goes down with its worker is not made again by
    Dask, which would repeat runs that have ended: the driver is told, and decides. And messages that workers send to
    the driver are handed on at once.
    """

    class DagflowPlugin(SchedulerPlugin):
        """Defined in a function, so that it is pickled with its code."""

        def __init__(self) -> None:
            self.name = f"dagflow-{prefix}"
            self.scheduler: Any = None

        async def start(self, scheduler: Any) -> None:
            self.scheduler = scheduler
            scheduler.stream_handlers[f"dagflow-tell-{prefix}"] = self.tell
            scheduler.handlers[f"dagflow_confirm_{prefix}"] = self.tell

        def tell(self, message: bytes, **_: Any) -> None:
            event = {"op": "event", "topic": f"dagflow-{prefix}", "event": (time.time(), message)}
            self.scheduler.client_send(client, event)

        def update_graph(self, scheduler: Any, *, keys: Any = (), **_: Any) -> None:
            for key in keys:
                if type(key) is str and key.endswith(prefix):
                    # The first worker that dies with the call is one more than is allowed.
                    scheduler.tasks[key].suspicious = scheduler.allowed_failures

        def transition(self, key: Any, start: str, finish: str, *_: Any, **__: Any) -> None:
            if finish == "memory" and type(key) is str and key.endswith(prefix):
                # What a call returned has been told; if it is lost, the call must not be made again for it.
                self.scheduler.tasks[key].run_spec = None

    DagflowPlugin.__module__ = "__main__"  # what is defined there is pickled by value
    return DagflowPlugin()


class PublishedPlugin(WorkerPlugin):
    """Makes something known on every worker of a cluster, those that join later included."""

    def __init__(self, key: str, data: bytes) -> None:
        self.name = f"dagflow-{key}"
        self.key = key
        self.data = data

    def setup(self, worker: Any) -> None:
        """Receive it."""
        published.receive(self.key, self.data)

    def teardown(self, worker: Any) -> None:
        """Forget it."""
        published.withdraw(self.key)


class DaskOutpost:
    """
    What runs on a Dask worker may use, see :class:`dagflow.engine.posted.Outpost`.

    Args:
        client: the id of the driver's client, for which values are kept.
        prefix: of this run.
        tells: whether the scheduler took our plugin.
    """

    def __init__(self, client: str, prefix: str, tells: bool) -> None:
        self._client = client
        self._prefix = prefix
        self.tells = tells
        self._worker: Any = None

    def arrive(self) -> DaskOutpost:
        """Note which worker this thread belongs to."""
        here = copy.copy(self)
        here._worker = get_worker()
        return here

    def size_of(self, value: Any) -> int:
        """Return about how many bytes *value* takes."""
        from dask.sizeof import sizeof

        return int(sizeof(value))

    def keep(self, values: dict[str, Any]) -> None:
        """Keep *values* in the memory of this worker that Dask manages: it spills, moves and serves them."""
        self._on_loop(self._keep(values))

    async def _keep(self, values: dict[str, Any]) -> None:
        worker = self._worker
        sizes = worker.update_data(data=values)["nbytes"]
        places = {key: [worker.address] for key in values}
        await worker.scheduler.update_data(who_has=places, nbytes=sizes, client=self._client)

    def tell(self, message: bytes) -> None:
        """Send *message* to the driver."""
        worker = self._worker
        worker.loop.add_callback(worker.batched_send, {"op": f"dagflow-tell-{self._prefix}", "message": message})

    def confirm(self, message: bytes) -> None:
        """Send *message* to the driver and wait until the scheduler has it."""
        self._on_loop(self._confirm(message))

    async def _confirm(self, message: bytes) -> None:
        await getattr(self._worker.scheduler, f"dagflow_confirm_{self._prefix}")(message=message)

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._worker.loop.asyncio_loop).result()
