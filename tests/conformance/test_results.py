"""One suite that every stored kind of result passes, on a real store each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from dagflow.engine.result import Result, ResultCorruptError
from dagflow.engine.results import AzureResult, GCSResult, LocalResult, S3Result
from dagflow.engine.serializers import CompressedSerializer, JSONSerializer, PickleSerializer
from tests.conformance import stores

Make = Callable[..., Any]

# The clients of the vendors warn of their own affairs.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="session")
def s3() -> Iterator[Make]:
    with stores.s3_server() as url:
        yield lambda **kwargs: S3Result(stores.BUCKET, boto3_kwargs=stores.s3_settings(url), **kwargs)


@pytest.fixture(scope="session")
def gcs() -> Iterator[Make]:
    with stores.gcs_server() as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", url)
        yield lambda **kwargs: GCSResult(stores.BUCKET, **kwargs)


@pytest.fixture(scope="session")
def azure() -> Iterator[Make]:
    with stores.azure_server() as connection:
        yield lambda **kwargs: AzureResult(stores.BUCKET, connection_string=connection, **kwargs)


@pytest.fixture
def local(tmp_path: Path) -> Make:
    return lambda **kwargs: LocalResult(dir=str(tmp_path / "results"), **kwargs)


@pytest.fixture(params=["local", "s3", "gcs", "azure"])
def make(request: pytest.FixtureRequest) -> Make:
    """Make results of one kind, all in one store."""
    maker: Make = request.getfixturevalue(request.param)
    return maker


@pytest.fixture
def name() -> str:
    """A name that no other test uses, because stores outlive a test."""
    return uuid.uuid4().hex


@pytest.mark.parametrize("value", [None, 0, "täxt", b"\x00\xff", {"a": [1, (2, 3)]}, list(range(50_000))])
def test_what_is_written_is_read_back(make: Make, name: str, value: object) -> None:
    written = make(location=name).write(value)

    assert make().read(written.location).value == value


def test_write_returns_a_new_object_and_leaves_the_recipe_alone(make: Make, name: str) -> None:
    recipe = make(location=name + "/{day}/{value}.pkl")

    written = recipe.write(7, day="mon", value="input")

    assert (written.value, recipe.value) == (7, None)
    assert written.location.endswith(f"{name}/mon/input.pkl")
    assert recipe.location == name + "/{day}/{value}.pkl"


def test_reading_gives_an_object_equal_to_the_one_written(make: Make, name: str) -> None:
    written = make(location=name).write([1, 2])

    read = make().read(written.location)

    assert read == written
    assert (read.sha256, read.size) == (written.sha256, written.size)


def test_exists_formats_its_location_and_changes_nothing(make: Make, name: str) -> None:
    result = make(location=name + "-{x}")
    assert not result.exists(name + "-{x}", x=1)

    result.write(1, x=1)

    assert result.exists(name + "-{x}", x=1)
    assert not result.exists(name + "-{x}", x=2)


def test_a_folder_of_results_is_not_a_result(make: Make, name: str) -> None:
    make(location=f"{name}/inner").write(1)

    assert not make().exists(name)


def test_a_second_write_replaces_the_first(make: Make, name: str) -> None:
    result = make(location=name)
    result.write("a" * 1000)

    result.write("b")

    assert result.read(name).value == "b"


def test_a_missing_result_is_a_missing_file_and_named(make: Make, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        make().read(name)


def test_a_missing_keyword_of_the_template_is_a_key_error(make: Make) -> None:
    with pytest.raises(KeyError, match="day"):
        make(location="{day}").write(1)


def test_a_function_may_choose_the_location(make: Make, name: str) -> None:
    result = make(location=lambda **kwargs: f"{name}/{kwargs['x']}")

    written = result.write(1, x="chosen")

    assert result.location is None
    assert written.location.endswith(f"{name}/chosen")


def test_two_writes_without_a_location_do_not_collide(make: Make) -> None:
    first, second = make().write(1), make().write(2)

    assert first.location != second.location
    assert make().read(first.location).value == 1


def test_a_used_result_can_be_pickled_and_used_again(make: Make, name: str) -> None:
    written = make(location=name).write({"k": 1})

    copy = cloudpickle.loads(cloudpickle.dumps(written))

    assert copy == written
    assert copy.read(written.location).value == {"k": 1}


def test_text_formats_are_stored_as_they_are(make: Make, name: str) -> None:
    written = make(location=name, serializer=JSONSerializer()).write({"a": 1})

    assert written._load(written.location) == b'{"a": 1}'


def test_bytes_that_another_program_stored_can_be_read(make: Make, name: str) -> None:
    import pickle

    place = make()._resolve(name)
    make()._store(place, pickle.dumps([1, 2]))

    assert make().read(name).value == [1, 2]


@pytest.mark.parametrize("serializer", [PickleSerializer(), CompressedSerializer(PickleSerializer(), format="zlib")])
def test_a_flipped_bit_is_found_and_the_place_is_named(make: Make, name: str, serializer: Any) -> None:
    written = make(location=name, serializer=serializer).write("payload" * 100)
    data = bytearray(written._load(written.location))
    data[-20] ^= 1
    written._store(written.location, bytes(data))

    with pytest.raises(ResultCorruptError, match=name):
        make(serializer=serializer).read(written.location)


def test_a_truncated_result_is_found(make: Make, name: str) -> None:
    written = make(location=name).write("payload" * 100)
    written._store(written.location, written._load(written.location)[:-1])

    with pytest.raises(ResultCorruptError, match="expected"):
        make().read(written.location)


def test_another_value_in_its_place_is_found_by_the_object_that_wrote(make: Make, name: str) -> None:
    written: Result = make(location=name, serializer=JSONSerializer()).write(1)
    make(location=name, serializer=JSONSerializer()).write(2)

    with pytest.raises(ResultCorruptError, match="sha256"):
        written.read(str(written.location))
