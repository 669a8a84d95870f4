"""Writing TOML that the standard library reads back."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagflow.utilities.toml import to_toml, write_private_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | TEXT
TABLES: Any = st.recursive(
    st.dictionaries(TEXT, VALUES | st.lists(VALUES, max_size=3), max_size=4),
    lambda inner: st.dictionaries(TEXT, inner | VALUES, max_size=3),
    max_leaves=6,
)


@given(TABLES)
def test_what_is_written_is_read_back(settings: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(settings)) == settings


def test_nothing_is_left_out() -> None:
    assert tomllib.loads(to_toml({"a": None, "b": {}, "c": {"d": {}}})) == {"b": {}, "c": {"d": {}}}


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_only_the_owner_can_read_the_file(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "folder" / "x.toml"
    before = os.umask(umask)
    try:
        write_private_toml(str(path), {"a": 1})
        write_private_toml(str(path), {"a": 2})
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and tomllib.loads(path.read_text()) == {"a": 2}
    assert [one.name for one in path.parent.iterdir()] == ["x.toml"]
