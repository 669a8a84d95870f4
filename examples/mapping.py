"""
One task run for each item of a list.

``map`` pairs its arguments item by item; ``unmapped`` gives the same value to each; ``flatten`` takes one level of
nesting away. Maps of maps run depth first: nothing waits for the whole list.

Expected output:

    [11, 12, 13]
    [10, 40, 90]
    ['a', 'b', 'c']
    second child: 12
"""

from __future__ import annotations

from dagflow import Flow, flatten, task, unmapped


@task
def add(x: int, y: int) -> int:
    """Add."""
    return x + y


@task
def multiply(x: int, y: int) -> int:
    """Multiply."""
    return x * y


@task
def letters() -> list[list[str]]:
    """Return lists in a list."""
    return [["a"], ["b", "c"]]


@task
def same(x: str) -> str:
    """Return what came."""
    return x


with Flow("mapping") as flow:
    sums = add.map([1, 2, 3], unmapped(10))
    products = multiply.map([1, 2, 3], [10, 20, 30])
    flat = same.map(flatten(letters()))


if __name__ == "__main__":
    state = flow.run()
    for mapped_task in (sums, products, flat):
        print(state.result[mapped_task].result)
    print("second child:", state.result[sums].map_states[1].result)
