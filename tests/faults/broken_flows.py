"""
R20 and R22 under a server: results and code that are broken; the run fails soon with the cause, and the agent lives.

    python -m tests.faults.broken_flows
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.faults.backend_world import World, world
from tests.faults.hurt_flows import BEGINNING
from tests.faults.records import starts, task_runs

__all__ = ["CODE", "RESULTS", "break_code", "break_result", "main"]

MOST_SECONDS = 10.0

GOOD = f"""{BEGINNING}
@task
def first():
    note("first")
    return list(range(1000))


@task
def second(values):
    note("second")
    time.sleep(60 if os.environ.get("WAITS") else 0)
    return sum(values)


with Flow("breakable") as flow:
    last = second(first())
"""


def _without(path: Path) -> None:
    path.unlink()


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _swapped(path: Path) -> None:
    import cloudpickle

    path.write_bytes(cloudpickle.dumps(list(range(999, -1, -1))))


CODE: dict[str, tuple[Callable[[str], str] | None, str]] = {
    "the file is gone": (None, "flow.py"),
    "a module is missing": (lambda text: f"import no_such_module\n{text}", "no_such_module"),
    "the code is no Python": (lambda text: f"{text}\nwith with\n", "SyntaxError"),
    "the code fails when it is loaded": (lambda text: f"{text}\n1 / 0\n", "division by zero"),
    "there is no flow in it": (lambda text: text.split("with Flow")[0], "breakable"),
    "the flow has another name": (lambda text: text.replace('Flow("breakable")', 'Flow("other")'), "breakable"),
    "a task was renamed": (lambda text: text.replace("first()", "renamed()"), "'renamed-1'"),
}
"""What is done to the code of a registered flow, and what the reason of the failure names."""

RESULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a bit flipped": (_flipped, "sha256"),
    "cut short": (_short, "bytes"),
    "empty": (_empty, "bytes"),
    "swapped for another": (_swapped, "sha256"),
    "gone": (_without, "first"),
}
"""What is done to the file of a result while nobody executes the run, and what the reason of the failure names."""


def break_code(here: World, change: Callable[[str], str] | None) -> str:
    """Change the code of the flow behind the server's back, and return why the run failed."""
    path = here.folder / "flow.py"
    if change is None:
        path.unlink()
    else:
        path.write_text(change(GOOD))
    try:
        run_id = here.run()
        assert here.finish(run_id, MOST_SECONDS) == "Failed"
    finally:
        path.write_text(GOOD)
    assert here.agents[-1].poll() is None
    return _reason(here, run_id)


def break_result(here: World, change: Callable[[Path], None]) -> str:
    """Kill a run between two tasks, break what the first returned, and return why the run failed then."""
    known = len(starts(here))
    run_id = here.run(env={"WAITS": "1"})
    here.wait_for(lambda: len(starts(here)) == known + 2, 30.0, "the second body to begin")
    (first,) = here.wait_for(
        lambda: [one for one in task_runs(here, run_id) if one["task_slug"] == "first-1" and one["state"] == "Success"],
        10.0, "the first to be recorded",
    )  # fmt: skip
    # Without an agent nobody takes it up before the file is broken.
    agent = here.agents.pop()
    os.kill(agent.pid, signal.SIGKILL)
    agent.wait()
    for pid in here.flow_processes(run_id):
        os.kill(pid, signal.SIGKILL)
    change(Path(first["serialized_state"]["_result"]["location"]))
    here.start_agent()
    assert here.finish(run_id, 30.0) == "Failed"
    assert len(starts(here)) == known + 2, "a body began with a value that was broken"
    return _reason(here, run_id)


def _reason(here: World, run_id: str) -> str:
    """Return what the states of a run and its log say."""
    log = here.client.get(f"flow_runs/{run_id}/logs", {"limit": 1000})["items"]
    states = [one["state_message"] or "" for one in [here.client.get(f"flow_runs/{run_id}"), *task_runs(here, run_id)]]
    return "\n".join([*states, *(one["message"] for one in log if one["level"] in ("ERROR", "CRITICAL"))])


def main() -> None:
    """Run the table and print it."""
    with world(source=GOOD) as here:
        for name, (change, named) in CODE.items():
            reason = break_code(here, change)
            assert named in reason, f"{name}: {named!r} is not in {reason}"
            print(f"{name}: {reason.splitlines()[0][:150]}", flush=True)
        for name, (damage, named) in RESULTS.items():
            reason = break_result(here, damage)
            assert named in reason, f"{name}: {named!r} is not in {reason}"
            print(f"{name}: {reason[:200]!r}", flush=True)
    print(f"{len(CODE) + len(RESULTS)} of {len(CODE) + len(RESULTS)} passed")


if __name__ == "__main__":
    main()
