"""``dagflow config``: show the settings, change the user's file, and look for settings that nothing reads."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable
from typing import Any

import click

from dagflow.cli.talk import Failure, NotFound, say
from dagflow.configuration import (
    DEFAULT_CONFIG,
    ENV_PREFIX,
    USER_CONFIG,
    Config,
    active_profile,
    load_configuration,
    string_to_type,
)
from dagflow.configuration import config as settings
from dagflow.engine.summary import printable
from dagflow.exceptions import near_match
from dagflow.utilities.collections import CompoundKey, dict_to_flatdict

__all__ = ["config", "findings", "known_setting", "shown_variable", "variable_of"]

MASK = "********"
SECRET_WORDS = ("api_key", "key", "password", "secret", "secrets", "token")
FREE_SECTIONS = ("context",)
"""Sections whose keys are the user's own."""
NO_SETTINGS = frozenset({("user_config_path",)})
"""Variables that look like settings: where the user's file is."""

LOG_LEVEL = ("logging", "level")

Flat = dict[CompoundKey, Any]


@click.group(invoke_without_command=True)
@click.pass_context
def config(ctx: click.Context) -> None:
    """Show and check the settings; without a command, show them all as JSON."""
    if ctx.invoked_subcommand is None:
        click.echo(json.dumps(_masked(settings), indent=2, sort_keys=True, default=str))


@config.command()
@click.option("--show-defaults", is_flag=True, help="Show all settings, not only those that were changed.")
@click.option("--show-sources", is_flag=True, help="Show where each setting comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def view(show_defaults: bool, show_sources: bool, as_json: bool) -> None:
    """Print names and values of settings; those of secrets are masked."""
    sources = _sources()
    rows = [
        (".".join(path), _shown(path, value), sources(path))
        for path, value in sorted(dict_to_flatdict(settings).items())
        if (show_defaults or sources(path) != "default") and value != {} and path not in NO_SETTINGS
    ]
    if as_json:
        named = [dict(zip(("name", "value", "source"), row, strict=True)) for row in rows]
        click.echo(json.dumps(named, indent=2, default=str))
        return
    for name, value, source in rows:
        after = f"  ({source})" if show_sources else ""
        click.echo(printable(f"{name} = {value!r}{after}"))
    if not rows:
        say("All settings have their defaults; show them with --show-defaults.")


@config.command()
@click.pass_context
def validate(ctx: click.Context) -> None:
    """Look for unknown names and wrong types in the user's file and the environment; exit 1 when there are some."""
    found = findings()
    for finding in found:
        click.echo(printable(finding))
    if found:
        say(f"{len(found)} finding{'s' * (len(found) > 1)}.", style="red")
        ctx.exit(Failure.exit_code)
    say("The settings are valid.", style="green")


@config.command("set")
@click.argument("settings_given", nargs=-1, required=True, metavar="KEY=VALUE...")
def set_settings(settings_given: tuple[str, ...]) -> None:
    """
    Put settings into the user's file.

    \b
    Example:
      dagflow config set logging.level=DEBUG cloud.api=http://flows:4200
    """
    content = _user_content()
    defaults = _defaults()
    for text in settings_given:
        name, equals, given = text.partition("=")
        if not equals:
            raise click.UsageError(f"{text!r} is not of the form KEY=VALUE.")
        path, value = known_setting(name), string_to_type(given)
        if path in defaults and not _fits(value, defaults[path], path):
            raise click.UsageError(
                f"{name}: found {_shown(path, value)!r} of type {type(value).__name__}, expected "
                f"{_expected(defaults[path], path)}."
            )
        _place_in(content, path, value)
    _write_user_file(content)


@config.command("unset")
@click.argument("names", nargs=-1, required=True, metavar="KEY...")
def unset_settings(names: tuple[str, ...]) -> None:
    """Take settings out of the user's file, so that they have their defaults again."""
    content = _user_content()
    for name in names:
        *sections, key = known_setting(name)
        table: Any = content
        for section in sections:
            table = table.get(section, {})
        if key not in table:
            raise NotFound(f"{_user_file()} does not set {name}.")
        del table[key]
    _write_user_file(content)


def known_setting(name: str) -> CompoundKey:
    """
    Return the path of a setting, given as ``section.key`` or as the name of its variable.

    Raises:
        click.UsageError: for a name that is none, with the near match.
    """
    from dagflow.configuration import _key_path

    path = CompoundKey(_key_path(name.removeprefix(f"{ENV_PREFIX}__")) if "__" in name else name.split("."))
    known = _defaults()
    if path not in known and path[0] not in FREE_SECTIONS:
        near = near_match(".".join(map(str, path)), [".".join(one) for one in known])
        raise click.UsageError(f"There is no setting {name!r}.{near}")
    return path


def _user_content() -> dict[str, Any]:
    from dagflow.configuration import _read_toml

    return _read_toml(_user_file()) if os.path.isfile(_user_file()) else {}


def _place_in(content: dict[str, Any], path: CompoundKey, value: Any) -> None:
    table = content
    for section in path[:-1]:
        table = table.setdefault(section, {})
    table[path[-1]] = value


def _write_user_file(content: dict[str, Any]) -> None:
    from dagflow.utilities.toml import write_private_toml

    # Comments are lost: the file is written anew.
    write_private_toml(_user_file(), content)
    say(f"{_user_file()} written.", style="green")


# --- where settings come from --------------------------------------------------------------------------------


def _user_file() -> str:
    return os.path.expanduser(os.environ.get(f"{ENV_PREFIX}__USER_CONFIG_PATH", USER_CONFIG))


def _defaults() -> Flat:
    return dict_to_flatdict(load_configuration(DEFAULT_CONFIG))


def _from_file() -> Flat:
    path = _user_file()
    return dict_to_flatdict(load_configuration(path)) if os.path.isfile(path) else {}


def _from_profile() -> Flat:
    from dagflow.configuration import _from_environment as nested

    variables = active_profile(os.path.expanduser(settings.home_dir))
    return dict_to_flatdict(Config(nested(ENV_PREFIX, variables)))


def _from_environment() -> Flat:
    found = dict_to_flatdict(load_configuration(os.devnull, env_var_prefix=ENV_PREFIX))
    return {path: value for path, value in found.items() if path not in NO_SETTINGS}


def _sources() -> Callable[[CompoundKey], str]:
    defaults, file, profile, environment = _defaults(), _from_file(), _from_profile(), _from_environment()

    def source(path: CompoundKey) -> str:
        if path in environment:
            return f"environment, {variable_of(path)}"
        if path in profile:
            return "profile"
        if path in file:
            return _user_file()
        return "default" if path in defaults else "this process"

    return source


def variable_of(path: CompoundKey) -> str:
    """Return the environment variable of a setting."""
    if path[:2] == ("context", "secrets"):
        return f"{ENV_PREFIX}__CONTEXT__SECRETS__" + "__".join(path[2:])
    return f"{ENV_PREFIX}__" + "__".join(path).upper()


# --- what is wrong -------------------------------------------------------------------------------------------


def findings() -> list[str]:
    """Return what is wrong with the settings, one line each."""
    defaults = _defaults()
    return [
        *_wrong(_from_file(), defaults, lambda path: f"{_user_file()}: {'.'.join(path)}"),
        *_wrong(_from_profile(), defaults, lambda path: f"profile: {variable_of(path)}"),
        *_wrong(_from_environment(), defaults, variable_of),
    ]


def _wrong(given: Flat, defaults: Flat, called: Callable[[CompoundKey], str]) -> list[str]:
    known = [".".join(path) for path in defaults]
    found = []
    for path, value in sorted(given.items()):
        if path[0] in FREE_SECTIONS or value == {}:
            continue
        if path not in defaults:
            found.append(f"{called(path)}: unknown setting.{near_match('.'.join(path), known)}")
        elif not _fits(value, defaults[path], path):
            found.append(
                f"{called(path)}: found {_shown(path, value)!r} of type {type(value).__name__}, expected "
                f"{_expected(defaults[path], path)}."
            )
    return found


def _kinds(default: Any, path: CompoundKey) -> tuple[type, ...]:
    """Return the types that a setting may have, judging by its default."""
    if path[:2] == ("tasks", "defaults"):
        # There ``false`` in the file, or nothing, means "none"; a number is a count or seconds.
        from datetime import timedelta

        return (bool, int, float, timedelta, type(None))
    if path == LOG_LEVEL:
        return (str, int)
    if isinstance(default, bool):
        return (bool,)
    if isinstance(default, (int, float)):
        return (int, float)
    return (type(default),)


def _fits(value: Any, default: Any, path: CompoundKey) -> bool:
    kinds = _kinds(default, path)
    if path == LOG_LEVEL and isinstance(value, str):
        return value.upper() in logging.getLevelNamesMapping()
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _expected(default: Any, path: CompoundKey) -> str:
    if path == LOG_LEVEL:
        return f"one of {', '.join(logging.getLevelNamesMapping())}, or a number"
    names = [kind.__name__ for kind in _kinds(default, path) if kind is not type(None)]
    return " or ".join(names)


# --- showing -------------------------------------------------------------------------------------------------


def _is_secret(path: tuple[str, ...]) -> bool:
    return path[:2] == ("context", "secrets") or any(word in part for part in path for word in SECRET_WORDS)


def _shown(path: tuple[str, ...], value: Any) -> Any:
    if _is_secret(path) and value not in ("", None, {}) and not isinstance(value, bool):
        return MASK
    # The address of a database, or of a proxy, may hold a password.
    return _PASSWORD.sub(rf"\1{MASK}@", value) if isinstance(value, str) else value


_PASSWORD = re.compile(r"(://[^/?#@:]*:)[^/?#]*@")


def shown_variable(name: str, value: Any) -> Any:
    """Return the value of a variable as it may be shown."""
    from dagflow.configuration import _key_path

    return _shown(tuple(_key_path(name.removeprefix(f"{ENV_PREFIX}__"))), value)


def _masked(section: Config, path: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        key: _masked(value, (*path, key)) if isinstance(value, Config) else _shown((*path, key), value)
        for key, value in section.items()
    }
