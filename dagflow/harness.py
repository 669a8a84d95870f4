"""
A backend in this process, for tests of flows: registered, run and looked at without a port or a process.

It is offered as :func:`dagflow.testing.flow_test_harness`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.backend import FlowRunView
    from dagflow.client.client import Client
    from dagflow.core.flow import Flow

__all__ = ["Harness", "InProcessAgent", "flow_test_harness"]

PROJECT = "tests"


@contextlib.contextmanager
def flow_test_harness(clock: Any = None, *, port: bool = False, **settings: Any) -> Iterator[Harness]:
    """
    Give a backend of its own to a block, and everything in it: home, database, secrets, settings.

    Nothing happens there by itself: time stands still, and services run when :meth:`Harness.tick` is called. When the
    block ends, also by an error, everything is as it was. Blocks may be nested.

    Args:
        clock: the server's clock; one that stands still when none is given.
        port: also listen on a free port, for processes.
        **settings: changes to :class:`~dagflow.server.settings.ServerSettings`.

    >>> from dagflow import Flow, task
    >>> with Flow("sums") as flow:
    ...     total = task(lambda x, y: x + y, name="add")(1, 2)
    >>> with flow_test_harness() as harness:
    ...     run = harness.run(flow)
    ...     run.state.is_successful(), run.get_task_run("add-1").get_result()
    (True, 3)
    """
    from dagflow.client.transport import routed

    with contextlib.ExitStack() as exits:
        folder = exits.enter_context(tempfile.TemporaryDirectory(prefix="dagflow-"))
        server = exits.enter_context(InProcessServer(clock, port=port, **settings))
        if not port:
            exits.enter_context(routed(server.url, server.transport))
        exits.enter_context(set_temporary_config(_isolated(folder, server.url)))
        exits.enter_context(context(secrets={}))
        yield Harness(server, folder)


def _isolated(folder: str, url: str) -> dict[str, Any]:
    return {
        "home_dir": folder,
        "cloud.api": url,
        "cloud.api_key": "",
        "cloud.use_local_secrets": False,
        "cloud.heartbeat_mode": "off",
        "cloud.logging_heartbeat": 0.05,
        "cloud.queue_interval": 0.05,
    }


class Harness:
    """
    A backend for tests; see :func:`flow_test_harness`.

    Attributes:
        server: the server in this process.
        client: a client of it.
        folder: the home of this block.
    """

    def __init__(self, server: InProcessServer, folder: str) -> None:
        self.server = server
        self.folder = folder
        self.client: Client = server.client()
        self._registered: dict[int, tuple[Flow, str]] = {}

    @property
    def clock(self) -> Any:
        """The server's clock."""
        return self.server.clock

    def tick(self, seconds: float = 0.0) -> None:
        """Let time pass, then run one pass of each service."""
        self.server.tick(seconds)

    def register(self, flow: Flow, project: str = PROJECT, **settings: Any) -> str:
        """Register *flow* and return the id of its version; without a storage it is kept in the harness's home."""
        from dagflow.storage import Local

        self.client.create_project(project)
        if flow.storage is None:
            flow.storage = Local(directory=os.path.join(self.folder, "flows"), add_default_labels=False)
        flow_id = str(flow.register(project, no_url=True, **settings))
        self._registered[id(flow)] = (flow, flow_id)
        return flow_id

    def run(self, flow: Flow, labels: Iterable[str] | None = None, **parameters: Any) -> FlowRunView:
        """
        Run *flow*, the object itself, as a run of the backend, and return how it stands then.

        It is registered first if it was not. The run is created, claimed and executed as an agent would.
        """
        from dagflow.backend import FlowRunView
        from dagflow.backend.runner import BackendFlowRunner

        known = self._registered.get(id(flow))
        flow_id = known[1] if known is not None else self.register(flow)
        run_id = self.client.create_flow_run(
            flow_id=flow_id, parameters=parameters or None, labels=None if labels is None else list(labels)
        )
        for claimed in self.agent(self.client.get(f"flow_runs/{run_id}")["labels"]).claim(flow_id):
            if claimed["flow_run"]["id"] != run_id:
                continue
            runner = BackendFlowRunner(flow=flow)
            runner.client = self.client
            runner.begun = self.client.post(f"flow_runs/{run_id}/begin", {"token": claimed["run_token"]})
            runner.run(executor=flow.executor, context=claimed["flow_run"]["context"])
        return FlowRunView.from_flow_run_id(run_id)

    def agent(self, labels: Iterable[str] = ()) -> InProcessAgent:
        """Return an agent with the given labels that executes runs in this process, when it is told to."""
        return InProcessAgent(self.client, labels)


class InProcessAgent:
    """
    An agent that executes runs in this process, one after the other.

    Args:
        client: of the server.
        labels: its labels.
    """

    def __init__(self, client: Client, labels: Iterable[str] = ()) -> None:
        self.client = client
        self.labels = sorted(labels)
        self.id = client.register_agent("in-process", labels=self.labels)

    def claim(self, flow_id: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Take due runs, of one flow if it is named."""
        wanted: dict[str, Any] = {"labels": self.labels, "limit": limit}
        if flow_id is not None:
            wanted["flow_ids"] = [flow_id]
        runs: list[dict[str, Any]] = self.client.post(f"agents/{self.id}/claim", wanted)["runs"]
        return runs

    def work(self) -> list[str]:
        """Execute the runs that are due, each loaded from its storage, and return their ids."""
        from dagflow.backend.execution import execute_flow_run

        done = []
        for claimed in self.claim():
            run_id = claimed["flow_run"]["id"]
            execute_flow_run(run_id, self.client, claimed["run_token"])
            done.append(run_id)
        return done
