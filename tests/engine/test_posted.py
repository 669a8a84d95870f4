"""The worker's end: batches that run, report in the middle, hand back, and keep what is large."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dagflow.core.task import Task
from dagflow.engine.carried import Stub
from dagflow.engine.posted import Kit, run_posted
from dagflow.engine.run_context import RunScope
from dagflow.exceptions import WorkerLostError
from dagflow.executors import published
from dagflow.utilities.pickling import dumps
from dagflow.utilities.tasks import task

gates: dict[str, threading.Event] = {}
waiting: list[str] = []
passed: list[str] = []


class Recorder:
    """An outpost that keeps all it gets; one object, also after pickling."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.reports: list[Any] = []
        self.confirmed: list[Any] = []
        self.told = threading.Event()

    def arrive(self) -> Recorder:
        return self

    def size_of(self, value: Any) -> int:
        return len(value) if isinstance(value, bytes) else 10

    def keep(self, values: dict[str, Any]) -> None:
        self.kept.update(values)

    def tell(self, message: bytes) -> None:
        self.reports.append(pickle.loads(message))
        self.told.set()

    def confirm(self, message: bytes) -> None:
        self.confirmed.append(pickle.loads(message))

    def __reduce__(self) -> Any:
        return _recorder, ()


_present: list[Recorder] = []


def _recorder() -> Recorder:
    return _present[-1]


@pytest.fixture
def outpost() -> Iterator[Recorder]:
    _present.append(Recorder())
    yield _present[-1]
    _present.clear()
    published.withdraw("kit")


def publish(*tasks: Task, home: frozenset[int] = frozenset(), outpost: Recorder | None = None) -> None:
    """Publish a kit with *tasks* as its steps."""
    packs = [dumps({index: (one, f"{one.name}-1", {})}) for index, one in enumerate(tasks)]
    kit = Kit(RunScope("f"), {index: index for index in range(len(tasks))}, packs, home=home, outpost=outpost)
    published.receive("kit", dumps(kit))


def item(child: int, step: int = 0, **inputs: Any) -> Any:
    """Return what a message says of one run."""
    return step, child, None, inputs, (), None, [{}, {}]


def run(items: list[Any], links: list[Any] | None = None, *, suspect: bool = False) -> bytes | None:
    return run_posted("kit", dumps((1, links or [], items, suspect)))


@task
def same(x: Any) -> Any:
    return x


def _gate(name: str) -> threading.Event:
    gates[name] = threading.Event()
    return gates[name]


class Waits(Task):
    """Waits for an event of this module, also after pickling."""

    def run(self, x: str) -> str:
        return _pass(x)


def _pass(x: str) -> str:
    from tests.engine import test_posted

    if x in test_posted.gates:
        test_posted.waiting.append(x)
        assert test_posted.gates[x].wait(20)
    test_posted.passed.append(x)
    return x


def test_without_an_outpost_the_report_is_what_the_call_returns() -> None:
    publish(same)

    number, begun, answers, given, records = pickle.loads(run([item(0, x=1), item(1, x=[2])]) or b"")

    assert (number, begun, given, records) == (1, False, [], [])
    (first, [(step, (value, started, ended))]), (second, [(_, (packed, _, _))]) = answers
    assert (first, step, value, second, packed.open()) == (0, 0, 1, 1, [2]) and started <= ended
    published.withdraw("kit")


def test_with_an_outpost_the_report_is_told(outpost: Recorder) -> None:
    publish(same, outpost=outpost)

    assert run([item(0, x=1)]) is None
    assert [report[2][0][0] for report in outpost.reports] == [0] and outpost.confirmed == []


def test_a_suspect_says_that_it_begins_before_it_does(outpost: Recorder) -> None:
    publish(same, outpost=outpost)

    run([item(0, x=1)], suspect=True)

    assert outpost.confirmed == [(1, True, [], [], [])]


def test_a_slow_run_hands_back_those_behind_it_and_reports_those_before(outpost: Recorder) -> None:
    gate = _gate("slow")
    publish(Waits(name="waits"), outpost=outpost)
    thread = threading.Thread(target=run, args=([item(n, x=x) for n, x in enumerate(["a", "slow", "b", "c"])],))

    thread.start()
    assert outpost.told.wait(20)
    gate.set()
    thread.join(20)
    gates.clear()

    early, last = outpost.reports
    assert [place for place, _ in early[2]] == [0] and early[3] == [2, 3]
    assert [place for place, _ in last[2]] == [1] and last[3] == []


def test_a_single_slow_run_has_nothing_to_hand_back(outpost: Recorder) -> None:
    gate = _gate("slow")
    publish(Waits(name="waits"), outpost=outpost)
    thread = threading.Thread(target=run, args=([item(0, x="slow")],))

    thread.start()
    told = outpost.told.wait(0.2)
    gate.set()
    thread.join(20)
    gates.clear()

    assert not told and len(outpost.reports) == 1


def test_large_values_stay_and_small_ones_travel(outpost: Recorder) -> None:
    publish(same, outpost=outpost)

    run([item(0, x=b"x" * 300_000), item(1, x=b"small")])

    ((_, [(_, (large, _, _))]), (_, [(_, (small, _, _))])) = outpost.reports[0][2]
    assert type(large) is Stub and (large.kind, large.length, large.size) == ("whole", 300_000, 300_000)
    assert list(outpost.kept) == [large.key] and small.open() == b"small"


def test_values_that_are_asked_for_come_along_whatever_their_size(outpost: Recorder) -> None:
    publish(same, outpost=outpost, home=frozenset({0}))

    run([item(0, x=b"x" * 300_000)])

    ((_, [(_, (stub, _, _))]),) = outpost.reports[0][2]
    assert pickle.loads(stub.data) == b"x" * 300_000 and stub.key in outpost.kept


def test_many_values_of_middling_size_stay_together(outpost: Recorder) -> None:
    publish(same, outpost=outpost)

    run([item(n, x=bytes([n]) * 1_000) for n in range(100)])

    stubs = [chain[0][1][0] for _, chain in outpost.reports[0][2]]
    (pool,) = outpost.kept.values()
    assert {type(stub) for stub in stubs} == {Stub}
    assert [pool.value(stub.place)[0] for stub in stubs] == list(range(100))


def test_a_chain_goes_on_while_all_is_well(outpost: Recorder) -> None:
    publish(same, task(lambda y: 10 // y, name="divide"), outpost=outpost)

    run([item(0, x=5), item(1, x=0)], [(1, ["y"], False)])

    (_, good), (_, bad) = outpost.reports[0][2]
    assert [step for step, _ in good] == [0, 1] and good[1][1][0] == 2
    assert [step for step, _ in bad] == [0, 1] and isinstance(bad[1][1].result, ZeroDivisionError)


def test_a_large_value_that_only_the_next_one_needed_is_dropped_when_that_went_well(outpost: Recorder) -> None:
    publish(same, task(lambda y: 1 // (len(y) - 300_000), name="use"), outpost=outpost)

    run([item(0, x=b"x" * 300_001), item(1, x=b"x" * 300_000)], [(1, ["y"], True)])

    used, unused = (chain[0][1][0] for _, chain in outpost.reports[0][2])
    assert used.key == "" and list(outpost.kept) == [unused.key]


def test_a_value_that_does_not_pickle_fails_its_run_alone(outpost: Recorder) -> None:
    @task
    def lock() -> Any:
        return threading.Lock()

    publish(lock, same, outpost=outpost)

    run([item(0, 0), item(1, 1, x=2)])

    (_, [(_, bad)]), (_, [(_, (good, _, _))]) = outpost.reports[0][2]
    assert bad.is_failed() and "cannot be sent back" in bad.message and good == 2


def test_a_large_value_that_does_not_pickle_is_found_out_where_it_is_made(outpost: Recorder) -> None:
    class Large(bytes):
        def __reduce__(self) -> Any:
            raise TypeError("never")

    publish(task(lambda: Large(300_000), name="large"), outpost=outpost)

    run([item(0)])

    ((_, [(_, state)]),) = outpost.reports[0][2]
    assert state.is_failed() and "cannot be sent back" in state.message and outpost.kept == {}


def test_a_task_that_cannot_be_opened_fails_alone(outpost: Recorder) -> None:
    publish(same, same, outpost=outpost)
    kit = published.fetch("kit")
    kit._packs[0] = b"cno_such_module\nthing\n."

    run([item(0, 0, x=1), item(1, 1, x=2)])

    (_, [(_, bad)]), (_, [(_, (good, _, _))]) = outpost.reports[0][2]
    assert isinstance(bad.result, ModuleNotFoundError) and "installed there" in bad.message and good == 2


def test_leaving_the_interpreter_is_a_failure_and_no_end(outpost: Recorder) -> None:
    def leave() -> None:
        raise SystemExit(3)

    publish(task(leave, name="leave"), outpost=outpost)

    run([item(0)])

    ((_, [(_, state)]),) = outpost.reports[0][2]
    assert isinstance(state.result, WorkerLostError) and "sys.exit(3)" in state.message


def test_a_batch_ends_when_its_flow_run_was_broken_off(outpost: Recorder) -> None:
    passed.clear()
    waiting.clear()
    gate = _gate("slow")
    publish(Waits(name="waits"), outpost=outpost)
    thread = threading.Thread(target=run, args=([item(0, x="slow"), item(1, x="b")],))
    thread.start()
    while waiting != ["slow"]:
        time.sleep(0.001)

    published.withdraw("kit")
    gate.set()
    thread.join(20)
    gates.clear()

    assert passed == ["slow"] and outpost.reports == [], "nobody listens any more"
