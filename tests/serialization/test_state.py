"""States and results as documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pendulum
import pytest

from dagflow.engine.result import NoResult, Result
from dagflow.engine.results import AzureResult, GCSResult, LocalResult, PrefectResult, S3Result
from dagflow.engine.serializers import JSONSerializer
from dagflow.engine.state import (
    Cached,
    Cancelled,
    Failed,
    Looped,
    Mapped,
    Paused,
    Queued,
    Retrying,
    Scheduled,
    Skipped,
    State,
    Submitted,
    Success,
)
from dagflow.serialization.result import deserialize_result, serialize_result

MOMENT = pendulum.datetime(2024, 2, 29, 12)


@pytest.mark.parametrize(
    "state",
    [
        Success("done"),
        Failed("why", context={"tags": ["a"]}),
        Skipped(),
        Cancelled("stop"),
        Scheduled(start_time=MOMENT),
        Paused("ask"),
        Retrying(start_time=MOMENT, run_count=4),
        Looped(loop_count=7),
        Submitted(state=Retrying(start_time=MOMENT, run_count=2)),
        Queued(state=Scheduled(start_time=MOMENT), start_time=MOMENT),
        Cached(cached_parameters={"p": 1}, cached_result_expiration=MOMENT, hashed_inputs={"x": "abc"}),
        Mapped(n_map_states=3, map_states=[None, None, None]),
    ],
    ids=lambda state: type(state).__name__,
)
def test_a_state_comes_back_as_it_was(state: State) -> None:
    document = json.loads(json.dumps(state.serialize()))

    again = State.deserialize(document)

    assert again == state
    assert (again.message, again.context) == (state.message, state.context)
    assert again.serialize() == state.serialize()


def test_values_stay_behind_while_locations_travel(tmp_path: Path) -> None:
    written = LocalResult(dir=str(tmp_path), location="x").write({"secret": "in the value"})

    document = Success(result=written).serialize()

    assert "in the value" not in json.dumps(document)
    assert document["_result"]["location"] == str(tmp_path / "x")
    again = State.deserialize(document)
    assert again.result is None and again.load_result().result == {"secret": "in the value"}


def test_a_mapped_state_tells_only_the_number_of_its_children() -> None:
    document = Mapped(map_states=[Success(result=1), Failed()]).serialize()

    assert document["n_map_states"] == 2 and "map_states" not in document
    assert getattr(State.deserialize(document), "map_states", None) == [None, None]


def test_a_value_that_is_not_json_does_not_keep_a_state_from_travelling() -> None:
    context: dict[Any, Any] = {"when": MOMENT, 1: {2}}
    state = Failed("broke", result=ValueError("x"), context=context, cached_inputs={"x": Result(object())})

    document = json.loads(json.dumps(state.serialize()))

    assert document["context"] == {"when": MOMENT.isoformat(), "1": [2]}
    assert document["cached_inputs"]["x"]["location"] is None


def test_a_message_is_always_text() -> None:
    assert Failed(ValueError("x")).serialize()["message"] == "x"  # type: ignore[arg-type]


def test_the_abstract_state_has_no_wire_form() -> None:
    class Mine(Success):
        pass

    for state in (State(), Mine()):
        with pytest.raises(ValueError, match="has no wire form"):
            state.serialize()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"type": "Succes"}, r"Unknown state type 'Succes'.*Did you mean 'Success'"),
        ({"type": "State"}, "Unknown state type 'State'"),
        ({}, "type: Field required"),
        ({"type": "Retrying", "run_count": "many"}, "run_count: "),
        ({"type": "Scheduled", "start_time": "2024-01-01T00:00:00"}, "start_time: .*timezone"),
        ({"type": "Mapped", "n_map_states": -1}, "n_map_states: "),
        ({"type": "Success", "_result": {"type": "LocalResul"}}, "Did you mean 'LocalResult'"),
    ],
)
def test_a_broken_state_is_refused_by_naming_the_field(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        State.deserialize(document)


def test_reading_a_state_inside_a_run_adds_nothing_of_that_run() -> None:
    from dagflow.utilities.context import context

    document = Retrying(start_time=MOMENT, run_count=1).serialize()

    with context(task_tags={"a"}, task_run_count=9):
        again = State.deserialize(document)

    assert again.context == {}


@pytest.mark.parametrize(
    "result",
    [
        NoResult,
        Result(location="x"),
        LocalResult(dir="/somewhere/else", validate_dir=False, location="x"),
        PrefectResult(location="[1]"),
        S3Result("bucket", location="x"),
        GCSResult("bucket", location="x"),
        AzureResult("container", connection_string_secret="NAME", location="x"),
        S3Result("bucket", location="x", serializer=JSONSerializer()),
    ],
    ids=lambda result: type(result).__name__,
)
def test_a_result_comes_back_with_its_store(result: Result) -> None:
    assert deserialize_result(json.loads(json.dumps(serialize_result(result)))) == result


def test_reading_a_local_result_makes_no_directory(tmp_path: Path) -> None:
    deserialize_result({"type": "LocalResult", "dir": str(tmp_path / "new"), "location": "x"})

    assert not (tmp_path / "new").exists()


def test_credentials_are_not_written() -> None:
    documents = [
        serialize_result(S3Result("b", boto3_kwargs={"aws_secret_access_key": "canary"})),
        serialize_result(AzureResult("c", connection_string="canary")),
    ]

    assert "canary" not in json.dumps(documents)


def test_the_checksum_of_a_written_result_travels(tmp_path: Path) -> None:
    written = LocalResult(dir=str(tmp_path), location="x").write(5)

    again = deserialize_result(serialize_result(written))

    assert (again.sha256, again.size) == (written.sha256, written.size)


def test_a_result_of_the_users_own_keeps_its_location_and_name() -> None:
    class Mine(Result):
        """A store of the user's."""

    document = serialize_result(Mine(location="x"))

    assert document["type"] == "CustomResult" and document["class"].endswith("Mine")
    assert deserialize_result(document) == Result(location="x")


def test_writing_a_mapped_state_down_leaves_its_value_to_be_made_of_its_children():
    parent = Mapped(n_map_states=2)

    parent.serialize()
    parent.map_states = [Success(result=1), Success(result=2)]

    assert parent.result == [1, 2]
