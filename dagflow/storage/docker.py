"""Flows in Docker images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from dagflow._version import __version__
from dagflow.exceptions import FlowStorageError
from dagflow.storage._script import flow_from_module, flow_from_script, looks_like_path, short_slug
from dagflow.storage.base import Storage
from dagflow.utilities.storage import slugify

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["Docker"]

LAST_LINES = 15
"""How much of what Docker said goes into an error."""


class Docker(Storage):
    """
    Build an image that holds flows and what they need; needs the ``docker`` extra, and Docker, when it is built.

    The image gets the dagflow that runs here, unless its base has one. While it is built, each flow is loaded in it
    once. Podman serves as well as Docker, by *base_url* or ``DOCKER_HOST``.

    Args:
        registry_url: where the image is pushed; without it, it stays on this machine.
        base_image: the image to build on, default ``python:<version>-slim``; not together with *dockerfile*.
        dockerfile: a Dockerfile of your own to build on; the working directory is its context.
        dockerignore: a file to use as ``.dockerignore``; not together with *dockerfile*.
        python_dependencies: packages to install.
        image_name: default is made from the flow's name.
        image_tag: default is made from the time.
        env_vars: environment variables in the image.
        files: files to copy, by their absolute paths here, to paths in the image.
        dagflow_version: the version in the image; default the running one. Another one must be in the base image.
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
        ValueError: for a base image together with a Dockerfile, for files by relative paths, and for a
            ``.dockerignore`` together with a Dockerfile, because that of the working directory counts.

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
        if dockerignore and dockerfile:
            raise ValueError(
                "Docker storage takes dockerignore for a context of its own; with dockerfile the context is the "
                "working directory. Put the patterns into .dockerignore there, and leave dockerignore out."
            )
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
            if self.flows and not self.stored_as_script:
                raise ValueError(
                    f"Flow {flow.name!r} cannot be added: Docker storage with a path holds a single flow, and has "
                    f"{', '.join(map(repr, self.flows))} already. Leave out path."
                )
            return self.path
        if self.stored_as_script:
            raise ValueError(f"Flow {flow.name!r} is to be stored as a script; Docker storage needs its path.")
        slug = short_slug(flow.name)
        taken = set(self.flows.values())
        places = (f"{self.dagflow_directory}/flows/{slug}{end}.dagflow" for end in ("", *(f"-{n}" for n in _numbers())))
        return next(place for place in places if place not in taken)

    # --- building --------------------------------------------------------------------------------------------

    def _build(self) -> None:
        from dagflow.storage._image import build_context

        self._name_image()
        client = self._client()
        from docker.errors import DockerException

        try:
            with build_context(self, self._flows) as context:
                for name, data in context.pickles.items():
                    self._note_digest(name, data)
                self._build_image(client, context.path, context.dockerfile)
            if self.registry_url:
                self._push(client)
            else:
                self._warn_that_it_stays()
        except DockerException as error:
            raise FlowStorageError(f"Docker refused to build or push {self.name}: {error}") from error
        finally:
            client.close()

    def _name_image(self) -> None:
        from datetime import UTC, datetime
        from uuid import uuid4

        if not self.image_name:
            self.image_name = short_slug(next(iter(self.flows))) if len(self.flows) == 1 else str(uuid4())
        if not self.image_tag:
            self.image_tag = slugify(datetime.now(UTC).isoformat())

    def _client(self) -> Any:
        try:
            import docker
        except ImportError as error:
            raise ImportError(
                "Docker storage needs the package docker, which is not installed: run pip install '.[docker]' in the "
                "checkout of dagflow."
            ) from error
        given = {"base_url": self.base_url, "tls": self.tls_config} if self.base_url else docker.utils.kwargs_from_env()
        try:
            return docker.APIClient(version="auto", **given)
        except docker.errors.DockerException as error:
            raise FlowStorageError(
                f"Docker cannot be reached at {given.get('base_url') or 'its usual socket'}: {error}. Start it, or "
                "tell where it is by base_url or DOCKER_HOST."
            ) from error

    def _build_image(self, client: Any, path: str, dockerfile: str) -> None:
        settings = {
            "path": path,
            "dockerfile": dockerfile,
            "tag": self.name,
            "pull": not self.local_image,
            "rm": True,
            "forcerm": True,
            **self.build_kwargs,
        }
        self.logger.info("Building the image %s.", self.name)
        said, failed = self._followed(client.build(**settings, decode=True))
        if failed or not client.images(self.name):
            raise ValueError(
                f"There is no image {self.name} after building it. If its health check failed, the flows cannot be "
                "loaded in the image, most often because a module or file is missing there: add python_dependencies "
                "or files, or pass ignore_healthchecks=True. Docker said last:\n" + "\n".join(said)
            )

    def _followed(self, lines: Iterable[Mapping[str, Any]]) -> tuple[list[str], bool]:
        """Log what Docker says while it says it; return the end of it, and whether it tells of an error."""
        said: list[str] = []
        for line in lines:
            # Docker's client lets a refusal through as a line, with its reason as the message.
            wrong = line.get("error") or line.get("message")
            text = str(wrong or line.get("stream") or line.get("status") or "").rstrip()
            # The progress of one layer is told a hundred times.
            if text and not line.get("progressDetail"):
                self.logger.info("%s", text)
                said = [*said[1 - LAST_LINES :], text]
            if wrong:
                return said, True
        return said, False

    def _push(self, client: Any) -> None:
        self.logger.info("Pushing the image %s.", self.name)
        repository = f"{self.registry_url}/{self.image_name}"
        said, failed = self._followed(client.push(repository, tag=self.image_tag, stream=True, decode=True))
        if failed:
            raise FlowStorageError(
                f"The image {self.name} could not be pushed; it is still on this machine. Check registry_url, and log "
                "in there with docker login. Docker said last:\n" + "\n".join(said)
            )
        # It is in the registry; left here, each registration would take its room on the disk.
        client.remove_image(image=self.name, force=True)

    def _warn_that_it_stays(self) -> None:
        import warnings

        warnings.warn(
            f"The image {self.name} was not pushed, because Docker storage has no registry_url; only agents on this "
            "machine can run it.",
            stacklevel=5,
        )

    # --- loading, inside the image ---------------------------------------------------------------------------

    def _load(self, flow_name: str, location: str) -> Flow:
        if self.stored_as_script:
            if os.path.isfile(location):
                return flow_from_script(location, flow_name)
            if not looks_like_path(location):
                return flow_from_module(location, flow_name)
        elif os.path.isfile(location):
            with open(location, "rb") as file:
                return self._open(file.read(), flow_name, location)
        raise FlowStorageError(
            f"Flow {flow_name!r}: file not found at {location}. It is in the image {self.image_name}:{self.image_tag}; "
            "run it there, with the DockerRun or KubernetesRun run config."
        )

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], secrets: Iterable[str] = ()) -> Self:
        """Make a storage from its serialized settings."""
        known = {name: fields[name] for name in cls._fields if name in fields and name != "version"}
        return cls(**known, dagflow_version=fields.get("version"), secrets=secrets)


def _numbers() -> range:
    """Numbers to tell flows apart whose names have the same slug."""
    return range(2, 1_000_000)
