from __future__ import annotations

import base64
import pickle
import random
from pathlib import Path
from typing import Any

import cloudpickle
import pendulum
import pytest

from dagflow.engine.serializers import (
    CompressedSerializer,
    DateTimeSerializer,
    JSONSerializer,
    PandasSerializer,
    PickleSerializer,
    ResultCorruptError,
    Serializer,
)


class Touch:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (Path(self.path),))


@pytest.mark.parametrize(
    ("serializer", "value"),
    [
        (PickleSerializer(), {"f": {1, 2}, "n": None}),
        (JSONSerializer(), {"a": [1, "ü", None]}),
        (DateTimeSerializer(), pendulum.datetime(2024, 2, 29, 12, tz="Europe/Berlin")),
        (CompressedSerializer(PickleSerializer(), format="zlib"), [1] * 100),
        (CompressedSerializer(JSONSerializer(), format="lzma"), [1] * 100),
    ],
)
def test_deserialize_undoes_serialize(serializer: Serializer, value: object) -> None:
    assert serializer.deserialize(serializer.serialize(value)) == value


def test_a_pickled_result_is_an_ordinary_pickle_for_other_programs() -> None:
    data = PickleSerializer().serialize([1, {"a": 2}])

    assert pickle.loads(data) == [1, {"a": 2}]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_other_programs_are_read(protocol: int) -> None:
    for value in (None, True, 1, [1, "a"]):
        assert PickleSerializer().deserialize(pickle.dumps(value, protocol=protocol)) == value


def test_pickles_as_base64_text_are_read() -> None:
    assert PickleSerializer().deserialize(base64.b64encode(cloudpickle.dumps({"a": 1}))) == {"a": 1}


def test_what_is_no_pickle_raises_the_error_of_the_unpickler() -> None:
    with pytest.raises(pickle.UnpicklingError, match="invalid load key"):
        PickleSerializer().deserialize(b"not a pickle")


def test_functions_of_main_are_pickled_by_value() -> None:
    assert PickleSerializer().deserialize(PickleSerializer().serialize(lambda x: x + 1))(1) == 2


@pytest.mark.parametrize("size", [1, 1000])
def test_no_damaged_pickle_is_ever_unpickled(tmp_path: Path, size: int) -> None:
    trace = tmp_path / "unpickled"
    data = PickleSerializer().serialize([Touch(str(trace)), b"x" * size])
    dice = random.Random(20)
    flips = [_flip(data, dice.randrange(len(data) * 8)) for _ in range(500)]
    cuts = [data[:length] for length in (0, *dice.sample(range(3, len(data)), 50))]

    for damaged in flips + cuts:
        with pytest.raises(ResultCorruptError):
            PickleSerializer().deserialize(damaged)

    assert not trace.exists()


def _flip(data: bytes, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def test_the_error_for_damage_tells_what_was_found_and_expected() -> None:
    data = PickleSerializer().serialize("value")

    with pytest.raises(ResultCorruptError, match=r"Found \d+ bytes of pickle, expected \d+"):
        PickleSerializer().deserialize(data[:-2])
    with pytest.raises(ResultCorruptError, match=r"Found sha256 .*, expected .*; nothing was unpickled"):
        PickleSerializer().deserialize(_flip(data, len(data) * 8 - 1))


def test_serializers_of_one_type_are_equal() -> None:
    assert PickleSerializer() == PickleSerializer()
    assert JSONSerializer() != PickleSerializer()
    assert len({JSONSerializer(), JSONSerializer()}) == 1


def test_settings_count_for_the_equality_of_serializers_that_have_some() -> None:
    assert PandasSerializer("csv") == PandasSerializer("csv") != PandasSerializer("json")
    zlib = CompressedSerializer(JSONSerializer(), format="zlib")
    assert zlib == CompressedSerializer(JSONSerializer(), format="zlib")
    assert zlib != CompressedSerializer(JSONSerializer(), format="bz2")


def test_the_base_class_says_what_to_implement() -> None:
    with pytest.raises(NotImplementedError, match=r"serialize\(value\)"):
        Serializer().serialize(1)
    with pytest.raises(NotImplementedError, match=r"deserialize\(bytes\)"):
        Serializer().deserialize(b"")


@pytest.mark.parametrize("file_type", ["csv", "json", "pickle"])
def test_data_frames_survive(file_type: str) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    only_csv = {"index": False} if file_type == "csv" else {}
    serializer = PandasSerializer(file_type, serialize_kwargs=only_csv)

    back = serializer.deserialize(serializer.serialize(frame))

    pandas.testing.assert_frame_equal(back, frame)


def test_an_unknown_format_of_pandas_is_refused_at_once() -> None:
    pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"'nonsense'.*csv"):
        PandasSerializer("nonsense")


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"format": "zlib", "compress": bytes},
        {"format": "zlib", "compress": bytes, "decompress": bytes},
        {"compress": bytes},
        {"decompress": bytes},
    ],
)
def test_compression_needs_a_format_or_both_functions(kwargs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="compress"):
        CompressedSerializer(JSONSerializer(), **kwargs)


def test_a_missing_compression_module_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="no_such_module"):
        CompressedSerializer(JSONSerializer(), format="no_such_module")


def test_a_module_that_does_not_compress_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="'json' lacks"):
        CompressedSerializer(JSONSerializer(), format="json")


def test_compression_functions_get_their_keywords() -> None:
    serializer = CompressedSerializer(
        JSONSerializer(),
        compress=lambda data, mark: mark + data,
        decompress=lambda data, mark: data.removeprefix(mark),
        compress_kwargs={"mark": b"!"},
        decompress_kwargs={"mark": b"!"},
    )

    assert serializer.serialize([1]) == b"![1]"
    assert serializer.deserialize(b"![1]") == [1]


def test_compressed_serializers_can_be_pickled() -> None:
    serializer = CompressedSerializer(PickleSerializer(), format="gzip")

    assert pickle.loads(pickle.dumps(serializer)) == serializer
