"""Changing settings for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagflow.configuration import Config, config
from dagflow.utilities.context import context

__all__ = ["set_temporary_config"]

_ABSENT: Any = object()


@contextmanager
def set_temporary_config(temp_config: Mapping[str, Any]) -> Iterator[Config]:
    """
    Change ``config``, and ``context.config`` with it, inside a block; keys are dotted and may be new.

    >>> with set_temporary_config({"flows.checkpointing": True, "mine.n": 3}):
    ...     config.flows.checkpointing, config.mine.n
    (True, 3)
    >>> "mine" in config
    False
    """
    undo: list[tuple[Any, str, Any]] = []
    try:
        for settings in _in_force():
            for dotted, value in temp_config.items():
                _change(settings, dotted, value, undo)
        yield config
    finally:
        for section, key, old in reversed(undo):
            if old is _ABSENT:
                section.pop(key, None)
            else:
                section[key] = old


def _in_force() -> list[Any]:
    # Inside ``with context(config=...)`` the effective settings are a merged copy of the process's.
    effective = context.config
    return [config] if effective is config else [config, effective]


def _change(settings: Any, dotted: str, value: Any, undo: list[tuple[Any, str, Any]]) -> None:
    """Set one key, noting in *undo* what to put back where."""
    *sections, key = dotted.split(".")
    for section in sections:
        inner = settings.get(section, _ABSENT)
        if not isinstance(inner, Mapping):
            undo.append((settings, section, inner))
            settings[section] = Config()
        settings = settings[section]
    undo.append((settings, key, settings.get(key, _ABSENT)))
    settings[key] = value
