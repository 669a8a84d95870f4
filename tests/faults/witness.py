"""Somebody who watches a run from the driver: when which success was recorded, and what was warned of."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagflow.core.flow import Flow
from dagflow.engine.flow_runner import FlowRunner
from dagflow.engine.state import State
from tests.faults.maps import executions, starts_in


class Witness:
    """
    A watcher that notes when the states of runs arrive.

    Children arrive in batches and do not carry their numbers, so a state is known again by the moment it began.

    Attributes:
        warnings: what was logged at WARNING or above during the run.
        successes: how many arrived for each step.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.successes: Counter[int] = Counter()
        self._plan: Any = None
        self._arrived: dict[tuple[int, float | None], float] = {}

    @property
    def runner(self) -> type[FlowRunner]:
        """A class of runner that is watched by this one, for ``flow.run(runner_cls=...)``."""
        here = self

        class Runner(FlowRunner):
            @property
            def watcher(self) -> Any:
                return here

            @watcher.setter
            def watcher(self, display: Any) -> None:
                """Whatever the session would show is not wanted."""

        return Runner

    @contextmanager
    def listening(self) -> Iterator[Witness]:
        """Keep the warnings that dagflow logs, whatever else is shown."""
        handler = _Keeping(self.warnings)
        logger = logging.getLogger("dagflow")
        level = logger.level
        logger.setLevel(min(level, logging.WARNING))
        logger.addHandler(handler)
        try:
            yield self
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)

    # --- what the loop tells -------------------------------------------------------------------------------------

    def began(self, plan: Any) -> None:
        self._plan = plan

    def spread(self, step: int, width: int) -> None:
        """A width tells nothing here."""

    def following(self, step: int, runs: Iterator[Any]) -> Iterator[Any]:
        return runs

    def finished(self, step: int, child: int | None, state: State) -> None:
        if state.is_successful():
            self.successes[step] += 1
            self._arrived.setdefault((step, state.run_started), time.time())

    def children_finished(self, step: int, states: Sequence[State]) -> None:
        for state in states:
            self.finished(step, None, state)

    def ended(self, state: State) -> None:
        """The end of the flow run tells nothing here."""

    # --- what came of it -----------------------------------------------------------------------------------------

    def recorded(self, flow: Flow, state: State) -> dict[str, float]:
        """Return when the success of each run was recorded, by the full name of the run."""
        found = {}
        for name, step, one in self._runs(flow, state):
            if one.is_successful() and (step, one.run_started) in self._arrived:
                found[name] = self._arrived[step, one.run_started]
        return found

    def _runs(self, flow: Flow, state: State) -> Iterator[tuple[str, int, State]]:
        for one, found in state.result.items():
            step = self._plan.place[one]
            children = getattr(found, "map_states", None)
            if children is None:
                yield one.name, step, found
            else:
                yield from ((f"{one.name}[{number}]", step, child) for number, child in enumerate(children))

    def started_after_success(self, flow: Flow, state: State, folder: Path) -> list[str]:
        """Return the runs whose bodies began once more although their success was recorded."""
        recorded = self.recorded(flow, state)
        return sorted({one.run for one in starts_in(folder) if one.time > recorded.get(one.run, float("inf"))})

    def replaced(self, flow: Flow, state: State) -> int:
        """Return how many successes arrived beyond one for each run."""
        wanted = Counter(step for _, step, one in self._runs(flow, state))
        return sum(max(0, count - wanted[step]) for step, count in self.successes.items())

    def unannounced(self, runs: list[str]) -> list[str]:
        """Return those of *runs* that no warning names."""
        return [run for run in runs if not any(run in line for line in self.warnings)]


class _Keeping(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


def silence() -> None:
    """Keep the log off standard output, where a table is printed, and Dask's own off the terminal."""
    for handler in list(logging.getLogger("dagflow").handlers):
        handler.setLevel(logging.CRITICAL + 1)
    import distributed  # noqa: F401 it sets its loggers up when it is imported

    for name in ("distributed", "distributed.client", "distributed.core", "distributed.utils"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def histogram(folder: Path) -> str:
    """Return how many runs began how often, as text such as ``598×1 3×2``."""
    counts = Counter(executions(folder).values())
    return " ".join(f"{runs}×{times}" for times, runs in sorted(counts.items()))
