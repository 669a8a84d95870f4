"""Decisions about containers: their images, names, volumes, and how they reach the server."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from dagflow.agent.claimed import ClaimedRun
from dagflow.configuration import config

__all__ = ["Volumes", "container_name", "image_of", "reachable_api", "volumes_of"]

LONGEST_NAME = 250
INSIDE = "host.docker.internal"
"""What this machine is called in a container."""


@dataclasses.dataclass(frozen=True)
class Volumes:
    """What is mounted: names to create, places in the container, and what is bound where."""

    named: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    binds: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)


def volumes_of(specifications: Iterable[str]) -> Volumes:
    """
    Read volumes, each ``host:container[:mode]``.

    Raises:
        ValueError: for a shape or a mode that does not exist, and for a named volume that is not ``rw``.

    >>> volumes_of(["/data:/in:ro", "/same", "cache:/cache"]).binds["/data"]
    {'bind': '/in', 'mode': 'ro'}
    """
    named, binds = [], {}
    for text in specifications:
        host, place, mode = _parts(text)
        if _is_name(host):
            if mode != "rw":
                raise ValueError(f"The named volume {host!r} can only be mounted `rw`, found {mode!r} in {text!r}.")
            named.append(host)
        else:
            host = os.path.abspath(os.path.expanduser(host))
        binds[host] = {"bind": place, "mode": mode}
    return Volumes(tuple(named), tuple(bind["bind"] for bind in binds.values()), binds)


def _parts(text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise ValueError(f"A volume is HOST, HOST:CONTAINER or HOST:CONTAINER:MODE, found {text!r}.")
    host = parts[0]
    if len(parts) == 1 and _is_name(host):
        raise ValueError(f"The named volume {host!r} needs a place in the container, as in {host}:/data.")
    place = parts[1] if len(parts) > 1 else os.path.abspath(os.path.expanduser(host))
    mode = parts[2] if len(parts) > 2 else "rw"
    if mode not in ("rw", "ro"):
        raise ValueError(f"A volume is mounted `rw` or `ro`, found {mode!r} in {text!r}.")
    return host, place, mode


def _is_name(host: str) -> bool:
    return not host.startswith((".", "/", "~"))


def container_name(run_name: str, run_id: str) -> str:
    """
    Return a name that a container may have; the run's id when nothing is left of its name.

    >>> container_name("Brave Otter #2", "id-1"), container_name("???", "id-1"), container_name("_.x", "id-1")
    ('brave-otter-2', 'id-1', 'x')
    """
    slug = re.sub(r"[^a-z0-9_.-]+", "-", run_name.lower()).strip("-")[:LONGEST_NAME].lstrip("_-.")
    return slug or run_id


def image_of(run: ClaimedRun, image: str | None, otherwise: str | None = None) -> str:
    """
    Return the image for a run: that of its storage, else that of its run config, else those of the agent.

    Raises:
        ValueError: when there is none.
    """
    storage = run.storage
    if storage.get("type") == "Docker":
        name = f"{storage.get('image_name')}:{storage.get('image_tag')}"
        registry = storage.get("registry_url")
        return f"{str(registry).rstrip('/')}/{name}" if registry else name
    found = image or otherwise or str(config.cloud.agent.default_image or "")
    if not found:
        raise ValueError(
            f"There is no image for {run}. Name one in the run config, keep the flow in Docker storage, or set "
            "cloud.agent.default_image for this agent."
        )
    return found


def reachable_api(address: str) -> str:
    """
    Return the address of the server as a container sees it.

    >>> reachable_api("http://127.0.0.1:4200"), reachable_api("https://dag.example/api")
    ('http://host.docker.internal:4200', 'https://dag.example/api')
    """
    parts = urlsplit(address)
    if parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        return address
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{INSIDE}{port}").geturl()
