"""``dagflow visualize``: draw a flow."""

from __future__ import annotations

import os

import click

from dagflow.cli.flows import flow_options, found_flow
from dagflow.cli.talk import Failure, gathered_warnings, say

__all__ = ["visualize"]

TEXTS = {"dot": "to_dot", "mermaid": "to_mermaid"}
"""Formats that are text made here; Graphviz or the own layout make the others."""


@click.command()
@flow_options
@click.option("--output", "-o", help="The file to write; default is NAME.svg in this folder, - is standard output.")
@click.option("--format", "-f", "form", help="svg, png, pdf, dot, mermaid, ...; default is the ending of the file.")
def visualize(path: str | None, module: str | None, name: str | None, output: str | None, form: str | None) -> None:
    """Draw a flow and print the path of the picture."""
    from dagflow.utilities.storage import slugify

    with gathered_warnings():
        flow = found_flow(path, module, name)
    ending = os.path.splitext(output or "")[1].lstrip(".")
    form = (form or ending or "svg").lower()
    if form in TEXTS:
        _write(str(getattr(flow, TEXTS[form])()), output)
        return
    if output == "-":
        if form != "svg":
            raise click.UsageError(f"Only svg, dot and mermaid can go to standard output, not {form!r}; name a file.")
        _write(flow._repr_mimebundle_()["image/svg+xml"], output)
        return
    target = output or f"{slugify(flow.name)}.{form}"
    stem = target.removesuffix(f".{form}")
    try:
        flow.visualize(filename=stem, format=form)
    except Exception as error:  # Graphviz has many ways to fail, and says why
        raise Failure(f"The flow cannot be drawn as {form!r}: {error}") from error
    written = f"{stem}.{form}"
    if written != target and os.path.exists(written):
        say(f"The file is called {written!r}, after its format.", style="yellow")
    click.echo(written)


def _write(text: str, output: str | None) -> None:
    if output is None or output == "-":
        click.echo(text)
        return
    from dagflow.utilities.filesystems import write_bytes_atomically

    write_bytes_atomically(output, text.encode() if text.endswith("\n") else f"{text}\n".encode())
    click.echo(output)
