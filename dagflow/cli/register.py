"""``dagflow register``: register the flows of scripts, modules and files with a server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dagflow.cli.collect import Source, collect, expand_paths, prepared, select_names
from dagflow.cli.connection import connected, project_of
from dagflow.cli.talk import Failure, say
from dagflow.engine.clock import Clock
from dagflow.engine.summary import printable
from dagflow.exceptions import AuthorizationError, PrefectException, ServerUnreachableError

if TYPE_CHECKING:
    from dagflow.client.client import Client

__all__ = ["register", "watch_files"]

POLL_SECONDS = 0.5


@click.command()
@click.option("--project", required=True, help="The project that the flows belong to.")
@click.option("--path", "-p", "paths", multiple=True, help="A script, a folder of scripts, or a pattern; repeat it.")
@click.option("--module", "-m", "modules", multiple=True, help="A module, or MODULE.VARIABLE; repeat it.")
@click.option("--json", "-j", "files", multiple=True, help="A file that `dagflow build` wrote, or its URL; repeat it.")
@click.option("--name", "-n", "names", multiple=True, help="Only the flow of this name; repeat it.")
@click.option("--label", "-l", "labels", multiple=True, help="A label to add; repeat it.")
@click.option("--force", "-f", is_flag=True, help="Make a new version even if nothing has changed.")
@click.option("--watch", is_flag=True, help="Go on, and register anew what changes.")
@click.option("--schedule/--no-schedule", default=None, help="Follow schedules, or do not; default leaves it as it is.")
@click.option("--create-project", is_flag=True, help="Make the project if there is none of this name.")
def register(
    project: str,
    paths: tuple[str, ...],
    modules: tuple[str, ...],
    files: tuple[str, ...],
    names: tuple[str, ...],
    labels: tuple[str, ...],
    force: bool,
    watch: bool,
    schedule: bool | None,
    create_project: bool,
) -> None:
    """
    Register flows; those whose metadata have not changed are skipped.

    \b
    Examples:
      dagflow register --project night -p flows/
      dagflow register --project night -m company.flows -n etl
    """
    if not (paths or modules or files):
        raise click.UsageError("Say what to register: --path, --module or --json.")
    if watch:
        if any("://" in file for file in files):
            raise click.UsageError("--watch cannot watch a file that is elsewhere; leave out the URL or --watch.")
        watch_files(list(paths), _again(project, modules, files, names, labels, force, schedule, create_project))
        return
    with connected() as client:
        if create_project:
            client.create_project(project)
        work = _Registration(client, project_of(client, project)["id"], labels, force, schedule)
        say("Collecting flows...")
        collected = collect(expand_paths(paths), modules, files)
        select_names(collected, names)
        for source in collected.sources:
            work.process(source)
    work.errored += collected.errors
    counts = f"{work.registered} registered, {work.skipped} skipped, {work.errored} errored"
    say(f"==================== {counts} ====================", style="red" if work.errored else "green")
    if work.errored:
        click.get_current_context().exit(Failure.exit_code)


@dataclass
class _Registration:
    """How flows are registered, and what became of them so far."""

    client: Client
    project_id: str
    labels: Iterable[str]
    force: bool
    schedule: bool | None
    registered: int = 0
    skipped: int = 0
    errored: int = 0

    def process(self, source: Source) -> None:
        """Register the flows of a source."""
        say(f"Processing {printable(source.name)!r}:")
        for name, document, digest in prepared(source, self.labels):
            if document is None:
                self.errored += 1
                continue
            self._register(name, document, digest)

    def _register(self, name: str, document: dict[str, Any], digest: str) -> None:
        say(f"  Registering {printable(name)!r}...", newline=False)
        try:
            answer = self._sent(document, digest)
        except (ServerUnreachableError, AuthorizationError):
            say(" Error", style="red")
            raise
        except (PrefectException, ValueError) as error:
            say(" Error", style="red")
            say(f"    {printable(error)}")
            self.errored += 1
            return
        if not answer["created"]:
            say(" Skipped (metadata unchanged)", style="yellow")
            self.skipped += 1
            return
        say(" Done", style="green")
        self.registered += 1
        click.echo(f"  └── ID: {answer['id']}\n  └── Version: {answer['version']}")
        if answer.get("changed") and answer["version"] > 1:
            say(f"  └── Changed: {', '.join(answer['changed'])}")
        if answer.get("schedule_problem"):
            say(f"  └── It will not be scheduled: {printable(answer['schedule_problem'])}", style="yellow")

    def _sent(self, document: dict[str, Any], digest: str) -> Any:
        from dagflow.client.flows import check_document, check_schedule
        from dagflow.serialization.flow import deserialize_flow

        check_document(document, document["name"])
        if document.get("schedule"):
            check_schedule(deserialize_flow(document))
        return self.client.post(
            "flows/register",
            {
                "flow": document,
                "project_id": self.project_id,
                "set_schedule_active": self.schedule,
                "idempotency_key": None if self.force else digest,
                "serialized_hash": digest,
            },
        )


# --- watching ------------------------------------------------------------------------------------------------


def _again(
    project: str,
    modules: Iterable[str],
    files: Iterable[str],
    names: Iterable[str],
    labels: Iterable[str],
    force: bool,
    schedule: bool | None,
    create_project: bool,
) -> Callable[[list[str], bool], None]:
    """Return what registers changed scripts in a process of its own, in which nothing of the last time is left."""
    options = [sys.executable, "-m", "dagflow", "register", "--project", project]
    for option, values in (("--name", names), ("--label", labels)):
        options += [part for value in values for part in (option, value)]
    options += ["--force"] * force + ["--create-project"] * create_project
    options += [] if schedule is None else ["--schedule" if schedule else "--no-schedule"]
    once = [part for module in modules for part in ("--module", module)]
    once += [part for file in files for part in ("--json", file)]

    def again(changed: list[str], first: bool) -> None:
        what = [part for path in changed for part in ("--path", path)] + (once if first else [])
        if what:
            subprocess.run([*options, *what], check=False)

    return again


def watch_files(
    paths: list[str], again: Callable[[list[str], bool], None], clock: Clock | None = None, rounds: int | None = None
) -> None:
    """Call *again* with all scripts at *paths*, and later with those that changed, until interrupted."""
    clock = clock or Clock()
    known = _times(paths)
    again(list(known), True)
    say("Watching for changes; press Ctrl-C to stop.")
    while rounds is None or rounds > 0:
        clock.sleep(POLL_SECONDS)
        now = _times(paths)
        changed = [path for path, time in now.items() if known.get(path) != time]
        known = now
        if changed:
            again(changed, False)
        rounds = None if rounds is None else rounds - 1


def _times(paths: list[str]) -> dict[str, int]:
    import os

    found = {}
    for path in paths:
        try:
            files = expand_paths([path])
        except Failure:  # a file that is being replaced is away for a moment
            continue
        for file in files:
            try:
                found[file] = os.stat(file).st_mtime_ns
            except OSError:
                continue
    return found
