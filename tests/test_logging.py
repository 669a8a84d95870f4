"""The ``dagflow`` logger: one handler, context on records, the application's logging left alone."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from dagflow.exceptions import ConfigurationError
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context
from dagflow.utilities.logging import (
    ContextFilter,
    StdoutHandler,
    configure_logging,
    get_logger,
    temporary_logger_config,
)
from dagflow.utilities.prints import prints_to_log


class Kept(logging.Handler):
    """Keeps the records it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(ContextFilter())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def texts(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    get_logger().addHandler(handler)
    yield handler
    get_logger().removeHandler(handler)


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    configure_logging()


def our_handlers(name: str) -> list[logging.Handler]:
    return [handler for handler in logging.getLogger(name).handlers if isinstance(handler, StdoutHandler)]


def test_loggers_are_children_of_the_dagflow_logger() -> None:
    assert get_logger().name == "dagflow"
    assert get_logger("my task").name == "dagflow.my task"
    assert get_logger("x").parent is get_logger()


def test_a_line_goes_to_standard_output_in_the_agreed_format(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger("etl").info("loaded %s rows", 3)

    line = capsys.readouterr().out
    assert line.endswith("] INFO - dagflow.etl | loaded 3 rows\n")
    assert line.startswith("[20")


def test_standard_output_is_looked_up_when_a_record_is_emitted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)

    get_logger().warning("here")

    assert "here" in stream.getvalue()


def test_a_process_without_standard_output_logs_nowhere(monkeypatch: pytest.MonkeyPatch, kept: Kept) -> None:
    monkeypatch.setattr(sys, "stdout", None)

    get_logger().warning("nowhere")

    assert kept.texts == ["nowhere"]


def test_records_propagate_to_the_application(caplog: pytest.LogCaptureFixture) -> None:
    get_logger("etl").info("seen")

    assert [record.getMessage() for record in caplog.records] == ["seen"]


def test_records_carry_what_the_context_knows(kept: Kept) -> None:
    with context(flow_name="etl", task_name="load", task_slug="load-1", task_run_id="7", flow_run_id="8"):
        get_logger().info("inside")
    get_logger().info("outside")

    inside, outside = kept.records
    assert vars(inside).items() >= {
        "flow_name": "etl", "flow_run_id": "8", "task_name": "load", "task_slug": "load-1", "task_run_id": "7",
    }.items()  # fmt: skip
    assert not hasattr(outside, "flow_name")


def test_chosen_attributes_are_always_there(kept: Kept) -> None:
    with set_temporary_config({"logging.log_attributes": ["team", "city"]}), context(team="blue"):
        get_logger().info("x")

    assert (kept.records[0].team, kept.records[0].city) == ("blue", None)  # type: ignore[attr-defined]


def test_records_of_others_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with context(flow_name="etl"):
        logging.getLogger("somebody.else").warning("x")

    assert not hasattr(caplog.records[0], "flow_name")
    assert logging.getLogRecordFactory() is logging.LogRecord


def test_extra_loggers_share_handler_format_and_level(restored: None) -> None:
    with set_temporary_config({"logging.extra_loggers": ["extra.one"], "logging.level": "DEBUG"}):
        configure_logging()
        configure_logging()

        assert our_handlers("extra.one") == our_handlers("dagflow")
        assert len(our_handlers("dagflow")) == 1
        assert logging.getLogger("extra.one").level == logging.DEBUG
    logging.getLogger("extra.one").handlers.clear()


def test_an_unknown_level_is_named_with_the_near_match(restored: None) -> None:
    with (
        set_temporary_config({"logging.level": "INFOO"}),
        pytest.raises(ConfigurationError, match="Did you mean 'INFO'"),
    ):
        configure_logging()


def test_a_format_that_logging_cannot_use_is_named() -> None:
    with (
        pytest.raises(ConfigurationError, match="'no fields' cannot be used"),
        temporary_logger_config(stream_fmt="no fields"),
    ):
        pass


def test_a_temporary_level_and_format(capsys: pytest.CaptureFixture[str]) -> None:
    with temporary_logger_config(level="DEBUG", stream_fmt="%(asctime)s: %(message)s", stream_datefmt="day"):
        get_logger().debug("detail")

    get_logger().debug("hidden")

    assert capsys.readouterr().out == "day: detail\n"


def test_a_temporary_configuration_ends_after_errors_too() -> None:
    level, formatter = get_logger().level, our_handlers("dagflow")[0].formatter

    with pytest.raises(RuntimeError), temporary_logger_config(level=logging.CRITICAL, stream_fmt="%(message)s"):
        raise RuntimeError

    assert get_logger().level == level
    assert our_handlers("dagflow")[0].formatter is formatter


def test_one_print_makes_one_record_and_blank_ones_are_dropped(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with prints_to_log(get_logger("task")):
        print("a", 1)
        print()
        print("   ")
        print("two\nlines")
        print("no end", end="")
        print("error", file=sys.stderr)

    assert kept.texts == ["a 1", "two\nlines", "no end"]
    assert {(record.name, record.levelname) for record in kept.records} == {("dagflow.task", "INFO")}
    assert capsys.readouterr().err == "error\n"
    assert sys.stdout is before


def test_prints_of_parallel_threads_do_not_mix(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    both_inside = threading.Barrier(3)

    def work(name: str) -> None:
        with prints_to_log(get_logger(name)):
            both_inside.wait(10)
            print("from", name)
            both_inside.wait(10)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    both_inside.wait(10)
    print("from outside")
    both_inside.wait(10)
    for thread in threads:
        thread.join()

    assert {(record.name, record.getMessage()) for record in kept.records} == {
        ("dagflow.one", "from one"),
        ("dagflow.two", "from two"),
    }
    assert "from outside\n" in capsys.readouterr().out.splitlines(keepends=True)


def test_prints_end_in_the_log_after_an_error_and_in_nested_blocks(kept: Kept) -> None:
    with pytest.raises(RuntimeError), prints_to_log(get_logger("outer")):
        with prints_to_log(get_logger("inner")):
            print("in")
        print("half", end="")
        raise RuntimeError

    assert [(record.name, record.getMessage()) for record in kept.records] == [
        ("dagflow.inner", "in"),
        ("dagflow.outer", "half"),
    ]


def test_a_handler_that_prints_does_not_go_round_in_circles(capsys: pytest.CaptureFixture[str]) -> None:
    class Printing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print("handled", record.getMessage())

    handler = Printing()
    get_logger("loop").addHandler(handler)
    with prints_to_log(get_logger("loop")):
        print("x")
    get_logger("loop").removeHandler(handler)

    assert "handled x\n" in capsys.readouterr().out
