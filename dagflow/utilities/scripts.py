"""
Running a user's script as a module, to get at the flows in it.

The module has a name of its own rather than ``__main__``, so ``if __name__ == "__main__":`` blocks stay quiet, and it
is in ``sys.modules``, so dataclasses, type hints and pickling work as in any other module. Functions of it travel to
worker processes by value, because no worker could import a module of that name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["flows_in", "import_flow_module", "load_script"]

CONTENTS_NAME = "<flow script>"


def load_script(path: str | None = None, contents: str | bytes | None = None) -> ModuleType:
    """
    Run a script and return it as a module; each call runs it anew.

    While it runs, its folder is first on ``sys.path``, ``context.loading_flow`` is true, so that running and
    registering flows in it is skipped, and ``context.local_script_path`` is its path. Its exceptions travel untouched.

    Args:
        path: the file.
        contents: its text, for a script that is no file here.

    Raises:
        FileNotFoundError: when there is no such file.
    """
    full = None if path is None else os.path.abspath(os.path.expanduser(path))
    if contents is None:
        assert full is not None
        with open(full, "rb") as file:
            contents = file.read()
    code = compile(contents, full or CONTENTS_NAME, "exec", dont_inherit=True)
    module = _new_module(full, contents)
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        with _loading(full):
            exec(code, module.__dict__)
    except BaseException:
        # Nobody should find the half of a script.
        if before is None:
            del sys.modules[module.__name__]
        else:
            sys.modules[module.__name__] = before
        raise
    _pickle_by_value(module)
    return module


def _new_module(path: str | None, contents: str | bytes) -> ModuleType:
    import hashlib

    # The same script has the same name in every process; scripts of one name in two folders do not collide.
    origin = path.encode() if path else contents.encode() if isinstance(contents, str) else contents
    stem = os.path.splitext(os.path.basename(path))[0] if path else "contents"
    word = "".join(letter if letter.isalnum() else "_" for letter in stem)
    module = ModuleType(f"dagflow_script_{word}_{hashlib.sha256(origin).hexdigest()[:8]}")
    module.__dict__["__dagflow_script__"] = True
    if path is not None:
        module.__file__ = path
    return module


@contextmanager
def _loading(path: str | None) -> Iterator[None]:
    folder = None if path is None else os.path.dirname(path)
    if folder is not None:
        sys.path.insert(0, folder)
    known = {} if path is None else {"local_script_path": path}
    try:
        with context(loading_flow=True, **known):
            yield
    finally:
        if folder is not None and folder in sys.path:
            sys.path.remove(folder)


def _pickle_by_value(module: ModuleType) -> None:
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)


def import_flow_module(name: str) -> ModuleType:
    """
    Import a module by its dotted name, running and registering flows in it being skipped.

    Raises:
        ImportError: when there is no such module.
    """
    from importlib import import_module

    with context(loading_flow=True):
        return import_module(name)


def flows_in(module: ModuleType | dict[str, Any]) -> dict[str, Flow]:
    """Return the flows among the globals of *module* by their names, in the order in which they stand there."""
    from dagflow.core.flow import Flow

    found: dict[str, Flow] = {}
    for value in list(module.__dict__.values() if isinstance(module, ModuleType) else module.values()):
        if isinstance(value, Flow):
            found.setdefault(value.name, value)
    return found
