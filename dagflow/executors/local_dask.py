"""
Threads or processes on this machine.

The name, the schedulers and their spellings are those of Prefect 0.15, where Dask's local schedulers did the work. Here
a pool is kept open for the whole run and work starts as it is submitted, so nothing waits for a round to end.
"""

from __future__ import annotations

import contextlib
import queue
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
        self._pool: Any = None
        self._done: queue.SimpleQueue[Any] | None = None

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
        self._done = queue.SimpleQueue()
        self._pool = _ThreadPool(self.parallelism) if self.scheduler == "threads" else _process_pool(self.parallelism)
        try:
            yield
        except BaseException:
            self._pool.close(kill=True)
            raise
        else:
            self._pool.close(kill=False)
        finally:
            self._pool = self._done = None

    def publish(self, key: str, value: Any) -> None:
        """Make *value* known to all worker processes under *key*."""
        self._pool.publish(key, value)

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
        if self._pool is None:
            raise ValueError("LocalDaskExecutor has no pool: submit inside `with executor.start():`.")
        waited = _futures_in((args, kwargs))
        future = self._after(waited, fn, args, kwargs) if waited else self._pool.submit(fn, *args, **kwargs)
        assert self._done is not None
        future.add_done_callback(self._done.put)
        return future

    def _after(self, waited: list[Future[Any]], fn: Callable[..., Any], args: Any, kwargs: Any) -> Future[Any]:
        """Submit once all of *waited* are done; no thread sits waiting meanwhile."""
        import threading

        answer: Future[Any] = Future()
        lock, left = threading.Lock(), [len(waited)]

        def one_done(_: Any) -> None:
            with lock:
                left[0] -= 1
                if left[0]:
                    return
            try:
                inner = self._pool.submit(fn, *self.wait(list(args)), **self.wait(kwargs))
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
        assert self._done is not None
        try:
            found = [self._done.get(timeout=timeout)]
        except queue.Empty:
            return []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._done.get_nowait())
        return found

    def cancel(self, futures: Collection[Any]) -> None:
        """Drop what has not begun to run."""
        for future in futures:
            future.cancel()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None, "_done": None}


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


class _ThreadPool:
    """Threads of the standard library, with a way to interrupt them."""

    def __init__(self, size: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(size, thread_name_prefix="dagflow")
        self.submit = self._pool.submit

    def close(self, *, kill: bool) -> None:
        """End the threads; with *kill* interrupt the Python code they run."""
        if kill:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for thread in self._pool._threads:
                _interrupt(thread)
        self._pool.shutdown(wait=True)


def _interrupt(thread: Any) -> None:
    """Raise ``KeyboardInterrupt`` in *thread*; it is noticed between two instructions, not inside a blocking call."""
    import ctypes

    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))


def _process_pool(size: int) -> Any:
    from dagflow.configuration import config
    from dagflow.executors.processes import ProcessPool
    from dagflow.utilities.logging import get_logger
    from dagflow.utilities.pickling import dumps

    settings = dumps({"config": config.to_dict(), "log_level": get_logger().level})
    return ProcessPool(size, settings)
