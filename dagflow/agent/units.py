"""Texts that make a supervisor keep an agent running."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping

__all__ = ["start_command", "supervisor_configuration", "systemd_unit"]


def start_command(
    labels: Iterable[str] | None = None,
    env_vars: Mapping[str, str] | None = None,
    import_paths: Iterable[str] | None = None,
    show_flow_logs: bool = False,
    *,
    name: str | None = None,
    limit: int | None = None,
    pool: str | None = None,
    python: str = sys.executable,
) -> list[str]:
    """
    Return the command that starts a local agent.

    >>> start_command(["b", "a"], limit=2, python="python")
    ['python', '-m', 'dagflow', 'agent', 'local', 'start', '--label', 'a', '--label', 'b', '--limit', '2']
    """
    command = [python, "-m", "dagflow", "agent", "local", "start"]
    for label in sorted(set(labels or ())):
        command += ["--label", label]
    for key, value in (env_vars or {}).items():
        command += ["--env", f"{key}={value}"]
    for path in import_paths or ():
        command += ["--import-path", path]
    for option, given in (("--name", name), ("--limit", limit), ("--pool", pool)):
        if given is not None:
            command += [option, str(given)]
    return [*command, "--show-flow-logs"] if show_flow_logs else command


def supervisor_configuration(**options: object) -> str:
    """
    Return a file for supervisord; arguments as for :func:`start_command`.

    >>> print(supervisor_configuration(python="python").splitlines()[2])
    command=python -m dagflow agent local start
    """
    # Percent signs are special there.
    command = shlex.join(start_command(**options)).replace("%", "%%")  # type: ignore[arg-type]
    return f"""\
[program:dagflow-agent]
; Restart it when it ends; runs go on meanwhile, because only the agent itself is told to stop.
command={command}
autostart=true
autorestart=true
startsecs=5
stopsignal=TERM
stopasgroup=false
killasgroup=false
stopwaitsecs=15
"""


def systemd_unit(**options: object) -> str:
    """
    Return a unit for systemd; arguments as for :func:`start_command`.

    >>> "KillMode=process" in systemd_unit(python="python")
    True
    """
    command = " ".join(map(_quoted, start_command(**options)))  # type: ignore[arg-type]
    return f"""\
[Unit]
Description=dagflow agent
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={command}
Restart=always
RestartSec=5
# Only the agent itself is told to stop: its runs go on when it is restarted.
KillMode=process
UMask=0077

[Install]
WantedBy=default.target
"""


def _quoted(word: str) -> str:
    """Return *word* as systemd reads it: percent and dollar signs are special there."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return (
        f'"{escaped}"' if escaped != word or not word or any(sign.isspace() or sign in "';" for sign in word) else word
    )
