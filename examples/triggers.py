"""
When a task runs, given how the tasks before it ended.

Expected output:

    clean_up: Success
    report: Success: 1 of 2 worked
    publish: TriggerFailed
    the flow: Failed
"""

from __future__ import annotations

from typing import Any

from dagflow import Flow, task
from dagflow.triggers import all_finished, always_run, some_successful


@task
def work() -> int:
    """Succeed."""
    return 1


@task
def broken() -> int:
    """Fail."""
    raise ValueError("broken")


@task(trigger=always_run)
def clean_up() -> None:
    """Run whatever happened."""


@task(trigger=all_finished)
def report(results: list[Any]) -> str:
    """Run when all have finished; a failed task's result is its exception."""
    worked = [result for result in results if not isinstance(result, Exception)]
    return f"{len(worked)} of {len(results)} worked"


@task(trigger=some_successful(at_least=2))
def publish() -> None:
    """Run when at least two have succeeded."""


@task(trigger=all_finished)
def both(one: Any, other: Any) -> list[Any]:
    """Take both results, the exception too."""
    return [one, other]


with Flow("triggers") as flow:
    good, bad = work(), broken()
    tidy = clean_up(upstream_tasks=[good, bad])
    told = report(both(good, bad))
    published = publish(upstream_tasks=[good, bad])


if __name__ == "__main__":
    state = flow.run()
    print(f"clean_up: {type(state.result[tidy]).__name__}")
    print(f"report: {type(state.result[told]).__name__}: {state.result[told].result}")
    print(f"publish: {type(state.result[published]).__name__}")
    print(f"the flow: {type(state).__name__}")
