"""The webhook storage against a real HTTP server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dagflow.core.flow import Flow
from dagflow.exceptions import FlowStorageError
from dagflow.storage import Webhook, _http
from dagflow.utilities.context import context
from tests.doubles import HttpDouble


def storage_at(api: HttpDouble, **kwargs: Any) -> Webhook:
    return Webhook(
        {"url": f"{api.url}/put", "headers": {"Authorization": "Bearer ${DAGFLOW_TEST_TOKEN}"}},
        "POST",
        {"url": "${DAGFLOW_TEST_URL}/get"},
        "GET",
        **kwargs,
    )


@pytest.fixture(autouse=True)
def _variables(api: HttpDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "PAUSE_SECONDS", 0)
    monkeypatch.setenv("DAGFLOW_TEST_TOKEN", "canary")
    monkeypatch.setenv("DAGFLOW_TEST_URL", api.url)


def test_a_flow_is_sent_and_got_back(api: HttpDouble) -> None:
    storage = storage_at(api)
    storage.add_flow(Flow("etl"))

    storage.build()
    method, path, headers, body = api.requests[-1]
    api.answers["/get"] = 200, json.dumps(body).encode()

    assert (method, path, headers["authorization"]) == ("POST", "/put", "Bearer canary")
    assert storage._build_responses["etl"].status_code == 200
    assert storage.get_flow("etl").name == "etl"


def test_values_of_variables_are_never_stored(api: HttpDouble) -> None:
    storage = storage_at(api)
    storage.add_flow(Flow("etl"))
    storage.build()

    assert "canary" not in json.dumps(storage.serialize())
    assert storage.build_request_kwargs["headers"] == {"Authorization": "Bearer ${DAGFLOW_TEST_TOKEN}"}


def test_a_secret_fills_what_the_environment_lacks(api: HttpDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGFLOW_TEST_TOKEN")
    storage = storage_at(api)
    storage.add_flow(Flow("etl"))

    with pytest.raises(RuntimeError, match=r"\$\{DAGFLOW_TEST_TOKEN\}, but there is neither"):
        storage.build()
    with context(secrets={"DAGFLOW_TEST_TOKEN": "from a secret"}):
        storage.build()

    assert api.requests[-1][2]["authorization"] == "Bearer from a secret"


def test_a_script_is_got_by_name(api: HttpDouble) -> None:
    api.answers["/get"] = 200, b"from dagflow import Flow\none = Flow('one')\netl = Flow('etl')"
    storage = storage_at(api, stored_as_script=True)
    storage.add_flow(Flow("etl"))

    assert storage.get_flow("etl").name == "etl"
    with pytest.raises(ValueError, match="flow_script_path is None"):
        storage.build()


def test_data_of_the_user_is_replaced_with_a_warning(api: HttpDouble) -> None:
    storage = Webhook({"url": f"{api.url}/put", "data": "x"}, "POST", {"url": api.url}, "GET")
    storage.add_flow(Flow("etl"))

    with pytest.warns(UserWarning, match="holds 'data'"):
        storage.build()

    assert set(api.requests[-1][3]) == {"flow", "versions"}


@pytest.mark.parametrize(("status", "requests"), [(503, 4), (404, 1)])
def test_an_ailing_server_is_asked_again_a_refusing_one_is_not(api: HttpDouble, status: int, requests: int) -> None:
    api.answers["/put"] = status, {}
    storage = storage_at(api)
    storage.add_flow(Flow("etl"))

    with pytest.raises(FlowStorageError, match=f"the server answered {status}"):
        storage.build()

    assert len(api.requests) == requests


def test_one_flow_takes_the_place_of_another(api: HttpDouble) -> None:
    storage = storage_at(api)
    for name in ("one", "two"):
        storage.add_flow(Flow(name))

    assert storage.flows == {"two": "two"}
