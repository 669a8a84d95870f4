"""
The smallest flow: two tasks, one feeding the other.

Expected output:

    Hello, Ada!
    Success
"""

from __future__ import annotations

from dagflow import Flow, task


@task
def name() -> str:
    """Return whom to greet."""
    return "Ada"


@task
def greet(who: str) -> str:
    """Return a greeting."""
    return f"Hello, {who}!"


with Flow("hello") as flow:
    greeting = greet(name())


if __name__ == "__main__":
    state = flow.run()
    print(state.result[greeting].result)
    print(type(state).__name__)
