"""Work that may take only so long."""

from __future__ import annotations

import itertools
import threading

import pytest

from dagflow.utilities.deadline import within


def test_work_that_fails_in_time_fails_as_it_does() -> None:
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)


def test_work_without_end_is_ended() -> None:
    ended = threading.Event()

    def endless() -> None:
        try:
            for _ in itertools.count():
                pass
        finally:
            ended.set()

    with pytest.raises(TimeoutError, match=r"longer than 0\.05 s"):
        within(0.05, endless)

    assert ended.wait(10)
