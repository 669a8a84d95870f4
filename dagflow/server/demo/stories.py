"""
How the runs of the demo went: which task did what when.

Pure: chance comes in as a generator of random numbers; moments are seconds from the begin of the run.
"""

from __future__ import annotations

import dataclasses
import random
from typing import NamedTuple

from dagflow.server.demo.flows import DemoFlow
from dagflow.server.orchestration.graph import topological
from dagflow.server.orchestration.kinds import FINISHED

__all__ = ["Step", "Story", "TaskStory", "tell"]

HANDS = 4
"""Mapped children that run at once."""

PROBLEMS = (
    "Unexpected error: ConnectionError('The warehouse closed the connection.')",
    "Unexpected error: KeyError('customer_id')",
    "Unexpected error: HTTPError('503 Service Unavailable')",
    "Unexpected error: ValueError('could not convert string to float: 12,90')",
    "Unexpected error: MemoryError()",
)


class Step(NamedTuple):
    """A state that was entered at a moment."""

    at: float
    state: str
    message: str | None = None


@dataclasses.dataclass
class TaskStory:
    """What happened to the run of a task, or of one of its mapped children."""

    slug: str
    index: int
    steps: list[Step]

    @property
    def state(self) -> str:
        """The state that it has in the end."""
        return self.steps[-1].state if self.steps else "Pending"

    @property
    def start(self) -> float | None:
        """When it ran first."""
        return next((step.at for step in self.steps if step.state == "Running"), None)

    @property
    def end(self) -> float | None:
        """When it ended, ``None`` when it has not."""
        return self.steps[-1].at if self.steps and self.state in FINISHED else None

    @property
    def tries(self) -> int:
        """How often it ran."""
        return sum(step.state == "Running" for step in self.steps)


@dataclasses.dataclass
class Story:
    """What happened to a run: its own steps, from *Running* on, and those of its tasks."""

    steps: list[Step]
    tasks: list[TaskStory]


def tell(flow: DemoFlow, slugs: list[str], chance: random.Random, outcome: str) -> Story:
    """
    Return how a run of the tasks *slugs* went.

    Args:
        flow: that ran.
        slugs: its tasks in that version.
        chance: decides.
        outcome: ``Success``, ``Failed``, ``Restarted`` (failed, then went well), ``Cancelled`` or ``Running``.
    """
    teller = _Teller(flow, slugs, chance, outcome in ("Failed", "Restarted"))
    teller.run_all()
    end = teller.end + 0.3
    if outcome == "Restarted":
        again = end + chance.uniform(300, 3000)
        teller.run_again(again)
        ended = Step(end, "Failed", "Some reference tasks failed.")
        steps = [Step(0.0, "Running"), ended, Step(again - 20, "Scheduled", "Restarted."), Step(again, "Running")]
        return Story([*steps, Step(teller.end + 0.3, "Success", "All reference tasks succeeded.")], teller.stories)
    if outcome in ("Running", "Cancelled"):
        end *= chance.uniform(0.3, 0.9)
        _cut(teller.stories, end, cancel=outcome == "Cancelled")
    last = {
        "Success": [Step(end, "Success", "All reference tasks succeeded.")],
        "Failed": [Step(end, "Failed", "Some reference tasks failed.")],
        "Cancelled": [Step(end, "Cancelled", "Cancelled by hand.")],
        "Running": [],
    }[outcome]
    return Story([Step(0.0, "Running", "Running flow."), *last], teller.stories)


def _cut(stories: list[TaskStory], end: float, *, cancel: bool) -> None:
    """Let nothing happen after *end*; what went on then is cancelled, or goes on."""
    for one in stories:
        one.steps = [step for step in one.steps if step.at <= end]
        if cancel and one.state not in FINISHED:
            one.steps.append(Step(end, "Cancelled", "Cancelled by hand."))
    if not cancel:
        stories[:] = [one for one in stories if one.steps or one.index < 0]


class _Teller:
    """Lets tasks run one after the other."""

    def __init__(self, flow: DemoFlow, slugs: list[str], chance: random.Random, fails: bool) -> None:
        self.flow, self.chance = flow, chance
        edges = [(up, down) for up, down, _ in flow.pairs() if up in slugs and down in slugs]
        self.order = topological(slugs, edges)
        self.upstream = {slug: [up for up, down in edges if down == slug] for slug in slugs}
        self.failing = chance.choice(self.order) if fails else None
        self.stories: list[TaskStory] = []
        self.ends: dict[str, float] = {}
        self.failed: set[str] = set()

    @property
    def end(self) -> float:
        """When the last task ended."""
        return max(self.ends.values(), default=0.5)

    def run_all(self) -> None:
        """Let all tasks run."""
        for slug in self.order:
            begin = max((self.ends[up] for up in self.upstream[slug]), default=0.2) + self.chance.uniform(0.02, 0.4)
            if slug != "notify" and any(up in self.failed for up in self.upstream[slug]):
                message = 'Trigger was "all_successful" but some of the upstream tasks failed.'
                self.stories.append(TaskStory(slug, -1, [Step(begin, "TriggerFailed", message)]))
                self.ends[slug] = begin
                self.failed.add(slug)
            elif slug in self.flow.mapped:
                self._run_mapped(slug, begin)
            else:
                self.stories.append(self._story(slug, -1, begin, slug == self.failing))
                self.ends[slug] = self.stories[-1].steps[-1].at
            if slug == self.failing:
                self.failed.add(slug)

    def _run_mapped(self, slug: str, begin: float) -> None:
        count = max(2, round(self.flow.children * self.chance.uniform(0.6, 1.4)))
        failing = self.chance.sample(range(count), 2) if slug == self.failing else ()
        self.stories.append(TaskStory(slug, -1, [Step(begin, "Mapped", f"Mapped over {count} children.")]))
        hands = [begin + 0.1] * HANDS
        for index in range(count):
            hand = hands.index(min(hands))
            child = self._story(slug, index, hands[hand], index in failing)
            self.stories.append(child)
            hands[hand] = child.steps[-1].at + 0.02
        self.ends[slug] = max(hands)

    def _story(self, slug: str, index: int, begin: float, fails: bool) -> TaskStory:
        took = self.flow.tasks[slug] * self.chance.lognormvariate(0, 0.3)
        steps = [Step(begin, "Running", "Starting task run.")]
        tries = 1 if fails or self.chance.random() < 0.03 else 0
        problem = self.chance.choice(PROBLEMS)
        if tries and self.chance.random() < 0.6:
            steps.append(Step(begin + took * 0.4, "Retrying", f"{problem} Retrying in 30 s."))
            begin += took * 0.4 + 30
            steps.append(Step(begin, "Running", "Starting task run."))
        ended = Step(begin + took, "Failed", problem) if fails else Step(begin + took, "Success", "Task run succeeded.")
        return TaskStory(slug, index, [*steps, ended])

    def run_again(self, at: float) -> None:
        """Let what failed, and what depends on it, run once more, and go well."""
        again: dict[str, float] = {}
        for one in self.stories:
            if one.state not in ("Failed", "TriggerFailed"):
                continue
            ups = self.upstream[one.slug]
            begin = max((again[up] for up in ups if up in again), default=at) + self.chance.uniform(0.02, 0.4)
            took = self.flow.tasks[one.slug] * self.chance.lognormvariate(0, 0.3)
            one.steps += [
                Step(at - 20, "Pending", "Reset by a restart."),
                Step(begin, "Running", "Starting task run."),
                Step(begin + took, "Success", "Task run succeeded."),
            ]
            again[one.slug] = max(again.get(one.slug, 0.0), begin + took)
        self.ends |= again
