"""Commands for a shell."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dagflow.core.task import Task
from dagflow.utilities.tasks import defaults_from_attrs

if TYPE_CHECKING:
    import subprocess

__all__ = ["ShellTask"]


class ShellTask(Task):
    """
    Run a command in a shell and return the last line it prints (None if it prints nothing), or all lines.

    The command is written to a file, after *helper_script*, and the shell is called with that file. What it writes to
    stderr is taken as output too. An exit code other than 0 fails the task, with the output as result.

    The shell and all that it started are killed when the task is interrupted or runs out of time.

    Args:
        command: the command, unless it is given when the task is called.
        env: variables to set for the command, besides those of this process.
        helper_script: lines to run before the command, for functions or settings.
        shell: the program to call.
        return_all: return all lines as a list.
        log_stderr: log the output as an error when the command fails.
        stream_output: log each line as it comes: True for INFO, or a level as number or upper-case name.

    >>> ShellTask().run(command="echo one; echo two")
    'two'
    >>> ShellTask(return_all=True, helper_script="x=3").run(command="echo one; echo $x")
    ['one', '3']
    """

    def __init__(
        self,
        command: str | None = None,
        env: dict[str, str] | None = None,
        helper_script: str | None = None,
        shell: str = "bash",
        return_all: bool = False,
        log_stderr: bool = False,
        stream_output: bool | int | str = False,
        **kwargs: Any,
    ) -> None:
        self.command = command
        self.env = env
        self.helper_script = helper_script
        self.shell = shell
        self.return_all = return_all
        self.log_stderr = log_stderr
        self.stream_output = _log_level(stream_output)
        super().__init__(**kwargs)

    @defaults_from_attrs("command", "env", "helper_script")
    def run(
        self, command: str | None = None, env: dict[str, str] | None = None, helper_script: str | None = None
    ) -> str | list[str] | None:
        """Run the command; arguments that are not given are those of the constructor."""
        if command is None:
            raise TypeError(f"{self.name} has no command: give ShellTask(command=...) or run(command=...).")
        script = f"{helper_script}\n{command}\n" if helper_script else f"{command}\n"
        lines: list[str] = []
        with _script_file(script) as path, _started([self.shell, path], {**os.environ, **(env or {})}) as process:
            last = None
            for last in self._output(process):
                if self.return_all or self.log_stderr:
                    lines.append(last)
            code = process.wait()
        result = lines if self.return_all else last
        if code:
            self._fail(code, lines, result)
        return result

    def _output(self, process: subprocess.Popen[bytes]) -> Iterator[str]:
        assert process.stdout is not None
        logger = self.logger
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if self.stream_output:
                logger.log(self.stream_output, "%s", line)
            yield line

    def _fail(self, code: int, lines: list[str], result: Any) -> None:
        from dagflow.engine.signals import FAIL

        message = f"Command failed with exit code {code}"
        self.logger.error("%s", message)
        if self.log_stderr:
            self.logger.error("%s", "\n".join(lines))
        raise FAIL(message, result=result)


def _log_level(stream_output: bool | int | str) -> int:
    """Return the level to log output at, 0 for not at all."""
    if isinstance(stream_output, bool):
        return logging.INFO if stream_output else 0
    if isinstance(stream_output, int):
        return stream_output
    level = logging.getLevelNamesMapping().get(stream_output) if isinstance(stream_output, str) else None
    if level is None:
        names = ", ".join(logging.getLevelNamesMapping())
        raise TypeError(f"stream_output must be True, False, a number or one of {names}; found {stream_output!r}.")
    return level


@contextmanager
def _script_file(script: str) -> Iterator[str]:
    from tempfile import mkstemp

    handle, path = mkstemp(prefix="dagflow-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(script)
        yield path
    finally:
        os.unlink(path)


@contextmanager
def _started(arguments: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process whose whole group is killed when the block is left by an exception."""
    import subprocess

    own_group = not _is_isolated()
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, start_new_session=own_group
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield process
        except BaseException:
            _kill(process, own_group)
            raise


def _is_isolated() -> bool:
    """
    Tell whether this process runs one task only and is killed with its whole group when the time is up.

    A command must then stay in that group, or it would outlive the task.
    """
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec is not None and spec.name == "dagflow.engine.isolated_child"


def _kill(process: subprocess.Popen[bytes], own_group: bool) -> None:
    if own_group and hasattr(os, "killpg"):
        import signal

        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
