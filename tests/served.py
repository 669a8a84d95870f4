"""A server in this process, for tests of what talks to one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dagflow.client.transport import routed
from dagflow.core.flow import Flow
from dagflow.engine.results import PrefectResult
from dagflow.storage import Module
from dagflow.testing import FakeClock, InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.tasks import task

__all__ = ["registered", "served", "small_flow"]


@pytest.fixture
def served() -> Iterator[InProcessServer]:
    """Give a server that everything in this process finds at the configured address."""
    with (
        InProcessServer(clock=FakeClock(1_795_000_000.0)) as server,
        routed(server.url, server.transport),
        set_temporary_config({"cloud.api": server.url}),
    ):
        yield server


def small_flow(name: str = "etl", **settings: Any) -> Flow:
    """Make a flow of two tasks."""
    with Flow(name, storage=Module("tests.served"), result=PrefectResult(), **settings) as flow:
        numbers = task(lambda: [1, 2], name="extract")()
        task(lambda numbers: sum(numbers), name="load")(numbers)
    return flow


def registered(server: InProcessServer, name: str = "etl", project: str = "night", **settings: Any) -> str:
    """Register a small flow and return the id of its version."""
    with server.client() as client:
        client.create_project(project)
        return client.register(small_flow(name, **settings), project, no_url=True)
