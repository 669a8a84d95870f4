"""Variables: another word for the key-value store of the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dagflow import variables
from dagflow.utilities.configuration import set_temporary_config
from tests.doubles import HttpDouble


@pytest.fixture(autouse=True)
def _server(api: HttpDouble) -> Iterator[None]:
    api.answers["/api/kv/colour"] = 200, {"id": "1", "key": "colour", "value": "red", "deleted": True}
    api.answers["/api/kv/size"] = 404, {"title": "unknown", "detail": "There is no key 'size'."}
    api.answers["/api/kv/shape"] = 404, {"title": "unknown", "detail": "There is no key 'shape'."}
    api.answers["/api/kv?limit=200"] = 200, {"items": [{"key": "colour"}], "cursor": None}
    api.answers["/api/kv"] = 200, {"id": "2"}
    with set_temporary_config({"cloud.api": api.url}):
        yield


def test_a_variable_is_read_or_its_default() -> None:
    assert variables.get("colour") == "red"
    assert variables.get("size") is None
    assert variables.get("size", 3) == 3


def test_a_variable_is_removed() -> None:
    assert variables.unset("colour") is True
    assert variables.unset("size") is False


def test_a_variable_is_changed_only_when_that_is_said(api: HttpDouble) -> None:
    with pytest.raises(ValueError, match="overwrite=True"):
        variables.set("colour", "blue")
    variables.set("colour", "blue", overwrite=True)
    variables.set("shape", [1])

    sent = [body for method, _, _, body in api.requests if method == "POST"]
    assert sent == [{"key": "colour", "value": "blue"}, {"key": "shape", "value": [1]}]
    assert variables.names() == ["colour"]
