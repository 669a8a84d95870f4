"""Parameters: values a flow is given when it runs."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagflow.core.blame import user_location
from dagflow.core.options import checked_text
from dagflow.core.task import NoDefault, Task
from dagflow.exceptions import ParameterError
from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["DateTimeParameter", "Parameter"]


class Parameter(Task):
    """
    A named input of a flow.

    Args:
        name: also its slug; unique in the flow.
        default: the value when none is given; ``None`` counts as a default.
        required: insist on a value; default is to do so when there is no default.
        tags: words to find the parameter by.
        type: a type hint; values are compared with it before a run, and converted where nothing is lost.
        choices: the values that are allowed.
        description: what the parameter is for.

    Raises:
        ParameterError: for a default that is none of the choices.
    """

    hint: Any = None
    choices: tuple[Any, ...] | None = None

    def __init__(
        self,
        name: str,
        default: Any = NoDefault,
        required: bool | None = None,
        tags: Iterable[str] | None = None,
        *,
        type: Any = None,
        choices: Iterable[Any] | None = None,
        description: str | None = None,
    ) -> None:
        from dagflow.engine.results.prefect import PrefectResult

        if not name or not isinstance(name, str):
            raise (TypeError if name else ValueError)(
                f"A parameter needs a name, found {name!r}{user_location()}. Write Parameter('day')."
            )
        if type is not None:
            self.hint = type
        if choices is not None:
            self.choices = _checked_choices(choices, default, name)
        self.required = default is NoDefault if required is None else required
        self.default = None if default is NoDefault else default
        super().__init__(name=name, slug=name, tags=tags, result=PrefectResult(), checkpoint=True)
        if description is not None:
            self.description = checked_text(description, f"Parameter {name!r}: description")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("name", "slug") and name in self.__dict__ and value != self.__dict__[name]:
            raise AttributeError(
                f"The {name} of Parameter {self.name!r} cannot be changed{user_location()}: values are given by it. "
                f"Make a new one: Parameter({value!r})."
            )
        super().__setattr__(name, value)

    def __call__(self, flow: Flow | None = None) -> Parameter:  # type: ignore[override]
        """Add the parameter itself to the flow and return it."""
        flow = flow or self._current_flow("call")
        flow.add_task(self)
        return self

    def copy(self, name: str, **task_args: Any) -> Parameter:  # type: ignore[override]
        """Return a copy called *name*."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        tags = self.tags | set(context.get("tags") or ())
        new.__dict__.update(name=name, slug=name, tags=tags, state_handlers=list(self.state_handlers))
        new._change(task_args)
        flow = context.get("flow")
        if flow is not None:
            flow._note_made(new)
        return new

    def run(self) -> Any:
        """
        Return the value given for this run, else the default.

        Raises:
            FAIL: when a required value was not given.
        """
        given = context.get("parameters") or {}
        if self.required and self.name not in given:
            from dagflow.engine.signals import FAIL

            raise FAIL(f"Parameter {self.name!r} is required but was not provided.")
        return given.get(self.name, self.default)

    def __repr__(self) -> str:
        return f"<Parameter: {self.name}>"


def _checked_choices(choices: Any, default: Any, name: str) -> tuple[Any, ...]:
    if isinstance(choices, str) or not isinstance(choices, Iterable):
        raise TypeError(
            f"Parameter {name!r}: choices must be a list of values, found {choices!r}{user_location()}."
        )
    found = tuple(choices)
    if default is not NoDefault and default is not None and default not in found:
        raise ParameterError(
            f"Parameter {name!r}: its default {default!r} is none of its choices {list(found)!r}{user_location()}."
        )
    return found


class DateTimeParameter(Parameter):
    """
    A parameter that becomes a pendulum date: strings are parsed, naive datetimes are UTC, ``None`` passes.

    Args:
        name: also its slug.
        required: insist on a value; otherwise the default is ``None``.
        tags: words to find the parameter by.
    """

    def __init__(self, name: str, required: bool = True, tags: Iterable[str] | None = None) -> None:
        super().__init__(name=name, default=NoDefault if required else None, required=required, tags=tags)

    def run(self) -> Any:
        """
        Return the value as a pendulum date.

        Raises:
            TypeError: for a value that is neither a string nor a datetime.
        """
        import pendulum

        value = super().run()
        if value is None:
            return None
        if isinstance(value, datetime.datetime):
            return pendulum.instance(value, tz=value.tzinfo or "UTC")
        if isinstance(value, str):
            found = pendulum.parse(value)
            if isinstance(found, pendulum.DateTime):
                return found
        raise TypeError(
            f"Parameter {self.name!r} takes a date as text or datetime, found {value!r} of type {type(value).__name__}."
        )
