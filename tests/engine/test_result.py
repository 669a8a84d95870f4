from __future__ import annotations

import pickle

import pytest

from dagflow.engine.result import NoResult, NoResultType, Result, ResultNotImplementedError
from dagflow.engine.serializers import JSONSerializer, PickleSerializer


def test_a_result_holds_value_location_and_serializer() -> None:
    result = Result(3, location="here", serializer=JSONSerializer())

    assert (result.value, result.location, result.serializer) == (3, "here", JSONSerializer())
    assert Result().serializer == PickleSerializer()
    assert result.logger.name == "dagflow.Result"
    assert repr(result) == "<Result: 3>"


def test_results_are_equal_by_type_and_public_attributes() -> None:
    class Other(Result):
        pass

    assert Result(1, location="a") == Result(1, location="a")
    assert Result(1) != Result(2)
    assert Result(1, location="a") != Result(1)
    assert Result(1) != Other(1)
    assert Result(1) != 1


def test_format_fills_a_copy() -> None:
    recipe = Result(location="{a}/{b}.pkl")

    assert recipe.format(a=1, b=2, c=3).location == "1/2.pkl"
    assert recipe.location == "{a}/{b}.pkl"
    with pytest.raises(KeyError, match="b"):
        recipe.format(a=1)


def test_a_callable_location_is_unknown_until_formatted() -> None:
    recipe = Result(location=lambda **kwargs: f"at-{kwargs['x']}")

    assert recipe.location is None
    assert recipe.format(x=1).location == "at-1"


def test_without_a_location_each_format_finds_a_new_one() -> None:
    first, second = Result().format(), Result().format()

    assert first.location and second.location and first.location != second.location


def test_from_value_forgets_the_location() -> None:
    result = Result(1, location="here")

    new = result.from_value(2)

    assert (new.value, new.location, result.value, result.location) == (2, None, 1, "here")


def test_copies_are_independent() -> None:
    result = Result(1)
    copy = result.copy()
    copy.value = 2

    assert result.value == 1


def test_the_base_class_keeps_nothing_and_says_so() -> None:
    with pytest.raises(ResultNotImplementedError, match="LocalResult"):
        Result().read("x")
    with pytest.raises(NotImplementedError):
        Result().write(1)
    with pytest.raises(NotImplementedError):
        Result().exists("x")


def test_no_result_is_one_object_distinct_from_a_result_of_none() -> None:
    assert pickle.loads(pickle.dumps(NoResult)) is NoResult
    assert NoResult == NoResultType()
    assert NoResult != Result(None)
    assert Result(None) != NoResult
    assert NoResult.value is None and NoResult.location is None
    assert repr(NoResult) == "<No result>"
    assert NoResult.copy() is NoResult and NoResult.from_value(1) == Result(1)
