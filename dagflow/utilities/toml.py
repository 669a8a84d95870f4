"""Writing small TOML files that only their owner may read; the standard library reads TOML but does not write it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["to_toml", "write_private_toml"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(settings: Mapping[str, Any]) -> str:
    r"""
    Return *settings* as TOML: text, numbers, booleans and lists of them, in tables. ``None`` is left out.

    >>> print(to_toml({"active": "a", "profiles": {"a": {"X": True, "Y": "say \"hi\""}}}), end="")
    active = "a"
    <BLANKLINE>
    [profiles.a]
    X = true
    Y = "say \"hi\""
    """
    lines: list[str] = []
    _table(lines, (), settings)
    return "".join(f"{line}\n" for line in lines)


def _table(lines: list[str], path: tuple[str, ...], table: Mapping[str, Any]) -> None:
    plain = {key: value for key, value in table.items() if value is not None and not isinstance(value, Mapping)}
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    if path and (plain or not inner):
        lines.extend(([""] if lines else []) + [f"[{'.'.join(map(_key, path))}]"])
    lines.extend(f"{_key(key)} = {_value(value)}" for key, value in plain.items())
    for key, value in inner.items():
        _table(lines, (*path, str(key)), value)


def _key(key: object) -> str:
    text = str(key)
    return text if _BARE.fullmatch(text) else _quoted(text)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    # JSON text is TOML text, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_private_toml(path: str, settings: Mapping[str, Any]) -> None:
    """Replace the file at *path* as a whole; nobody but its owner may read it, whatever the umask."""
    import tempfile

    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    # mkstemp makes the file with mode 0600.
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(to_toml(settings))
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
