"""Names of objects."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from dagflow.utilities.collections import DotDict
from dagflow.utilities.serialization import from_qualified_name, to_qualified_name


@pytest.mark.parametrize("obj", [DotDict, DotDict.copy, to_qualified_name])
def test_there_and_back(obj: Any) -> None:
    assert from_qualified_name(to_qualified_name(obj)) is obj


def test_nothing_is_imported_for_a_name() -> None:
    name = "this"  # a module of the standard library that nobody imports, because it prints a poem

    with pytest.raises(ValueError, match="in no module that is imported"):
        from_qualified_name(f"{name}.s")
    assert name not in sys.modules


@pytest.mark.parametrize("name", ["", "nope", "dagflow.utilities.collections.Nope"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Import its module first"):
        from_qualified_name(name)
