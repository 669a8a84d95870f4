"""
The way from a script to a backend, in one file: server, project, registration, agent, run, result.

Everything is real and lives in a temporary folder: the server and the agent are processes of their own, as they are
when you start them from the command line.

Expected output:

    registered: examples/weather, version 1
    Entered state <Scheduled>: ...
    Entered state <Submitted>: ...
    Entered state <Running>: ...
    Entered state <Success>: ...
    the warmest: Cairo
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from dagflow import Client, Flow, Parameter, task
from dagflow.backend import FlowRunView, FlowView, watch_flow_run
from dagflow.configuration import config, to_environment_variables
from dagflow.utilities.configuration import set_temporary_config


@task
def measure(city: str) -> float:
    """Return the temperature in a city."""
    return {"Oslo": 4.0, "Rome": 18.5, "Cairo": 29.0}[city]


@task
def warmest(cities: list[str], degrees: list[float]) -> str:
    """Return the city with the highest temperature."""
    return max(zip(degrees, cities, strict=True))[1]


with Flow("weather") as flow:
    cities = Parameter("cities", default=["Oslo", "Rome"])
    answer = warmest(cities, measure.map(cities))


@contextlib.contextmanager
def backend(*options: str) -> Iterator[None]:
    """Run a server and an agent with *options*, with a home and a port of their own."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as home:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        with set_temporary_config({"home_dir": home, "cloud.api": f"http://127.0.0.1:{port}"}):
            settings = to_environment_variables(config, include=["home_dir", "cloud.api", "logging.level"])
            environment = os.environ | settings
            free.close()
            dagflow = [sys.executable, "-m", "dagflow"]
            subprocess.run([*dagflow, "server", "start", "--port", port, "--detach"], env=environment, check=True)
            agent = subprocess.Popen([*dagflow, "agent", "local", "start", *options], env=environment)
            try:
                yield
            finally:
                agent.terminate()
                agent.wait()
                subprocess.run([*dagflow, "server", "stop"], env=environment, check=True)


if __name__ == "__main__":
    with backend():
        client = Client()
        client.create_project("examples")
        flow_id = flow.register("examples", no_url=True)
        registered = FlowView.from_id(flow_id)
        print(f"registered: {registered.project_name}/{registered.name}, version {registered.version}")

        run_id = client.create_flow_run(flow_id=flow_id, parameters={"cities": ["Rome", "Cairo"]})
        for line in watch_flow_run(run_id, stream_logs=False):
            print(line.message)
        print("the warmest:", FlowRunView.from_flow_run_id(run_id).get_task_run("warmest-1").get_result())
