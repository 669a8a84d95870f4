"""
A pool of worker processes.

Each worker is a fresh interpreter at the end of a pipe, served by one thread of the driver: the thread takes a job,
sends it, waits for the answer. A worker that dies takes down only the job it had, and is replaced. Workers never import
the user's script again, so scripts need no ``if __name__ == "__main__"`` guard.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import IO, Any

from dagflow.exceptions import WorkerLostError
from dagflow.utilities.pickling import dumps

__all__ = ["ProcessPool", "read_message", "write_message"]

_HEADER = struct.Struct("!Q")
"""Length of a message in bytes, before it."""

_PIPE_BYTES = 1 << 20
"""What a pipe is asked to hold; the most an ordinary user may ask for."""

_STOP: Any = None


def write_message(stream: IO[bytes], data: bytes) -> None:
    """Write one message."""
    stream.write(_HEADER.pack(len(data)))
    stream.write(data)
    stream.flush()


def read_message(stream: IO[bytes]) -> bytes:
    """
    Read one message.

    Raises:
        EOFError: when the other end is gone.
    """
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise EOFError("the other end closed the pipe")
    (length,) = _HEADER.unpack(header)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("the other end closed the pipe in the middle of a message")
    return data


class _Worker:
    """One process and what was published to it."""

    def __init__(self, settings: bytes) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-m", "dagflow.executors.worker"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        self.known: set[str] = set()
        for stream in (self.process.stdin, self.process.stdout):
            _widen(stream)
        write_message(self._input, settings)

    @property
    def _input(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    def call(self, published: dict[str, bytes], job: bytes) -> bytes:
        """Send a job, with whatever was published since the last one, and return the answer."""
        for key in [key for key in published if key not in self.known]:
            write_message(self._input, pickle.dumps(("publish", key, published[key])))
            self.known.add(key)
        write_message(self._input, job)
        assert self.process.stdout is not None
        return read_message(self.process.stdout)

    def kill(self) -> None:
        """End the process and everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, 9)
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _widen(stream: Any) -> None:
    """Let a pipe hold more than its usual 64 kB, so that large values cross in few steps; Linux only."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class ProcessPool:
    """
    Runs callables in *size* processes.

    Args:
        size: how many.
        settings: pickled configuration for the workers.
    """

    def __init__(self, size: int, settings: bytes) -> None:
        self._settings = settings
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._published: dict[str, bytes] = {}
        self._workers: list[_Worker | None] = [None] * size
        self._killed = False
        self._threads = [threading.Thread(target=self._serve, args=(number,), daemon=True) for number in range(size)]
        for thread in self._threads:
            thread.start()

    def publish(self, key: str, value: Any) -> None:
        """Make *value* known to all workers under *key*."""
        self._published[key] = dumps(value)

    def submit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call; raises at once when it cannot be pickled."""
        future: Future[Any] = Future()
        self._jobs.put((future, dumps(("call", fn, args, kwargs))))
        return future

    def _serve(self, number: int) -> None:
        """Serve one worker until the pool is closed."""
        while (job := self._jobs.get()) is not _STOP:
            future, message = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                answer = self._worker(number).call(dict(self._published), message)
            except (EOFError, OSError, ValueError, struct.error) as error:  # ValueError: closed by close()
                future.set_exception(self._bury(number, error))
                continue
            _deliver(future, answer)

    def _worker(self, number: int) -> _Worker:
        worker = self._workers[number]
        if worker is None:
            worker = self._workers[number] = _Worker(self._settings)
            if self._killed:  # closed while the process was being started: close() did not see it
                worker.kill()
        return worker

    def _bury(self, number: int, error: Exception) -> Exception:
        worker, self._workers[number] = self._workers[number], None
        if worker is None:
            return WorkerLostError(f"A worker process could not be started: {error}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(1)
        code = worker.process.returncode
        worker.kill()
        how = f"exit code {code}" if code is None or code >= 0 else f"signal {-code}"
        return WorkerLostError(
            f"The worker process ended while it ran the task ({how}). The task may have exited, run out of memory "
            "or been killed."
        )

    def close(self, *, kill: bool) -> None:
        """End the workers; with *kill* at once, whatever they are doing."""
        if kill:
            self._killed = True
            self._drain()
            for worker in self._workers:
                if worker is not None:
                    worker.kill()
        for _ in self._threads:
            self._jobs.put(_STOP)
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            if worker is not None:
                worker.kill()

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is not _STOP:
                    job[0].cancel()


def _deliver(future: Future[Any], answer: bytes) -> None:
    try:
        kind, value = pickle.loads(answer)
    except Exception as error:
        future.set_exception(error)
        return
    if kind == "raised":
        future.set_exception(value)
    else:
        future.set_result(value)
