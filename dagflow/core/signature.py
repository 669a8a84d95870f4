"""The signature a task shows to ``inspect`` and to editors."""

from __future__ import annotations

import inspect

from dagflow.core.binding import RESERVED

__all__ = ["calling_signature"]


def calling_signature(run: inspect.Signature) -> inspect.Signature:
    """Return the parameters of ``run`` plus the keyword-only ones that a call takes for itself."""
    parameters = list(run.parameters.values())
    catch_all = [parameters.pop()] if parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD else []
    defaults = {"mapped": False}
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name)) for name in sorted(RESERVED)
    ]
    return inspect.Signature([*parameters, *own, *catch_all], return_annotation="Task")
