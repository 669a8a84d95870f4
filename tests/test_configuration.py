"""The settings: layers, types, references, and the way back to environment variables."""

from __future__ import annotations

import copy
import os
import pickle
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from dagflow import configuration
from dagflow.configuration import Config, config, load_configuration, string_to_type, to_environment_variables
from dagflow.exceptions import ConfigurationError
from dagflow.utilities.collections import dict_to_flatdict

ROOT = Path(__file__).parents[1]
CONTRACT_DEFAULTS = {
    "debug": False,
    "backend": "server",
    "flows.checkpointing": False,
    "flows.eager_edge_validation": False,
    "flows.run_on_schedule": True,
    "flows.defaults.storage.default_class": "dagflow.storage.Local",
    "flows.defaults.storage.add_default_labels": True,
    "tasks.defaults.max_retries": 0,
    "tasks.defaults.retry_delay": None,
    "tasks.defaults.timeout": None,
    "engine.executor.default_class": "dagflow.executors.LocalExecutor",
    "engine.executor.dask.address": "",
    "engine.executor.dask.cluster_class": "distributed.deploy.local.LocalCluster",
    "engine.flow_runner.default_class": "dagflow.engine.flow_runner.FlowRunner",
    "engine.task_runner.default_class": "dagflow.engine.task_runner.TaskRunner",
    "logging.level": "INFO",
    "logging.extra_loggers": [],
    "logging.log_attributes": [],
    "cloud.use_local_secrets": True,
}


def at(settings: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        settings = settings[key]
    return settings


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load settings from the text of a file, of a user's file, and environment variables."""

    def load(text: str, user: str | None = None, **environ: str) -> Config:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        base, user_file = tmp_path / "base.toml", tmp_path / "user.toml"
        base.write_text(text)
        if user is not None:
            user_file.write_text(user)
        return load_configuration(base, user_file, "MINE")

    return load


@pytest.mark.parametrize(("dotted", "default"), CONTRACT_DEFAULTS.items(), ids=CONTRACT_DEFAULTS.keys())
def test_the_packaged_defaults(dotted: str, default: Any) -> None:
    packaged = load_configuration(configuration.DEFAULT_CONFIG)

    assert at(packaged, dotted) == default


def test_the_home_directory_is_expanded() -> None:
    assert load_configuration(configuration.DEFAULT_CONFIG).home_dir == os.path.expanduser("~/.dagflow")


def test_later_layers_win(load: Any) -> None:
    settings = load("[a]\nx = 1\ny = 1\nz = 1", "[a]\ny = 2\nz = 2", MINE__A__Z="3")

    assert settings == {"a": {"x": 1, "y": 2, "z": 3}}


def test_a_missing_user_file_is_fine(load: Any) -> None:
    assert load("x = 1") == {"x": 1}


def test_the_path_of_the_user_file_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text('[logging]\nlevel = "DEBUG"')
    monkeypatch.setenv("DIRECTORY", str(tmp_path))
    monkeypatch.setenv("DAGFLOW__USER_CONFIG_PATH", "$DIRECTORY/mine.toml")

    assert configuration.load_default_config().logging.level == "DEBUG"


def test_the_environment_may_create_keys_at_any_depth_and_at_the_top(load: Any) -> None:
    settings = load("", MINE__DEBUG="true", MINE__NEW__DEEP__KEY="v")

    assert settings.debug is True
    assert settings.new.deep.key == "v"


def test_names_are_lower_cased_but_not_those_of_secrets(load: Any) -> None:
    settings = load("", MINE__CONTEXT__SECRETS__My_Key="v", MINE__CONTEXT__Other="w")

    assert settings.context.secrets == {"My_Key": "v"}
    assert settings.context.other == "w"


def test_a_variable_for_a_section_and_one_for_its_key_both_given_keep_the_key(load: Any) -> None:
    assert load("", MINE__A="1", MINE__A__B="2") == {"a": {"b": 2}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("5", 5),
        ("-1.5", -1.5),
        (".5", 0.5),
        ("[1, 'a']", [1, "a"]),
        ("{'a': 1}", {"a": 1}),
        ("(1, 2)", (1, 2)),
        ("None", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("hello", "hello"),
        ("", ""),
        ("1.2.3", "1.2.3"),
        ("[1,", "[1,"),
        ("...", "..."),
        ("10 apples", "10 apples"),
        ("-", "-"),
    ],
)
def test_text_from_the_environment_is_read_for_its_type(text: str, value: Any) -> None:
    read = string_to_type(text)

    assert read == value
    assert type(read) is type(value)


def test_the_types_of_toml_are_kept(load: Any) -> None:
    assert load('a = "5"\nb = 5\nc = "true"\nd = [1, "2"]') == {"a": "5", "b": 5, "c": "true", "d": [1, "2"]}


def test_variables_and_the_home_directory_are_expanded_and_then_typed(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIVE", "5")
    monkeypatch.setenv("NAME", "ann")
    monkeypatch.setenv("INDIRECT", "$NAME")

    settings = load('a = "$FIVE"\nb = "${NAME}!"\nc = "~/x"\nd = ["$NAME"]\ne = "$INDIRECT"', MINE__F="$NAME")

    assert settings == {"a": 5, "b": "ann!", "c": os.path.expanduser("~/x"), "d": ["ann"], "e": "ann", "f": "ann"}


def test_references_to_other_keys(load: Any) -> None:
    settings = load(
        '[a]\nn = 7\nlist = [1]\n[b]\nwhole = "${a.n}"\npart = "n is ${a.n}"\nlist = "${a.list}"\nnone = "${no.key}"'
    )

    assert settings.b == {"whole": 7, "part": "n is 7", "list": [1], "none": ""}


def test_references_may_lead_to_references(load: Any) -> None:
    assert load('a = 1\nb = "${a}"\nc = "${b}"\nd = "x${c}"\ne = ["${c}"]') == {
        "a": 1, "b": 1, "c": 1, "d": "x1", "e": [1],
    }  # fmt: skip


def test_a_reference_sees_what_the_environment_says(load: Any) -> None:
    assert load('a = 1\nb = "${a}"', MINE__A="2").b == 2


def test_references_in_a_circle_come_to_an_end(load: Any) -> None:
    settings = load('a = "${b}"\nb = "${a}"')

    assert set(settings) == {"a", "b"}


@pytest.mark.parametrize("key", ["keys", "items", "update", "get", "copy", "to_dict"])
def test_a_key_that_would_hide_a_method_is_refused(load: Any, key: str) -> None:
    with pytest.raises(ValueError, match=f"'{key}' cannot be a key"):
        load(f"[section]\n{key} = 1")


def test_a_broken_file_is_named(load: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"user\.toml is not valid TOML.*line 1"):
        load("", "a = = 1")


def test_task_defaults_are_turned_into_what_tasks_expect(load: Any) -> None:
    defaults = load("[tasks.defaults]\nmax_retries = 3\nretry_delay = 5\ntimeout = 60").tasks.defaults

    assert defaults == {"max_retries": 3, "retry_delay": timedelta(seconds=5), "timeout": 60}


def test_an_unknown_key_is_an_attribute_error_with_the_near_match() -> None:
    with pytest.raises(AttributeError, match=r"no key 'chekpointing'\. Did you mean 'checkpointing'"):
        _ = config.flows.chekpointing

    assert not hasattr(config, "nothing")
    assert config.get("nothing") is None
    with pytest.raises(KeyError):
        config["nothing"]


def test_sections_are_handed_out_by_reference() -> None:
    assert config.flows is config.flows
    assert config["flows"] is config.flows


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.deepcopy,
        lambda c: c.copy(),
        lambda c: pickle.loads(pickle.dumps(c)),
        lambda c: cloudpickle.loads(cloudpickle.dumps(c)),
    ],
    ids=["deepcopy", "copy", "pickle", "cloudpickle"],
)
def test_copies_share_nothing_with_the_original(duplicate: Any) -> None:
    twin = duplicate(config)
    assert twin == config
    assert type(twin.flows) is Config

    twin.flows.checkpointing = "changed"

    assert config.flows.checkpointing is False


def test_a_dict_that_is_assigned_becomes_a_section() -> None:
    settings = Config()

    settings.mine = {"deep": {"n": 3}}

    assert settings.mine.deep.n == 3


def test_the_text_of_settings_shows_no_values() -> None:
    assert "hunter2" not in repr(Config(context={"secrets": {"PASSWORD": "hunter2"}}, api_key="hunter2"))


def test_settings_survive_the_way_through_the_environment(load: Any) -> None:
    settings = load(
        '[a]\nflag = true\nn = 5\nnumber_as_text = "5"\nbool_as_text = "true"\nnone_as_text = "None"\nlist = [1, "x"]\n'
        'quoted = "\'x\'"\n[tasks.defaults]\nretry_delay = 90\n[context.secrets]\nKey__x = "v"'
    )

    variables = to_environment_variables(settings, prefix="MINE")

    assert all(isinstance(value, str) for value in variables.values())
    assert load("", **variables) == settings


def test_only_included_keys_and_sections_become_variables() -> None:
    variables = to_environment_variables(config, include=["debug", "logging.level", "engine.executor"])

    assert set(variables) == {
        "DAGFLOW__DEBUG",
        "DAGFLOW__LOGGING__LEVEL",
        "DAGFLOW__ENGINE__EXECUTOR__DEFAULT_CLASS",
        "DAGFLOW__ENGINE__EXECUTOR__DASK__ADDRESS",
        "DAGFLOW__ENGINE__EXECUTOR__DASK__CLUSTER_CLASS",
        "DAGFLOW__ENGINE__EXECUTOR__DASK__WORKER_TIMEOUT",
    }


def explained(lines: list[str], number: int) -> bool:
    """Tell whether a comment stands above a setting, or above the group of settings that it belongs to."""
    while number and re.match(r"\w+ = ", lines[number - 1]):
        number -= 1
    return number > 0 and lines[number - 1].startswith("#")


def packaged_keys() -> list[tuple[str, ...]]:
    with open(configuration.DEFAULT_CONFIG, "rb") as stream:
        return list(dict_to_flatdict(tomllib.load(stream)))


@pytest.mark.parametrize("path", packaged_keys(), ids=".".join)
def test_every_setting_is_commented_and_documented(path: tuple[str, ...]) -> None:
    page = (ROOT / "docs" / "reference" / "configuration.rst").read_text()
    lines = Path(configuration.DEFAULT_CONFIG).read_text().splitlines()
    heads = (f"{path[-1]} = ", f"[{'.'.join(path)}]")
    places = [number for number, line in enumerate(lines) if line.startswith(heads)]

    assert places
    assert all(explained(lines, number) for number in places)
    assert f"``{'.'.join(path)}``" in page
    assert f"``DAGFLOW__{'__'.join(path).upper()}" in page
