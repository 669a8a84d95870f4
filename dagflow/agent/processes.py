"""Processes that an agent starts, each the head of a group of its own, so that all of it can be ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Process", "log_file", "prune_logs"]

PATIENCE = 10.0
"""Seconds that a group has for ending itself after SIGTERM."""
KEPT_LOGS = 100
READ_BACK = 65_536
"""Bytes of the end of a log that are looked at for its last lines."""


class Process:
    """
    A process that runs, watched by a thread that only waits for its end.

    Args:
        command: what is run.
        env: its environment.
        cwd: where it starts.
        log: the file that gets its output, ``None`` for the output of this process.
        on_end: called with the process when it has ended, in a thread of its own.

    Raises:
        OSError: when it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None,
        log: str | None,
        on_end: Callable[[Process], None],
    ) -> None:
        self.log = log
        self.began_at = 0
        descriptor: int | None = None
        if log is not None:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self.began_at = os.fstat(descriptor).st_size
        try:
            self._process = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=None if descriptor is None else subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            if descriptor is not None:
                os.close(descriptor)
        self._on_end = on_end
        threading.Thread(target=self._watch, name=f"agent-child-{self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; ``None`` while it runs."""
        return self._process.returncode

    def _watch(self) -> None:
        self._process.wait()
        self._on_end(self)

    def kill(self, patience: float = PATIENCE) -> None:
        """End the whole group: ask it, then force what is left."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        # Also when its head has gone: others of the group may have stayed.
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def last_lines(self, most: int) -> list[str]:
        """Return the last lines it printed, where they were kept."""
        if self.log is None:
            return []
        try:
            with open(self.log, "rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(self.began_at, end - READ_BACK))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return []
        return [line for line in text.splitlines() if line.strip()][-most:]


def log_file(folder: str, run_id: str) -> str:
    """Return the file for the output of a run, in a folder that only this user can look into."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return os.path.join(folder, f"{run_id}.log")


def prune_logs(folder: str, keep: Iterable[str] = (), most: int = KEPT_LOGS) -> None:
    """Remove the oldest logs of *folder* beyond the last *most*; those in *keep* are still written to."""
    try:
        entries = [entry for entry in os.scandir(folder) if entry.name.endswith(".log")]
    except OSError:
        return
    if len(entries) <= most:
        return
    kept = set(keep)
    ages = []
    for entry in entries:
        with contextlib.suppress(OSError):
            ages.append((entry.stat().st_mtime, entry.path))
    for _, path in sorted(ages)[:-most]:
        if path not in kept:
            with contextlib.suppress(OSError):
                os.unlink(path)
