"""Servers as processes of their own, for tests of what only a process shows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import Any

__all__ = ["Process", "environment", "free_port", "running"]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a process with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAGFLOW_")}
    named = {f"DAGFLOW__{name.upper().replace('.', '__')}": value for name, value in settings.items()}
    return {**kept, "DAGFLOW__HOME_DIR": str(home), "DAGFLOW__USER_CONFIG_PATH": os.devnull, **named}


class Process:
    """A server as a process."""

    def __init__(self, process: Any, port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log
        self.url = f"http://127.0.0.1:{port}"

    def memory(self) -> int:
        """Return the bytes that it has in memory."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running(home: Path, *options: str, program: str | None = None, **settings: str) -> Iterator[Process]:
    """Run ``dagflow server start``, or *program* that does it, until the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    start = ["-m", "dagflow"] if program is None else ["-c", program]
    log = home / "output.txt"
    command = [sys.executable, *start, "server", "start", "--port", str(port), *options]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment(home, **settings), stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/api/health", log)
        yield Process(process, port, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _wait(process: Any, url: str, log: Path) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.02)
