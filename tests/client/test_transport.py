"""Requests that fail for a while, are lost, or are asked to wait; none of them acts twice."""

from __future__ import annotations

import gzip
import itertools
import json
import pickle
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from dagflow.client import Client
from dagflow.exceptions import (
    ClientError,
    ConflictError,
    InvalidRequestError,
    ServerUnreachableError,
    StaleTokenError,
    VersionLockMismatchSignal,
)
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from tests.served import registered


class Scripted:
    """A server that gives prepared answers, one after the other, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, *more = answer
        return httpx2.Response(status, json={"ok": True}, headers=more[0] if more else None)

    def client(self) -> Client:
        return Client("http://h:1", _transport=httpx2.MockTransport(self), _sleep=self.waits.append)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "problem", [(500,), (502,), (503,), (504,), (429,), httpx2.ConnectError("no"), httpx2.ReadTimeout("slow")]
)
def test_what_may_pass_is_tried_again(method: str, problem: Any) -> None:
    server = Scripted(problem, problem, (200,))

    assert server.client()._request(method, "x") == {"ok": True}
    assert len(server.requests) == 3
    assert 0.1 <= server.waits[0] <= 0.2 and 0.2 <= server.waits[1] <= 0.4


def test_patience_ends_after_six_more_tries() -> None:
    server = Scripted((503,))

    with pytest.raises(ClientError, match="answered 503"):
        server.client().get("x")

    assert len(server.requests) == 7


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 418, 422])
def test_a_refusal_is_not_tried_again(status: int) -> None:
    server = Scripted((status,))

    with pytest.raises(ClientError):
        server.client().get("x")

    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_may_say_how_long_to_wait(status: int) -> None:
    server = Scripted((status, {"Retry-After": "7"}), (200,))

    server.client().get("x")

    assert server.waits == [7.0]


@pytest.mark.parametrize("text", ["soon", "Wed, 99 Foo", "-5", "1e9"])
def test_an_odd_time_to_wait_is_bounded(text: str) -> None:
    server = Scripted((503, {"Retry-After": text}), (200,))

    server.client().get("x")

    assert 0 <= server.waits[0] <= 300


def test_a_request_that_is_sent_again_carries_the_same_identity() -> None:
    server = Scripted((503,), (200,), (200,))
    client = server.client()

    client.post("x", {"a": 1})
    client.post("x", {"a": 1})

    first, again, other = (request.headers["x-dagflow-request-id"] for request in server.requests)
    assert first == again != other
    assert server.requests[0].content == server.requests[1].content


def test_large_bodies_are_packed() -> None:
    server = Scripted((200,))

    server.client().post("x", {"text": "a" * 1_100_000})

    [request] = server.requests
    assert request.headers["content-encoding"] == "gzip" and len(request.content) < 10_000
    assert json.loads(gzip.decompress(request.content))["text"] == "a" * 1_100_000


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_what_is_not_json_is_told_before_anything_is_sent(value: Any) -> None:
    server = Scripted((200,))

    with pytest.raises(ClientError, match="cannot be written as JSON"):
        server.client().post("x", {"value": value})

    assert server.requests == []


def test_nothing_listening_is_told_with_the_way_to_start_a_server() -> None:
    server = Scripted(httpx2.ConnectError("refused"))

    with pytest.raises(ServerUnreachableError, match=r"http://h:1/api/x cannot be reached.*dagflow server start"):
        server.client().get("x")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("STALE_TOKEN", StaleTokenError),
        ("CONFLICT", ConflictError),
        ("VERSION_LOCKING_ERROR", VersionLockMismatchSignal),
    ],
)
def test_conflicts_are_told_apart_by_their_code(code: str, kind: type[BaseException]) -> None:
    answer = httpx2.Response(409, json={"error": {"code": code, "message": "no", "detail": {"version": 3}}})
    client = Client("http://h:1", _transport=httpx2.MockTransport(lambda request: answer))

    with pytest.raises(kind) as caught:
        client.get("x")

    assert type(caught.value) is kind
    if isinstance(caught.value, ClientError):
        assert (caught.value.code, caught.value.status, caught.value.detail) == (code, 409, {"version": 3})
        assert pickle.loads(pickle.dumps(caught.value)).detail == {"version": 3}


def test_a_client_travels_to_another_process() -> None:
    client = Client("http://h:1", api_key="k")

    again = pickle.loads(pickle.dumps(client))

    assert (again.api_url, again.headers) == (client.api_url, client.headers)


def test_a_setting_turns_the_time_for_an_answer() -> None:
    given: list[Any] = []
    client = Client("http://h:1", _transport=httpx2.MockTransport(lambda r: _noted(given, r)))

    with set_temporary_config({"cloud.request_timeout": 3}):
        client.get("x")

    assert given == [3.0]


def _noted(given: list[Any], request: httpx2.Request) -> httpx2.Response:
    given.append(request.extensions["timeout"]["read"])
    return httpx2.Response(200, json={})


# --- lost answers --------------------------------------------------------------------------------------------


class Faulty(httpx2.BaseTransport):
    """Loses requests before they arrive, loses answers, and repeats requests, by a list of faults."""

    def __init__(self, inner: Any, faults: Iterator[str]) -> None:
        self.inner = inner
        self.faults = faults

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        fault = next(self.faults)
        if fault == "request lost":
            raise httpx2.ConnectError("the request was lost")
        answer: httpx2.Response = self.inner.handle_request(request)
        if fault == "repeated":
            answer = self.inner.handle_request(request)
        if fault == "answer lost":
            raise httpx2.ReadError("the answer was lost")
        return answer


@pytest.mark.parametrize("faults", [["answer lost", ""], ["repeated"], ["request lost", "answer lost", "repeated", ""]])
def test_lost_and_repeated_requests_leave_one_run_and_one_row_for_each_state(
    served: InProcessServer, faults: list[str]
) -> None:
    from dagflow.engine.state import Running, Success

    flow_id = registered(served)
    transport = Faulty(served.transport, itertools.cycle(faults))
    client = Client(served.url, _transport=transport, _sleep=lambda seconds: None)
    ids = []

    for _ in range(10):
        run_id = client.create_flow_run(flow_id)
        client.set_flow_run_state(run_id, Running(), version=client.get_flow_run_info(run_id).version)
        client.set_flow_run_state(run_id, Success())
        ids.append(run_id)

    direct = served.client()
    assert sorted(run["id"] for run in direct.get("flow_runs")["items"]) == sorted(ids)
    for run_id in ids:
        states = direct.get(f"flow_runs/{run_id}/states")["items"]
        assert [state["state"] for state in states] == ["Scheduled", "Running", "Success"]


def test_what_is_no_address_is_told_as_such() -> None:
    with pytest.raises(ServerUnreachableError, match=r"'flows:4200/api/x' is no address.*such as http://127.0.0.1:4200"):
        Client("flows:4200").get("x")


@pytest.mark.parametrize("odd", ["", ".", ".."])
def test_an_id_that_leads_elsewhere_is_refused_before_anything_is_sent(odd: str) -> None:
    with pytest.raises(InvalidRequestError, match="An id or a name was expected, found"):
        Client("http://127.0.0.1:9").delete_flow_run(odd)
