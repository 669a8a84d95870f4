"""
The command line: ``dagflow COMMAND``.

Commands are imported when they are called, so that asking for help stays quick. Data goes to standard output, talk to
standard error. A command ends with 0 when it did its work, 1 when it failed, 2 when it was called wrongly, 3 when what
it was to work on does not exist, 4 when the server does not accept the key, 5 when the server cannot be reached, 6 when
what the server holds stands against it, 124 when it waited in vain, and 130 when it was interrupted.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from dagflow._version import __version__
from dagflow.exceptions import (
    AuthorizationError,
    ConflictError,
    ObjectNotFoundError,
    PrefectException,
    ProfileNotFoundError,
    ServerUnreachableError,
    VersionLockMismatchSignal,
    near_match,
)

__all__ = [
    "CONFLICT",
    "FAILED",
    "INTERRUPTED",
    "NOT_FOUND",
    "USAGE",
    "WAITED_IN_VAIN",
    "cli",
    "exit_code_of",
    "main",
    "visible",
]

FAILED = 1
USAGE = 2
NOT_FOUND = 3
NOT_ALLOWED = 4
UNREACHABLE = 5
CONFLICT = 6
WAITED_IN_VAIN = 124
INTERRUPTED = 130

_CODES: dict[type[BaseException], int] = {
    ObjectNotFoundError: NOT_FOUND,
    ProfileNotFoundError: NOT_FOUND,
    AuthorizationError: NOT_ALLOWED,
    ServerUnreachableError: UNREACHABLE,
    ConflictError: CONFLICT,
    VersionLockMismatchSignal: CONFLICT,
}

COMMANDS = {
    "agent": ("dagflow.cli.agent:agent", "Start agents, which take runs from the server and start them."),
    "auth": ("dagflow.cli.auth:auth", "Keep the key for a server; make and revoke keys."),
    "backend": ("dagflow.cli.auth:backend", "Name the kind of backend; kept for habit."),
    "build": ("dagflow.cli.build:build", "Build flows and write their metadata to a file."),
    "cache": ("dagflow.cli.cache:cache", "Remove results that tasks share."),
    "check": ("dagflow.cli.check:check", "Look for mistakes in a flow without running it."),
    "completion": ("dagflow.cli.completion:completion", "Print what makes a shell complete commands."),
    "config": ("dagflow.cli.config:config", "Show, change and check the settings."),
    "create": ("dagflow.cli.create:create", "Make a project."),
    "delete": ("dagflow.cli.create:delete", "Delete a project."),
    "deploy": ("dagflow.cli.deploy:deploy", "Register a flow and set how it is run."),
    "deployment": ("dagflow.cli.deployment:deployment", "Show, run, pause and delete deployments."),
    "describe": ("dagflow.cli.describe:describe", "Show all that is known of a flow, its tasks, or a run."),
    "diagnostics": ("dagflow.cli.info:diagnostics", "Print facts for a bug report."),
    "doctor": ("dagflow.cli.doctor:doctor", "Look for what keeps flows from running."),
    "flow-run": ("dagflow.cli.flow_run:flow_run", "Cancel, restart, watch and inspect a flow run."),
    "get": ("dagflow.cli.get:get", "List flows, projects, runs, tasks and logs."),
    "kv": ("dagflow.cli.kv:kv", "Keep values under keys."),
    "migrate": ("dagflow.cli.migrate:migrate", "List what code for later versions of Prefect must change."),
    "profile": ("dagflow.cli.profile:profile", "Keep sets of settings, and choose one."),
    "register": ("dagflow.cli.register:register", "Register flows with a server."),
    "run": ("dagflow.cli.run:run", "Run a flow, here or by the server."),
    "server": ("dagflow.cli.server:server", "Start and stop the backend, and look after its database."),
    "version": ("dagflow.cli.info:version", "Print the version."),
    "visualize": ("dagflow.cli.visualize:visualize", "Draw a flow."),
    "work-pool": ("dagflow.cli.work_pool:work_pool", "Manage pools that agents serve."),
    "worker": ("dagflow.cli.agent:worker", "Start workers: agents that serve a pool."),
}
"""Where each command is, and what the list of commands says of it."""

HIDDEN_COMMANDS = {
    "execute": "dagflow.cli.execute:execute",
    "heartbeat": "dagflow.cli.heartbeat:heartbeat",
}
"""Commands that agents and engines call, not people."""


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; ``None`` for a name that is none."""
        place = COMMANDS[cmd_name][0] if cmd_name in COMMANDS else HIDDEN_COMMANDS.get(cmd_name)
        if place is None:
            return None
        from dagflow.utilities.importtools import import_object

        command: click.Command = import_object(place)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find a command; the near match is named for one that does not exist."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(error.format_message() + near_match(args[0], COMMANDS), ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in sorted(COMMANDS.items())])

    def main(self, args: Any = None, prog_name: Any = None, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Run a command and end the process; whatever happens, the exit code tells it."""
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, standalone_mode=False, **extra)
        except click.ClickException as error:
            from dagflow.cli.talk import show_error

            show_error(error)
            code = error.exit_code
        except (KeyboardInterrupt, click.Abort, EOFError):
            click.echo("\nInterrupted.", err=True)
            code = INTERRUPTED
        except (PrefectException, VersionLockMismatchSignal) as error:
            # Ours say what to do; where in our code they come from helps nobody. Settings that cannot be read end here,
            # before anything else of the package can be imported.
            click.secho(f"Error: {visible(str(error))}", fg="red", err=True)
            code = exit_code_of(error)
        except BrokenPipeError:
            # Whoever read our output has gone; closing says so once, at exit Python would say it again.
            _silence(sys.stdout)
            code = FAILED
        except OSError as error:
            click.secho(f"Error: {visible(_what_failed(error))}", fg="red", err=True)
            code = FAILED
        sys.exit(code if isinstance(code, int) else 0)


def exit_code_of(error: BaseException) -> int:
    """Return the code with which a command ends that *error* ended."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), FAILED)


def visible(text: str) -> str:
    """Return *text*, which may quote names that others chose, with what could steer a terminal written out."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def _what_failed(error: OSError) -> str:
    """Return what could not be done with which file, in words."""
    if error.strerror is None or error.filename is None:
        return str(error)
    return f"{error.filename!r} cannot be used: {error.strerror}."


def _silence(stream: Any) -> None:
    import os

    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(version)s")
@click.option("--profile", metavar="NAME", help="Settings to use, instead of the active profile.")
@click.pass_context
def cli(ctx: click.Context, profile: str | None) -> None:
    """Build, check, draw, run, register and watch flows."""
    import os

    if os.environ.get("NO_COLOR"):
        ctx.color = False
    if profile is not None:
        _use_profile(ctx, profile)


def _use_profile(ctx: click.Context, profile: str) -> None:
    """Take the settings of a profile; the processes that the command starts do too."""
    import os

    before = os.environ.get("DAGFLOW_PROFILE")
    os.environ["DAGFLOW_PROFILE"] = profile
    if before is None:
        ctx.call_on_close(lambda: os.environ.pop("DAGFLOW_PROFILE", None))
    else:
        ctx.call_on_close(lambda: os.environ.update(DAGFLOW_PROFILE=before))
    if "dagflow.configuration" in sys.modules:
        from dagflow.configuration import reload_configuration

        reload_configuration()


def main() -> None:
    """Run the command line and end the process."""
    cli(prog_name="dagflow")
