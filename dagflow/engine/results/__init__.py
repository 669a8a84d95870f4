"""
The kinds of results: where the values of tasks can be kept.

Each kind is one module; those for object stores import their client library at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagflow.engine.results.azure import AzureResult as AzureResult
    from dagflow.engine.results.constant import ConstantResult as ConstantResult
    from dagflow.engine.results.gcs import GCSResult as GCSResult
    from dagflow.engine.results.local import LocalResult as LocalResult
    from dagflow.engine.results.prefect import PrefectResult as PrefectResult
    from dagflow.engine.results.s3 import S3Result as S3Result
    from dagflow.engine.results.secret import SecretResult as SecretResult

__all__ = [
    "AzureResult",
    "ConstantResult",
    "GCSResult",
    "LocalResult",
    "PrefectResult",
    "S3Result",
    "SecretResult",
]

_MODULES = {
    "AzureResult": "azure",
    "ConstantResult": "constant",
    "GCSResult": "gcs",
    "LocalResult": "local",
    "PrefectResult": "prefect",
    "S3Result": "s3",
    "SecretResult": "secret",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    kind = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = kind
    return kind


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
