from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
from typing import Any

import pytest

from dagflow.engine.cache_validators import (
    all_inputs,
    all_parameters,
    duration_only,
    hash_input,
    hash_inputs,
    never_use,
    partial_inputs_only,
    partial_parameters_only,
)
from dagflow.engine.result import Result
from dagflow.engine.state import Cached

ALL = [
    never_use,
    duration_only,
    all_inputs,
    all_parameters,
    partial_inputs_only(["x"]),
    partial_parameters_only(["p"]),
]
LATER = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
EARLIER = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)


def cached(inputs: dict[str, Any], parameters: dict[str, Any], expires: dt.datetime | None = LATER) -> Cached:
    return Cached(cached_parameters=parameters, cached_result_expiration=expires, hashed_inputs=hash_inputs(inputs))


@pytest.mark.parametrize("validator", ALL)
def test_an_expired_state_is_never_valid(validator: Any) -> None:
    assert validator(cached({"x": 1}, {"p": 1}, EARLIER), {"x": 1}, {"p": 1}) is False


@pytest.mark.parametrize("validator", ALL[1:])
@pytest.mark.parametrize("expires", [LATER, None])
def test_the_same_inputs_and_parameters_are_valid_until_expiration_if_any(validator: Any, expires: Any) -> None:
    assert validator(cached({"x": 1}, {"p": 1}, expires), {"x": 1}, {"p": 1}) is True
    assert never_use(cached({"x": 1}, {"p": 1}, expires), {"x": 1}, {"p": 1}) is False


@pytest.mark.parametrize(
    ("inputs", "parameters", "valid"),
    [  # duration_only, all_inputs, all_parameters, some inputs, some parameters
        ({"x": 2, "y": 1}, {"p": 1, "q": 1}, (True, False, True, False, True)),
        ({"x": 1, "y": 2}, {"p": 1, "q": 1}, (True, False, True, True, True)),
        ({"x": 1}, {"p": 1, "q": 1}, (True, False, True, True, True)),
        ({"x": 1, "y": 1, "z": 1}, {"p": 1, "q": 1}, (True, False, True, True, True)),
        ({"y": 1}, {"p": 1, "q": 1}, (True, False, True, False, True)),
        ({"x": 1, "y": 1}, {"p": 2, "q": 1}, (True, True, False, True, False)),
        ({"x": 1, "y": 1}, {"p": 1, "q": 2}, (True, True, False, True, True)),
        ({"x": 1, "y": 1}, {"p": 1}, (True, True, False, True, True)),
        ({"x": 1, "y": 1}, {"p": 1, "q": 1, "r": 1}, (True, True, False, True, True)),
        ({"x": 1, "y": 1}, {}, (True, True, False, True, False)),
    ],
)
def test_each_validator_looks_at_its_own_part(
    inputs: dict[str, Any], parameters: dict[str, Any], valid: tuple[bool, ...]
) -> None:
    state = cached({"x": 1, "y": 1}, {"p": 1, "q": 1})

    assert tuple(validator(state, inputs, parameters) for validator in ALL[1:]) == valid


def test_without_names_the_partial_validators_ask_for_duration_only() -> None:
    state = cached({"x": 1}, {"p": 1})

    assert partial_inputs_only()(state, {"x": 2}, {"p": 2})
    assert partial_parameters_only()(state, {"x": 2}, {"p": 2})


def test_one_name_may_be_given_as_it_is() -> None:
    assert not partial_inputs_only("xyz")(cached({"xyz": 1}, {}), {"xyz": 2}, {})


@pytest.mark.parametrize("factory", [partial_inputs_only, partial_parameters_only])
def test_a_factory_that_was_not_called_says_so(factory: Any) -> None:
    with pytest.raises(TypeError, match="call it first"):
        factory(cached({}, {}), {}, {})


def test_without_hashes_the_values_of_the_cached_inputs_count() -> None:
    numpy = pytest.importorskip("numpy")
    state = Cached(cached_inputs={"x": Result(1), "y": numpy.arange(3)})

    assert all_inputs(state, {"x": 1, "y": numpy.arange(3)}, {})
    assert not all_inputs(state, {"x": 1, "y": numpy.arange(1, 4)}, {})
    assert not all_inputs(state, {"x": 1}, {})


def test_a_state_that_recorded_nothing_is_valid_where_there_is_nothing() -> None:
    assert all_inputs(Cached(), {}, {}) and all_parameters(Cached(), {}, {})
    assert not all_inputs(Cached(), {"x": 1}, {}) and not all_parameters(Cached(), {}, {"p": 1})


@pytest.mark.parametrize("validator", ALL)
def test_validators_can_be_pickled(validator: Any) -> None:
    state = cached({"x": 1}, {"p": 1})

    copy = pickle.loads(pickle.dumps(validator))

    assert copy(state, {"x": 1}, {"p": 1}) is validator(state, {"x": 1}, {"p": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 2), (1, "1"), (1, True), (None, "None"), ([1], (1,)), ({"a": 1}, {"a": 2}), ({1, 2}, {1, 3}), ("a", "\ud800")],
)
def test_different_values_have_different_tokens(one: object, other: object) -> None:
    assert hash_input(one) != hash_input(other)
    assert hash_input(one) == hash_input(one)


def test_tokens_are_the_same_in_another_process() -> None:
    values = "['text', 3, 2.5, None, ['a', {'k': {'x', 'y', 'z'}}]]"
    code = f"from dagflow.engine.cache_validators import hash_input; print([hash_input(v) for v in {values}])"

    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert other.stdout.strip() == str([hash_input(value) for value in eval(values)])


def test_plain_inputs_need_no_dask() -> None:
    code = "import sys; from dagflow.engine.cache_validators import *; hash_input('x'); print('dask' in sys.modules)"

    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert other.stdout.strip() == "False"
