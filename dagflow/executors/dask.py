"""
Runs on a Dask cluster: one that is there, or one of its own for the time of the run.

Dask carries calls to workers, balances them and holds values; what a flow does next, and what becomes of runs whose
worker was lost, is decided by the engine.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from dagflow.exceptions import ConfigurationError
from dagflow.executors.base import Executor, resolve_nested
from dagflow.executors.dask_clusters import connected, is_local
from dagflow.executors.dask_connection import Connection

__all__ = ["DaskExecutor", "resources_in"]

_RESOURCE_TAG = "dask-resource"


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
        self._held: list[Connection] = []

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
        with connected(self) as (client, cluster):
            held = Connection(client, cluster)
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

    def _holding(self) -> Connection:
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


def _plain_dict(value: Any) -> dict[str, float]:
    return dict(value) if isinstance(value, Mapping) else {}


def _imported(cluster_class: Any) -> Callable[..., Any]:
    """Return the callable behind a dotted name."""
    if not isinstance(cluster_class, str):
        return cluster_class  # type: ignore[no-any-return]
    from dagflow.utilities.importtools import import_object

    return import_object(cluster_class)  # type: ignore[no-any-return]
