"""Whether there is an agent for a run, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dagflow.backend._ask import asked_list

__all__ = ["check_for_compatible_agents", "describe_agents"]

POOL = "pool:"
"""What the label begins with that every run of a pool has."""


def check_for_compatible_agents(labels: Iterable[str], since_minutes: int = 1) -> str:
    """
    Say whether an agent will take a run with *labels*.

    Args:
        labels: of the run.
        since_minutes: an agent that asked for work within this time counts as healthy.
    """
    if isinstance(labels, str):
        raise TypeError(f"labels must be a collection of strings, found the string {labels!r}.")
    known = asked_list("agents")
    healthy = {one["id"] for one in asked_list("agents", healthy_since_minutes=since_minutes)}
    return describe_agents(sorted(set(labels)), known, healthy)


def describe_agents(labels: Sequence[str], agents: Sequence[dict[str, Any]], healthy: set[str]) -> str:
    """
    Say which of *agents*, of which those in *healthy* asked for work of late, would take a run with *labels*.

    >>> describe_agents(["eu"], [{"id": "1", "name": "ann", "labels": ["eu", "big"]}], {"1"})
    "Agent ann (1) has the labels ['big', 'eu'] that the run needs: ['eu']. It should take the run soon."
    """
    matching = [agent for agent in agents if _fits(agent, labels)]
    able = [agent for agent in matching if agent["id"] in healthy]
    wanted = f"the labels {list(labels)}" if labels else "no labels"
    if len(able) == 1:
        return (
            f"Agent {_called(able[0])} has the labels {_labels(able[0])} that the run needs: {list(labels)}. "
            "It should take the run soon."
        )
    if able:
        return (
            f"Found {len(able)} healthy agents that match {wanted} of the run, such as {_called(able[0])}. "
            "One of them should take the run soon."
        )
    if len(matching) == 1:
        return (
            f"Agent {_called(matching[0])} matches {wanted} of the run, but has not asked for work recently. "
            "Is it still running?"
        )
    if matching:
        return (
            f"Found {len(matching)} agents that match {wanted} of the run, such as {_called(matching[0])}, but none of "
            "them has asked for work recently. Start one of them again."
        )
    start = _start(labels)
    others = [agent for agent in agents if agent["id"] in healthy]
    if not others:
        return f"There is no healthy agent. Your run will wait; start one with `{start}`."
    return (
        f"There are {len(others)} healthy agents, but none matches {wanted} of the run. {_nearest(others, labels)} "
        f"Start one with `{start}`."
    )


def _start(labels: Sequence[str]) -> str:
    """Return the command that starts an agent for a run."""
    pool = next(iter(_pools(labels)), None)
    command = f"dagflow worker start --pool {pool.removeprefix(POOL)}" if pool else "dagflow agent local start"
    return command + "".join(f" --label {label}" for label in labels if label != pool)


def _pools(labels: Iterable[str]) -> set[str]:
    return {label for label in labels if label.startswith(POOL)}


def _fits(agent: dict[str, Any], labels: Sequence[str]) -> bool:
    """Tell whether an agent would take a run; one that serves a pool takes what is in it and nothing else."""
    served = {f"{POOL}{agent['pool']}"} if agent.get("pool") else set()
    return _pools(labels) == served and takes(_labels(agent), labels)


def takes(agent: Iterable[str], run: Iterable[str]) -> bool:
    """
    Tell whether an agent with some labels takes a run with others.

    >>> takes(["a", "b"], ["a"]), takes(["a"], ["a", "b"]), takes(["a"], []), takes([], [])
    (True, False, False, True)
    """
    needed = set(run)
    return needed <= set(agent) and (bool(needed) or not set(agent))


def _nearest(agents: Sequence[dict[str, Any]], labels: Sequence[str]) -> str:
    """Say what the agent that comes closest lacks."""
    closest = min(agents, key=lambda agent: (len(set(labels) - set(_labels(agent))), bool(agent.get("pool"))))
    missing = sorted(set(labels) - set(_labels(closest)))
    if missing:
        return f"Agent {_called(closest)} has the labels {_labels(closest)}: {missing} missing."
    if closest.get("pool"):
        return f"Agent {_called(closest)} serves the pool {closest['pool']} and takes only runs of it."
    return f"Agent {_called(closest)} has the labels {_labels(closest)}, and an agent with labels takes no run without."


def _called(agent: dict[str, Any]) -> str:
    return f"{agent.get('name') or 'without name'} ({agent['id']})"


def _labels(agent: dict[str, Any]) -> list[str]:
    return sorted({*(agent.get("labels") or ()), *([f"{POOL}{agent['pool']}"] if agent.get("pool") else [])})
