"""Text with places to fill."""

from __future__ import annotations

from typing import Any

from dagflow.core.task import Task
from dagflow.utilities.context import context
from dagflow.utilities.tasks import defaults_from_attrs

__all__ = ["StringFormatter"]


class StringFormatter(Task):
    """
    Fill a template with what the run's context holds and the arguments of the call, which win.

    >>> StringFormatter(template="{greeting}, {name}").run(greeting="Hello", name="Ada")
    'Hello, Ada'
    """

    def __init__(self, template: str | None = None, **kwargs: Any) -> None:
        self.template = template
        super().__init__(**kwargs)

    @defaults_from_attrs("template")
    def run(self, template: str | None = None, **kwargs: Any) -> str:
        """Return the filled template; a place that nothing fills raises `KeyError`."""
        if template is None:
            raise ValueError(f"{self.name} has no template: give StringFormatter(template=...) or run(template=...).")
        return template.format(**{**context.to_dict(), **kwargs})
