"""Connecting to Dask clusters, and starting them for the time of a run."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

from dagflow.exceptions import ClusterError
from dagflow.utilities.logging import get_logger

__all__ = ["connected", "is_local", "wait_for_worker"]

_logger = get_logger("DaskExecutor")

_PAUSE = 0.05
"""Seconds between two looks for a worker."""

_DASHBOARD_PORT = 8787

_GRACE = 1.0
"""Seconds for a worker process to end by itself."""

_CLOSING = 10.0
"""Seconds for a cluster to close; what its machines do after that is their business."""

_REMINDER = 10.0
"""Seconds between two lines that say that we still wait."""


@contextlib.contextmanager
def connected(executor: Any) -> Iterator[tuple[Any, Any]]:
    """Yield a client, and the cluster when it is started here; both are closed at the end."""
    if executor.address is not None:
        with _client(executor, executor.address) as client:
            yield client, None
        return
    with _cluster(executor) as cluster, _client(executor, cluster) as client:
        if executor.adapt_kwargs:
            cluster.adapt(**executor.adapt_kwargs)
        yield client, cluster


@contextlib.contextmanager
def _client(executor: Any, where: Any) -> Iterator[Any]:
    import distributed

    connect: Any = distributed.Client
    try:
        client = connect(where, **executor.client_kwargs)
    except TypeError as error:
        if "ssl_context" not in str(error):
            raise
        raise ClusterError(
            f"The Dask scheduler at {where!r} speaks TLS. Say how to prove who you are with "
            'client_kwargs={"security": distributed.Security(...)}.'
        ) from error
    except (OSError, TimeoutError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {where!r}: {error or type(error).__name__}. Start one with "
            "`dask scheduler`, or leave the address out to run on a cluster of your own."
        ) from error
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=2)


@contextlib.contextmanager
def _cluster(executor: Any) -> Iterator[Any]:
    kwargs = dict(executor.cluster_kwargs)
    kind = executor.cluster_class
    local = is_local(kind)
    if local:
        kwargs.setdefault("dashboard_address", _dashboard_address())
    _logger.info("Starting a Dask cluster with %s.", getattr(kind, "__name__", kind))
    with _without_main() if local else contextlib.nullcontext():
        try:
            cluster = kind(**kwargs)
        except Exception as error:
            given = ", ".join(kwargs) or "no arguments"  # their values may hold passwords
            raise ClusterError(
                f"The Dask cluster could not be started by {getattr(kind, '__name__', kind)} with {given}: {error!r}"
            ) from error
        _tell_dashboard(cluster)
        try:
            yield cluster
        finally:
            _shut_down(cluster)


def _dashboard_address() -> str:
    """Return Dask's usual address when it is free, else any: a second cluster is no reason for a warning."""
    import socket

    with socket.socket() as probe:
        try:
            probe.bind(("", _DASHBOARD_PORT))
        except OSError:
            return ":0"
    return f":{_DASHBOARD_PORT}"


def _tell_dashboard(cluster: Any) -> None:
    """Log where to watch, when there is something to see."""
    from importlib.util import find_spec

    link = getattr(cluster, "dashboard_link", None)
    if link and find_spec("bokeh") is not None:
        _logger.info("Dask's dashboard is at %s", link)


def _shut_down(cluster: Any) -> None:
    """Close a cluster, whatever its workers are doing: those that are processes of ours get a second to end."""
    from distributed import Nanny

    nannies = [one for one in getattr(cluster, "workers", {}).values() if isinstance(one, Nanny)]

    async def close_them() -> None:
        await asyncio.gather(*(nanny.close(timeout=_GRACE) for nanny in nannies), return_exceptions=True)

    with contextlib.suppress(Exception):
        cluster.sync(close_them, callback_timeout=3 * _GRACE)
    with contextlib.suppress(Exception):
        cluster.close(timeout=_CLOSING)


def is_local(kind: Any) -> bool:
    """Tell whether *kind* starts a cluster of processes of ours, on this machine."""
    from distributed import LocalCluster

    return isinstance(kind, type) and issubclass(kind, LocalCluster)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """
    Keep worker processes from importing the user's script again.

    They have no use for it, because what is sent there carries its code; and a script without a guard would start a
    cluster from within the start of this one.
    """
    from multiprocessing import spawn

    original = spawn.get_preparation_data

    def without_main(name: str) -> dict[str, Any]:
        data = original(name)
        if name.startswith("Dask Worker process"):
            data.pop("init_main_from_path", None)
            data.pop("init_main_from_name", None)
        return data

    spawn.get_preparation_data = without_main
    try:
        yield
    finally:
        spawn.get_preparation_data = original


def wait_for_worker(client: Any, cluster: Any) -> None:
    """
    Wait until there is a worker, or the cluster starts them when there is work.

    Raises:
        ClusterError: when none has come in time.
    """
    from dagflow.configuration import config

    limit = float(config.engine.executor.dask.worker_timeout)
    if _grows_by_itself(cluster):
        return
    began = reminded = time.monotonic()
    while not client.scheduler_info(n_workers=0)["n_workers"]:
        now = time.monotonic()
        if limit and now - began > limit:
            raise ClusterError(
                f"The Dask scheduler at {client.scheduler.address} has no worker, and none came within {limit:g} s. "
                "Start one with `dask worker ADDRESS`, or allow more time with the setting "
                "engine.executor.dask.worker_timeout."
            )
        if now - reminded > _REMINDER:
            reminded = now
            _logger.warning("Waiting for a Dask worker, for %.0f s by now.", now - began)
        time.sleep(_PAUSE)


def _grows_by_itself(cluster: Any) -> bool:
    return getattr(cluster, "_adaptive", None) is not None
