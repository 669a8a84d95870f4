"""What must not be seen: secrets, keys, passwords, in any place that somebody may look at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dagflow.testing import FakeClock, InProcessServer
from tests.server.calls import Api, flow_document
from tests.server.conftest import START
from tests.server.processes import environment, running

SECRET, MASTER, PASSWORD = "canary-secret-51c2", "canary-master-88d1", "canary-password-90e7"


def test_secrets_and_keys_are_in_no_file_of_the_database_and_no_answer(tmp_path: Path) -> None:
    with InProcessServer(FakeClock(START), f"sqlite:///{tmp_path}/x.db", secrets_key=MASTER) as server:
        api = Api(server)
        api.post("/secrets", {"name": "TOKEN", "value": SECRET})
        key = api.post("/keys", {"name": "ci", "scope": "read"})["key"]
        Api(server, key).get("/projects")
        api.register(flow_document())
        told = "".join(
            api.ask("GET", path).text
            for path in ("/secrets", "/keys", "/settings", "/health", "/kv", "/messages", "/search?q=canary", "/agents")
        ) + api.http.get(f"{server.url}/metrics").text  # fmt: skip
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())

        assert api.get("/secrets/TOKEN")["value"] == SECRET
    for canary in (SECRET, MASTER, key):
        assert canary not in told
        assert canary.encode() not in kept


def test_the_settings_of_a_server_are_printed_without_passwords(tmp_path: Path) -> None:
    settings = {
        "server.database_url": f"postgresql://me:{PASSWORD}@127.0.0.1:1/x",
        "server.secrets_key": MASTER,
        "server.email.password": PASSWORD,
    }
    outputs = []
    for command in (["server", "config"], ["config", "view", "--show-defaults"], ["server", "start", "--port", "0"]):
        done = subprocess.run(
            [sys.executable, "-m", "dagflow", *command],
            env=environment(tmp_path, **settings), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        outputs.append(done.stdout + done.stderr)

    assert "127.0.0.1:1" in outputs[0]
    assert [canary for canary in (MASTER, PASSWORD) for text in outputs if canary in text] == []


def test_a_server_says_nothing_secret_while_it_runs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(home, **{"server.secrets_key": MASTER}) as process:
        subprocess.run(
            ["curl", "-s", "-X", "POST", f"{process.url}/api/secrets", "-H", "Content-Type: application/json",
             "-d", f'{{"name": "x", "value": "{SECRET}"}}'],
            check=True, capture_output=True,
        )  # fmt: skip

    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"The server is ready" in written
    assert SECRET.encode() not in written and MASTER.encode() not in written
