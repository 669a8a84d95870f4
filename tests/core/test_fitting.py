# ruff: noqa: UP007, UP042, UP045 - old and new spellings are what is tested here
from __future__ import annotations

import collections.abc as abc
import datetime
import decimal
import enum
import pathlib
import typing
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, Protocol, TypedDict, TypeVar, Union

import pytest

from dagflow.core.fitting import element_of, fits, flattened, item_of, union_of, value_fits

T = TypeVar("T")
UserId = NewType("UserId", int)


class Animal: ...


class Dog(Animal): ...


class Cat(Animal): ...


class Speaks(Protocol):
    def speak(self) -> str: ...


class Point(NamedTuple):
    x: int
    y: int


class Options(TypedDict):
    a: int


class Color(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):
    YES = "yes"


class Odd(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return True


class Anything(metaclass=Odd): ...


class Whole:
    """A number by registration, as numpy's are."""


import numbers  # noqa: E402 - beside its only use

numbers.Integral.register(Whole)

FIT = [
    (int, int), (bool, int), (int, float), (int, complex), (float, complex), (bytearray, bytes),
    (int, object), (int, Any), (str, Any), (type(None), None), (None, Optional[int]),
    (Dog, Animal), (datetime.datetime, datetime.date), (Word, str), (Point, tuple),
    (int, Optional[int]), (int, Union[str, int]), (int, int | str), (int | str, str), (Optional[int], int),
    (Optional[int], Optional[int]),
    (list[int], list), (list[int], list[int]), (list[int], list[float]), (list[bool], list[int]),
    (list[int], abc.Sequence[int]), (list[int], abc.Iterable[float]), (set[int], abc.Set[int]),
    (list[list[int]], list[list[float]]), (list[Dog], list[Animal]), (list[int | str], list[int]),
    (dict[str, int], dict[str, float]), (dict[str, int], abc.Mapping[str, int]), (dict[str, int], abc.Iterable[str]),
    (tuple[int, str], tuple[int, str]), (tuple[int, int], tuple[float, ...]), (tuple[int, ...], tuple[int, int]),
    (tuple[int, str], abc.Sequence[int | str]), (str, abc.Sequence[str]), (str, abc.Iterable[str]), (str, abc.Hashable),
    (abc.Generator[int, None, None], abc.Iterable[int]), (abc.Iterator[int], abc.Iterable[int]),
    (Literal["a"], str), (Literal["a", "b"], Literal["b", "c"]), (Literal[1], float),
    (Annotated[int, "unit"], float), (int, Annotated[float, "unit"]), (UserId, int), (int, UserId),
    (list[Annotated[int, "unit"]], list[int]), (type[Dog], type), (typing.List[int], list[int]),  # noqa: UP006
]  # fmt: skip

CANNOT = [
    (str, int), (int, str), (float, int), (complex, float), (bytes, str), (str, bytes), (dict, list), (list, dict),
    (int, list), (list, int), (set, list), (list, set), (tuple[int, ...], list[str]),
    (None, int), (type(None), str), (int, None),
    (Cat, Dog), (Animal, str), (str, Animal), (pathlib.Path, str), (str, pathlib.Path), (Color, str), (str, Color),
    (decimal.Decimal, str), (datetime.date, str),
    (int, Optional[str]), (Optional[int], str), (Optional[int], Optional[str]), (int | str, bytes), (float, int | str),
    (list[int], list[str]), (list[str], list[int]), (list[int], abc.Sequence[str]), (list[int], abc.Iterable[str]),
    (list[list[int]], list[list[str]]), (list[int], int), (int, list[int]), (str, list[str]), (list[int], set[int]),
    (str, abc.Sequence[int]), (int, abc.Sequence[int]), (int, abc.Iterable), (int, abc.Mapping), (list, abc.Hashable),
    (int, abc.Callable), (str, abc.Mapping[str, int]),
    (dict[str, int], dict[str, str]), (dict[str, int], dict[int, int]), (dict[str, int], abc.Iterable[int]),
    (tuple[int, str], tuple[int, int]), (tuple[int, str], tuple[int, str, int]), (tuple[int, str], tuple[int, ...]),
    (tuple[int, ...], tuple[str, ...]), (abc.Generator[int, None, None], abc.Iterable[str]),
    (Literal["a"], int), (Literal["a"], Literal["b"]), (int, Literal["a"]), (Literal[1], str),
    (Literal[True], Literal[1]),
    (Annotated[str, "unit"], int), (UserId, str), (str, UserId), (list[Optional[int]], list[str]),
]  # fmt: skip

NO_OPINION = [
    (Any, int), (object, int), ("int", str), (int, "str"), (T, int), (int, T), (list[T], list[int]),  # type: ignore[valid-type]
    (list[Any], list[int]),
    (int, bool), (Animal, Dog), (datetime.date, datetime.datetime), (str, Literal["a"]), (Whole, int), (Whole, float),
    (decimal.Decimal, float), (int, Speaks), (Dog, Speaks), (Speaks, int), (dict, Options), (Options, dict[str, int]),
    (Animal, abc.Sequence), (abc.Sequence, list), (abc.Sequence[int], str), (abc.Iterator[int], list[int]),
    (typing.IO[str], str), (typing.NoReturn, int), (int, Anything), (Anything, int), (abc.Callable[[int], int], Dog),
    (list, list[int]),
    (Any, None), (int, Whole), (tuple, list), (list[int], tuple[int, ...]), (range, list[int]),
    (list, Whole | Speaks), (int, list[int] | T), (Point, tuple[int, int]),
]  # fmt: skip


@pytest.mark.parametrize(("producer", "consumer"), FIT)
def test_values_that_can_be_used_fit(producer: Any, consumer: Any) -> None:
    assert fits(producer, consumer) is True


@pytest.mark.parametrize(("producer", "consumer"), CANNOT)
def test_values_that_cannot_be_used_do_not_fit(producer: Any, consumer: Any) -> None:
    assert fits(producer, consumer) is False


@pytest.mark.parametrize(("producer", "consumer"), NO_OPINION)
def test_there_is_no_alarm_where_it_cannot_be_told(producer: Any, consumer: Any) -> None:
    assert fits(producer, consumer) is not False


@pytest.mark.parametrize(
    ("whole", "item"),
    [
        (list[int], int), (tuple[int, ...], int), (tuple[int, str], int | str), (abc.Sequence[str], str), (str, str),
        (Optional[list[int]], int), (list[int] | tuple[str, ...], int | str), (list, Any), (dict[str, int], Any),
        (int, Any), (Any, Any), (tuple, Any), (list[int] | int, Any),
    ],
)  # fmt: skip
def test_a_map_hands_out_the_items(whole: Any, item: Any) -> None:
    assert element_of(whole) == item


@pytest.mark.parametrize(
    ("whole", "flat"),
    [
        (list[list[int]], list[int]), (list[tuple[int, str]], list[int | str]), (list[str], list[str]),
        (list[int], list[int]), (list[list[list[int]]], list[list[int]]), (list[Any], list), (list, list), (Any, list),
        (list[Dog], list), (list[list[int] | int], list[int]),
    ],
)  # fmt: skip
def test_flatten_removes_one_level(whole: Any, flat: Any) -> None:
    assert flattened(whole) == flat


@pytest.mark.parametrize(
    ("whole", "key", "item"),
    [
        (tuple[int, str], 0, int), (tuple[int, str], -1, str), (tuple[int, ...], 7, int), (list[int], 0, int),
        (list[int], slice(2), Any), (dict[str, int], "k", int), (abc.Mapping[str, int], "k", int), (str, 0, str),
        (Any, 0, Any), (list, 0, Any), (Dog, 0, Any), (Optional[list[int]], 0, Any),
    ],
)  # fmt: skip
def test_an_item_has_the_type_that_its_key_selects(whole: Any, key: Any, item: Any) -> None:
    assert item_of(whole, key) == item


def test_a_tuple_has_no_item_behind_its_end() -> None:
    with pytest.raises(IndexError):
        item_of(tuple[int, str], 2)


@pytest.mark.parametrize(
    ("value", "consumer", "opinion"),
    [
        ("a", int, False), ("a", str, True), (1, float, True), (1.5, int, False), (True, int, True), ("a", list, False),
        ("a", Literal["a", "b"], True), ("c", Literal["a", "b"], False), ("c", Literal["a"] | int, False),
        ("a", Optional[int], False), (1, int | str, True), (1, Any, True), (1, "int", None), (None, int, None),
        ([1], int, None), (Word.YES, int, None), (1, UserId, True), (1, Speaks, None),
    ],
)  # fmt: skip
def test_plain_scalars_are_judged_by_value(value: Any, consumer: Any, opinion: bool | None) -> None:
    found = value_fits(value, consumer)

    assert found is opinion or opinion is True and found is not False


def test_a_union_with_something_unknown_is_unknown() -> None:
    assert union_of([int, Any]) is Any
    assert union_of([]) is Any
    assert union_of([None]) is type(None)
