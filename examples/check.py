"""
Mistakes found before anything runs.

Expected output:

    1 finding
    [type] Task 'double' takes 'x' as int, but task 'names' returns list[str], mapped over: str. ...
    True
"""

from __future__ import annotations

from dagflow import Flow, task


@task
def names() -> list[str]:
    """Return texts."""
    return ["Ada", "Grace"]


@task
def double(x: int) -> int:
    """Take a number."""
    return 2 * x


@task
def shout(x: str) -> str:
    """Take a text."""
    return x.upper()


with Flow("wrong") as wrong:
    double.map(names())

with Flow("right") as right:
    shout.map(names())


if __name__ == "__main__":
    report = wrong.check()
    print(len(report), "finding")
    for finding in report:
        print(finding)
    print(bool(right.check()))
