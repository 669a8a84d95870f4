"""
A task that decides at run time how often it runs: it raises ``LOOP`` with what it has so far.

Expected output:

    page 1
    page 2
    page 3
    ['a', 'b', 'c', 'd', 'e']
"""

from __future__ import annotations

import dagflow
from dagflow import Flow, task
from dagflow.engine.signals import LOOP

PAGES = {1: ["a", "b"], 2: ["c", "d"], 3: ["e"]}


@task
def read_all_pages() -> list[str]:
    """Read one page, and come back as long as there is another."""
    page = dagflow.context.get("task_loop_count", 1)
    rows = dagflow.context.get("task_loop_result", []) + PAGES[page]
    print("page", page)
    if page + 1 in PAGES:
        raise LOOP(f"page {page} of several", result=rows)
    return rows


with Flow("looping") as flow:
    everything = read_all_pages()


if __name__ == "__main__":
    print(flow.run().result[everything].result)
