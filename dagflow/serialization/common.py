"""Pieces that several documents are made of: versions, names of functions and classes, moments, JSON-safe values."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow._version import __version__

if TYPE_CHECKING:
    import pydantic

__all__ = [
    "VERSION",
    "checked",
    "function_reference",
    "json_ready",
    "read_zoned",
    "sendable",
    "type_name",
    "zoned",
]

VERSION = __version__
SCRIPT_MODULE = "__main__"
"""The module that stands in documents for any script, so that a flow has one form however its script was started."""


def module_of(obj: Any) -> str:
    """Return the module of a class or function; that of a script is ``__main__`` however the script was loaded."""
    name = getattr(obj, "__module__", None) or "builtins"
    module = sys.modules.get(name)
    return SCRIPT_MODULE if getattr(module, "__dagflow_script__", False) else str(name)


def type_name(cls: type) -> str:
    """
    Return the dotted name of a class.

    >>> import fractions
    >>> type_name(fractions.Fraction)
    'fractions.Fraction'
    """
    return f"{module_of(cls)}.{cls.__qualname__}"


def function_reference(fn: Callable[..., Any]) -> dict[str, Any]:
    """
    Describe a function by name, with the keywords it was made with.

    >>> from dagflow.triggers import some_failed
    >>> function_reference(some_failed(at_least=2))
    {'fn': 'dagflow.triggers.some_failed', 'kwargs': {'at_least': 2, 'at_most': None}}
    """
    inner = getattr(fn, "func", None)
    if callable(inner) and isinstance(getattr(fn, "keywords", None), Mapping):  # functools.partial
        reference = function_reference(inner)
        return {"fn": reference["fn"], "kwargs": reference["kwargs"] | json_ready(fn.keywords)}  # type: ignore[attr-defined]
    name = getattr(fn, "__qualname__", None)
    if name is not None:
        return {"fn": f"{module_of(fn)}.{name}", "kwargs": {}}
    # An object that is called: one of ours goes by the name of the function that makes it.
    settings = {key: value for key, value in getattr(fn, "__dict__", {}).items() if not key.startswith("_")}
    made_by = getattr(fn, "__name__", None)
    if made_by is not None:
        return {"fn": f"{module_of(type(fn))}.{made_by}", "kwargs": json_ready(settings)}
    return {"fn": type_name(type(fn)), "kwargs": {}}


def json_ready(value: Any) -> Any:
    """
    Return *value* with everything that JSON lacks replaced: dates by ISO text, the rest by what ``str`` says.

    >>> import datetime
    >>> json_ready({1: (datetime.date(2024, 1, 2), {"b", "a"})})
    {'1': ['2024-01-02', ['a', 'b']]}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON has neither NaN nor infinity
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((json_ready(item) for item in value), key=str)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return str(value)


def sendable(text: str) -> str:
    r"""
    Return *text* as UTF-8 can carry it: halves of characters, as in names of files that are no text, are written out.

    >>> sendable("caf\u00e9"), sendable("\udcff.txt")
    ('caf\xe9', '\\udcff.txt')
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def zoned(moment: datetime.datetime | None) -> dict[str, str] | None:
    """
    Write a moment with the name of its time zone, which a plain ISO text would lose.

    >>> import datetime
    >>> zoned(datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC))
    {'dt': '2024-01-02T00:00:00+00:00', 'tz': 'UTC'}
    """
    if moment is None:
        return None
    text = moment.isoformat()
    return {"dt": text if moment.tzinfo else f"{text}+00:00", "tz": _zone_name(moment)}


def _zone_name(moment: datetime.datetime) -> str:
    """Return the name of a moment's zone, its offset when it has none; naive is UTC."""
    zone = moment.tzinfo
    for attribute in ("key", "name", "zone", "_filename"):  # zoneinfo, pendulum, pytz, dateutil
        name = getattr(zone, attribute, None)
        if isinstance(name, str):
            return name.rpartition("zoneinfo/")[2]
    offset = moment.utcoffset()
    return moment.isoformat()[-6:] if offset else "UTC"


def read_zoned(document: Mapping[str, str] | None) -> Any:
    """
    Return the pendulum date that :func:`zoned` wrote; an unknown zone leaves the offset that the text has.

    >>> str(read_zoned({"dt": "2024-06-01T12:00:00+02:00", "tz": "Europe/Paris"}).timezone_name)
    'Europe/Paris'
    """
    if document is None:
        return None
    import pendulum

    moment = pendulum.instance(datetime.datetime.fromisoformat(document["dt"]))
    name = document.get("tz") or "UTC"
    if name[:1] in "+-":
        return moment
    try:
        return moment.in_timezone(name)
    except ValueError as error:
        raise ValueError(f"{name!r} is not a known time zone; expected a name such as 'Europe/Paris'.") from error


def checked(model: type[pydantic.BaseModel], data: Any, what: str) -> Any:
    """
    Return *data* as *model*.

    Raises:
        ValueError: naming each field that is wrong.
    """
    import pydantic

    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'document'}: {fault['msg']}" for fault in error.errors()
        )
        raise ValueError(f"This is not a serialized {what}: {faults}.") from error
