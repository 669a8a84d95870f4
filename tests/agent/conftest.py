"""Fixtures of these tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagflow.agent import Agent
from dagflow.utilities.configuration import set_temporary_config
from tests.served import served as served


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Give a home of its own."""
    with set_temporary_config({"home_dir": str(tmp_path / "home")}):
        yield tmp_path / "home"


@pytest.fixture
def working() -> Iterator[Callable[[Agent], Agent]]:
    """Give a function that lets an agent work in the background until the test ends."""
    agents: list[tuple[Agent, threading.Thread]] = []

    def work(agent: Agent) -> Agent:
        agent.work.wait_seconds = 1.0
        agent.beat_seconds = 0.05
        thread = threading.Thread(target=agent.start)
        agents.append((agent, thread))
        thread.start()
        until(lambda: agent.work.polls > 0)
        return agent

    yield work
    for agent, thread in agents:
        agent.stop()
        thread.join()


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until *condition* holds, and return what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "this did not happen in time"
        time.sleep(0.01)
    return found
