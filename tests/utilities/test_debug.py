"""Helpers for finding what is wrong."""

from __future__ import annotations

import subprocess
import threading

import pytest

from dagflow.utilities.context import context
from dagflow.utilities.debug import is_serializable, raise_on_exception


def test_raising_is_asked_for_in_the_context() -> None:
    with raise_on_exception():
        assert context.raise_on_exception is True

    assert "raise_on_exception" not in context


def test_what_cannot_be_pickled_is_not_serializable() -> None:
    lock = threading.Lock()

    assert not is_serializable(lock)
    with pytest.raises(TypeError, match="lock"):
        is_serializable(lock, raise_on_error=True)


def test_what_loads_in_a_fresh_process_is_serializable() -> None:
    assert is_serializable({"a": lambda: 1})


class _Explosive:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return int, ("not a number",)


def test_what_loads_nowhere_is_not_serializable_and_the_reason_is_noted() -> None:
    assert not is_serializable(_Explosive())
    with pytest.raises(subprocess.CalledProcessError) as caught:
        is_serializable(_Explosive(), raise_on_error=True)

    assert "not a number" in caught.value.__notes__[-1]


def test_windows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")

    with pytest.raises(OSError, match="Windows"):
        is_serializable(1)
