"""
Parameters with types: values are compared with the hint before a run, and converted where nothing is lost.

Text becomes a number, a date or a member of an enumeration; 5.7 never becomes 5. What a hint cannot say in a JSON
schema (a data frame, a class of one's own) is compared here and left open there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.core.blame import user_location
from dagflow.exceptions import ParameterError

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.core.parameter import Parameter

__all__ = ["adapter_for", "converted_parameters", "converted_values", "is_typed", "json_default", "schema_of"]


def is_typed(parameter: Parameter) -> bool:
    """Tell whether anything is known about the values of *parameter*."""
    return parameter.hint is not None or parameter.choices is not None


def converted_parameters(flow: Flow, values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the values of the typed parameters of *flow*, converted; nothing for a flow that wants no check.

    Raises:
        ParameterError: for values that do not fit.
    """
    typed = flow._once("typed", lambda: [one for one in flow.parameters() if is_typed(one)])
    return converted_values(flow.name, typed, values) if typed and flow.validate_parameters else {}


def converted_values(
    flow_name: str, parameters: Iterable[Parameter], values: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Return the values of typed parameters, converted; the others are left out.

    Raises:
        ParameterError: with one line for each value, or part of one, that does not fit.
    """
    found: dict[str, Any] = {}
    problems: list[str] = []
    for parameter in sorted(parameters, key=lambda one: one.name):
        if parameter.name in values and is_typed(parameter):
            found[parameter.name], wrong = _converted(parameter, values[parameter.name])
            problems += wrong
    if problems:
        lines = "\n".join(f"  {one}" for one in problems)
        raise ParameterError(
            f"Flow {flow_name!r} cannot run with these parameters{user_location()}:\n{lines}\n"
            "Give values that fit, or switch this off with validate_parameters=False."
        )
    return found


def _converted(parameter: Parameter, value: Any) -> tuple[Any, list[str]]:
    """Return *value* converted, and what is wrong with it."""
    name, given = parameter.name, value
    adapter = None if parameter.hint is None else adapter_for(parameter.hint)
    if adapter is not None and not _is_left_alone(parameter, value):
        from pydantic import ValidationError

        try:
            value = adapter.validate_python(value)
        except ValidationError as error:
            return value, [_line(name, one, given) for one in error.errors(include_url=False)]
        if _loses(given, value):
            return given, [f"{name}: {given!r} would be changed to {value!r}; expected {_shown(parameter.hint)}"]
    if parameter.choices is not None and value not in parameter.choices:
        allowed = ", ".join(map(repr, parameter.choices))
        return value, [f"{name}: expected one of {allowed}, found {given!r}"]
    return value, []


def _is_left_alone(parameter: Parameter, value: Any) -> bool:
    """Tell whether a value passes as it is: ``None`` where that is the default, however the hint reads."""
    return value is None and not parameter.required and parameter.default is None


def _loses(given: Any, made: Any) -> bool:
    """Tell whether a conversion changed what the value means: truth is no number, and a moment no plain number."""
    kinds = (bool, int, float)
    if isinstance(given, list | tuple) and isinstance(made, list | tuple):
        return any(map(_loses, given, made))
    if isinstance(given, Mapping) and isinstance(made, Mapping):
        return any(_loses(one, made[name]) for name, one in given.items() if name in made)
    if isinstance(given, bool) or isinstance(made, bool):
        return type(given) in (int, float, bool) and type(made) in kinds and type(given) is not type(made)
    return isinstance(given, int | float) and not isinstance(made, int | float | complex) and _is_moment(made)


def _is_moment(value: Any) -> bool:
    import datetime

    return isinstance(value, datetime.date | datetime.time)


def _line(name: str, error: Mapping[str, Any], given: Any) -> str:
    place = ".".join([name, *(str(one) for one in error["loc"])])
    found = error.get("input", given)
    message = str(error["msg"])
    return f"{place}: {message[:1].lower()}{message[1:]}, found {found!r}"


def _shown(hint: Any) -> str:
    return getattr(hint, "__name__", None) or str(hint)


def adapter_for(hint: Any) -> Any:
    """Return what converts to *hint*, ``None`` for a hint that cannot be checked."""
    try:
        return _adapter(hint)
    except TypeError:  # a hint that cannot be hashed
        return _made(hint)


@functools.lru_cache(maxsize=1024)
def _adapter(hint: Any) -> Any:
    return _made(hint)


def _made(hint: Any) -> Any:
    import warnings

    from pydantic import ConfigDict, TypeAdapter
    from pydantic.errors import PydanticUserError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for config in (None, ConfigDict(arbitrary_types_allowed=True)):
            try:
                return TypeAdapter(hint, config=config)
            except (PydanticUserError, NameError, TypeError):
                continue
    return None


# --- documents -----------------------------------------------------------------------------------------------


def schema_of(parameter: Parameter) -> dict[str, Any] | None:
    """Return the JSON schema of the values of *parameter*, ``None`` when nothing is known of them."""
    known = parameter.__dict__.get("_schema")
    if known is not None:
        return dict(known)
    schema = _schema(parameter.hint) if parameter.hint is not None else {}
    if parameter.choices is not None:
        schema["enum"] = [_plain(one) for one in parameter.choices]
    if schema and not parameter.required and parameter.default is None and not _allows_null(schema):
        # As the check does: a default of None is a value, however the hint reads.
        schema = {"anyOf": [schema, {"type": "null"}]}
        if "$defs" in schema["anyOf"][0]:
            schema["$defs"] = schema["anyOf"][0].pop("$defs")
    if parameter.description:
        schema["description"] = parameter.description
    return schema or None


def _schema(hint: Any) -> dict[str, Any]:
    adapter = adapter_for(hint)
    if adapter is None:
        return {}
    from pydantic.errors import PydanticUserError

    try:
        return dict(adapter.json_schema())
    except (PydanticUserError, ValueError, TypeError):  # a type that has no JSON form
        return {}


def _allows_null(schema: Mapping[str, Any]) -> bool:
    options = schema.get("anyOf", ())
    return schema.get("type") == "null" or any(one.get("type") == "null" for one in options)


def json_default(parameter: Parameter) -> Any:
    """Return the default of *parameter* as JSON-ready data, where its type says how; else as it is."""
    value = parameter.default
    if value is None or not is_typed(parameter):
        return value
    return _plain(value)


def _plain(value: Any) -> Any:
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return to_jsonable_python(value)
    except PydanticSerializationError:
        return value
