"""
The live picture of a run on a terminal.

The engine's loop tells a :class:`Display` what happens; those calls only count. A thread draws ten times a second, and
only once a run has taken a moment, so short runs neither flicker nor pay for loading rich. While the picture is up,
what is written to standard output and error appears above it.

What changes while it runs: the counts, written by the driver's thread alone and read by the drawing one; and
``sys.stdout`` and ``sys.stderr``, from :meth:`Display.began` to :meth:`Display.close`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dagflow.engine.state import Failed, State
from dagflow.engine.summary import printable, summary

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.engine.plan import Plan

__all__ = ["Display", "display_for", "summary"]

REFRESH_SECONDS = 0.1
FIRST_PICTURE_SECONDS = 0.3
"""A run that ends sooner shows no picture, only its summary."""
LINES = 8
"""Task lines at most; the overall bar says the rest."""
LOOK_AHEAD = 2_000
"""Steps looked at for those that are under way; a bound on the cost of one picture of a huge flow."""
BAR_WIDTH = 40


def display_for(flow: Flow) -> Display | None:
    """
    Return a display for a run of *flow*, or ``None`` where it would be in the way.

    That is where standard output is no terminal, or one that cannot move its cursor; under continuous integration; and
    where ``quiet`` is configured (``DAGFLOW__QUIET=true``).
    """
    # First what most often says no: every run of a flow asks.
    if not is_terminal(sys.stdout) or os.environ.get("CI") or os.environ.get("TERM", "") in ("dumb", "unknown"):
        return None
    from dagflow.utilities.context import context

    if context.config.get("quiet") or context.get("task_run_id") is not None or _showing.locked():
        return None
    return Display(flow.name)


def is_terminal(stream: Any) -> bool:
    """Tell whether *stream* is shown to somebody."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # no stream, or one that is closed
        return False


_showing = threading.Lock()
"""Held by the one display that has the terminal; a run inside a run goes without."""


class Display:
    """
    Draws one flow run; a :class:`~dagflow.engine.loop.Watcher`.

    Args:
        flow_name: what the flow is called.
        stream: the terminal; default is standard output.
    """

    def __init__(self, flow_name: str, stream: Any = None) -> None:
        self.flow_name = flow_name
        self._stream = stream
        self._counts: dict[type[State], int] = {}
        self._plan: Plan | None = None
        self._widths: dict[int, int] = {}
        self._children: dict[int, int] = {}
        self._passing: dict[int, int] = {}
        self._done: set[int] = set()
        self._first_open = 0
        self._screen: _Screen | None = None

    # --- what the loop tells ---------------------------------------------------------------------------------

    def began(self, plan: Plan) -> None:
        """Start counting, and the thread that draws; a run that goes on after a pause keeps its counts."""
        if plan is not self._plan:
            self._counts, self._widths, self._children, self._passing = {}, {}, {}, {}
            self._done = {step.index for step in plan.steps if step.task.is_constant}
            self._first_open = 0
        self._plan = plan
        if self._screen is not None and self._screen.is_over:
            self.close()
        if self._screen is None and _showing.acquire(blocking=False):
            self._screen = _Screen(self, self._stream or sys.stdout)
            self._screen.start()

    def spread(self, step: int, width: int) -> None:
        """Note how many children a mapped step has."""
        self._widths[step] = width
        if self._children.get(step, 0) >= width:
            self._done.add(step)

    def finished(self, step: int, child: int | None, state: State) -> None:
        """Count one run."""
        kind = type(state)
        counts = self._counts
        counts[kind] = counts.get(kind, 0) + 1
        if kind not in _ENDED and not _is_end(kind):
            return
        if child is None:
            self._done.add(step)
            return
        children = self._children
        children[step] = count = children.get(step, 0) + 1
        if count >= self._widths.get(step, sys.maxsize):
            self._done.add(step)

    def following(self, step: int, runs: Iterator[Any]) -> Iterator[Any]:
        """Count children of one step while they run; :meth:`children_finished` tells later how they ended."""
        passing = self._passing
        for passing[step], run in enumerate(runs):
            yield run

    def children_finished(self, step: int, states: Sequence[State]) -> None:
        """Count several children of one step."""
        self._passing.pop(step, None)
        counts = self._counts
        ended = 0
        for kind, number in Counter(map(type, states)).items():
            counts[kind] = counts.get(kind, 0) + number
            if _is_end(kind):
                ended += number
        self._children[step] = count = self._children.get(step, 0) + ended
        if count >= self._widths.get(step, sys.maxsize):
            self._done.add(step)

    def ended(self, state: State) -> None:
        """Take the picture down and print the summary."""
        stream = self._stream or (self._screen.stream if self._screen else sys.stdout)
        self.close()
        self._plan = None
        stream.write(summary(self.flow_name, state, color=wants_color()) + "\n")
        stream.flush()

    def close(self) -> None:
        """Take the picture down and give the streams back; may be called twice, and must be called."""
        screen, self._screen = self._screen, None
        if screen is not None:
            try:
                screen.stop()
            finally:
                _showing.release()

    def stepping_aside(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        """Return *ask* with the picture taken down first; it comes back when the run goes on."""

        def asking(*args: Any) -> Any:
            self.close()
            return ask(*args)

        return asking

    # --- what the thread asks --------------------------------------------------------------------------------

    def totals(self) -> tuple[int, int, int]:
        """Return how many runs have ended, how many there are as far as is known, and how many failed."""
        plan = self._plan
        if plan is None:
            return 0, 0, 0
        constants = sum(step.task.is_constant for step in plan.steps)
        widths = dict(self._widths)
        ended = sum(count for kind, count in dict(self._counts).items() if _is_end(kind))
        ended += sum(dict(self._passing).values())
        total = len(plan.steps) - constants - len(widths) + sum(widths.values())
        failed = sum(count for kind, count in dict(self._counts).items() if issubclass(kind, Failed))
        return min(ended, total), total, failed

    def under_way(self) -> list[tuple[str, int | None, int | None]]:
        """Return the steps that are or could be running: name, and for mapped ones how many of how many ended."""
        found: list[tuple[str, int | None, int | None]] = []
        for step in self._open_steps():
            width = self._widths.get(step.index)
            if width is None:
                found.append((step.task.name, None, None))
            else:
                ended = self._children.get(step.index, 0) + self._passing.get(step.index, 0)
                found.append((step.task.name, ended, width))
            if len(found) == LINES:
                break
        return found

    def _open_steps(self) -> Iterator[Any]:
        plan, done = self._plan, self._done
        if plan is None:
            return
        steps = plan.steps
        while self._first_open < len(steps) and self._first_open in done:
            self._first_open += 1
        for step in steps[self._first_open : self._first_open + LOOK_AHEAD]:
            if step.index in done or any(follower in done for follower in step.followers):
                continue  # of a step whose state was known before the run, only its followers tell
            # A step that follows another child by child starts before that one ends.
            started = step.index in self._children or step.index in self._passing
            if started or all(source in done for source in step.sources):
                yield step


_ENDED: set[type[State]] = set()
"""Kinds of states known to be ends, so that most events cost one look-up."""


def _is_end(kind: type[State]) -> bool:
    from dagflow.engine.state import Finished, Looped

    if issubclass(kind, Finished) and not issubclass(kind, Looped):
        _ENDED.add(kind)
        return True
    return False


def wants_color() -> bool:
    """Tell whether colours are welcome: not where ``NO_COLOR`` is set to anything."""
    return not os.environ.get("NO_COLOR")


class _Above:
    """A stream whose lines appear above the picture; without one they go straight through."""

    def __init__(self, screen: _Screen, real: Any) -> None:
        self.real = real
        self._screen = screen
        self._rest = ""

    def write(self, text: str) -> int:
        screen = self._screen
        with screen.guard:
            if screen.is_up:
                head, newline, self._rest = (self._rest + text).rpartition("\n")
                if newline:
                    screen.lines.append(head)
                return len(text)
        return int(self.real.write(text) or 0)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._screen.is_up and self._rest:
            # A line without an end that must be seen now is a question: the terminal is the asker's.
            self._screen.take_down()
        if not self._screen.is_up:
            self.real.flush()

    def drain(self) -> None:
        """Write what is left of an unfinished line."""
        rest, self._rest = self._rest, ""
        if rest:
            self.real.write(rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class _Screen:
    """The thread that draws, and the streams it keeps clear of the picture."""

    def __init__(self, display: Display, stream: Any) -> None:
        self.stream = stream
        self.lines: list[str] = []
        self.is_up = False
        self.guard = threading.RLock()
        """Held for moments, around looking whether the picture is up and keeping a line for it."""
        self._display = display
        self._live: Any = None
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="dagflow-display", daemon=True)
        self._streams = [("stdout", _Above(self, sys.stdout))]
        if is_terminal(sys.stderr):
            self._streams.append(("stderr", _Above(self, sys.stderr)))

    @property
    def is_over(self) -> bool:
        """Whether nothing will be drawn any more."""
        return self._stopped.is_set()

    def start(self) -> None:
        """Put the streams in place and start the thread."""
        for name, above in self._streams:
            setattr(sys, name, above)
        self._thread.start()

    def stop(self) -> None:
        """Take the picture down, end the thread, put the real streams back."""
        self._stopped.set()
        self._thread.join()
        self.take_down()
        for name, above in self._streams:
            # Somebody else may have replaced the stream meanwhile; ours then passes everything through.
            if getattr(sys, name) is above:
                setattr(sys, name, above.real)

    def take_down(self) -> None:
        """Remove the picture for good; what waited to be written is written."""
        with self._lock:
            self._stopped.set()
            live, self._live = self._live, None
            with self.guard:
                self.is_up = False
            if live is not None:
                self._write_lines(live.console)
                live.stop()
            for _, above in self._streams:
                above.drain()

    def _draw(self) -> None:
        if self._stopped.wait(FIRST_PICTURE_SECONDS):
            return
        live = self._new_live()
        with self._lock:
            if self._stopped.is_set():
                return
            self._live, self.is_up = live, True
            live.start(refresh=True)
        while not self._stopped.wait(REFRESH_SECONDS):
            with self._lock:
                if self._live is None:
                    return
                self._write_lines(live.console)
                live.refresh()

    def _write_lines(self, console: Any) -> None:
        from rich.text import Text

        with self.guard:
            waiting, self.lines = self.lines, []
        if waiting:
            console.print(Text.from_ansi("\n".join(waiting)), soft_wrap=True, highlight=False)

    def _new_live(self) -> Any:
        import time

        from rich.console import Console
        from rich.live import Live

        console = Console(file=self.stream, force_terminal=True, no_color=not wants_color(), highlight=False)
        since = time.monotonic()
        return Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=lambda: picture(self._display, time.monotonic() - since, console.width),
        )


def picture(display: Display, seconds: float, width: int) -> Any:
    """Return what rich draws: the overall bar, and a line for each step under way."""
    from rich.text import Text

    ended, total, failed = display.totals()
    bar = max(10, min(BAR_WIDTH, width - 50))
    full = bar * ended // total if total else 0
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{printable(display.flow_name)} ", style="bold")
    text.append("━" * full, style="green" if not failed else "yellow")
    text.append("━" * (bar - full), style="bright_black")
    text.append(f" {ended}/{total}  {int(seconds) // 60}:{int(seconds) % 60:02d}")
    if failed:
        text.append(f"  {failed} failed", style="bold red")
    for name, done, of in display.under_way():
        text.append(f"\n  {printable(name)}", style="cyan")
        if of is not None:
            text.append(f"  {done}/{of}")
    return text
