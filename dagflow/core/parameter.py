"""Parameters: values a flow is given when it runs."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagflow.core.blame import user_location
from dagflow.core.task import NoDefault, Task
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
    """

    def __init__(
        self,
        name: str,
        default: Any = NoDefault,
        required: bool | None = None,
        tags: Iterable[str] | None = None,
    ) -> None:
        from dagflow.engine.results.prefect import PrefectResult

        if not name or not isinstance(name, str):
            raise (TypeError if name else ValueError)(
                f"A parameter needs a name, found {name!r}{user_location()}. Write Parameter('day')."
            )
        self.required = default is NoDefault if required is None else required
        self.default = None if default is NoDefault else default
        super().__init__(name=name, slug=name, tags=tags, result=PrefectResult(), checkpoint=True)

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
