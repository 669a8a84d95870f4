"""
A whole piece of a flow, branches included, for each item of a list.

Expected output:

    ['0 is even', '1 is odd', '2 is even', '3 is odd']
"""

from __future__ import annotations

from dagflow import Flow, apply_map, case, task
from dagflow.tasks.control_flow import merge


@task
def is_even(x: int) -> bool:
    """Tell whether two divides it."""
    return x % 2 == 0


@task
def describe(x: int, kind: str) -> str:
    """Say what it is."""
    return f"{x} is {kind}"


def body(x: int) -> object:
    """Build the tasks for one item."""
    even = is_even(x)
    with case(even, True):
        one = describe(x, "even")
    with case(even, False):
        other = describe(x, "odd")
    return merge(one, other)


with Flow("apply_map") as flow:
    described = apply_map(body, range(4))


if __name__ == "__main__":
    print(flow.run().result[described].result)
