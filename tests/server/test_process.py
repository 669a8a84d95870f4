"""A server as a process: who may start one, what it leaves on the disk, and what it withstands."""

from __future__ import annotations

import gzip
import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagflow.server.process import PortInUse, PublicWithoutKey, check_exposure, listening_socket, single_holder
from dagflow.server.settings import ServerSettings
from tests.server.processes import Process, environment, free_port, running

PROGRAM = """
import os, signal, sys
os.umask(0)
# The signal that ended the server is raised again when it has stopped in order.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
found = []
sys.addaudithook(lambda event, args: found.append(args) if event.startswith("pickle.") else None)
from dagflow.cli import main
try:
    main()
finally:
    names = [name for name in ("cloudpickle", "dask", "distributed") if name in sys.modules]
    print("PICKLES", len(found), "MODULES", names, flush=True)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Give a server under the widest umask, that tells at its end what it has loaded and unpickled."""
    home = tmp_path_factory.mktemp("server") / "home"
    with running(home, program=PROGRAM) as process:
        yield process
    assert "PICKLES 0 MODULES []" in process.log.read_text()


def ask(server: Process, path: str, body: Any = None, timeout: float = 5.0) -> Any:
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.url}/api{path}", content, headers)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


def connected(server: Process) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def status_of(connection: socket.socket) -> int:
    head = b""
    while b"\r\n" not in head:
        part = connection.recv(4096)
        if not part:
            break
        head += part
    return int(head.split()[1]) if head else 0


POST = b"POST /api/projects HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


# --- what it does, and what it leaves --------------------------------------------------------------------------


def test_a_server_works_without_unpickling_anything(server: Process) -> None:
    from tests.server.calls import flow_document, schedule

    ask(server, "/projects", {"name": "night"})
    body = {"flow": flow_document(schedule=schedule()), "project_name": "night"}
    flow = ask(server, "/flows/register", body)
    run = ask(server, "/flow_runs", {"flow_id": flow["id"]})["id"]
    agent = ask(server, "/agents", {"type": "LocalAgent"})["id"]

    taken = ask(server, f"/agents/{agent}/claim", {"wait_seconds": 1})["runs"]

    assert [one["flow_run"]["id"] for one in taken] == [run]


def test_its_files_are_its_owners_alone_whatever_the_umask(server: Process) -> None:
    ask(server, "/kv", {"key": "k", "value": 1})
    home = server.log.parent
    files = [path for path in home.rglob("*") if path.is_file() and path != server.log]

    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in files}

    assert {"dagflow.db", "dagflow.db-wal", "dagflow.db.lock"} <= set(modes)
    assert set(modes.values()) == {"0o600"}, modes


def test_the_database_may_be_read_while_it_runs(server: Process) -> None:
    ask(server, "/projects", {"name": "readable"})

    connection = sqlite3.connect(server.log.parent / "dagflow.db")
    try:
        assert ("readable",) in connection.execute("SELECT name FROM project").fetchall()
        assert connection.execute("SELECT * FROM v_flow_run").description[0][0] == "id"
        assert connection.execute("SELECT * FROM v_task_run").description[0][0] == "id"
    finally:
        connection.close()


# --- who may start one -----------------------------------------------------------------------------------------


def started(home: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dagflow", "server", "start", *options]
    return subprocess.run(command, env=environment(home, **settings), capture_output=True, text=True, timeout=30)


def test_an_open_listener_without_keys_is_a_mistake_of_usage(tmp_path: Path) -> None:
    done = started(tmp_path, "--host", "0.0.0.0", "--port", str(free_port()))

    assert done.returncode == 2
    assert "auth create-key" in done.stderr and "--expose" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "flows.example"])
def test_others_get_in_only_with_keys(host: str) -> None:
    with pytest.raises(PublicWithoutKey):
        check_exposure(ServerSettings("sqlite:///x", host=host))
    check_exposure(ServerSettings("sqlite:///x", host=host, require_key=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
def test_this_machine_gets_in_without(host: str) -> None:
    check_exposure(ServerSettings("sqlite:///x", host=host))


def test_a_second_server_on_the_same_file_is_refused_and_the_first_is_named(server: Process) -> None:
    done = started(server.log.parent, "--port", str(free_port()))

    assert done.returncode == 1
    assert f"in use by process {server.process.pid}" in " ".join(done.stderr.split())


def test_a_port_that_is_taken_is_named_with_the_way_out(server: Process, tmp_path: Path) -> None:
    done = started(tmp_path, "--port", str(server.port))

    text = " ".join(done.stderr.split())
    assert done.returncode == 1 and f"Port {server.port}" in text and "--port" in text


def test_a_port_in_use_is_found_out_at_once() -> None:
    with listening_socket("127.0.0.1", 0) as one, pytest.raises(PortInUse):
        listening_socket("127.0.0.1", one.getsockname()[1])


def test_a_file_is_held_until_it_is_let_go(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    with single_holder(path), pytest.raises(Exception, match=f"process {os.getpid()}"), single_holder(path):
        pass

    with single_holder(path):
        pass


# --- bodies ----------------------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_huge_is_refused_at_once(server: Process) -> None:
    with connected(server) as connection:
        began = time.monotonic()
        connection.sendall(POST + b"Content-Length: 200000000\r\n\r\n")

        assert status_of(connection) == 413
        assert time.monotonic() - began < 1.0


def test_a_body_that_does_not_end_is_refused_when_it_is_too_large(server: Process) -> None:
    before = server.memory()
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with connected(server) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(200_000_000 // 0x10000):
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            assert status_of(connection) == 413

    assert server.memory() - before < 80_000_000
    assert ask(server, "/health")["status"] == "ok"


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(server: Process) -> None:
    bomb = gzip.compress(b" " * 200_000_000, compresslevel=9)
    assert len(bomb) < 1_000_000
    with connected(server) as connection:
        began = time.monotonic()
        head = b"Content-Encoding: gzip\r\nContent-Length: " + str(len(bomb)).encode()
        connection.sendall(POST + head + b"\r\n\r\n" + bomb)

        assert status_of(connection) == 413
        assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (b"Content-Encoding: gzip", b"no gzip", 400), (b"Content-Encoding: br", b"x", 400),
        (b"Content-Encoding: gzip", gzip.compress(b'{"name": "packed"}')[:-9], 400),
        (b"Content-Encoding: gzip", gzip.compress(b'{"name": "packed"}'), 200), (b"X: y", b"{", 400),
        (b"X: y", b'{"name": "\\ud800"}', 400), (b"X: y", b"[" * 200_000, 400), (b"X: y", b'{"name": NaN}', 400),
    ],
    ids=["no gzip", "brotli", "broken off", "gzip", "half an object", "half a pair", "deep", "not a number"],
)  # fmt: skip
def test_bodies_are_read_strictly(server: Process, head: bytes, body: bytes, expected: int) -> None:
    with connected(server) as connection:
        connection.sendall(POST + head + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)

        assert status_of(connection) == expected


def test_half_open_connections_hold_nobody_up_and_are_closed(server: Process) -> None:
    half = [b"GET /api/hea", POST + b"Content-Length: 100\r\n\r\n{", b"", POST]
    connections = [connected(server) for _ in range(300)]
    try:
        for number, connection in enumerate(connections):
            connection.sendall(half[number % len(half)])
        began = time.monotonic()
        waits: list[float] = []
        while len(waits) < 50:
            start = time.monotonic()
            ask(server, "/health")
            waits.append(time.monotonic() - start)

        assert sorted(waits)[-2] < 0.5
        for connection in connections:
            connection.settimeout(max(0.1, began + 15 - time.monotonic()))
            while connection.recv(4096):
                pass
        assert time.monotonic() - began < 15
    finally:
        for connection in connections:
            connection.close()
