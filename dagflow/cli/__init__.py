"""
The command line: ``dagflow COMMAND``.

Commands are imported when they are called, so that asking for help stays quick. Data goes to standard output, talk to
standard error. A command ends with 0 when it did its work, 1 when it failed, 2 when it was called wrongly, 3 when what
it was to work on does not exist, and 130 when it was interrupted.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from dagflow._version import __version__
from dagflow.exceptions import PrefectException, near_match

__all__ = ["FAILED", "INTERRUPTED", "NOT_FOUND", "USAGE", "cli", "main"]

FAILED = 1
USAGE = 2
NOT_FOUND = 3
INTERRUPTED = 130

COMMANDS = {
    "check": ("dagflow.cli.check:check", "Look for mistakes in a flow without running it."),
    "config": ("dagflow.cli.config:config", "Show and check the settings."),
    "diagnostics": ("dagflow.cli.info:diagnostics", "Print facts for a bug report."),
    "run": ("dagflow.cli.run:run", "Run a flow here."),
    "version": ("dagflow.cli.info:version", "Print the version."),
    "visualize": ("dagflow.cli.visualize:visualize", "Draw a flow."),
}
"""Where each command is, and what the list of commands says of it."""


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; ``None`` for a name that is none."""
        found = COMMANDS.get(cmd_name)
        if found is None:
            return None
        from dagflow.utilities.importtools import import_object

        command: click.Command = import_object(found[0])
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
        except PrefectException as error:
            # Ours say what to do; where in our code they come from helps nobody. Settings that cannot be read end here,
            # before anything else of the package can be imported.
            click.secho(f"Error: {error}", fg="red", err=True)
            code = FAILED
        except BrokenPipeError:
            # Whoever read our output has gone; closing says so once, at exit Python would say it again.
            _silence(sys.stdout)
            code = FAILED
        sys.exit(code if isinstance(code, int) else 0)


def _silence(stream: Any) -> None:
    import os

    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Build, check, draw and run flows."""
    import os

    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main() -> None:
    """Run the command line and end the process."""
    cli(prog_name="dagflow")
