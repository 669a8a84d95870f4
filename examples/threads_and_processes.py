"""
The same flow in one thread, on threads and on processes.

Threads suit tasks that wait, processes suit tasks that compute. What travels to a process travels by cloudpickle, so
tasks defined in a script are fine.

Expected output:

    local: 332833500 in one thread of one process
    threads: 332833500 in other threads of one process
    processes: 332833500 in other processes
"""

from __future__ import annotations

import os
import threading

from dagflow import Flow, task
from dagflow.executors import Executor, LocalDaskExecutor, LocalExecutor


@task
def squares(start: int) -> tuple[int, int, int]:
    """Add up a hundred squares; say where."""
    return sum(n * n for n in range(start, start + 100)), os.getpid(), threading.get_ident()


@task
def total(parts: list[tuple[int, int, int]]) -> int:
    """Add up the parts."""
    return sum(part[0] for part in parts)


with Flow("threads and processes") as flow:
    parts = squares.map(list(range(0, 1000, 100)))
    answer = total(parts)

EXECUTORS: dict[str, Executor] = {
    "local": LocalExecutor(),
    "threads": LocalDaskExecutor("threads", num_workers=2),
    "processes": LocalDaskExecutor("processes", num_workers=2),
}


def where(done: list[tuple[int, int, int]]) -> str:
    """Say where the parts were made."""
    if os.getpid() not in {part[1] for part in done}:
        return "in other processes"
    in_main = {part[2] for part in done} == {threading.get_ident()}
    return "in one thread of one process" if in_main else "in other threads of one process"


if __name__ == "__main__":
    for name, executor in EXECUTORS.items():
        state = flow.run(executor=executor)
        print(f"{name}: {state.result[answer].result} {where(state.result[parts].result)}")
