"""How commands reach the server, and find in it what people name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.cli.talk import NotFound
from dagflow.exceptions import near_match

if TYPE_CHECKING:
    from dagflow.client.client import Client

__all__ = ["connected", "flow_named", "flow_run_of", "is_id", "project_of"]

RETRIES = 2
"""A person waits: a server that is away is told of soon."""


def connected() -> Client:
    """Return a client for the configured server."""
    from dagflow.client.client import Client

    return Client(_retries=RETRIES)


def is_id(text: str) -> bool:
    """
    Tell whether *text* can be the id of something.

    >>> is_id("c0ffee00-0000-4000-8000-000000000001"), is_id("nightly")
    (True, False)
    """
    import uuid

    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def project_of(client: Client, name: str) -> dict[str, Any]:
    """
    Return the project called *name*.

    Raises:
        NotFound: naming the near match, and how to make one.
    """
    known = list(client._items("projects"))
    for project in known:
        if project["name"] == name:
            return project
    near = near_match(name, [project["name"] for project in known])
    raise NotFound(f"Project {name!r} does not exist.{near} Make it with `dagflow create project {name!r}`.")


def flow_named(
    client: Client, name: str, version: int | None = None, project: str | None = None
) -> dict[str, Any]:
    """
    Return a flow by its name, its newest version unless *version* is given.

    Raises:
        NotFound: when there is none.
    """
    params: dict[str, Any] = {"name": name, "project_name": project}
    params |= {"latest": True} if version is None else {"version": version}
    for flow in client._items("flows", params, limit=1):
        answer: dict[str, Any] = client.get(f"flows/{flow['id']}")
        return answer
    where = f" in project {project!r}" if project else ""
    which = "" if version is None else f" version {version}"
    known = [flow["name"] for flow in client._items("flows", {"latest": True, "project_name": project}, limit=200)]
    raise NotFound(f"There is no flow {name!r}{which}{where}.{near_match(name, known)}")


def flow_run_of(client: Client, name_or_id: str, **more: Any) -> Mapping[str, Any]:
    """
    Return a flow run by its id, or the newest one of a name.

    Raises:
        NotFound: when there is none.
    """
    from dagflow.exceptions import ObjectNotFoundError

    if is_id(name_or_id):
        try:
            answer: dict[str, Any] = client.get(f"flow_runs/{name_or_id}")
        except ObjectNotFoundError:
            raise NotFound(f"There is no flow run {name_or_id}. List them with `dagflow get flow-runs`.") from None
        return answer
    for run in client._items("flow_runs", {"name": name_or_id, **more}, limit=1):
        return run
    raise NotFound(f"There is no flow run {name_or_id!r}. List them with `dagflow get flow-runs`.")
