"""A server in the background: ``dagflow server start --detach`` and ``dagflow server stop``."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.processes import environment, free_port

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    """Call ``dagflow server`` with a home of its own; what it started is stopped at the end."""

    def called(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dagflow", "server", *args]
        return subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=60)

    yield called
    called("stop")


def test_a_server_is_started_once_and_stopped(call: Call, tmp_path: Path) -> None:
    port = str(free_port())

    first = call("start", "--detach", "--port", port)
    same_port, no_port = call("start", "--detach", "--port", port), call("start", "--detach", "--port", "0")
    other_port = call("start", "--detach", "--port", str(free_port()))

    assert first.returncode == 0 and f"127.0.0.1:{port}" in first.stderr, first.stderr
    assert same_port.returncode == 1 and f"Port {port}" in same_port.stderr
    assert "The server is ready" not in same_port.stderr + other_port.stderr
    assert no_port.returncode == 2 and "needs a port" in no_port.stderr
    assert other_port.returncode == 1 and "in the background already" in other_port.stderr
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir() if path.is_file()}
    assert {"server.log", "server.pid"} <= set(modes) and set(modes.values()) == {0o600}
    reset = call("database", "reset", "-y")
    assert reset.returncode == 1 and "is in use by process" in reset.stderr

    stopped, again = call("stop"), call("stop")

    assert stopped.returncode == 0 and "has stopped" in stopped.stderr
    assert again.returncode == 3 and "--detach" in again.stderr


def test_a_process_that_has_the_number_of_a_dead_server_is_left_alone(call: Call, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (tmp_path / "server.pid").write_text(str(other.pid))

        result = call("stop")

        assert result.returncode == 0 and "was not running any more" in result.stderr
        assert other.poll() is None and not os.path.exists(tmp_path / "server.pid")
        other.communicate(b"\n")


@pytest.mark.parametrize("command", [("start", "--port", "0"), ("database", "upgrade"), ("database", "reset", "-y")])
@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("postgresql://ada:hunter2@127.0.0.1:9/x", 1, "ada:***@127.0.0.1:9/x cannot be used: connection failed"),
        ("mysql://ada:hunter2@db/x", 2, "kind 'mysql' cannot be used"),
        ("text.txt", 1, "text.txt cannot be used: file is not a database"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    call: Call, tmp_path: Path, command: tuple[str, ...], url: str, code: int, said: str
) -> None:
    (tmp_path / "text.txt").write_text("this is no database, but some text of more than a hundred bytes " * 3)
    place = url if "://" in url else str(tmp_path / url)

    result = call(*command, "--database-url", place)

    assert result.returncode == code and said in result.stderr
    assert "Traceback" not in result.stderr and "hunter2" not in result.stderr
