"""Values under keys."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow.backend import delete_key, get_key_value, list_keys, set_key_value
from dagflow.testing import InProcessServer


@pytest.mark.parametrize("value", ["text", 1.5, None, True, [1, {"a": None}], {"b": "ä\U0001f600"}])
def test_a_value_comes_back_as_it_was(served: InProcessServer, value: Any) -> None:
    set_key_value("key with?odd=letters&#ä", value)

    assert get_key_value("key with?odd=letters&#ä") == value


def test_a_key_has_one_value(served: InProcessServer) -> None:
    first, again = set_key_value("b", 1), set_key_value("b", 2)
    set_key_value("a", 1)

    assert first == again and get_key_value("b") == 2
    assert list_keys() == ["a", "b"]


def test_a_key_that_is_not_there_is_an_error(served: InProcessServer) -> None:
    with pytest.raises(ValueError, match="no key 'x'"):
        get_key_value("x")
    with pytest.raises(ValueError, match="no key 'x'"):
        delete_key("x")


def test_a_deleted_key_is_gone(served: InProcessServer) -> None:
    set_key_value("a", 1)

    assert delete_key("a") is True
    assert list_keys() == []


@pytest.mark.parametrize("value", ["x" * 10_000, object(), float("nan")])
def test_what_cannot_be_kept_is_refused_before_it_is_sent(value: Any) -> None:
    with pytest.raises(ValueError, match="'a'"):
        set_key_value("a", value)
