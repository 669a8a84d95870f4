"""One story told by the command line alone, each command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from dagflow.engine.state import Failed, Running
from dagflow.testing import InProcessServer

FLOW = """
from dagflow import Flow, Parameter, task

@task
def extract(day):
    return [1, 2]

with Flow("etl") as flow:
    extract(Parameter("day", default="today"))
"""


def test_a_flow_is_registered_run_restarted_and_cancelled(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)

    with InProcessServer(port=True) as server, server.client() as client:

        def call(*args: str, code: int = 0) -> str:
            env = {**os.environ, "DAGFLOW__CLOUD__API": server.url, "DAGFLOW__HOME_DIR": str(tmp_path / "home")}
            command = [sys.executable, "-m", "dagflow", *args]
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=tmp_path)
            assert done.returncode == code, done.stdout + done.stderr
            assert "Traceback" not in done.stderr
            return done.stdout

        call("create", "project", "night")
        call("register", "--project", "night", "-p", "flow.py")
        run_id = call("run", "--name", "etl", "--param", "day=friday", "-q").strip()
        task_id = client.get(f"flows/{client.get_flow_run_info(run_id).flow_id}/tasks")["items"][0]["id"]
        client.set_flow_run_state(run_id, Running())
        client.set_task_run_state(client.get_task_run_info(run_id, task_id).id, Failed("planted"))
        client.set_flow_run_state(run_id, Failed("planted"))

        call("flow-run", "watch", run_id, code=1)
        call("flow-run", "restart", run_id)
        assert json.loads(call("flow-run", "inspect", run_id))["state"] == "Scheduled"
        call("flow-run", "cancel", run_id)
        assert [one["state"] for one in json.loads(call("get", "flow-runs", "--json"))] == ["Cancelled"]
        call("run", "--name", "nothing", code=3)
        call("flow-run", "restart", "nothing", code=3)
        call("delete", "project", "night", "-y")
        assert call("get", "projects") == ""
