"""Finding objects by their dotted name."""

from __future__ import annotations

from typing import Any

from dagflow.exceptions import near_match

__all__ = ["import_object", "submodule"]


def import_object(import_path: str) -> Any:
    """
    Import what *import_path* names: ``package.module``, ``package.module.name`` or ``package.module:name.inner``.

    Raises ``ImportError`` when there is no such module, ``AttributeError`` when the module has no such name. An error
    inside the imported module travels untouched.

    >>> import_object("os.path.join") is import_object("os.path:join")
    True
    """
    from importlib import import_module

    if ":" in import_path:
        module_name, _, rest = import_path.partition(":")
        return _descend(import_module(module_name), rest.split("."), import_path)
    parts = import_path.split(".")
    if not all(parts):
        raise ImportError(f"{import_path!r} is not an import path; expected something like 'package.module.name'.")
    for length in range(len(parts), 0, -1):
        module_name = ".".join(parts[:length])
        try:
            module = import_module(module_name)
        except ModuleNotFoundError as error:
            if not _is_about(error, module_name) or length == 1:
                raise
            continue
        return _descend(module, parts[length:], import_path)
    raise AssertionError("unreachable: the first part either imports or raises")


def _is_about(error: ModuleNotFoundError, module_name: str) -> bool:
    """Tell whether the missing module is on the way to *module_name*, not something that module needs."""
    missing = error.name or ""
    return module_name == missing or module_name.startswith(f"{missing}.")


def _descend(found: Any, names: list[str], import_path: str) -> Any:
    for name in names:
        try:
            found = getattr(found, name)
        except AttributeError:
            owner = getattr(found, "__name__", type(found).__name__)
            raise AttributeError(
                f"{import_path!r} cannot be imported: {owner!r} has no {name!r}.{near_match(name, dir(found))}"
            ) from None
    return found


def submodule(package: str, name: str) -> Any:
    """
    Import the module *name* of *package*; for a package's ``__getattr__``, so that naming a module is enough.

    Raises:
        AttributeError: when there is no such module; the near match is proposed.
    """
    from importlib import import_module

    path = f"{package}.{name}"
    try:
        return import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
    from pkgutil import iter_modules

    known = [found.name for found in iter_modules(import_module(package).__path__)]
    raise AttributeError(f"{package} has no {name!r}.{near_match(name, known)}")
