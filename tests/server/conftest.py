"""Fixtures of these tests: a server on each of the databases."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dagflow.testing import FakeClock, InProcessServer
from tests.server.calls import Api
from tests.server.databases import MakeUrl, postgresql, sqlite

START = 1_795_000_000.0


@pytest.fixture(scope="session")
def new_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeUrl]:
    """Give a function that makes an empty SQLite database."""
    with sqlite(tmp_path_factory.mktemp("databases")) as make:
        yield make


@pytest.fixture(scope="session")
def new_postgresql() -> Iterator[MakeUrl]:
    """Give a function that makes an empty PostgreSQL database."""
    with postgresql() as make:
        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest) -> MakeUrl:
    """Give a function that makes an empty database, of each kind in turn."""
    make: MakeUrl = request.getfixturevalue(f"new_{request.param}")
    return make


@pytest.fixture
def start(new_database: MakeUrl) -> Iterator[Callable[..., InProcessServer]]:
    """Give a function that starts a server with settings of the test's own."""
    with contextlib.ExitStack() as exits:

        def enter(**settings: Any) -> InProcessServer:
            url = settings.pop("database_url", None) or new_database()
            clock = settings.pop("clock", None) or FakeClock(START)
            return exits.enter_context(InProcessServer(clock, url, **settings))

        yield enter


@pytest.fixture
def server(start: Callable[..., InProcessServer]) -> InProcessServer:
    """Give a server with a clock that stands still."""
    return start()


@pytest.fixture
def api(server: InProcessServer) -> Api:
    """Give calls of a server."""
    return Api(server)
