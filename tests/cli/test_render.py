"""How listings look on a terminal."""

from __future__ import annotations

import click
import pytest

from dagflow.cli.render import show_rows

COLUMNS = {"NAME": "name", "STATE": "state", "ID": "id"}
ROW = {"name": "a name of some length \x1b[2J", "state": "Cancelled", "id": "c0ffee00-0000-4000-8000-000000000001"}


def test_what_a_narrow_terminal_shows_stays_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    show_rows([ROW], COLUMNS, "table")

    [header, row] = click.unstyle(capsys.readouterr().out).splitlines()
    assert header.split() == ["NAME", "STATE", "ID"]
    assert row.split()[-2:] == ["Cancelled", ROW["id"]] and "\\x1b[2J" in row
