"""
The loop for executors that run several things at once, in threads, processes or on a cluster.

Runs that are ready stand in lines: one for each mapped step, and one for plain runs where the executor can hand back
those behind a slow one. A few batches for every hand are under way; each is a *flight*. Batches of later steps go
first, so that chains run depth first.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dagflow.engine.attempt import attempt_all
from dagflow.engine.carried import is_gone
from dagflow.engine.flights import Flight, Line, Repairs, Run
from dagflow.engine.forwarding import hand_on
from dagflow.engine.kept import KeptValues, carried_of
from dagflow.engine.loop import Loop
from dagflow.engine.notify import announce
from dagflow.engine.plan import GO_ON_SUCCESS
from dagflow.engine.progress import looks_up
from dagflow.engine.remote import Link, Post, Report
from dagflow.engine.settle import retry_state
from dagflow.engine.state import Failed, Pending, Retrying, State
from dagflow.exceptions import ClusterError, ValueLostError, WorkerLostError
from dagflow.utilities.context import pop_layer, push_layer

if TYPE_CHECKING:
    from dagflow.core.edge import Edge
    from dagflow.engine.reporter import Reporter
    from dagflow.engine.run_context import TaskRun

__all__ = ["FarLoop"]

_PARTS = 16
"""Into how many a batch that was lost is split."""

_MANY = 20
"""How often a run may be told in vain that an input is lost before it fails."""

_TRUST = 5
"""How often a run may be told in vain that an input is lost; then all its inputs on workers are taken for lost."""

_LOSSES = 3
"""How often a run may go down with its worker after the first time; then it is taken for the cause."""


class FarLoop(Loop):
    """
    One run of a plan on an executor that runs several things at once.

    Args:
        wanted: steps whose values are asked for, default those of the last tasks and of those that decide; the other
            arguments are those of :class:`Loop`.
    """

    def __init__(self, *args: Any, wanted: Collection[int] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._flights: dict[int, Flight] = {}
        self._numbers: dict[int, Flight] = {}
        self._lines: dict[Any, Line] = {}
        self._flying: Counter[Any] = Counter()
        self._undeliverable: list[tuple[Flight, Exception]] = []
        self._held: list[Any] = []
        self._losses: Counter[Run] = Counter()
        self._vain: Counter[Run] = Counter()
        self._gone = False
        self._hands_back = self.executor.hands_back
        self._values: KeptValues | None = None
        if self.executor.remote:
            home = {*self.plan.terminal, *self.plan.reference} if wanted is None else set(wanted)
            home |= {step.index for step in self.plan.steps if step.task.cache_for is not None}  # for later runs
            self._post = Post(self.scope, self.executor, self.plan, frozenset(home))
            self._values = KeptValues(self.plan, frozenset(home), self.executor.is_lost, all_looked_at=wanted is None)
            self._repairs = Repairs()
        self._repair_dates: list[tuple[float, tuple[int, int], Run]] = []

    def drive(self) -> list[State]:
        """Run until nothing is left that this pass may do; return a state for every step."""
        self._tell_beginning()
        out: list[Any] | None = self.progress.begin()
        while out is not None:
            while out:
                out = self._route(out)
            while self._ready:
                self._launch(heapq.heappop(self._ready))
            self._fill()
            out = self._land()
        if self._values is not None:
            self._values.come_home(self.executor.wait)
        return self.progress.snapshot()

    def _under_way(self) -> Collection[Run]:
        return {run for flight in self._flights.values() for run in flight.open.values()}

    # --- out -------------------------------------------------------------------------------------------------

    def _launch(self, index: int) -> None:
        """Put children in the line of their step; plain runs in one of their own, or on their way at once."""
        task = self.plan.steps[index].task
        placement = (task.tags, task.resources) if task.tags or task.resources else None
        children = self._children.pop(index, None)
        if self._reporter is not None and self._reporter.asks_first(task):
            for child in children if children is not None else (None,):
                self._send_if_let((index, child), self._reporter)
        elif children is not None:
            self._line(index, placement).runs.extend((index, child) for child in children)
        elif self._hands_back:
            self._line(("plain", _hashable(placement)), placement).runs.append((index, None))
        else:
            self._send([(index, None)])

    def _send_if_let(self, run: Run, reporter: Reporter) -> None:
        """Send a run of a task that there is a limit on, or note the state in which it waits for a slot."""
        held = reporter.starting(*run)
        if held is None:
            self._send([run], told=True)
            return
        index, child = run
        if child is None:
            self._held += self.progress.finished(index, None, held)
        else:
            self._held += self._take(index, [child], [held])

    def _line(self, key: Any, placement: Any) -> Line:
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(_hashable(placement), self.executor.batch_seconds)
        return line

    def _fill(self) -> None:
        """Keep some batches for every hand under way, those of later steps first, so that chains run depth first."""
        hands = max(self.executor.parallelism, 1)
        while (line := self._next_line(hands)) is not None:
            size = self._batch_size or line.sizes.next(len(line.runs), hands)
            self._send([line.runs.popleft() for _ in range(min(size, len(line.runs)))], line)

    def _next_line(self, hands: int) -> Line | None:
        """Return the line of the latest step that may send another batch."""
        found: Line | None = None
        for line in self._lines.values():
            if not line.runs or self._flying[line.placement] >= line.sizes.flights(hands):
                continue
            if found is None or line.runs[0][0] > found.runs[0][0]:
                found = line
        return found

    def _send(
        self,
        runs: Sequence[Run],
        line: Line | None = None,
        *,
        repeated: bool = False,
        suspect: bool = False,
        told: bool = False,
    ) -> None:
        """Send runs, of one step when they are children; *told* says that the reporter knows they start."""
        if self._reporter is not None and not (repeated or told):
            for run in runs:
                self._reporter.starting(*run)
        flight = Flight(runs, line, repeated, suspect)
        index, child = runs[0]
        task = self.plan.steps[index].task
        about = {
            "task_name": task.name, "task_tags": task.tags, "task_index": child, "task_resources": task.resources,
            "priority": index,
        }  # fmt: skip
        try:
            if self.executor.remote:
                rich = [self._posted(run, repeated) for run in runs]
                chain = [] if repeated or child is None else self._chain(index, [one for _, one in runs])
                number, flight.future = self._post.send(rich, chain, about, suspect=suspect)
                self._numbers[number] = flight
            else:
                pairs = list(self._pairs(index, [one for _, one in runs]))
                flight.future = self.executor.submit(attempt_all, pairs, extra_context=about)
        except Exception as error:
            self._undeliverable.append((flight, error))
            return
        self._flights[id(flight.future)] = flight
        if line is not None:
            self._flying[line.placement] += 1

    def _posted(self, run: Run, repeated: bool) -> tuple[int, TaskRun, dict[Edge, State] | None]:
        """Gather what is sent of one run; one that is repeated starts afresh."""
        made = self._run(*run)
        if repeated:
            made.state = self._repairs.retries.pop(run, None)
        made.candidates = [one for one in made.candidates if not is_gone(one.carried())]
        return run[0], made, self._asked(made, run[0])

    def _chain(self, index: int, children: list[Any]) -> list[Link]:
        """
        Return what may run on the same worker right after *children*, each child following its own.

        A value then goes from one step to the next without leaving the worker. That is sound where the machine can have
        no other verdict once the child before has plainly succeeded: the follower is spread, follows this step alone,
        asks a trigger that goes on success, looks nothing up and starts afresh.
        """
        links: list[Link] = []
        while True:
            follower = next((one for one in self.plan.steps[index].followers if self._may_follow(one, index)), None)
            if follower is None or max(children) >= (self.progress.width(follower) or 0):
                break
            if any(self.progress.known_state(follower, child) is not None for child in children):
                break
            step = self.plan.steps[follower]
            keys = [edge.key for edge, source in zip(step.edges, step.sources, strict=True) if source == index]
            inputs = [self._inputs_beside(follower, child, keys) for child in children]
            assert self._values is not None
            last_use = self.plan.steps[index].followers == [follower] and self._values.may_drop(index)
            links.append(Link(follower, [key for key in keys if key is not None], inputs, last_use))
            index = follower
        return links

    def _may_follow(self, follower: int, index: int) -> bool:
        step = self.plan.steps[follower]
        task = step.task
        return (
            step.wide == {index}
            and self.progress.width(follower) is not None
            and task.trigger in GO_ON_SUCCESS
            and not looks_up(task, None)
            and (task.tags, task.resources) == (self.plan.steps[index].task.tags, self.plan.steps[index].task.resources)
            and self.progress.plain_beside(follower, index)
        )

    def _inputs_beside(self, index: int, child: int, keys: list[str | None]) -> dict[str, Any]:
        """Return the inputs of a child other than *keys* and constants."""
        return {
            column.key: column.value_of(child, packed=True)
            for column in self.progress.columns(index)
            if column.key is not None and column.key not in keys
        }

    # --- in --------------------------------------------------------------------------------------------------

    def _land(self) -> list[Any] | None:
        """Wait for whatever comes first and feed it back; ``None`` when nothing is under way."""
        if self._held:
            held, self._held = self._held, []
            return held
        if self._undeliverable:
            out: list[Any] = []
            failed, self._undeliverable = self._undeliverable, []
            for flight, error in failed:
                out += self._lost(flight, error, "could not be sent")
            return out
        self._check_deadline()
        if not self._flights:
            if not self._repair_dates:
                return self._wake()
            self._clock.sleep(max(0.0, self._repair_dates[0][0] - self._clock.now()))
            return self._due()
        out = []
        futures = () if self.executor.tracks else [flight.future for flight in self._flights.values()]
        for one in self.executor.as_completed(futures, timeout=self._until_next_date()):
            if type(one) is bytes:
                out += self._told(self._post.read(one))
            elif id(one) in self._flights:
                out += self._arrived(self._flights.pop(id(one)))
        return out + self._due()

    def _until_next_date(self) -> float | None:
        dates = [line[0][0] for line in (self._timers, self._repair_dates) if line]
        if self._deadline is not None:
            dates.append(self._deadline)
        return max(0.0, min(dates) - self._clock.now()) if dates else None

    def _due(self) -> list[Any]:
        while self._repair_dates and self._repair_dates[0][0] <= self._clock.now():
            _, _, run = heapq.heappop(self._repair_dates)
            self._send([run], repeated=True)
        return super()._due()

    def _arrived(self, flight: Flight) -> list[Any]:
        """The call of a flight has ended."""
        self._landed(flight)
        out: list[Any] = []
        try:
            answer = self.executor.wait(flight.future)
        except Exception as error:
            return self._lost(flight, error, "was lost")
        if not self.executor.remote:
            runs = list(flight.open.items())
            return self._take_in(
                flight, [(place, [(run[0], state)]) for (place, run), state in zip(runs, answer, strict=True)]
            )
        if answer is not None:
            out = self._told(self._post.read(answer))
        if flight.open:
            untold = WorkerLostError("The worker ended before it had told how the run went.")
            out += self._lost(flight, untold, "was lost")
        return out

    def _told(self, report: Report) -> list[Any]:
        """Take what a worker tells in the middle or at the end of a flight."""
        hand_on(report.records)
        flight = self._numbers.get(report.number)
        if flight is None:
            return []
        flight.begun = flight.begun or report.begun
        out = self._take_in(flight, report.answers)
        back = [flight.open.pop(place) for place in report.given_back if place in flight.open]
        if back:
            self._back_in_line(flight, back)
        if not flight.open:  # its call is about to end, and nobody need wait for that
            del self._numbers[report.number]
            if self._flights.pop(id(flight.future), None) is not None:
                self._landed(flight)
        return out

    def _landed(self, flight: Flight) -> None:
        """Make room for another flight."""
        if flight.line is not None:
            self._flying[flight.line.placement] -= 1

    def _back_in_line(self, flight: Flight, runs: list[Run]) -> None:
        if flight.line is None or flight.repeated:
            for run in runs:
                self._send([run], repeated=flight.repeated)
        else:
            flight.line.runs.extendleft(reversed(runs))

    def _take_in(self, flight: Flight, answers: Iterable[tuple[int, list[tuple[int, State]]]]) -> list[Any]:
        """Feed the states of runs back, those of one step together; keep what ran ahead until the machine asks."""
        out: list[Any] = []
        children: dict[int, list[tuple[int, State]]] = {}
        seconds, count = 0.0, 0
        for place, chain in answers:
            index, child = flight.open.pop(place)
            if self._losses:
                self._losses.pop((index, child), None)
            state = chain[0][1]
            seconds += sum((one.run_ended or 0.0) - (one.run_started or 0.0) for _, one in chain)
            count += 1
            if flight.repeated:
                out += self._made_again((index, child), state)
                continue
            if self._values is not None:
                for step, one in chain:
                    self._values.add(step, child, one)
            if self._reporter is not None:
                self._report(chain, child)
            if child is None:
                if self._watcher is not None:
                    self._watcher.finished(index, None, state)
                out += self._fed(index, self.progress.finished(index, None, state))
                continue
            for step, one in chain[1:]:
                self._answers[step, child] = one
            children.setdefault(index, []).append((child, state))
        if flight.line is not None and count:
            flight.line.sizes.learn(count, seconds)
        for index, pairs in children.items():
            if self._watcher is not None:
                self._watcher.children_finished(index, [state for _, state in pairs])
            out += self._fed(index, self.progress.children_finished(index, pairs))
        return out

    def _report(self, chain: list[tuple[int, State]], child: int | None) -> None:
        """Tell of a run that came back, and of those of later steps that ran right after it."""
        assert self._reporter is not None
        for place, (step, state) in enumerate(chain):
            if place:
                self._reporter.starting(step, child)
            self._reporter.settled(step, child, state)

    def _take(self, index: int, children: Sequence[int], states: Sequence[State]) -> list[Any]:
        return self._fed(index, super()._take(index, children, states))

    def _fed(self, index: int, out: list[Any]) -> list[Any]:
        """After states of a step were fed in: let go of values that nobody needs any more."""
        if self._values is not None and self.progress.is_done(index):
            self._values.step_done(index, self.progress.is_done)
        return out

    # --- what was lost -----------------------------------------------------------------------------------------

    def _lost(self, flight: Flight, error: Exception, how: str) -> list[Any]:
        """Deal with runs that never came back: a batch is split so that only the culprit fails."""
        runs = list(flight.open.values())
        flight.open.clear()
        if not runs:  # all was told before
            return []
        if self.scope.raises:
            raise error
        if isinstance(error, ClusterError):
            return self._give_up(runs, flight, error)
        if isinstance(error, ValueLostError):
            return self._mend(runs, flight, error, sent=how == "was lost")
        if len(runs) > 1:
            self._split(runs, flight)
            return []
        (run,) = runs
        if self.executor.resends and isinstance(error, WorkerLostError):
            self._losses[run] += flight.suspect and flight.begun
            if self._losses[run] < _LOSSES:
                self.scope.logger.warning("A worker was lost while it ran %s, which is sent again.", self._name(run))
                self._send(runs, repeated=flight.repeated, suspect=True)
                return []
        return self._fail(run, flight, error, how, retry=True)

    def _give_up(self, runs: list[Run], flight: Flight, error: ClusterError) -> list[Any]:
        """Let runs fail because there is no cluster any more; said once, for all that will follow."""
        if not self._gone:
            self._gone = True
            self.scope.logger.error("What is left of the flow run fails: %s", error)
        for line in self._lines.values():
            runs += line.runs
            line.runs.clear()
        return [one for run in runs for one in self._fail(run, flight, error, "was given up", retry=False)]

    def _split(self, runs: list[Run], flight: Flight) -> None:
        """Send the runs of a lost batch again in smaller ones."""
        size = max(1, len(runs) // _PARTS)
        for start in range(0, len(runs), size):
            part = runs[start : start + size]
            self._send(part, repeated=flight.repeated, suspect=self.executor.resends and len(part) == 1)

    def _fail(self, run: Run, flight: Flight, error: Exception, how: str, *, retry: bool) -> list[Any]:
        """Let a run that never came back fail by what became of it."""
        index, child = run
        self._losses.pop(run, None)
        if flight.repeated:
            return self._made_again(run, Failed(str(error), result=error))
        known = self.progress.known_state(index, child)
        bare = self._bare_run(index, child, known)
        if not self._gone:
            self.scope.logger.error("Task '%s': the run %s: %r", bare.full_name, how, error)
        token = push_layer(bare)
        try:
            state: State = announce(bare, known or Pending(), Failed(f"The task run {how}: {error}", result=error))
            if not bare.ended and retry:
                count = getattr(known, "run_count", 0) + 1
                state = announce(bare, state, retry_state(bare.task, state, count, self._clock.now()))
        finally:
            pop_layer(token)
        if self._watcher is not None:
            self._watcher.finished(index, child, state)
        if self._reporter is not None:
            self._reporter.settled(index, child, state)
        return self._fed(index, self.progress.finished(index, child, state))

    def _name(self, run: Run) -> str:
        index, child = run
        name = self.plan.steps[index].task.name
        return repr(name if child is None else f"{name}[{child}]")

    # --- values that were lost ---------------------------------------------------------------------------------

    def _mend(self, runs: list[Run], flight: Flight, error: ValueLostError, *, sent: bool) -> list[Any]:
        """Send runs again whose inputs were lost, after making those inputs again; those nobody can make fail."""
        if self._values is None:
            return self._each_alone(runs, flight, error)
        again: dict[int, list[Run]] = {}
        whole: list[Run] = []
        for run in runs:
            self._vain[run] += 1
            # A cluster that goes on to say so although all is there has forgotten something without telling.
            missing = self._values.missing(self._inputs_of(run), trusted=self._vain[run] % _TRUST > 0)
            for step, child, remote in missing:
                maker = (step, child)
                if self._repairs.begin(maker, remote):
                    again.setdefault(step, []).append(maker)
                    self.scope.logger.warning(
                        "The value of task %s is no longer on the cluster, so the task runs again. "
                        "Give it a result and turn checkpointing on to have it read instead.", self._name(maker),
                    )  # fmt: skip
            if missing:
                self._repairs.park(run, {(step, child) for step, child, _ in missing}, flight.repeated)
            else:
                whole.append(run)
        for makers in again.values():
            self._send(makers, repeated=True)
        if whole and not (sent and all(self._vain[run] < _MANY for run in whole)):
            return self._each_alone(whole, flight, error)
        if whole:
            names = ", ".join(self._name(run) for run in whole[:3]) + (", ..." if len(whole) > 3 else "")
            self.scope.logger.info("A value was lost; %s goes on with what was kept of it.", names)
            self._send(whole, repeated=flight.repeated)
        return []

    def _each_alone(self, runs: list[Run], flight: Flight, error: ValueLostError) -> list[Any]:
        """Send runs one by one, because one of them cannot be; that one fails."""
        if len(runs) == 1:
            return self._fail(runs[0], flight, error, "could not be sent", retry=False)
        for run in runs:
            self._send([run], repeated=flight.repeated)
        return []

    def _inputs_of(self, run: Run) -> list[Any]:
        made = self._run(*run)
        upstream = self._asked(made, run[0]) or {}
        return [*made.inputs.values(), *(state.carried() for state in upstream.values())]

    def _made_again(self, run: Run, state: State) -> list[Any]:
        """Take the value of a run that was repeated for it, and let those go on that waited."""
        if isinstance(state, Retrying):
            due = state.due()
            self._repairs.retries[run] = state
            heapq.heappush(self._repair_dates, (self._clock.now() if due is None else due, (run[0], _number(run)), run))
            return []
        remote = self._repairs.end(run)
        good = state.is_successful() and not state.is_mapped()
        if good:
            remote.revive(carried_of(state))
        out: list[Any] = []
        for parked, repeated in self._repairs.freed(run, good):
            if good:
                self._send([parked], repeated=repeated)
                continue
            error = ValueLostError(
                f"It needs the value of task {self._name(run)}, which was lost with its worker and could not be made "
                f"again: {state.message}"
            )
            out += self._fail(parked, Flight([parked], None, repeated, False), error, "was given up", retry=False)
        return out


def _number(run: Run) -> int:
    return -1 if run[1] is None else run[1]


def _hashable(placement: Any) -> Any:
    if placement is None:
        return None
    tags, resources = placement
    return frozenset(tags), tuple(sorted((resources or {}).items()))
