"""The deprecated environments."""

from __future__ import annotations

import pytest

from dagflow import environments
from dagflow.environments import Environment, LocalEnvironment


@pytest.mark.parametrize("name", environments.__all__)
def test_every_environment_warns_and_names_what_replaces_it(name: str) -> None:
    with pytest.warns(UserWarning, match="run_config"):
        environment = getattr(environments, name)(labels=["a"], metadata={"b": 1})

    assert (environment.labels, environment.metadata) == ({"a"}, {"b": 1})


def test_old_settings_are_kept() -> None:
    with pytest.warns(UserWarning, match="LocalEnvironment has no effect"):
        environment = LocalEnvironment(executor="x")

    assert isinstance(environment, Environment)
    assert environment.executor == "x"  # type: ignore[attr-defined]
    assert repr(environment) == "<Environment: LocalEnvironment>"
