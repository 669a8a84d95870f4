"""``dagflow doctor``: look for what keeps flows from running, and say what helps."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

import click

from dagflow._version import __version__
from dagflow.cli.connection import connected
from dagflow.cli.render import show_record
from dagflow.cli.talk import Failure
from dagflow.configuration import config
from dagflow.engine.summary import printable
from dagflow.exceptions import AuthorizationError, ClientError, PrefectException

__all__ = ["doctor"]

GOOD, ADVICE, BAD = "ok", "note", "wrong"
COLORS = {GOOD: "green", ADVICE: "yellow", BAD: "red"}


class Finding(NamedTuple):
    """One thing that was looked at."""

    verdict: str
    what: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Look at settings, home, server and agents; the exit code is 1 when something is wrong."""
    findings = [finding for look in LOOKS for finding in _safely(look)]
    if as_json:
        show_record([finding._asdict() for finding in findings], "json")
    else:
        for verdict, what in findings:
            click.secho(f"{verdict:<6}", fg=COLORS[verdict], nl=False)
            click.echo(printable(what))
    if any(finding.verdict == BAD for finding in findings):
        click.get_current_context().exit(Failure.exit_code)


def _safely(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except (PrefectException, OSError) as error:
        yield Finding(BAD, str(error))


def _settings() -> Iterator[Finding]:
    from dagflow.cli.config import findings

    wrong = findings()
    yield from (Finding(BAD, one) for one in wrong)
    if not wrong:
        yield Finding(GOOD, "The settings are valid.")


def _home() -> Iterator[Finding]:
    home = os.path.expanduser(config.home_dir)
    folder = home
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    if os.access(folder, os.W_OK):
        yield Finding(GOOD, f"The home {home} can be written to.")
    else:
        yield Finding(BAD, f"The home {home} cannot be written to. Change its owner, or set home_dir.")


def _private_files() -> Iterator[Finding]:
    home = os.path.expanduser(config.home_dir)
    for name in ("auth.toml", "profiles.toml", "dagflow.db"):
        path = os.path.join(home, name)
        if os.path.exists(path) and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
            yield Finding(BAD, f"{path} can be read by others. Run: chmod 600 {path}")


def _server() -> Iterator[Finding]:
    with connected() as client:
        health = client._request("GET", "health", retries=0)
        yield Finding(GOOD, f"The server {client.api_server} answers, version {health['version']}.")
        if health["version"] != __version__:
            yield Finding(ADVICE, f"It has version {health['version']}, this is {__version__}; use the same version.")
        try:
            client.get("projects", {"limit": 1})
        except AuthorizationError as error:
            yield Finding(BAD, f"It does not let us in: {error} Give it a key with `dagflow auth login`.")
            return
        except ClientError as error:
            yield Finding(BAD, f"It answers, but not well: {error}")
            return
        agents = list(client._items("agents", {"healthy_since_minutes": 1}))
        yield _about_agents(len(agents))


def _about_agents(count: int) -> Finding:
    if count:
        return Finding(GOOD, f"{count} agent{'s' * (count > 1)} asked for work within the last minute.")
    return Finding(ADVICE, "No agent asks for work, so runs wait. Start one with `dagflow agent local start`.")


def _graphviz() -> Iterator[Finding]:
    import shutil

    if shutil.which("dot") is None:
        yield Finding(ADVICE, "Graphviz is not installed; pictures of flows are drawn by the simpler layout.")


LOOKS = (_settings, _home, _private_files, _server, _graphviz)
