"""Following a run of a server that is reached over the network: news come at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from dagflow.backend import watch_flow_run
from dagflow.engine.state import Success
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from tests.served import registered


@pytest.fixture
def served() -> Iterator[InProcessServer]:
    with InProcessServer(port=True) as server, set_temporary_config({"cloud.api": server.url}):
        yield server


def test_what_happens_is_told_before_the_next_look_would_be(served: InProcessServer) -> None:
    client = served.client()
    run_id = client.create_flow_run(registered(served))
    lines = watch_flow_run(run_id)
    assert "<Scheduled>" in next(lines).message

    # Later than the stream begins, earlier than the first look at fixed times, which comes after two seconds.
    threading.Timer(0.4, client.set_flow_run_state, (run_id, Success("over"))).start()
    start = time.monotonic()
    rest = [line.message for line in lines]

    assert any("<Success>" in message for message in rest)
    assert time.monotonic() - start < 1.9


def test_a_server_without_a_stream_is_looked_at_from_time_to_time(
    served: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagflow.backend import watch
    from dagflow.client.transport import Transport
    from dagflow.exceptions import ClientError

    def no_stream(*args: object) -> None:
        raise ClientError("no stream here")

    monkeypatch.setattr(Transport, "events", no_stream)
    monkeypatch.setattr(watch, "SHORTEST_POLL", 0.05)
    client = served.client()
    run_id = client.create_flow_run(registered(served))
    lines = watch_flow_run(run_id)
    next(lines)
    client.set_flow_run_state(run_id, Success("over"))

    assert any("<Success>" in line.message for line in lines)
