"""
Tasks that say how they ended by raising a signal: SKIP, FAIL, SUCCESS, PAUSE.

A paused task waits for somebody's approval; on a terminal ``flow.run()`` asks, elsewhere it returns the unfinished
state, from which the run can go on.

Expected output:

    nothing_new: Skipped: no new files
    refuse: Failed: too large
    early: Success: 42
    approve: Paused
    after approval: Success: released
"""

from __future__ import annotations

from dagflow import Flow, task
from dagflow.engine import FlowRunner, signals
from dagflow.engine.state import Resume
from dagflow.utilities.tasks import pause_task


@task
def nothing_new() -> None:
    """Skip, and so skip what comes after."""
    raise signals.SKIP("no new files")


@task
def refuse() -> None:
    """Fail without a traceback."""
    raise signals.FAIL("too large")


@task
def early() -> None:
    """Succeed from deep inside."""
    raise signals.SUCCESS("done early", result=42)


@task
def approve() -> str:
    """Wait for somebody's word."""
    pause_task("release it?")
    return "released"


with Flow("signals") as flow:
    skipped, failed, done = nothing_new(), refuse(), early()

with Flow("approval") as release:
    approval = approve()


if __name__ == "__main__":
    state = flow.run()
    print(f"nothing_new: Skipped: {state.result[skipped].message}")
    print(f"refuse: {type(state.result[failed]).__name__}: {state.result[failed].message}")
    print(f"early: {type(state.result[done]).__name__}: {state.result[done].result}")

    paused = FlowRunner(release).run(return_tasks=[approval])
    print("approve:", type(paused.result[approval]).__name__)
    resumed = release.run(task_states={approval: Resume()})
    print(f"after approval: {type(resumed).__name__}: {resumed.result[approval].result}")
