"""Stopping a run: Ctrl-C, and interrupts among threads. Soon over, nothing left behind."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dagflow import Flow, task
from dagflow.executors import LocalDaskExecutor, threads

SCRIPT = """
import os, sys, time
from dagflow import Flow, task
from dagflow.executors import LocalDaskExecutor, LocalExecutor

@task({options})
def slow(x):
    open(os.path.join({folder!r}, str(os.getpid())), "w").close()
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        pass
    return x

with Flow("f") as flow:
    slow.map(list(range(10_000)))
try:
    flow.run(executor={executor})
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(3)
"""


@pytest.mark.parametrize("moment", ["running", "starting"])
@pytest.mark.parametrize(
    ("executor", "options"),
    [
        ("LocalExecutor()", ""),
        ("LocalDaskExecutor('threads', num_workers=4)", ""),
        ("LocalDaskExecutor('threads', num_workers=2)", "timeout=60"),
        ("LocalDaskExecutor('processes', num_workers=2)", ""),
    ],
)
def test_ctrl_c_ends_a_large_run_soon_and_leaves_nothing_behind(
    executor: str, options: str, moment: str, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(marks), executor=executor, options=options))
    child = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    line = child.stdout.readline
    wait_until(lambda: "Beginning Flow run" in line())
    if moment == "running":
        wait_until(lambda: any(marks.iterdir()))
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)

    assert child.returncode == 3, err
    assert "interrupted" in out and time.monotonic() - began < 5
    assert "Exception in" not in err, err
    for mark in marks.iterdir():
        wait_until(partial(is_gone, int(mark.name)))


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for something another process does."""
    until = time.monotonic() + 20
    pause = threading.Event()
    while not happened():
        assert time.monotonic() < until, "it never happened"
        pause.wait(0.01)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_interrupt_in_a_task_ends_the_threads_of_the_others() -> None:
    started = threading.Event()

    def spins() -> None:
        started.set()
        while True:
            pass

    def stops() -> None:
        started.wait()
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    with Flow("f") as flow:
        task(spins)()
        task(stops)()
    with pytest.raises(KeyboardInterrupt):
        flow.run(executor=LocalDaskExecutor("threads", num_workers=2))

    assert set(threading.enumerate()) <= before


def test_code_that_swallows_an_interrupt_is_interrupted_again() -> None:
    started = threading.Event()
    caught: list[int] = []

    def stubborn() -> None:
        started.set()
        while len(caught) < 3:
            try:
                while True:
                    pass
            except KeyboardInterrupt:
                caught.append(1)

    executor = LocalDaskExecutor("threads", num_workers=1)
    with pytest.raises(RuntimeError, match="enough"), executor.start():
        executor.submit(stubborn)
        assert started.wait(20)
        raise RuntimeError("enough")

    assert len(caught) == 3


def test_what_cannot_be_interrupted_is_left_behind_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads, "_PATIENCE", 0.1)
    started, release = threading.Event(), threading.Event()

    def sits() -> None:
        started.set()
        release.wait()

    executor = LocalDaskExecutor("threads", num_workers=1)
    with pytest.raises(RuntimeError, match="enough"), executor.start():
        future = executor.submit(sits)
        assert started.wait(20)
        raise RuntimeError("enough")

    assert "left behind" in caplog.text
    release.set()
    with pytest.raises(KeyboardInterrupt):
        future.result(timeout=20)


def test_a_thread_is_not_interrupted_while_it_holds_the_lock_of_a_log_handler() -> None:
    from dagflow.utilities.logging import StdoutHandler, uninterruptible

    seen = []

    class Handler(StdoutHandler):
        def emit(self, record: object) -> None:
            seen.append(threading.get_ident() in uninterruptible)

    record = logging.LogRecord("dagflow", logging.INFO, __file__, 1, "words", (), None)
    Handler().handle(record)

    assert seen == [True] and threading.get_ident() not in uninterruptible


CHATTY = """
import os, signal, sys, threading, time
from dagflow import Flow, context, task
from dagflow.executors import LocalDaskExecutor

started = threading.Event()

@task
def chatty(x):
    started.set()
    while True:
        context.logger.info("x")

def interrupt():
    started.wait()
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)

with Flow("f") as flow:
    chatty.map(list(range(100)))
threading.Thread(target=interrupt, daemon=True).start()
try:
    flow.run(executor=LocalDaskExecutor("threads", num_workers=4))
except KeyboardInterrupt:
    sys.exit(3)
"""


def test_ctrl_c_ends_threads_that_log_all_the_time(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(CHATTY)

    # Several at a time, because a busy machine switches between threads where a quiet one does not.
    children = [
        subprocess.Popen([sys.executable, str(script)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    try:
        ended = [child.communicate(timeout=60)[1] for child in children]
    finally:
        for child in children:
            child.kill()

    assert [child.returncode for child in children] == [3] * 4, ended
