"""``dagflow profile``: sets of settings, of which one is active."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from dagflow.cli.render import output_option, show_record, show_rows
from dagflow.cli.talk import InTheWay, NotFound, say
from dagflow.configuration import ENV_PREFIX, PROFILE_VARIABLE, load_profiles, profiles_path
from dagflow.engine.summary import printable
from dagflow.exceptions import near_match
from dagflow.utilities.toml import write_private_toml

__all__ = ["profile"]

Profiles = dict[str, dict[str, Any]]


@click.group()
def profile() -> None:
    """Keep sets of settings, and choose one."""


@profile.command("ls")
@output_option
def list_profiles(form: str) -> None:
    """List the profiles."""
    active, profiles = load_profiles()
    chosen = os.environ.get(PROFILE_VARIABLE) or active
    rows = [{"name": name, "active": name == chosen, "settings": len(profiles[name])} for name in sorted(profiles)]
    columns: dict[str, Any] = {
        "NAME": "name",
        "ACTIVE": lambda row: "*" if row["active"] else "",
        "SETTINGS": "settings",
    }
    show_rows(rows, columns, form, "No profiles found. Make one with `dagflow profile create NAME`.")


@profile.command()
@click.argument("name")
@click.option("--from", "source", help="Copy the settings of this profile.")
def create(name: str, source: str | None) -> None:
    """Make a profile."""
    _check_name(name)
    active, profiles = load_profiles()
    if name in profiles:
        raise InTheWay(f"There is a profile {name!r} already. Choose another name, or delete that one.")
    _write(active, {**profiles, name: dict(_known(profiles, source)) if source else {}})
    say(f"Profile {name} created. Use it with `dagflow profile use {name}`.", style="green")


@profile.command()
@click.argument("name")
def use(name: str) -> None:
    """Make a profile the active one."""
    _, profiles = load_profiles()
    _known(profiles, name)
    _write(name, profiles)
    say(f"Profile {name} is active.", style="green")
    if os.environ.get(PROFILE_VARIABLE) not in (None, name):
        say(f"The variable {PROFILE_VARIABLE} is set, and wins.", style="yellow")


@profile.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def delete(name: str, yes: bool) -> None:
    """Delete a profile."""
    active, profiles = load_profiles()
    _known(profiles, name)
    if not yes:
        click.confirm(f"Delete profile {name}?", abort=True, err=True)
    _write(None if active == name else active, {key: value for key, value in profiles.items() if key != name})
    say(f"Profile {name} deleted.", style="green")


@profile.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(name: str, as_json: bool) -> None:
    """Print the settings of a profile; those of secrets are masked."""
    from dagflow.cli.config import shown_variable

    _, profiles = load_profiles()
    settings = {key: shown_variable(key, value) for key, value in _known(profiles, name).items()}
    if as_json:
        show_record(settings, "json")
        return
    for key, value in sorted(settings.items()):
        click.echo(printable(f"{key} = {value}"))


@profile.command()
@click.argument("name")
@click.argument("new_name")
def rename(name: str, new_name: str) -> None:
    """Rename a profile."""
    _check_name(new_name)
    active, profiles = load_profiles()
    _known(profiles, name)
    if new_name in profiles:
        raise InTheWay(f"There is a profile {new_name!r} already. Choose another name, or delete that one.")
    renamed = {new_name if key == name else key: value for key, value in profiles.items()}
    _write(new_name if active == name else active, renamed)
    say(f"Profile {name} is now {new_name}.", style="green")


@profile.command("set")
@click.argument("name")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
def set_in(name: str, settings: tuple[str, ...]) -> None:
    """Put settings into a profile, such as cloud.api=http://flows:4200."""
    active, profiles = load_profiles()
    _write(active, {**profiles, name: {**_known(profiles, name), **dict(map(_setting, settings))}})
    say(f"Profile {name} changed.", style="green")


def _setting(text: str) -> tuple[str, str]:
    from dagflow.cli.config import known_setting, variable_of

    key, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is not of the form KEY=VALUE.")
    return variable_of(known_setting(key.removeprefix(f"{ENV_PREFIX}__"))), value


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[\w.-]+", name):
        raise click.UsageError(f"{name!r} is no name for a profile; take letters, digits, '-', '_' and '.'.")


def _known(profiles: Profiles, name: str) -> dict[str, Any]:
    if name not in profiles:
        raise NotFound(
            f"There is no profile {name!r}.{near_match(name, profiles)} Known: {', '.join(sorted(profiles)) or 'none'}."
        )
    return profiles[name]


def _write(active: str | None, profiles: Profiles) -> None:
    write_private_toml(profiles_path(), {"active": active, "profiles": profiles})
