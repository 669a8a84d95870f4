"""The signature a task shows to ``inspect`` and to editors."""

from __future__ import annotations

import inspect

from dagflow.core.binding import RESERVED

__all__ = ["calling_signature", "constructor_signature"]


def constructor_signature(kind: type) -> inspect.Signature:
    """Return the parameters of a class's ``__init__``; inspect itself would stop at ``__new__``, which takes all."""
    own = inspect.signature(kind.__init__)  # type: ignore[misc]
    return own.replace(parameters=list(own.parameters.values())[1:], return_annotation=own.empty)


def calling_signature(run: inspect.Signature) -> inspect.Signature:
    """Return the parameters of ``run`` plus the keyword-only ones that a call takes for itself."""
    parameters = list(run.parameters.values())
    catch_all = [parameters.pop()] if parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD else []
    defaults = {"mapped": False}
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name)) for name in sorted(RESERVED)
    ]
    return inspect.Signature([*parameters, *own, *catch_all], return_annotation="Task")
