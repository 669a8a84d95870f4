"""Real Dask clusters for tests: schedulers and workers started as processes, stopped and killed."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from distributed import Client, rpc
from distributed.protocol.pickle import dumps

ROOT = Path(__file__).parent.parent
START_SECONDS = 60
"""How long a cluster may take to come up on a busy machine."""
IDLE_SECONDS = 600
"""After which a scheduler whose tests were killed ends by itself; its workers follow."""

_ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "DAGFLOW__USER_CONFIG_PATH": os.devnull,
    "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False",
    # No web pages: they take longer to load than all the rest.
    "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES": "[]",
    "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",
}


class RunningCluster:
    """
    A scheduler and its workers, each a process of its own, started by the ``dask`` command.

    Args:
        folder: where the processes keep what they write, their logs among it.
        nthreads: of a worker that is started without saying.
        nanny: whether a nanny starts each worker and starts it again when it dies.
        security: a ``Security.temporary()``, for TLS.
        environment: variables for the scheduler and the workers.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nthreads: int = 1,
        nanny: bool = False,
        security: Any = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.nthreads = nthreads
        self.nanny = nanny
        self.security = security
        self.scheduler: subprocess.Popen[bytes]
        self.workers: list[subprocess.Popen[bytes]] = []
        self._killed: set[int] = set()
        self._environment = {**os.environ, **_ENVIRONMENT, **(environment or {})}
        self._tls = _tls_options(folder, security)
        self._address_file = folder / "scheduler.json"
        atexit.register(self.stop)

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        import json

        return str(json.loads(self._address_file.read_text())["address"])

    # --- start and stop ------------------------------------------------------------------------------------------

    def start_scheduler(self) -> None:
        """Start a scheduler on a free port; returns at once."""
        protocol = "tls" if self.security else "tcp"
        options = f"--host {protocol}://127.0.0.1 --port 0 --idle-timeout {IDLE_SECONDS}s".split()
        self.scheduler = self._start("scheduler", "scheduler", *options)

    def start_worker(self, nthreads: int | None = None, resources: Mapping[str, float] | None = None) -> int:
        """Start a worker that connects as soon as the scheduler is there; returns its number at once."""
        number = len(self.workers)
        name = f"worker-{number}"
        kind = "--nanny" if self.nanny else "--no-nanny"
        options = (
            f"--name {name} --nthreads {nthreads or self.nthreads} {kind} --memory-limit 0 --death-timeout 60".split()
        )
        if resources:
            options += ["--resources", " ".join(f"{what}={amount}" for what, amount in resources.items())]
        self.workers.append(self._start(name, "worker", *options, "--local-directory", str(self.folder)))
        return number

    def add_worker(self, nthreads: int | None = None, resources: Mapping[str, float] | None = None) -> int:
        """Start a worker and wait until the scheduler knows it; returns its number."""
        number = self.start_worker(nthreads, resources)
        self.wait_until_ready()
        return number

    def wait_until_ready(self) -> None:
        """Wait until the scheduler answers and every worker that was not killed has connected."""
        wait_until(self._is_ready, START_SECONDS, self._last_words)

    def _is_ready(self) -> bool:
        expected = set(range(len(self.workers))) - self._killed
        processes = [self.scheduler, *(self.workers[number] for number in expected)]
        if any(one.poll() is not None for one in processes):
            raise RuntimeError(f"A process of the cluster ended at once. {self._last_words()}")
        try:
            return {f"worker-{number}" for number in expected} <= set(self.worker_names())
        except (OSError, ValueError):  # no address yet, or half of it; or nobody there yet
            return False

    def kill_worker(self, number: int) -> None:
        """Kill -9 a worker; under a nanny only the worker itself."""
        os.kill(self.worker_pid(number), signal.SIGKILL)
        if not self.nanny:
            self._killed.add(number)
            self.workers[number].wait()

    def kill_scheduler(self) -> None:
        """Kill -9 the scheduler."""
        self.scheduler.kill()
        self.scheduler.wait()

    def stop(self) -> None:
        """Kill every process and wait for its end."""
        processes = [*self.workers, *([self.scheduler] if hasattr(self, "scheduler") else [])]
        for one in processes:
            with contextlib.suppress(ProcessLookupError):  # nobody left in the group
                os.killpg(one.pid, signal.SIGKILL)
        for one in processes:
            one.wait()
        atexit.unregister(self.stop)

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(Path(sys.executable).with_name("dask")), *arguments, *self._tls]
        command += ["--no-dashboard", "--dashboard-address", ":0", "--scheduler-file", str(self._address_file)]
        with self._log(name).open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment,
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def log_of(self, name: str) -> str:
        """Return what ``scheduler`` or ``worker-0`` wrote."""
        return self._log(name).read_text(errors="replace")

    def _last_words(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-600:]}" for path in sorted(self.folder.glob("*.log")))

    # --- questions -----------------------------------------------------------------------------------------------

    def worker_pid(self, number: int) -> int:
        """Return the process in which worker *number* runs tasks."""
        process = self.workers[number]
        if not self.nanny:
            return process.pid
        for child in psutil.Process(process.pid).children():
            if any("spawn_main" in word for word in child.cmdline()):
                return int(child.pid)
        raise ProcessLookupError(f"The nanny {process.pid} has no worker at present.")

    def worker_of(self, pid: int) -> int:
        """Return the number of the worker that runs tasks in process *pid*."""
        return next(number for number in self.living() if self.worker_pid(number) == pid)

    def worker_pids(self) -> list[int]:
        """Return the processes in which the living workers run tasks."""
        return [self.worker_pid(number) for number in self.living()]

    def living(self) -> list[int]:
        """Return the numbers of the workers whose processes live."""
        return [number for number, one in enumerate(self.workers) if one.poll() is None]

    def worker_names(self) -> list[str]:
        """Return the names of the workers that the scheduler knows."""
        return [str(one["name"]) for one in self._ask("identity")["workers"].values()]

    def keys(self) -> list[str]:
        """Return the keys that the scheduler knows."""
        return [str(key) for key in self._ask("who_has", keys=None)]

    def clients(self) -> list[str]:
        """Return the clients that the scheduler knows."""
        return [one for one in self._on_scheduler(_clients_of) if one.startswith("Client-")]

    def traces(self) -> list[str]:
        """Return what dagflow put into the scheduler: plugins, handlers, topics."""
        return sorted(str(name) for name in self._on_scheduler(_names_in) if "dagflow" in str(name))

    def is_clean(self) -> bool:
        """Tell whether nothing of anybody's work is left: neither clients nor keys."""
        return not self.keys() and not self.clients()

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """Give a plain Dask client."""
        with Client(self.address, security=self.security, set_as_default=False) as client:
            yield client

    def _on_scheduler(self, function: Callable[..., Any]) -> Any:
        answer = self._ask("run_function", function=dumps(function), args=dumps(()), kwargs=dumps({}), wait=True)
        if answer["status"] != "OK":
            raise RuntimeError(f"The scheduler did not answer: {answer}.")
        return answer["result"]

    def _ask(self, question: str, **arguments: Any) -> Any:
        """Ask the scheduler without becoming one of its clients."""
        return asyncio.run(self._asking(question, arguments))

    async def _asking(self, question: str, arguments: dict[str, Any]) -> Any:
        connection = self.security.get_connection_args("client") if self.security else {}
        connect: Any = rpc
        async with connect(self.address, timeout=5, connection_args=connection) as scheduler:
            return await getattr(scheduler, question)(**arguments)


def _clients_of(dask_scheduler: Any) -> list[str]:
    return list(dask_scheduler.clients)


def _names_in(dask_scheduler: Any) -> list[Any]:
    one = dask_scheduler
    plugins = [*one.plugins, *one.worker_plugins, *one.nanny_plugins]
    return [*plugins, *one.handlers, *one.stream_handlers, *one._broker._topics]


@contextlib.contextmanager
def running_cluster(
    workers: int = 2,
    nthreads: int = 1,
    nanny: bool = False,
    resources: list[Mapping[str, float] | None] | None = None,
    security: Any = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[RunningCluster]:
    """
    Give a cluster that is up; every process of it is gone afterwards.

    Args:
        resources: what each worker has, by its number.
    """
    with TemporaryDirectory(prefix="cluster-", ignore_cleanup_errors=True) as folder:
        cluster = RunningCluster(
            Path(folder), nthreads=nthreads, nanny=nanny, security=security, environment=environment
        )
        try:
            cluster.start_scheduler()
            for number in range(workers):
                cluster.start_worker(resources=resources[number] if resources else None)
            cluster.wait_until_ready()
            yield cluster
        finally:
            cluster.stop()


def wait_until(happened: Callable[[], Any], seconds: float = 20, last_words: Callable[[], str] = str) -> None:
    """Wait for something another process does; fails after *seconds*, with *last_words*."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, f"It did not happen within {seconds} s: {happened}. {last_words()}"
        time.sleep(0.01)


@contextlib.contextmanager
def meanwhile(*steps: Callable[[], Any]) -> Iterator[None]:
    """Take *steps* in another thread while the block runs; what goes wrong there is raised at the end of the block."""

    def take() -> None:
        for step in steps:
            step()

    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(take)
        yield
        end.result()


def end_orderly_when_told() -> None:
    """Let SIGTERM raise ``SystemExit`` in the main thread, so that clusters are stopped on the way out."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, whoever has to bury it."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(pid: int, seconds: float = 20) -> None:
    """Wait for the end of a process that need not be our child."""
    wait_until(partial(is_gone, pid), seconds)


def _tls_options(folder: Path, security: Any) -> list[str]:
    """Write the certificates of ``Security.temporary()`` to files; return the options that name them."""
    if security is None:
        return []
    options = []
    texts = {"ca-file": security.tls_ca_file, "cert": security.tls_scheduler_cert, "key": security.tls_scheduler_key}
    for name, text in texts.items():
        path = folder / f"{name}.pem"
        path.write_text(text)
        options += [f"--tls-{name}", str(path)]
    return options
