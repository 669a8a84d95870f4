"""Profiles, and changing settings from the command line."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dagflow.configuration import load_default_config

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home of its own to this process and those that it starts."""
    monkeypatch.setenv("DAGFLOW__HOME_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("DAGFLOW__USER_CONFIG_PATH", str(tmp_path / "config.toml"))
    monkeypatch.delenv("DAGFLOW_PROFILE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def call(home: Path) -> Call:
    """Call the command line in a process of its own, because settings are read when it starts."""

    def called(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dagflow", *args]
        return subprocess.run(
            command, env={**os.environ, **env}, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )

    return called


def api_of(call: Call, *options: str, **env: str) -> str:
    shown = call(*options, "config", "view", "--show-defaults", "--json", **env)
    return str(next(one["value"] for one in json.loads(shown.stdout) if one["name"] == "cloud.api"))


def write(home: Path, text: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "profiles.toml").write_text(text)


def test_a_profile_is_made_filled_used_renamed_and_deleted(call: Call, home: Path) -> None:
    for command in (("create", "big"), ("set", "big", "cloud.api=http://big:1"), ("create", "two", "--from", "big")):
        assert call("profile", *command).returncode == 0
    assert "127.0.0.1" in api_of(call)

    assert call("profile", "use", "big").returncode == 0
    assert api_of(call) == "http://big:1"
    assert [one["name"] for one in json.loads(call("profile", "ls", "--json").stdout) if one["active"]] == ["big"]

    assert call("profile", "rename", "big", "huge").returncode == 0
    assert api_of(call) == "http://big:1"
    assert call("profile", "delete", "huge", "-y").returncode == 0
    assert "127.0.0.1" in api_of(call)
    assert stat.S_IMODE((home / "profiles.toml").stat().st_mode) == 0o600


def test_a_profile_that_is_not_there_is_three_with_the_near_match(call: Call, home: Path) -> None:
    write(home, "[profiles.local]\n")

    for command in (("profile", "use", "locla"), ("--profile", "locla", "config", "list")):
        result = call(*command)

        assert result.returncode == 3 and "Did you mean 'local'?" in result.stderr


def test_names_of_profiles_are_taken_once_and_are_plain_words(call: Call, home: Path) -> None:
    write(home, "[profiles.a]\n[profiles.b]\n")

    taken = [call("profile", "create", "a"), call("profile", "rename", "a", "b")]
    odd = [call("profile", "create", "a b"), call("profile", "rename", "a", "x/y")]

    assert [one.returncode for one in taken + odd] == [6, 6, 2, 2]
    assert "already" in taken[1].stderr and "no name for a profile" in odd[1].stderr


def test_a_file_that_cannot_be_written_is_named_without_a_traceback(call: Call) -> None:
    result = call("config", "set", "logging.level=DEBUG", DAGFLOW__USER_CONFIG_PATH="/proc/nothing/config.toml")

    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert result.stderr.startswith("Error: '/proc/nothing' cannot be used: ")


def test_secrets_of_a_profile_are_masked(call: Call, home: Path) -> None:
    write(home, '[profiles.a]\nDAGFLOW__CLOUD__API_KEY = "hunter2"\n')

    shown = call("profile", "inspect", "a")

    assert "DAGFLOW__CLOUD__API_KEY = ***" in shown.stdout and "hunter2" not in shown.stdout


def test_option_environment_profile_file_and_default_win_in_this_order(call: Call, home: Path) -> None:
    write(home, 'active = "a"\n' + "".join(f'[profiles.{n}]\nDAGFLOW__CLOUD__API = "http://{n}:1"\n' for n in "abc"))
    (home.parent / "config.toml").write_text('[cloud]\napi = "http://file:1"\n')

    assert api_of(call, DAGFLOW__CLOUD__API="http://environment:1", DAGFLOW_PROFILE="b") == "http://environment:1"
    assert api_of(call, "--profile", "c", DAGFLOW_PROFILE="b") == "http://c:1"
    assert api_of(call, DAGFLOW_PROFILE="b") == "http://b:1"
    assert api_of(call) == "http://a:1"
    assert api_of(call, DAGFLOW_PROFILE="") == "http://file:1"


def test_a_file_of_variables_counts_if_asked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, 'active = "a"\n[profiles.a]\nDAGFLOW__CLOUD__API = "http://a:1"\n')
    Path(".env").write_text("# comment\nexport DAGFLOW__CLOUD__API='http://dotenv:1'\n\nOTHER=1\n")

    assert load_default_config().cloud.api == "http://a:1"
    monkeypatch.setenv("DAGFLOW_DOTENV", "true")
    assert load_default_config().cloud.api == "http://dotenv:1"


def test_values_may_refer_to_variables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, 'active = "a"\n[profiles.a]\nDAGFLOW__CLOUD__API = "http://${SERVER_NAME}:1"\n')
    monkeypatch.setenv("SERVER_NAME", "flows")

    assert load_default_config().cloud.api == "http://flows:1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('active = "b"\n[profiles.a]\n', "calls active the profile 'b', which does not exist"),
        ("[profiles\n", "is not valid TOML"),
        ('[profiles]\na = "x"\n', "profile 'a' is not a table"),
    ],
)
def test_a_file_that_cannot_be_right_is_told(call: Call, home: Path, text: str, said: str) -> None:
    write(home, text)

    result = call("version")
    shown = call("config", "view")

    assert result.returncode == 0
    assert shown.returncode == 1 and said in shown.stderr and "Traceback" not in shown.stderr


def test_the_source_of_a_setting_is_shown(call: Call, home: Path) -> None:
    write(home, 'active = "a"\n[profiles.a]\nDAGFLOW__CLOUD__API = "http://a:1"\nDAGFLOW__CLOUD__APY = "x"\n')

    assert "cloud.api = 'http://a:1'  (profile)" in call("config", "view", "--show-sources").stdout
    findings = call("config", "validate")
    assert findings.returncode == 1 and "profile: DAGFLOW__CLOUD__APY: unknown setting" in findings.stdout


def test_settings_are_set_and_unset_in_the_users_file(call: Call, home: Path) -> None:
    path = home.parent / "config.toml"
    path.write_text('[logging]\nformat = "%(message)s"\n')

    assert call("config", "set", "cloud.api=http://set:1", "DAGFLOW__CLOUD__REQUEST_TIMEOUT=3").returncode == 0
    assert api_of(call) == "http://set:1"
    assert 'format = "%(message)s"' in path.read_text() and stat.S_IMODE(path.stat().st_mode) == 0o600

    assert call("config", "unset", "cloud.api").returncode == 0
    assert "127.0.0.1" in api_of(call) and "request_timeout = 3" in path.read_text()
    assert call("config", "unset", "cloud.api").returncode == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cloud.apy=x", "Did you mean 'cloud.api'?"),
        ("cloud.request_timeout=soon", "expected int or float"),
        ("x", "KEY=VALUE"),
    ],
)
def test_what_cannot_be_set_is_told(call: Call, text: str, said: str) -> None:
    result = call("config", "set", text)

    assert result.returncode == 2 and said in result.stderr
