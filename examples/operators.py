"""
Arithmetic, comparison and indexing of tasks make more tasks.

``|`` sets the order of two tasks; ``==`` compares identity as ever, ``is_equal`` makes a task.

Expected output:

    net: 80.0
    dear: True
    second item: pen
    first name: Ada
"""

from __future__ import annotations

from typing import Any

from dagflow import Flow, Parameter, task


@task
def order() -> dict[str, Any]:
    """Return something nested."""
    return {"customer": {"name": "Ada"}, "items": ["ink", "pen"]}


@task(nout=2)
def price_and_rate() -> tuple[float, float]:
    """Return two values."""
    return 100.0, 0.2


with Flow("operators") as flow:
    price, rate = price_and_rate()
    net = price * (1 - rate)
    dear = (net > 50) & net.is_not_equal(Parameter("limit", default=99))
    bought = order()
    second = bought["items"][1]
    name = bought["customer"]["name"]


if __name__ == "__main__":
    state = flow.run()
    print("net:", state.result[net].result)
    print("dear:", state.result[dear].result)
    print("second item:", state.result[second].result)
    print("first name:", state.result[name].result)
