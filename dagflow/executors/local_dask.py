"""
Threads or processes on this machine.

The name, the schedulers and their spellings are those of Prefect 0.15, where Dask's local schedulers did the work. Here
a pool is kept open for the whole run and work starts as it is submitted, so nothing waits for a round to end.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from typing import Any

from dagflow.executors.base import Executor, resolve_nested

__all__ = ["LocalDaskExecutor"]

_SPELLINGS = {
    "threads": "threads",
    "threading": "threads",
    "processes": "processes",
    "multiprocessing": "processes",
    "sync": "synchronous",
    "synchronous": "synchronous",
    "single-threaded": "synchronous",
}


class LocalDaskExecutor(Executor):
    """
    Runs on a pool of threads or processes, or in the calling thread.

    Args:
        scheduler: ``threads``, ``processes`` or ``synchronous``, or another of Dask's spellings, in any case.
        **kwargs: ``num_workers``, default the number of CPUs; others are kept in ``dask_config``.

    Raises:
        ValueError: for a scheduler of another name.

    >>> LocalDaskExecutor("single-threaded").scheduler
    'synchronous'
    """

    tracks = True

    def __init__(self, scheduler: str = "threads", **kwargs: Any) -> None:
        spelled = str(scheduler).lower()
        if spelled not in _SPELLINGS:
            raise ValueError(f"LocalDaskExecutor has no scheduler {scheduler!r}; there are {', '.join(_SPELLINGS)}.")
        self.scheduler = _SPELLINGS[spelled]
        self.dask_config = kwargs
        self._held: list[_Held] = []

    @property
    def immediate(self) -> bool:  # type: ignore[override]
        """Whether it runs in the calling thread."""
        return self.scheduler == "synchronous"

    @property
    def remote(self) -> bool:  # type: ignore[override]
        """Whether it runs in other processes."""
        return self.scheduler == "processes"

    @property
    def parallelism(self) -> int:
        """How many callables run at once."""
        if self.scheduler == "synchronous":
            return 1
        return int(self.dask_config.get("num_workers") or _cpu_count())

    @contextlib.contextmanager
    def start(self) -> Iterator[None]:
        """Hold the pool; leaving by an exception interrupts what is running."""
        if self.scheduler == "synchronous":
            yield
            return
        held = _Held(_process_pool(self.parallelism) if self.remote else _thread_pool(self.parallelism))
        self._held.append(held)
        try:
            yield
        except BaseException:
            held.pool.close(kill=True)
            raise
        else:
            held.pool.close(kill=False)
        finally:
            self._held.remove(held)

    def _holding(self) -> _Held:
        """Return what the run of this thread holds: one executor may serve several runs at once, one for a thread."""
        here = threading.get_ident()
        for held in reversed(self._held):
            if held.thread == here:
                return held
        if not self._held:
            raise ValueError("LocalDaskExecutor has no pool: submit inside `with executor.start():`.")
        return self._held[-1]

    def publish(self, key: str, value: Any) -> None:
        """Make *value* known to all worker processes under *key*."""
        self._holding().pool.publish(key, value)

    def submit(
        self, fn: Callable[..., Any], *args: Any, extra_context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """
        Arrange for ``fn(*args, **kwargs)``; futures among the arguments are waited for.

        Raises:
            ValueError: outside ``start()``.
        """
        if self.immediate:
            return fn(*args, **kwargs)
        held = self._holding()
        waited = _futures_in((args, kwargs))
        pool = held.pool
        future = self._after(waited, pool, fn, args, kwargs) if waited else pool.submit(fn, *args, **kwargs)
        future.add_done_callback(held.done.put)
        return future

    def _after(
        self, waited: list[Future[Any]], pool: Any, fn: Callable[..., Any], args: Any, kwargs: Any
    ) -> Future[Any]:
        """Submit once all of *waited* are done; no thread sits waiting meanwhile."""
        answer: Future[Any] = Future()
        lock, left = threading.Lock(), [len(waited)]

        def one_done(_: Any) -> None:
            with lock:
                left[0] -= 1
                if left[0]:
                    return
            try:
                inner = pool.submit(fn, *self.wait(list(args)), **self.wait(kwargs))
            except BaseException as error:
                answer.set_exception(error)
                return
            inner.add_done_callback(lambda done: _copy_outcome(done, answer))

        for future in waited:
            future.add_done_callback(one_done)
        return answer

    def wait(self, futures: Any) -> Any:
        """Return the values of *futures*."""
        return resolve_nested(futures, lambda one: one.result() if isinstance(one, Future) else one)

    def as_completed(self, futures: Collection[Any], timeout: float | None = None) -> list[Any]:
        """Return what has been done since the last call, waiting for one; *futures* need not be given."""
        done = self._holding().done
        try:
            found = [done.get(timeout=timeout)]
        except queue.Empty:
            return []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(done.get_nowait())
        return found

    def cancel(self, futures: Collection[Any]) -> None:
        """Drop what has not begun to run."""
        for future in futures:
            future.cancel()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": []}


class _Held:
    """What one run holds while it goes on: a pool, the queue of what is done, and the thread that drives it."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.thread = threading.get_ident()


def _cpu_count() -> int:
    import os

    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def _futures_in(values: Any) -> list[Future[Any]]:
    found: list[Future[Any]] = []
    resolve_nested(list(values), lambda one: found.append(one) if isinstance(one, Future) else None)
    return found


def _copy_outcome(done: Future[Any], answer: Future[Any]) -> None:
    error = done.exception()
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())


def _thread_pool(size: int) -> Any:
    from dagflow.executors.threads import ThreadPool

    return ThreadPool(size)


def _process_pool(size: int) -> Any:
    from dagflow.configuration import config
    from dagflow.executors.processes import ProcessPool
    from dagflow.utilities.logging import get_logger
    from dagflow.utilities.pickling import dumps

    settings = dumps({"config": config.to_dict(), "log_level": get_logger().level})
    return ProcessPool(size, settings)
