"""
A run that starts in the middle: the states of an earlier run are given, what succeeded is not run again.

Expected output:

    extract
    transform
    first run: Failed
    transform
    load [2, 4, 6]
    second run: Success
"""

from __future__ import annotations

from dagflow import Flow, task

broken = [True]


@task
def extract() -> list[int]:
    """Take long."""
    print("extract")
    return [1, 2, 3]


@task
def transform(rows: list[int]) -> list[int]:
    """Fail the first time."""
    print("transform")
    if broken.pop() if broken else False:
        raise ValueError("a mistake that somebody mends")
    return [2 * row for row in rows]


@task
def load(rows: list[int]) -> None:
    """Write."""
    print("load", rows)


with Flow("restart") as flow:
    load(transform(extract()))


if __name__ == "__main__":
    first = flow.run()
    print("first run:", type(first).__name__)
    kept = {task: state for task, state in first.result.items() if state.is_successful()}
    print("second run:", type(flow.run(task_states=kept)).__name__)
