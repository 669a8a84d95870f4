"""
Pictures: of a flow, of a run, of the time it took.

Expected output:

    digraph {
    flowchart TD
    flow.svg: a picture
    run.svg: a picture
    gantt.svg: a picture
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from dagflow import Flow, task

folder = Path(tempfile.mkdtemp(prefix="dagflow-example-"))


@task
def numbers() -> list[int]:
    """Return what is mapped over."""
    return [1, 0, 2]


@task
def invert(x: int) -> float:
    """Fail for zero."""
    return 1 / x


with Flow("pictures") as flow:
    inverted = invert.map(numbers())


if __name__ == "__main__":
    state = flow.run()
    print(str(flow.to_dot()).splitlines()[0])
    print(flow.to_mermaid().splitlines()[0])
    # With or without Graphviz; in a notebook it is enough to name `flow` or `state`.
    flow.visualize(filename=str(folder / "flow.svg"))
    flow.visualize(flow_state=state, filename=str(folder / "run.svg"))
    state.gantt(filename=str(folder / "gantt.svg"))
    for name in ("flow.svg", "run.svg", "gantt.svg"):
        print(f"{name}:", "a picture" if "</svg>" in (folder / name).read_text(encoding="utf-8") else "nothing")
