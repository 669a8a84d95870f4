"""Temporary settings."""

from __future__ import annotations

import pytest

from dagflow.configuration import config
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context


def test_a_change_lasts_for_the_block_and_shows_in_the_context() -> None:
    with set_temporary_config({"flows.checkpointing": True, "mine.n": 3}):
        assert config.mine.n == 3
        assert config.flows.checkpointing is True
        assert context.config.flows.checkpointing is True

    assert "mine" not in config
    assert config.flows.checkpointing is False


def test_it_is_restored_after_an_error_and_from_within_another() -> None:
    with set_temporary_config({"a.b": 1}):
        with pytest.raises(RuntimeError), set_temporary_config({"a.b": 2, "a.c.d": 3}):
            raise RuntimeError
        assert config.a == {"b": 1}

    assert "a" not in config


def test_it_works_inside_a_block_with_its_own_settings() -> None:
    with context(config={"flows": {"checkpointing": True}}):
        with set_temporary_config({"flows.run_on_schedule": False}):
            assert context.config.flows == {**config.flows, "checkpointing": True}
            assert context.config.flows.run_on_schedule is False
        assert context.config.flows.run_on_schedule is True
        assert context.config.flows.checkpointing is True

    assert config.flows.checkpointing is False


def test_a_value_may_be_replaced_by_a_section_for_a_while() -> None:
    with set_temporary_config({"debug.deep": 1}):
        assert config["debug"] == {"deep": 1}

    assert config["debug"] is False


def test_values_that_are_dicts_become_sections() -> None:
    with set_temporary_config({"mine": {"n": 3}}):
        assert config.mine.n == 3


def test_keys_of_the_context_section_are_in_the_context() -> None:
    with set_temporary_config({"context.colour": "red"}):
        assert context.colour == "red"

    assert "colour" not in context
