"""``dagflow build``: build flows, and write their metadata to a file for ``dagflow register --json``."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from dagflow.cli.collect import FORMAT_VERSION, collect, expand_paths, prepared, select_names
from dagflow.cli.talk import Failure, say
from dagflow.engine.summary import printable

__all__ = ["build"]


@click.command()
@click.option("--path", "-p", "paths", multiple=True, help="A script, a folder of scripts, or a pattern; repeat it.")
@click.option("--module", "-m", "modules", multiple=True, help="A module, or MODULE.VARIABLE; repeat it.")
@click.option("--name", "-n", "names", multiple=True, help="Only the flow of this name; repeat it.")
@click.option("--label", "-l", "labels", multiple=True, help="A label to add; repeat it.")
@click.option("--output", "-o", default="flows.json", show_default=True, help="The file to write.")
@click.option("--update", "-u", is_flag=True, help="Keep the other flows that the file has.")
def build(
    paths: tuple[str, ...],
    modules: tuple[str, ...],
    names: tuple[str, ...],
    labels: tuple[str, ...],
    output: str,
    update: bool,
) -> None:
    """Build flows and write their metadata to a file; print its path."""
    if not paths and not modules:
        raise click.UsageError("Say what to build: --path or --module.")
    say("Collecting flows...")
    collected = collect(expand_paths(paths), modules)
    select_names(collected, names)
    documents, errors = _existing(output) if update else {}, collected.errors
    built = 0
    for source in collected.sources:
        say(f"Processing {printable(source.name)!r}:")
        for name, document, _ in prepared(source, labels):
            if document is None:
                errors += 1
                continue
            documents[name] = document
            built += 1
    say(f"========== {built} built, {errors} errored ==========", style="red" if errors else "green")
    if built:
        _write(output, documents)
        click.echo(output)
    if errors:
        click.get_current_context().exit(Failure.exit_code)


def _existing(path: str) -> dict[str, Any]:
    if not os.path.exists(path):
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            return {document["name"]: document for document in json.load(file)["flows"]}
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{path!r} holds no flows that could be kept: {error}. Leave out --update.") from error


def _write(path: str, documents: dict[str, Any]) -> None:
    from dagflow.utilities.filesystems import write_bytes_atomically

    content = {"version": FORMAT_VERSION, "flows": [documents[name] for name in sorted(documents)]}
    write_bytes_atomically(path, (json.dumps(content, sort_keys=True) + "\n").encode())
