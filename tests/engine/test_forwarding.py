"""Log lines on their way from a worker to the driver."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from dagflow.engine.forwarding import collecting, follow_level, hand_on
from dagflow.utilities.logging import get_logger, temporary_logger_config


class Collector:
    """Keeps records."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def note(self, record: dict[str, Any]) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def _talkative() -> Any:
    with temporary_logger_config(level="INFO"):
        yield


def test_lines_are_collected_and_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    collector = Collector()

    with collecting(collector):
        get_logger("load").info("read %d rows", 3)
    get_logger("load").info("printed")

    assert [record["msg"] for record in collector.records] == ["read 3 rows"]
    assert "printed" in capsys.readouterr().out
    assert "rows" not in capsys.readouterr().out


def test_lines_come_out_of_the_same_logger_with_their_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    collector = Collector()
    with collecting(collector):
        try:
            raise ValueError("bad")
        except ValueError:
            get_logger("load").exception("It failed.", extra={"rows": 3, "odd": object()})
    caplog.clear()

    hand_on(collector.records)

    (record,) = caplog.records
    assert record.name == "dagflow.load" and record.levelno == logging.ERROR and record.rows == 3
    assert isinstance(record.odd, str), "what may not pickle travels as text"
    assert "ValueError: bad" in capsys.readouterr().out


def test_the_driver_decides_what_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector()
    with collecting(collector):
        get_logger("load").info("quiet")
    caplog.clear()

    with temporary_logger_config(level="ERROR"):
        hand_on(collector.records)

    assert caplog.records == []


def test_lines_of_threads_that_a_task_started_are_taken_along() -> None:
    collector = Collector()

    with collecting(collector):
        thread = threading.Thread(target=lambda: get_logger("inner").info("from a thread"))
        thread.start()
        thread.join()

    assert [record["msg"] for record in collector.records] == ["from a thread"]


def test_each_thread_has_its_own_collector() -> None:
    one, other = Collector(), Collector()
    ready, done = threading.Event(), threading.Event()

    def beside() -> None:
        with collecting(other):
            ready.set()
            assert done.wait(20)
            get_logger("b").info("other")

    thread = threading.Thread(target=beside)
    with collecting(one):
        thread.start()
        assert ready.wait(20)
        get_logger("a").info("one")
        done.set()
        thread.join()

    assert [record["msg"] for record in one.records] == ["one"]
    assert [record["msg"] for record in other.records] == ["other"]


def test_a_collector_inside_another_gives_way_again() -> None:
    outer, inner = Collector(), Collector()

    with collecting(outer):
        with collecting(inner):
            get_logger().info("in")
        get_logger().info("out")

    assert [record["msg"] for record in inner.records] == ["in"]
    assert [record["msg"] for record in outer.records] == ["out"]


def test_a_worker_follows_the_level_of_the_driver() -> None:
    follow_level(logging.WARNING)

    assert get_logger().level == logging.WARNING
