"""Secrets from the context, and from a server when the configuration says so."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow.client import Secret
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ("plain", "plain"),
        ('{"a": 1}', {"a": 1}),
        ("5", 5),
        ("[1]", [1]),
        ({"a": 1}, {"a": 1}),
        (None, None),
        ("{x", "{x"),
    ],
)
def test_a_secret_comes_from_the_context_and_json_is_decoded(stored: Any, value: Any) -> None:
    with context(secrets={"KEY": stored}):
        assert Secret("KEY").get() == value
        assert Secret("KEY").exists()


def test_a_secret_comes_from_the_configuration() -> None:
    with set_temporary_config({"context.secrets.KEY": "v"}):
        assert Secret("KEY").get() == "v"


def test_a_missing_secret_says_where_to_put_it() -> None:
    with pytest.raises(ValueError, match="DAGFLOW__CONTEXT__SECRETS__NOT_THERE"):
        Secret("NOT_THERE").get()

    assert not Secret("NOT_THERE").exists()


def test_a_secret_is_not_read_while_a_flow_is_built() -> None:
    with context(flow=object(), secrets={"KEY": "v"}), pytest.raises(ValueError, match="while a flow is being built"):
        Secret("KEY").get()


def test_the_text_of_a_secret_shows_its_name_only() -> None:
    with context(secrets={"KEY": "hunter2"}):
        assert repr(Secret("KEY")) == "<Secret: 'KEY'>"


def test_the_server_is_asked_when_allowed(api: Any) -> None:
    api.answers["/api/secrets/A%2FB"] = (200, {"value": "[1, 2]"})
    api.answers["/api/secrets/NONE"] = (404, {"error": {"message": "no such secret"}})

    with set_temporary_config({"cloud.use_local_secrets": False, "cloud.api": api.url}):
        assert Secret("A/B").get() == [1, 2]
        with pytest.raises(KeyError, match="NONE"):
            Secret("NONE").get()
        with context(secrets={"A/B": "local"}):
            assert Secret("A/B").get() == "local"
