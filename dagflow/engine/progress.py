"""
The progress machine: everything that changes while a flow runs.

It does no I/O, reads no clock and knows no executor: events go in, instructions come out. It never applies its own
verdicts. It emits ``Settle(step, child, TriggerFailed)``, the loop announces that (a state handler may substitute
another state) and feeds the outcome back through :meth:`Progress.finished`, so that every state enters by one door.

Events: :meth:`~Progress.begin`, :meth:`~Progress.finished`, :meth:`~Progress.woken`, :meth:`~Progress.cancelled`.
Instructions: :class:`Submit`, :class:`Settle`, :class:`WakeAt`. Their order within one answer does not matter.

How maps work: a mapped step spreads as soon as its width is known. From then on, followers that take it child by child
(*wide* ones) need not wait for the whole: child *i* becomes ready when child *i* of each wide source has finished.
Everybody else waits until the last child is in. Nothing here is specific to chains, reductions or nesting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.engine.carried import unsealed
from dagflow.engine.gates import MAP_GATES, RUN_GATES, Gate, judge, upstream_skipped
from dagflow.engine.mapping import Column, element_state, plain_value, spread_over, width_of
from dagflow.engine.plan import GO_ON_SUCCESS, Plan, Step
from dagflow.engine.state import (
    Cached,
    Cancelled,
    Finished,
    Mapped,
    Pending,
    Resume,
    Scheduled,
    State,
    Success,
    unwrapped,
)

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.core.task import Task

__all__ = ["Decide", "Instruction", "Progress", "Settle", "Submit", "WakeAt"]

Decide = Callable[["Step", "int | None", "State | None", "dict[Edge, State]", "tuple[Gate, ...]"], "State | None"]
"""Asks the gates for a verdict: ``(step, child, known state, upstream states, gates)``."""


class Submit:
    """Run the code of a step; *children* are the numbers of mapped children, ``None`` for a plain step."""

    __slots__ = ("children", "step")

    def __init__(self, step: int, children: list[int] | None) -> None:
        self.step = step
        self.children = children

    def __repr__(self) -> str:
        return f"Submit({self.step}, {self.children})"


class Settle:
    """Announce that a run goes from *old* to *state* without its code being run, and feed the outcome back."""

    __slots__ = ("child", "old", "state", "step")

    def __init__(self, step: int, child: int | None, old: State | None, state: State) -> None:
        self.step = step
        self.child = child
        self.old = old
        self.state = state

    def __repr__(self) -> str:
        return f"Settle({self.step}, {self.child}, {self.state!r})"


class WakeAt:
    """
    Call :meth:`Progress.woken` at *time*, seconds since the epoch.

    ``seeded`` tells a run that was waiting when this pass began from one that has begun to wait since.
    """

    __slots__ = ("child", "seeded", "step", "time")

    def __init__(self, time: float, step: int, child: int | None, seeded: bool) -> None:
        self.time = time
        self.step = step
        self.child = child
        self.seeded = seeded

    def __repr__(self) -> str:
        return f"WakeAt({self.time}, {self.step}, {self.child})"


Instruction = Submit | Settle | WakeAt

_PLAIN = (Success, Cached)


class _Spread:
    """The children of one mapped step."""

    __slots__ = ("columns", "left", "parent", "seeds", "states", "unmet")

    def __init__(self, parent: Mapped, columns: list[Column], seeds: list[State | None], unmet: list[int] | None):
        self.parent = parent
        self.states = parent.map_states
        self.columns = columns
        self.seeds = seeds
        self.unmet = unmet
        self.left = len(self.states)


def _decide(
    step: Step, child: int | None, known: State | None, upstream: dict[Edge, State], gates: tuple[Gate, ...]
) -> State | None:
    return judge(step.task, upstream, gates)


class Progress:
    """
    The run of one plan.

    Args:
        plan: what to run.
        known_states: states from elsewhere, by task; finished ones are taken as they are.
        decide: asks the gates; default asks them directly.
    """

    def __init__(
        self, plan: Plan, known_states: Mapping[Task, State] | None = None, decide: Decide = _decide
    ) -> None:
        self.plan = plan
        self.states: list[State | None] = [None] * len(plan.steps)
        self._steps = plan.steps
        self._waiting = [step.waits_for for step in plan.steps]
        self._spreads: dict[int, _Spread] = {}
        self._columns: dict[int, list[Column]] = {}
        self._decide = decide
        self._out: list[Instruction] = []
        self._ready_children: dict[int, list[int]] = {}
        self._cancelled = False
        self._submits = [Submit(step.index, None) for step in plan.steps]
        self._seeds: dict[int, State] = {
            plan.place[task]: known
            for task, state in (known_states or {}).items()
            if task in plan.place and (known := unwrapped(state)) is not None
        }

    # --- events ----------------------------------------------------------------------------------------------

    def begin(self) -> list[Instruction]:
        """Start the run."""
        settled = []
        for index, seed in self._seeds.items():
            if _taken_as_is(self._steps[index].task, seed):
                self.states[index] = seed
                settled.append(index)
        for index, count in enumerate(self._waiting):
            if not count and self.states[index] is None:
                self._ready(self._steps[index])
        for index in settled:
            self._release(self._steps[index])
        return self._answer()

    def finished(self, step: int, child: int | None, state: State) -> list[Instruction]:
        """Take the state that a run, or the announcement of a verdict, ended in; it may be one to wait in."""
        if self._cancelled:
            return []
        if child is not None:
            self._child_in(self._spreads[step], step, child, state)
            return self._answer()
        self.states[step] = state
        if not isinstance(state, Finished):
            self._park(step, None, state, seeded=False)
        elif type(state) is Mapped and self._steps[step].mapped:
            self._spread(self._steps[step], state)
        else:
            self._release(self._steps[step])
        return self._answer()

    def children_finished(self, step: int, results: Iterable[tuple[int, State]]) -> list[Instruction]:
        """Take the states of several children of one step."""
        if self._cancelled:
            return []
        spread = self._spreads[step]
        for child, state in results:
            self._child_in(spread, step, child, state)
        return self._answer()

    def woken(self, step: int, child: int | None) -> list[Instruction]:
        """Go on with a run whose time has come."""
        if self._cancelled:
            return []
        if child is None:
            node = self._steps[step]
            if node.mapped:
                self._expand(node)
            else:
                self._start(node, self.states[step])
        else:
            self._start_child(self._steps[step], self._spreads[step], child)
        return self._answer()

    def cancelled(self, reason: str) -> list[Instruction]:
        """End every run that has not ended; later events are ignored."""
        verdicts: list[Instruction] = []
        for index, state in enumerate(self.states):
            spread = self._spreads.get(index)
            if spread is not None:
                for child, one in enumerate(spread.states):
                    if one is None or not one.is_finished():
                        verdicts.append(Settle(index, child, one, Cancelled(reason)))
            elif state is None or not state.is_finished():
                verdicts.append(Settle(index, None, state, Cancelled(reason)))
        self._cancelled = True
        return verdicts

    def record(self, step: int, child: int | None, state: State) -> None:
        """Note a state after :meth:`cancelled`, when nothing follows from it any more."""
        if child is None:
            self.states[step] = state
        else:
            self._spreads[step].states[child] = state

    # --- questions -------------------------------------------------------------------------------------------

    def snapshot(self) -> list[State]:
        """Return a state for every step, ``Pending`` for those never reached."""
        found = []
        for index, state in enumerate(self.states):
            found.append(state or self._seeds.get(index) or Pending("Task not run."))
        return found

    def known_state(self, step: int, child: int | None) -> State | None:
        """Return the state in which a run starts, ``None`` for a fresh one."""
        if child is None:
            return self.states[step] or self._seeds.get(step)
        spread = self._spreads[step]
        return spread.states[child] or spread.seeds[child]

    def upstream(self, step: int, child: int | None) -> dict[Edge, State]:
        """Return what a run sees upstream, by edge; values bound to its arguments are there as successes."""
        node = self._steps[step]
        found = self.plan.constant_states(node.task)
        if child is None:
            found.update({edge: self._state(source) for edge, source in zip(node.edges, node.sources, strict=True)})
            return found
        for edge, column in zip(node.edges, self._spreads[step].columns, strict=True):
            found[edge] = _seen_by_child(edge, column, child)
        return found

    def inputs(self, step: int, packed: bool = False) -> dict[str, Any]:
        """Return the upstream values of a plain step, by argument; *packed* leaves them in the bytes they came in."""
        node, states = self._steps[step], self.states
        found: dict[str, Any] = {}
        for place, (key, source) in enumerate(zip(node.keys, node.sources, strict=True)):
            if key is None:
                continue
            state: Any = states[source]
            if node.flattens:
                value = plain_value(node.edges[place], state)
                found[key] = value if packed else unsealed(value)
            elif packed:
                found[key] = state.carried()
            else:
                found[key] = state.result
        return found

    def columns(self, step: int) -> list[Column]:
        """Return what the children of a mapped step find at the end of each edge."""
        return self._spreads[step].columns

    def width(self, step: int) -> int | None:
        """Return how many children a step has, ``None`` when it has not spread."""
        spread = self._spreads.get(step)
        return None if spread is None else len(spread.states)

    def is_done(self, step: int) -> bool:
        """Tell whether a step has ended, all its children included."""
        spread = self._spreads.get(step)
        if spread is not None:
            return spread.left == 0
        state = self.states[step]
        return state is not None and state.is_finished()

    def plain_beside(self, step: int, source: int) -> bool:
        """Tell whether all that a spread step sees, *source* left aside, is plainly successful."""
        node = self._steps[step]
        return all(
            type(column.state) in _PLAIN
            for column, one in zip(self._spreads[step].columns, node.sources, strict=True)
            if one != source
        )

    def check(self) -> None:
        """Verify the invariants; tests call it after every event."""
        for index, step in enumerate(self._steps):
            spread = self._spreads.get(index)
            if spread is not None:
                unfinished = sum(one is None or not one.is_finished() for one in spread.states)
                assert self._cancelled or spread.left == unfinished, f"{step!r} miscounts its children"
            whole = {source for source in step.sources if self.is_done(source)}
            wide = {source for source in step.wide if source in self._spreads}
            expected = len(set(step.sources) - whole - wide)
            assert self._cancelled or self._waiting[index] == expected, f"{step!r} miscounts what it waits for"
        assert not self._out, "an instruction was not handed out"
        assert not self._ready_children, "a ready child was not handed out"

    def _state(self, step: int) -> State:
        state = self.states[step]
        assert state is not None
        return state

    # --- plain steps -----------------------------------------------------------------------------------------

    def _answer(self) -> list[Instruction]:
        out = self._out
        if self._ready_children:
            for step, children in self._ready_children.items():
                out.append(Submit(step, children))
            self._ready_children = {}
        self._out = []
        return out

    def _release(self, step: Step) -> None:
        """Let go of those that waited for the whole of *step*."""
        waiting, steps = self._waiting, self._steps
        spread = step.mapped and step.index in self._spreads
        for index in step.followers:
            if spread and step.index in steps[index].wide:
                continue
            waiting[index] -= 1
            if not waiting[index] and self.states[index] is None:
                self._ready(steps[index])

    def _ready(self, step: Step) -> None:
        """All that *step* waits for is there."""
        seed = self._seeds.get(step.index) if self._seeds else None
        if seed is not None and not self._may_start(step.index, None, seed):
            self.states[step.index] = seed
        elif step.mapped:
            self._expand(step)
        else:
            self._start(step, seed)

    def _may_start(self, step: int, child: int | None, seed: State) -> bool:
        """Tell whether a run known from elsewhere can start now; one with a date is put on the clock."""
        if isinstance(seed, Scheduled):
            self._park(step, child, seed, seeded=True)
            return False
        return isinstance(seed, Pending | Mapped | Cached) or seed.is_finished()

    def _park(self, step: int, child: int | None, state: State, *, seeded: bool) -> None:
        due = state.due() if isinstance(state, Scheduled) else None
        if due is not None:
            self._out.append(WakeAt(due, step, child, seeded))

    def _start(self, step: Step, known: State | None) -> None:
        """Ask the gates, then submit or settle."""
        index = step.index
        states = self.states
        for source in step.sources:
            if type(states[source]) not in _PLAIN:
                break
        else:
            if step.task.trigger in GO_ON_SUCCESS:
                self._out.append(self._submits[index])
                return
        verdict = self._decide(step, None, known, self.upstream(index, None), gates_for(step.task, known))
        self._out.append(self._submits[index] if verdict is None else Settle(index, None, known, verdict))

    # --- mapped steps ----------------------------------------------------------------------------------------

    def _expand(self, step: Step) -> None:
        """The width of *step* is known: announce how it spreads, or why it does not."""
        states = [self._state(source) for source in step.sources]
        known = self.states[step.index] or self._seeds.get(step.index)
        upstream = dict(zip(step.edges, states, strict=True))
        verdict = self._decide(step, None, known, upstream, MAP_GATES)
        if verdict is None:
            verdict, self._columns[step.index] = spread_over(step.edges, states)
        self._out.append(Settle(step.index, None, known, verdict))

    def _spread(self, step: Step, parent: Mapped) -> None:
        """*step* has become ``Mapped``: start what can start."""
        columns = self._columns.pop(step.index)
        width = width_of(step.edges, columns) if columns else 0
        if len(parent.map_states) != width:  # a state handler put another state in the place of ours
            parent.map_states = [None] * width
        seeds = _seeds_of_children(self._seeds.get(step.index), width)
        wide = [self._spreads[source] for source in step.wide if source in self._spreads]
        unmet = [0] * width if len(wide) > 1 else None
        spread = self._spreads[step.index] = _Spread(parent, columns, seeds, unmet)
        for child in range(width):
            missing = sum(not _in(source.states[child]) for source in wide) if wide else 0
            if unmet is not None:
                unmet[child] = missing
            if not missing:
                self._child_ready(step, spread, child)
        for index in step.followers:
            if step.index in self._steps[index].wide:
                self._waiting[index] -= 1
                if not self._waiting[index] and self.states[index] is None:
                    self._ready(self._steps[index])
        if not width:
            self._release(step)

    def _child_ready(self, step: Step, spread: _Spread, child: int) -> None:
        seed = spread.seeds[child]
        if seed is not None:
            seed = unwrapped(seed)
            if seed is not None and _taken_as_is(step.task, seed):
                self._child_in(spread, step.index, child, seed)
                return
            if seed is not None and not self._may_start(step.index, child, seed):
                spread.states[child] = seed
                return
        self._start_child(step, spread, child)

    def _start_child(self, step: Step, spread: _Spread, child: int) -> None:
        index = step.index
        verdict = None
        if not (_all_plain(spread.columns, child) and step.task.trigger in GO_ON_SUCCESS):
            known = self.known_state(index, child)
            verdict = self._decide(step, child, known, self.upstream(index, child), gates_for(step.task, known))
        if verdict is not None:
            self._out.append(Settle(index, child, self.known_state(index, child), verdict))
        elif index in self._ready_children:
            self._ready_children[index].append(child)
        else:
            self._ready_children[index] = [child]

    def _child_in(self, spread: _Spread, index: int, child: int, state: State) -> None:
        """Take the state of one child and look who waited for it."""
        spread.states[child] = state
        if not isinstance(state, Finished):
            self._park(index, child, state, seeded=False)
            return
        spread.left -= 1
        step = self._steps[index]
        for follower in step.followers:
            node = self._steps[follower]
            if index in node.wide and follower in self._spreads:
                self._source_child_in(node, self._spreads[follower], child)
        if not spread.left:
            self._release(step)

    def _source_child_in(self, step: Step, spread: _Spread, child: int) -> None:
        if child >= len(spread.states):
            return
        if spread.unmet is not None:
            spread.unmet[child] -= 1
            if spread.unmet[child]:
                return
        self._child_ready(step, spread, child)


def _seeds_of_children(seed: State | None, width: int) -> list[State | None]:
    """Return what is known of the children from elsewhere; a word to resume the parent is one to each of them."""
    known: list[State | None] = []
    if isinstance(seed, Mapped):
        known = list(seed.map_states[:width])
    elif isinstance(seed, Resume):
        known = [seed] * width
    return known + [None] * (width - len(known))


def gates_for(task: Task, known: State | None) -> tuple[Gate, ...]:
    """
    Return the gates to ask before submitting.

    A task with a target or a cache looks there first, on the worker; its trigger is asked after that.
    """
    return (upstream_skipped,) if looks_up(task, known) else RUN_GATES


def looks_up(task: Task, known: State | None) -> bool:
    """Tell whether a run may find its result instead of computing it."""
    return (
        task.target is not None
        or task.cache_for is not None
        or task.cache_policy is not None
        or isinstance(known, Cached)
    )


def _taken_as_is(task: Task, seed: State) -> bool:
    """Tell whether a state from elsewhere stands in for the run."""
    if not seed.is_finished() or isinstance(seed, Cached) or getattr(task, "always_reruns", False):
        return False
    if isinstance(seed, Mapped):
        # With every child known, what it was mapped over need not be.
        return bool(seed.map_states) and all(_in(child) and type(child) is not Cached for child in seed.map_states)
    return True


def _in(state: State | None) -> bool:
    return state is not None and isinstance(state, Finished)


def _all_plain(columns: list[Column], child: int) -> bool:
    """Tell whether all that a child sees upstream is plainly successful."""
    for column in columns:  # noqa: SIM110  (a generator costs more than most tasks have columns)
        if type(column.state if column.states is None else column.states[child]) not in _PLAIN:
            return False
    return True


def _seen_by_child(edge: Edge, column: Column, child: int) -> State:
    if column.states is None and not column.shared:
        return element_state(column.state, column.value_of(child, packed=True))
    return column.state_of(child)
