"""``dagflow create`` and ``dagflow delete``: projects."""

from __future__ import annotations

import click

from dagflow.cli.connection import connected, project_of
from dagflow.cli.render import show_record
from dagflow.cli.talk import InTheWay, say
from dagflow.engine.summary import printable

__all__ = ["create", "delete"]


@click.group()
def create() -> None:
    """Make a project."""


@create.command("project")
@click.argument("name")
@click.option("--description", "-d", help="What it is for.")
@click.option("--skip-if-exists", is_flag=True, help="Do nothing when there is one of this name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create_project(name: str, description: str | None, skip_if_exists: bool, as_json: bool) -> None:
    """Make a project and print its id."""
    if not name.strip():
        raise click.UsageError("The name of a project cannot be empty.")
    with connected() as client:
        answer = client.post("projects", {"name": name, "description": description})
    if not answer["created"] and not skip_if_exists:
        raise InTheWay(f"There is a project {name!r} already: {answer['id']}. --skip-if-exists takes that for done.")
    say(f"{printable(name)} {'created' if answer['created'] else 'exists already; skipped'}.", style="green")
    if as_json:
        show_record(answer, "json")
    else:
        click.echo(answer["id"])


@click.group()
def delete() -> None:
    """Delete a project."""


@delete.command("project")
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def delete_project(name: str, yes: bool) -> None:
    """Delete a project with its flows and their runs."""
    with connected() as client:
        project = project_of(client, name)
        if not yes:
            count = project.get("flow_count") or 0
            question = f"Delete project {printable(name)} with {count} flows and all their runs?"
            click.confirm(question, abort=True, err=True)
        client.delete(f"projects/{project['id']}")
    say(f"{printable(name)} deleted.", style="green")
