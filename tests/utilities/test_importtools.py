"""Importing objects by name."""

from __future__ import annotations

import os.path
import subprocess
import sys
from pathlib import Path

import pytest

from dagflow.utilities.importtools import import_object, submodule


@pytest.mark.parametrize("name", ["os.path.join", "os.path:join", "posixpath.join"])
def test_an_object_is_imported_by_its_path(name: str) -> None:
    assert import_object(name) is os.path.join


def test_modules_and_inner_attributes_can_be_imported() -> None:
    assert import_object("os.path") is os.path
    assert import_object("pathlib.Path.home") == Path.home


@pytest.mark.parametrize("name", ["no_such_module.x", "no_such_module"])
def test_a_module_that_does_not_exist_is_an_import_error(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        import_object(name)


@pytest.mark.parametrize("name", ["os.path.joiin", "os.path:joiin"])
def test_an_attribute_that_does_not_exist_is_named_with_the_near_match(name: str) -> None:
    with pytest.raises(AttributeError, match=r"has no 'joiin'. Did you mean 'join'"):
        import_object(name)


@pytest.mark.parametrize("name", ["", "a..b", ".relative"])
def test_what_is_no_path_is_refused(name: str) -> None:
    with pytest.raises(ImportError, match="is not an import path"):
        import_object(name)


def test_an_error_inside_the_module_travels_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_more.py").write_text("import something_not_installed\nx = 1")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="something_not_installed"):
        import_object("needs_more.x")


def test_naming_a_module_is_enough() -> None:
    names = ["utilities.tasks.task", "utilities.debug.raise_on_exception", "tasks.control_flow.merge", "tasks.core"]
    code = "import dagflow; " + "; ".join(f"dagflow.{name}" for name in names)

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_module_that_does_not_exist_is_told_with_the_near_match() -> None:
    with pytest.raises(AttributeError, match=r"'taks'.*Did you mean 'tasks'"):
        submodule("dagflow.utilities", "taks")
