"""
Where the code of flows is kept, so that an agent elsewhere can load it.

Each place is one module, imported on first use; making a storage reaches no network and needs no extra.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "GCS",
    "S3",
    "Azure",
    "Bitbucket",
    "CodeCommit",
    "Docker",
    "Git",
    "GitHub",
    "GitLab",
    "Local",
    "Module",
    "Storage",
    "Webhook",
    "get_default_storage_class",
]

_HOMES = {name: name.lower() for name in __all__ if name[0].isupper()} | {"Storage": "base"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    kind = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = kind
    return kind


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def get_default_storage_class() -> Any:
    """
    Return the class that ``flows.defaults.storage.default_class`` names; ``Local`` with a warning when it has none.

    >>> get_default_storage_class().__name__
    'Local'
    """
    from dagflow.configuration import config
    from dagflow.utilities.importtools import import_object

    chosen = config.flows.defaults.storage.default_class
    if not isinstance(chosen, str):
        return chosen
    try:
        return import_object(chosen)
    except (ImportError, AttributeError) as error:
        import warnings

        from dagflow.storage.local import Local

        warnings.warn(
            f"flows.defaults.storage.default_class is {chosen!r}, which cannot be imported ({error}); using Local.",
            stacklevel=2,
        )
        return Local
