"""What all run configs have, and how their job templates are read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from typing import Self

__all__ = ["RunConfig", "read_template", "template_of"]

REMOTE_SCHEMES = ("s3", "gcs", "gs", "http", "https", "agent", "az", "abfs")
"""Templates there are read by the agent when the run is deployed."""


class RunConfig:
    """
    How a flow run is to be started.

    Args:
        env: environment variables for the run.
        labels: an agent takes the run only if it has all of these.
    """

    _fields: ClassVar[tuple[str, ...]] = ("env",)

    def __init__(self, env: Mapping[str, str] | None = None, labels: Iterable[str] | None = None) -> None:
        if isinstance(labels, str):
            raise TypeError(f"labels must be a collection of strings, found the string {labels!r}; use [{labels!r}].")
        if env is not None and not isinstance(env, Mapping):
            raise TypeError(f"env must be a dict of environment variables, found {type(env).__name__}.")
        self.env: dict[str, str] | None = None if env is None else dict(env)
        self.labels: set[str] = set(labels or ())

    def serialize(self) -> dict[str, Any]:
        """Return the run config as JSON-ready data; labels are sorted, so that equal configs are written equally."""
        from dagflow._version import __version__

        fields = {name: getattr(self, name) for name in self._fields}
        return {"type": type(self).__name__, "labels": sorted(self.labels), **fields, "__version__": __version__}

    @classmethod
    def from_fields(cls, data: Mapping[str, Any]) -> Self:
        """Make a run config from its serialized fields; what later versions may add is passed over."""
        known = {name: data[name] for name in (*cls._fields, "labels") if data.get(name) is not None}
        return cls(**known)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, RunConfig) and self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash((type(self), frozenset(self.labels)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def scheme_of(path: str) -> str:
    """
    Return the scheme of *path*, ``"file"`` for a local one.

    >>> scheme_of("s3://bucket/job.yaml"), scheme_of("job.yaml")
    ('s3', 'file')
    """
    scheme, separator, _ = path.partition("://")
    return scheme.lower() if separator else "file"


def read_template(path: str | os.PathLike[str], what: str) -> dict[str, Any] | None:
    """
    Read a local YAML file now; return ``None`` for a remote one, which the agent reads.

    Raises:
        FileNotFoundError: when the local file does not exist.
        ValueError: for an unknown scheme, or when the file holds something else than a mapping.
    """
    path = os.fspath(path)
    scheme = scheme_of(path)
    if scheme in REMOTE_SCHEMES:
        return None
    if scheme != "file":
        raise ValueError(f"{what} has the unknown scheme {scheme!r}; expected a local path or {REMOTE_SCHEMES}.")
    local = path.removeprefix("file://")
    if not os.path.isfile(local):
        raise FileNotFoundError(f"{what} names the local file {local!r}, which does not exist; it is read right away.")
    with open(local, encoding="utf-8") as file:
        return template_of(file.read(), what)


def template_of(template: str | Mapping[str, Any], what: str) -> dict[str, Any]:
    """
    Return a template given as a mapping or as YAML text.

    Raises:
        ValueError: when it is not a mapping.

    >>> template_of("kind: Job", "job_template")
    {'kind': 'Job'}
    """
    if isinstance(template, str):
        template = _parsed(template, what)
    if not isinstance(template, Mapping):
        raise ValueError(f"{what} must be a mapping, found {type(template).__name__}.")
    return dict(template)


def _parsed(text: str, what: str) -> Any:
    try:
        import yaml  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError(f"Reading {what} as YAML needs PyYAML; install it or pass a dict.") from error

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{what} is not valid YAML: {error}") from error
