"""Parameters with types: checked and converted before a run, described in the document."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from typing import Any, Literal

import pydantic
import pytest

from dagflow import Flow, Parameter, flow, task
from dagflow.engine.flow_runner import FlowRunner
from dagflow.exceptions import ParameterError
from dagflow.serialization.flow import deserialize_flow
from dagflow.serialization.schemas import problems


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: float = 1.0


class Model(pydantic.BaseModel):
    n: int


class Own:
    """A class that JSON knows nothing of."""


@task
def same(value: Any) -> Any:
    return value


def typed(hint: Any, **options: Any) -> Flow:
    with Flow("typed") as built:
        same(Parameter("value", type=hint, **options))
    return built


def value_of(built: Flow, value: Any) -> Any:
    state = built.run(value=value)
    assert state.is_successful()
    (made,) = built.get_tasks(name="same")
    return state.result[made].result


OWN = Own()

FITTING: list[tuple[Any, Any, Any]] = [
    (int, 5, 5),
    (int, "5", 5),
    (int, 5.0, 5),
    (float, "1.5", 1.5),
    (float, 2, 2.0),
    (str, "5", "5"),
    (bool, True, True),
    (bool, "true", True),
    (int | str, "5", "5"),
    (int | None, None, None),
    (Literal["a", "b"], "b", "b"),
    (Colour, "blue", Colour.BLUE),
    (Colour, Colour.RED, Colour.RED),
    (list[int], ["1", 2], [1, 2]),
    (dict[str, float], {"a": "1.5"}, {"a": 1.5}),
    (tuple[int, str], [1, "a"], (1, "a")),
    (datetime.date, "2024-01-31", datetime.date(2024, 1, 31)),
    (datetime.datetime, "2024-01-31T06:00:00Z", datetime.datetime(2024, 1, 31, 6, tzinfo=datetime.UTC)),
    (datetime.timedelta, "PT1H", datetime.timedelta(hours=1)),
    (Point, {"x": "3"}, Point(3)),
    (Point, Point(3), Point(3)),
    (Model, {"n": 1}, Model(n=1)),
    (Own, OWN, OWN),
]


@pytest.mark.parametrize(("hint", "given", "expected"), FITTING)
def test_values_that_fit_are_converted_without_loss(hint: Any, given: Any, expected: Any) -> None:
    found = value_of(typed(hint), given)

    assert found == expected
    assert type(found) is type(expected)


WRONG: list[tuple[Any, Any, str]] = [
    (int, 5.7, "fractional"),
    (int, "five", "integer"),
    (int, True, "changed"),
    (list[int], [1, True], "changed"),
    (dict[str, int], {"a": False}, "changed"),
    (float, "x", "number"),
    (bool, 1, "changed"),
    (str, 5, "string"),
    (Literal["a", "b"], "c", "'a' or 'b'"),
    (Colour, "green", "'red' or 'blue'"),
    (datetime.date, "soon", "date"),
    (datetime.datetime, 1_700_000_000, "changed"),
    (int | None, "x", "integer"),
    (Own, 3, "instance of Own"),
]


@pytest.mark.parametrize(("hint", "given", "word"), WRONG)
def test_values_that_do_not_fit_start_no_run(hint: Any, given: Any, word: str) -> None:
    with pytest.raises(ParameterError, match=rf"\n  value[^\n]*{word}[^\n]*\n"):
        typed(hint).run(value=given)


def test_an_error_has_one_line_for_each_field() -> None:
    @flow
    def several(a: int, b: list[int], c: Point, d: str = "x"):
        return same(a)

    with pytest.raises(ParameterError) as caught:
        several("one", [1, "two", "three"], {"y": 1}, d="fine")

    lines = [line.strip().partition(":")[0] for line in str(caught.value).splitlines()]
    assert lines[1:-1] == ["a", "b.1", "b.2", "c.x"]
    assert "validate_parameters=False" in str(caught.value)


def test_hints_of_the_traced_function_are_the_types() -> None:
    @flow
    def hinted(day: datetime.date, count: int = 3, anything=None, whatever: Any = 1):
        return same([day, count, anything, whatever])

    assert hinted("2024-01-31", anything={1}, whatever=[]) == [datetime.date(2024, 1, 31), 3, {1}, []]


def test_a_default_passes_as_it_is() -> None:
    @flow
    def sloppy(count: int = None, point: Point = None):  # type: ignore[assignment]  # noqa: RUF013
        return same([count, point])

    assert sloppy() == [None, None]
    assert sloppy(None, None) == [None, None]
    assert sloppy(1) == [1, None]


def test_checking_can_be_switched_off() -> None:
    @flow(validate_parameters=False)
    def anything_goes(count: int):
        return same(count)

    assert anything_goes("five") == "five"


def test_without_hints_anything_goes() -> None:
    @flow
    def free(value):
        return same(value)

    marker = object()

    assert free(marker) is marker


def test_a_hint_that_cannot_be_resolved_checks_nothing() -> None:
    def made(value, count): ...

    made.__annotations__ = {"value": "NobodyKnows", "count": int}
    lenient = flow(made)

    assert lenient.run(value=object(), count=1).is_successful()
    with pytest.raises(ParameterError, match="count"):
        lenient.run(value=1, count="x")


def test_choices_and_description_of_a_parameter() -> None:
    built = typed(int, default=1, choices=[1, 2], description="how many")

    assert value_of(built, "2") == 2
    with pytest.raises(ParameterError, match="value: expected one of 1, 2, found 3"):
        built.run(value=3)
    with pytest.raises(ParameterError, match="none of its choices"):
        Parameter("x", default=3, choices=[1, 2])
    with pytest.raises(TypeError, match="choices must be a list"):
        Parameter("x", choices="ab")


def test_the_engine_checks_again_when_it_is_asked_directly() -> None:
    built = typed(int)
    (made,) = built.get_tasks(name="same")

    good = FlowRunner(built).run(parameters={"value": "5"}, return_tasks=[made])
    bad = FlowRunner(built).run(parameters={"value": "five"})

    assert good.result[made].result == 5
    assert bad.is_failed()
    assert isinstance(bad.result, ParameterError)


def test_parameters_of_the_context_and_of_a_schedule_are_checked_too() -> None:
    import dagflow

    with dagflow.context(parameters={"value": "x"}), pytest.raises(ParameterError):
        typed(int).run()


# --- documents ---------------------------------------------------------------------------------------------------


def schemas(built: Flow) -> dict[str, Any]:
    return {one["name"]: one.get("schema") for one in built.serialize()["parameters"]}


def test_the_schema_is_in_the_document_and_survives_reading() -> None:
    @flow
    def described(count: int, colour: Colour = Colour.RED, day: datetime.date = datetime.date(2024, 1, 1), own: Own = None):  # type: ignore[assignment]  # noqa: E501
        return same(count)

    document = described.serialize()
    found = schemas(described)

    assert found["count"] == {"type": "integer"}
    assert found["colour"]["enum"] == ["red", "blue"]
    assert found["day"]["format"] == "date"
    assert found["own"] is None
    assert {one["name"]: one["default"] for one in document["parameters"]}["day"] == "2024-01-01"
    assert schemas(deserialize_flow(document)) == found


def test_without_types_the_document_has_no_new_key() -> None:
    with Flow("f") as built:
        same(Parameter("x", default=1))

    (document,) = built.serialize()["parameters"]
    assert "schema" not in document


@pytest.mark.parametrize(("hint", "given", "expected"), [row for row in FITTING if row[0] is not Own])
def test_the_schema_agrees_with_the_check(hint: Any, given: Any, expected: Any) -> None:
    from pydantic_core import to_jsonable_python

    schema = schemas(typed(hint))["value"]

    assert problems(schema, to_jsonable_python(expected)) == []


@pytest.mark.parametrize(
    ("hint", "given"), [(hint, given) for hint, given, _ in WRONG if hint not in (Own, datetime.datetime)]
)
def test_the_schema_refuses_what_the_check_refuses(hint: Any, given: Any) -> None:
    assert problems(schemas(typed(hint))["value"], given) != []


def test_a_default_of_none_is_in_the_schema() -> None:
    assert problems(schemas(typed(int, default=None))["value"], None) == []
    assert problems(schemas(typed(Point, default=None))["value"], {"x": 1}) == []
