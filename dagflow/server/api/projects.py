"""Projects."""

from __future__ import annotations

from pydantic import Field

from dagflow.server.api.answers import Answer, Body, Here, Paged, given, router
from dagflow.server.store import projects as store

projects = router("/projects", "projects")


class NewProject(Body):
    """A project to be made."""

    name: str = Field(min_length=1, max_length=500)
    description: str | None = None


class ProjectChanges(Body):
    """What is to change on a project."""

    name: str = Field(default="", max_length=500)
    description: str | None = None


@projects.post("")
async def create(body: NewProject, here: Here) -> Answer:
    """Make a project, or return the one of that name."""
    return Answer(await here.write(lambda tx: store.create_project(tx, body.name, body.description)))


@projects.get("")
async def list_all(here: Here, page: Paged, name: str | None = None) -> Answer:
    """Return projects."""
    return Answer(await here.read(lambda connection: store.list_projects(connection, page, name)))


@projects.get("/{id}")
async def get_one(id: str, here: Here) -> Answer:
    """Return a project."""
    return Answer(await here.read(lambda connection: store.get_project(connection, id)))


@projects.patch("/{id}")
async def change(id: str, body: ProjectChanges, here: Here) -> Answer:
    """Change a project."""
    await here.write(lambda tx: store.change_project(tx, id, given(body)))
    return Answer({"id": id})


@projects.delete("/{id}")
async def delete(id: str, here: Here) -> Answer:
    """Delete a project with its flows and all their runs."""
    await here.write(lambda tx: store.delete_project(tx, id))
    return Answer({"deleted": True})
