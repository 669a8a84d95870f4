"""Flows in Docker images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from dagflow._version import __version__
from dagflow.storage._later import not_yet
from dagflow.storage.base import Storage
from dagflow.utilities.storage import slugify

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["Docker"]


class Docker(Storage):
    """
    Describe an image that holds flows and what they need.

    Args:
        registry_url: where the image is pushed; without it, it stays on this machine.
        base_image: the image to build on; not together with *dockerfile*.
        dockerfile: a Dockerfile of your own to build on.
        dockerignore: a file to use as ``.dockerignore``.
        python_dependencies: packages to install.
        image_name: default is made from the flow's name.
        image_tag: default is made from the time.
        env_vars: environment variables in the image.
        files: files to copy, by their absolute paths here, to paths in the image.
        dagflow_version: the version to install; default the running one.
        local_image: the base image is on this machine and is not pulled.
        ignore_healthchecks: build without checking the flows in the image.
        base_url: the Docker server.
        tls_config: how to reach it safely.
        build_kwargs: further arguments of Docker's *build*.
        dagflow_directory: where flows and checks are kept in the image.
        path: where a single flow is kept in the image.
        stored_as_script: *path* is a script in the image.
        extra_dockerfile_commands: lines to end the Dockerfile with.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    Raises:
        ValueError: for a base image together with a Dockerfile, and for files by relative paths.

    >>> Docker("registry.example", image_name="flows", image_tag="1").name
    'registry.example/flows:1'
    """

    _fields = ("registry_url", "image_name", "image_tag", "path", "stored_as_script", "version")

    def __init__(
        self,
        registry_url: str | None = None,
        base_image: str | None = None,
        dockerfile: str | None = None,
        dockerignore: str | None = None,
        python_dependencies: Iterable[str] | None = None,
        image_name: str | None = None,
        image_tag: str | None = None,
        env_vars: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        dagflow_version: str | None = None,
        local_image: bool = False,
        ignore_healthchecks: bool = False,
        base_url: str | None = None,
        tls_config: Any = False,
        build_kwargs: Mapping[str, Any] | None = None,
        dagflow_directory: str = "/opt/dagflow",
        path: str | None = None,
        stored_as_script: bool = False,
        extra_dockerfile_commands: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        if base_image and dockerfile:
            raise ValueError("Docker storage takes base_image or dockerfile to build on; found both, leave one out.")
        relative = [source for source in files or () if not os.path.isabs(source)]
        if relative:
            raise ValueError(f"Docker storage takes files by absolute paths; found {', '.join(map(repr, relative))}.")
        super().__init__(stored_as_script=stored_as_script, **kwargs)
        self.registry_url = registry_url
        self.base_image = base_image
        self.dockerfile = dockerfile
        self.dockerignore = dockerignore
        self.python_dependencies = list(python_dependencies or ())
        self.image_name = image_name
        self.image_tag = image_tag
        self.env_vars = dict(env_vars or {})
        self.files = dict(files or {})
        self.dagflow_version = dagflow_version or __version__
        self.local_image = local_image
        self.ignore_healthchecks = ignore_healthchecks
        self.base_url = base_url
        self.tls_config = tls_config
        self.build_kwargs = dict(build_kwargs or {})
        self.dagflow_directory = dagflow_directory
        self.path = path
        self.extra_dockerfile_commands = list(extra_dockerfile_commands or ())

    @property
    def version(self) -> str:
        """The version of dagflow in the image."""
        return self.dagflow_version

    @property
    def name(self) -> str:
        """
        The full name of the image.

        Raises:
            ValueError: before image name and tag are known.
        """
        if not self.image_name or not self.image_tag:
            raise ValueError(
                f"Docker storage has image_name={self.image_name!r} and image_tag={self.image_tag!r}; both are needed "
                "for the image's name. They are made when the storage is built, or give them."
            )
        prefix = f"{self.registry_url}/" if self.registry_url else ""
        return f"{prefix}{self.image_name}:{self.image_tag}"

    def _put(self, flow: Flow) -> str:
        if self.path:
            return self.path
        if self.stored_as_script:
            raise ValueError(f"Flow {flow.name!r} is to be stored as a script; Docker storage needs its path.")
        return f"{self.dagflow_directory}/flows/{slugify(flow.name)}.dagflow"

    def _build(self) -> None:
        raise not_yet("Docker", "Building an image")

    def _load(self, flow_name: str, location: str) -> Flow:
        raise not_yet("Docker", f"Loading flow {flow_name!r}")

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], secrets: Iterable[str] = ()) -> Self:
        """Make a storage from its serialized settings."""
        known = {name: fields[name] for name in cls._fields if name in fields and name != "version"}
        return cls(**known, dagflow_version=fields.get("version"), secrets=secrets)
