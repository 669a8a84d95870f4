"""Values that are not at hand."""

from __future__ import annotations

import pickle
import sys
import threading
from typing import Any

import pytest

from dagflow.engine.carried import (
    Broken,
    Gone,
    Packed,
    Parcel,
    Remote,
    RemoteItem,
    RemoteItems,
    Stub,
    opened,
    sealed,
    unsealed,
)
from dagflow.engine.results import LocalResult
from dagflow.engine.state import Success
from dagflow.exceptions import ValueLostError
from dagflow.utilities.pickling import dumps


def remote(value: Any = None, *, key: str = "k", place: int | None = None, length: int = 3) -> Remote:
    """Return a reference to *value*, whose handle is the parcel itself."""
    return Remote(Stub(key, place, "sequence", length, 100), Parcel(value, 100), lambda handle: handle)


def test_a_message_is_opened_to_what_it_stood_for() -> None:
    content = {
        "plain": [1, "two"],
        "packed": [Packed(dumps({"a": 1}))],
        "remote": remote([10, 20, 30]),
        "pooled": remote([[1], [2]], key="pool", place=1),
        "item": RemoteItem(remote([10, 20, 30]), 2),
        "state": Success("s"),
    }
    content["state"]._value = Packed(dumps(5))

    data, handles = sealed(content)
    found = opened(data, handles)

    found_there = [parcel.value(None) for parcel in handles]
    assert found_there == [[10, 20, 30], [[1], [2]]], "one handle for a key, however often it is meant"
    assert found["plain"] == [1, "two"] and found["packed"] == [{"a": 1}]
    assert (found["remote"], found["pooled"], found["item"]) == ([10, 20, 30], [2], 30)
    assert found["state"].result == 5


def test_an_item_that_cannot_be_taken_says_so_in_its_place() -> None:
    data, handles = sealed([RemoteItem(remote([1], length=2), 0), RemoteItem(remote([1], length=2), 1)])

    first, second = opened(data, handles)

    assert first == 1 and type(second) is Broken and isinstance(second.error, IndexError)


def test_a_value_that_is_gone_cannot_be_sent() -> None:
    gone = remote([1])
    gone.let_go("It was let go.")

    assert gone.is_gone
    with pytest.raises(ValueLostError, match="It was let go"):
        sealed([gone])
    with pytest.raises(ValueLostError, match="It was let go"):
        gone.open()


def test_a_value_that_was_made_again_is_seen_by_all_who_refer_to_it() -> None:
    first = remote([1, 2, 3])
    item = RemoteItem(first, 1)
    first.let_go("lost")

    first.revive(remote([4, 5, 6], key="new"))

    assert not first.is_gone and item.open() == 5
    first.let_go("lost")
    first.revive([7, 8, 9])
    assert item.open() == 8 and opened(*sealed([item])) == [8]


def test_a_written_value_is_read_when_the_worker_is_gone(tmp_path: Any) -> None:
    written = LocalResult(dir=str(tmp_path), location="x").write([1, 2])
    one = remote([1, 2])
    one.stored = written
    one.let_go("lost")

    data, handles = sealed([one, RemoteItem(one, 1)])

    assert not one.is_gone and one.open() == [1, 2]
    assert handles == [] and opened(data, handles) == [[1, 2], 2]


def test_a_written_value_that_cannot_be_read_is_named(tmp_path: Any) -> None:
    one = remote([1, 2])
    one.stored = LocalResult(dir=str(tmp_path), location=str(tmp_path / "not-there"))
    one.let_go("lost")
    data, handles = sealed([one])

    with pytest.raises(FileNotFoundError, match="not-there"):
        opened(data, handles)


def test_a_failing_fetch_is_a_lost_value() -> None:
    def fetch(handle: Any) -> Any:
        raise OSError("no route")

    one = Remote(Stub("k", None, "other", 0, 1), "handle", fetch)

    with pytest.raises(ValueLostError, match="no route"):
        one.open()


def test_a_state_shows_a_value_on_a_worker_and_does_not_carry_it_along() -> None:
    state = Success()
    state._value = remote([1, 2])

    assert state.result == [1, 2] and type(state.carried()) is Remote


def test_a_state_keeps_a_value_that_came_home() -> None:
    state = Success()
    state._value = remote([1, 2])
    state._value.keep(Parcel([1, 2], 100))

    assert state.result is state.result and state.carried() == [1, 2]


def test_a_pickled_state_has_the_value_or_says_why_not() -> None:
    here, gone = Success(), Success()
    here._value, gone._value = remote([1, 2]), remote([1])
    gone._value.let_go("It was let go.")

    one, other = pickle.loads(pickle.dumps(here)), pickle.loads(pickle.dumps(gone))

    assert one.result == [1, 2] and type(other.carried()) is Gone
    with pytest.raises(ValueLostError, match="let go"):
        other.result  # noqa: B018
    assert pickle.loads(pickle.dumps(other)).has_result()


def test_a_value_that_cannot_travel_sends_the_reason_instead() -> None:
    parcel = pickle.loads(pickle.dumps(Parcel([threading.Lock()], 100)))
    lock = remote()
    lock.handle = parcel

    (found,) = opened(*sealed([lock]))

    assert type(found) is Broken and "cannot be sent from one worker to another" in str(found.error)
    with pytest.raises(ValueLostError, match="cannot be sent"):
        lock.open()
    assert "cannot pickle" in str(pickle.loads(pickle.dumps(parcel))._error), "however often it is sent on"


def test_arrays_travel_without_being_copied() -> None:
    buffers: list[Any] = []
    parcel = Parcel(pickle.PickleBuffer(bytearray(b"x" * 1000)), 1000)

    data = pickle.dumps(parcel, protocol=5, buffer_callback=buffers.append)

    assert len(data) < 500 and [len(buffer.raw()) for buffer in buffers] == [1000]
    assert bytes(pickle.loads(data, buffers=buffers).value(None)) == b"x" * 1000
    assert sys.getsizeof(parcel) >= 1000


def test_a_sequence_on_a_worker_has_length_and_items() -> None:
    items = RemoteItems(remote([7, 8, 9]))

    assert len(items) == 3 and [one.open() for one in items] == [7, 8, 9]
    with pytest.raises(IndexError):
        items[3]


def test_what_is_no_stand_in_is_what_it_is() -> None:
    assert unsealed(3) == 3 and unsealed(Packed(dumps(4))) == 4
