"""The client, against a real small server."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from dagflow._version import __version__
from dagflow.client import Client
from dagflow.exceptions import (
    AuthorizationError,
    ClientError,
    ConflictError,
    InvalidRequestError,
    ObjectNotFoundError,
)
from dagflow.utilities.configuration import set_temporary_config
from tests.doubles import HttpDouble


def no_wait(seconds: float) -> None:
    """Pass over the wait before another try."""


def test_building_a_client_sends_nothing_and_takes_the_configured_address() -> None:
    with set_temporary_config({"cloud.api": "http://nowhere.invalid:1/", "cloud.api_key": "key"}):
        client = Client()

    assert client.api_server == "http://nowhere.invalid:1"
    assert client.api_key == "key"


def test_arguments_win_over_the_configuration() -> None:
    with set_temporary_config({"cloud.api_key": "key"}):
        client = Client("http://other:2", api_key="mine", tenant_id="t")

    assert (client.api_server, client.api_key, client.tenant_id) == ("http://other:2", "mine", "t")
    assert "mine" not in repr(client)


@pytest.mark.parametrize("server", ["http://h:1", "http://h:1/", "http://h:1/api"])
def test_the_api_is_below_the_address(server: str) -> None:
    assert Client(server).api_url == "http://h:1/api"


def test_requests_carry_key_version_and_attached_headers(api: HttpDouble) -> None:
    with Client(api.url, api_key="mine") as client:
        client.attach_headers({"X-Extra": "1"})
        client.get("flows", params={"limit": 2})

    [(method, path, headers, _)] = api.requests
    assert (method, path) == ("GET", "/api/flows?limit=2")
    assert headers["authorization"] == "Bearer mine"
    assert headers["x-dagflow-core-version"] == __version__
    assert headers["x-extra"] == "1"


def test_no_key_sends_no_authorization(api: HttpDouble) -> None:
    with Client(api.url) as client:
        client.get("/flows")

    assert "authorization" not in api.requests[0][2]


def test_answers_are_decoded(api: HttpDouble) -> None:
    api.answers = {"/api/a": (200, {"x": [1]}), "/api/b": (204, b"")}

    with Client(api.url) as client:
        assert client.post("a", {"y": 2}) == {"x": [1]}
        assert client.delete("b") is None

    assert [(method, body) for method, _, _, body in api.requests] == [("POST", {"y": 2}), ("DELETE", None)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, AuthorizationError),
        (403, AuthorizationError),
        (404, ObjectNotFoundError),
        (409, ConflictError),
        (422, InvalidRequestError),
        (418, ClientError),
        (500, ClientError),
    ],
)
def test_a_refusal_is_an_error_with_the_reason(api: HttpDouble, status: int, kind: type[Exception]) -> None:
    api.answers["/api/x"] = (status, {"error": {"code": "E", "message": "because"}})

    with Client(api.url, _sleep=no_wait) as client, pytest.raises(kind, match=f"answered {status}: because") as caught:
        client.get("x")

    assert type(caught.value) is kind
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_not_json_is_malformed(api: HttpDouble, status: int) -> None:
    api.answers["/api/x"] = (status, b"<html>")

    with Client(api.url, _sleep=no_wait) as client, pytest.raises(ClientError, match="malformed response"):
        client.get("x")


@pytest.mark.parametrize("server", ["http://127.0.0.1:1", "nonsense", "http://[bad"])
def test_a_server_that_cannot_be_reached_is_named_with_the_way_to_start_one(server: str) -> None:
    with Client(server, _sleep=no_wait) as client, pytest.raises(ClientError, match="dagflow server start") as caught:
        client.get("x")

    assert f"{server}/api/x" in str(caught.value)


def test_there_is_no_graphql() -> None:
    with pytest.raises(ClientError, match=r"REST API described at http://h:1/api/openapi\.json"):
        Client("http://h:1").graphql({"query": "x"})


def test_diagnostics_log_requests_without_the_key(api: HttpDouble, caplog: Any) -> None:
    with set_temporary_config({"cloud.diagnostics": True}), Client(api.url, api_key="hunter2") as client:
        client.get("flows")

    assert f"GET {api.url}/api/flows" in caplog.text
    assert "hunter2" not in caplog.text
