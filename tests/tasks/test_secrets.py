from __future__ import annotations

import pickle
from typing import Any

import cloudpickle
import pytest

from dagflow import Flow
from dagflow.engine.results import LocalResult, SecretResult
from dagflow.tasks.secrets import EnvVarSecret, PrefectSecret, SecretBase
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context


def test_a_secret_comes_from_the_context() -> None:
    with context(secrets={"KEY": '{"a": 1}', "OTHER": "plain"}):
        assert PrefectSecret("KEY").run() == {"a": 1}
        assert PrefectSecret("KEY").run(name="OTHER") == "plain"
        assert PrefectSecret().run(name="OTHER") == "plain"


@pytest.mark.parametrize("kind", [PrefectSecret, EnvVarSecret])
def test_a_secret_needs_a_name_at_last(kind: Any) -> None:
    with pytest.raises(ValueError, match=rf"{kind.__name__}\('NAME'\)"):
        kind().run()


@pytest.mark.parametrize("kind", [PrefectSecret, EnvVarSecret])
def test_the_name_of_the_secret_is_the_name_of_the_task(kind: Any) -> None:
    assert (kind("KEY").name, kind().name) == ("KEY", kind.__name__)


def test_environment_variables_are_cast_unless_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIDTH", "3")
    monkeypatch.delenv("HEIGHT", raising=False)

    assert EnvVarSecret("WIDTH").run() == "3"
    assert EnvVarSecret("WIDTH", cast=int).run() == 3
    assert EnvVarSecret("HEIGHT", cast=int).run() is None
    assert EnvVarSecret("HEIGHT").run(name="WIDTH") == "3"


def test_a_missing_variable_can_be_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEIGHT", raising=False)

    with pytest.raises(ValueError, match="'HEIGHT' is not set"):
        EnvVarSecret("HEIGHT", raise_if_missing=True).run()


@pytest.mark.parametrize("kind", [PrefectSecret, EnvVarSecret, SecretBase])
def test_the_value_is_never_stored(kind: Any) -> None:
    task = kind(name="KEY")

    assert task.checkpoint is False
    assert isinstance(task.result, SecretResult) and task.result.secret_task is task
    with pytest.raises(ValueError, match="takes no `result`"):
        kind(name="KEY", result=LocalResult())
    with pytest.raises(ValueError, match="takes no `checkpoint`"):
        kind(name="KEY", checkpoint=True)


def test_copies_ask_themselves() -> None:
    task = PrefectSecret("KEY")
    copy = task.copy(name="copy")

    assert isinstance(copy.result, SecretResult) and copy.result.secret_task is copy
    assert copy.result.location == "KEY"


def test_secret_tasks_survive_pickling_without_their_value() -> None:
    with context(secrets={"KEY": "hush"}):
        data = cloudpickle.dumps(PrefectSecret("KEY"))
        copy = pickle.loads(data)

        assert b"hush" not in data
        assert copy.run() == "hush" and copy.result.read("KEY").value == "hush"


def test_a_flow_uses_a_secret_and_leaves_none_on_disk(tmp_path: Any) -> None:
    with Flow("with a secret", result=LocalResult(dir=str(tmp_path))) as flow:
        secret = PrefectSecret("KEY")()

    with set_temporary_config({"flows.checkpointing": True}), context(secrets={"KEY": "hush"}):
        state = flow.run()

    assert state.result[secret].result == "hush"
    assert list(tmp_path.iterdir()) == []
