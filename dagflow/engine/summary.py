"""
How a run went, in a few lines: counts by state, the slowest task runs, what failed and why.

Pure: a final state in, text out. Names and messages come from users and data, so control characters in them are shown,
not sent: a terminal must not be steered by them.

>>> printable("red \\x1b[31m alert")
'red \\\\x1b[31m alert'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dagflow.core.task import Task
    from dagflow.engine.state import State

__all__ = ["printable", "summary"]

SLOWEST = 3
FAILURES_SHOWN = 20
"""More would scroll the first ones, which matter most, out of sight."""
MESSAGE_LENGTH = 200
"""Characters of an exception's line; some libraries put whole queries into it."""

_RED, _GREEN, _YELLOW, _BOLD, _DIM = "31", "32", "33", "1", "2"


def printable(text: object) -> str:
    """Return *text* on one line, everything that could steer a terminal written out."""
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in plain)


def _escaped(letter: str) -> str:
    return ascii(letter)[1:-1]


class _Run(NamedTuple):
    """One task run: a task's own, or a child's."""

    name: str
    state: State
    seconds: float | None


def summary(flow_name: str, flow_state: State, color: bool = False) -> str:
    """
    Return the summary of a flow run.

    Args:
        flow_name: what the flow is called.
        flow_state: what the run returned.
        color: add the codes that make a terminal show colours.

    >>> from dagflow.engine.state import Success
    >>> print(summary("etl", Success("All reference tasks succeeded.", result={})))
    Flow 'etl': Success. All reference tasks succeeded.
    """
    runs = list(_runs(flow_state))
    lines = [_headline(flow_name, flow_state, color)]
    if runs:
        lines.append(_line("states", _counts(runs, color), color))
    timed = [run for run in runs if run.seconds is not None]
    if timed:
        lines.append(_line("slowest", _slowest(timed), color))
    lines += _failures(runs, color)
    return "\n".join(lines)


def _headline(flow_name: str, state: State, color: bool) -> str:
    kind = type(state).__name__
    tint = _RED if state.is_failed() else _GREEN if state.is_successful() else _YELLOW
    took = _duration(state)
    after = f" after {_spoken(took)}" if took is not None else ""
    message = f" {printable(state.message)}" if state.message else ""
    return f"{_tinted(f'Flow {printable(flow_name)!r}: {kind}', tint, color)}{after}.{message}"


def _line(title: str, text: str, color: bool) -> str:
    return f"  {_tinted(f'{title:<8}', _DIM, color)} {text}"


def _tinted(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


# --- gathering -----------------------------------------------------------------------------------------------


def _runs(flow_state: State) -> Iterator[_Run]:
    """Yield all task runs; children in place of their mapped parent, constants left out."""
    states = flow_state.result
    if not isinstance(states, dict):
        return
    for task, state in states.items():
        if not task.is_constant:
            yield from _runs_of(task, state)


def _runs_of(task: Task, state: State) -> Iterator[_Run]:
    if not state.is_mapped():
        yield _Run(task.name, state, _duration(state))
        return
    for index, child in enumerate(state.map_states):  # type: ignore[attr-defined]
        if child is not None:
            yield _Run(f"{task.name}[{index}]", child, _duration(child))


def _duration(state: State) -> float | None:
    """Return the seconds all attempts took together, ``None`` when there was none."""
    spans = [end - start for start, end, _ in state.earlier_attempts]
    if state.run_started is not None and state.run_ended is not None:
        spans.append(state.run_ended - state.run_started)
    return sum(spans) if spans else None


# --- telling -------------------------------------------------------------------------------------------------


def _counts(runs: list[_Run], color: bool) -> str:
    kinds = Counter(type(run.state) for run in runs)
    shown = []
    for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0].__name__)):
        sample = kind.__new__(kind)
        tint = _RED if sample.is_failed() else _GREEN if sample.is_successful() else _YELLOW
        shown.append(_tinted(f"{count} {kind.__name__}", tint, color))
    return ", ".join(shown)


def _slowest(timed: list[_Run]) -> str:
    from heapq import nlargest

    longest = nlargest(SLOWEST, timed, key=lambda run: run.seconds or 0.0)
    return ", ".join(f"{printable(run.name)} {_spoken(run.seconds or 0.0)}" for run in longest)


def _spoken(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _failures(runs: list[_Run], color: bool) -> list[str]:
    failed = [run for run in runs if run.state.is_failed()]
    # Those that never ran because something before them failed say nothing new: they are only counted.
    own = [run for run in failed if type(run.state).__name__ != "TriggerFailed"] or failed
    lines = [
        _line("" if number else "failed", f"{_tinted(printable(run.name), _RED, color)}: {_reason(run.state)}", color)
        for number, run in enumerate(own[:FAILURES_SHOWN])
    ]
    if len(own) > FAILURES_SHOWN:
        lines.append(_line("", f"and {len(own) - FAILURES_SHOWN} more", color))
    if len(failed) > len(own):
        lines.append(_line("", f"{len(failed) - len(own)} not run because of failures before them", color))
    return lines


def _reason(state: State) -> str:
    """Return the last line of the exception, as a traceback ends, or the state's message."""
    error = state.result
    text = str(state.message or "")
    if isinstance(error, BaseException) and not _is_signal(error):
        said = _first_line(error)
        text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    shown = printable(text)
    return shown if len(shown) <= MESSAGE_LENGTH else f"{shown[: MESSAGE_LENGTH - 1]}…"


def _first_line(error: BaseException) -> str:
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # an exception whose text cannot be made must not hide how the run went
        return ""
    return lines[0] if lines else ""


def _is_signal(error: BaseException) -> bool:
    from dagflow.engine.signals import PrefectStateSignal

    return isinstance(error, PrefectStateSignal)
