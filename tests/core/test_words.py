"""Settings of tasks in the words of Prefect 2 and 3."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dagflow import Flow, Task, task
from dagflow.engine.cache_policies import INPUTS, task_input_hash
from dagflow.tasks import exponential_backoff

SECOND = timedelta(seconds=1)


def plain() -> None: ...


@pytest.mark.parametrize(
    ("words", "retries", "delay"),
    [
        ({"retries": 3}, 3, 0 * SECOND),
        ({"retries": 2, "retry_delay_seconds": 10}, 2, 10 * SECOND),
        ({"retries": 2, "retry_delay_seconds": 0.5}, 2, 0.5 * SECOND),
        ({"retries": 3, "retry_delay_seconds": [1, 10, 60]}, 3, [1 * SECOND, 10 * SECOND, 60 * SECOND]),
        ({"retries": 3, "retry_delay_seconds": exponential_backoff(2)}, 3, [2 * SECOND, 4 * SECOND, 8 * SECOND]),
        ({"retries": 2, "retry_delay": 5 * SECOND}, 2, 5 * SECOND),
        ({"max_retries": 2, "retry_delay_seconds": 5}, 2, 5 * SECOND),
        ({"retries": 0, "retry_delay_seconds": 5}, 0, None),
        ({"retry_delay_seconds": 5}, 0, None),
    ],
)
def test_retries_are_the_retries_of_0_15(words: dict[str, Any], retries: int, delay: Any) -> None:
    made = task(plain, **words)

    assert (made.max_retries, made.retry_delay) == (retries, delay)


def test_the_old_word_goes_on_to_ask_for_a_delay() -> None:
    with pytest.raises(ValueError, match="no delay"):
        task(plain, max_retries=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"retries": 1, "max_retries": 1, "retry_delay": SECOND}, "retries= and max_retries="),
        ({"retries": 1, "retry_delay_seconds": 1, "retry_delay": SECOND}, "retry_delay_seconds= and retry_delay="),
        ({"timeout_seconds": 1, "timeout": 1}, "timeout_seconds= and timeout="),
        ({"cache_key_fn": task_input_hash, "cache_for": SECOND}, "two ways to cache"),
        ({"cache_policy": INPUTS, "cache_validator": plain}, "two ways to cache"),
        ({"cache_policy": INPUTS, "cache_key_fn": task_input_hash}, "both cache_key_fn and cache_policy"),
    ],
)
def test_both_spellings_of_one_setting_are_an_error(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task(plain, **words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"retries": -1}, "whole number"),
        ({"retries": 1, "retry_delay_seconds": -1}, "negative"),
        ({"retries": 1, "retry_delay_seconds": "soon"}, "exponential_backoff"),
        ({"retries": 1, "retry_delay_seconds": []}, "empty"),
        ({"retries": 1, "retry_delay_seconds": float("nan")}, "number"),
        ({"retry_jitter_factor": -0.5}, "from 0"),
        ({"retry_condition_fn": 3}, "function"),
        ({"timeout_seconds": "1"}, "number"),
        ({"timeout_seconds": -1}, "negative"),
        ({"timeout_seconds": float("inf")}, "finite"),
        ({"cache_key_fn": "x"}, "function"),
        ({"cache_policy": "x"}, "cache_policies"),
        ({"cache_expiration": 3}, "timedelta"),
        ({"on_completion": plain}, r"hook\(task, task_run, state\)"),
        ({"on_failure": [plain]}, r"hook\(task, task_run, state\)"),
        ({"persist_result": True}, "checkpointing"),
        ({"retires": 1}, "Did you mean 'retries'"),
    ],
)
def test_values_and_words_that_cannot_be_are_refused(words: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        task(plain, **words)


@pytest.mark.parametrize(("seconds", "limit"), [(30, 30), (0.2, 1), (1.5, 2), (SECOND, 1)])
def test_a_timeout_counts_whole_seconds_rounded_up(seconds: Any, limit: int) -> None:
    assert task(plain, timeout_seconds=seconds).timeout == limit


def test_a_subclass_takes_the_words_and_refuses_others() -> None:
    class Own(Task):
        def __init__(self, x: int, **kwargs: Any) -> None:
            self.x = x
            super().__init__(**kwargs)

    assert Own(1, retries=2, description="two").max_retries == 2
    with pytest.raises(TypeError, match="no option 'retires'"):
        Own(1, retires=2)
    with pytest.raises(TypeError, match="no option 'retires'"):
        Task(retires=2)


def test_a_call_may_change_settings_in_these_words() -> None:
    with Flow("f"):
        made = task(plain)(task_args={"retries": 2, "timeout_seconds": 3, "log_prints": True})

    assert (made.max_retries, made.retry_delay, made.timeout, made.log_prints) == (2, 0 * SECOND, 3, True)


@pytest.mark.parametrize(
    ("callback", "old"),
    [
        (lambda task, state: None, True),
        (lambda *args: None, True),
        (lambda task, state, more=None: None, True),
        (lambda task, run, state: None, False),
        ([lambda task, run, state: None], False),
    ],
)
def test_on_failure_of_two_arguments_is_the_callback_of_0_15(callback: Callable[..., None], old: bool) -> None:
    made = task(plain, on_failure=callback)

    assert (len(made.state_handlers), len(made._hooks)) == ((1, 0) if old else (0, 1))


def test_words_that_are_not_given_cost_an_instance_nothing() -> None:
    assert set(vars(task(plain))) == set(vars(task(plain, retries=None)))
    assert not {"_hooks", "cache_policy", "log_prints"} & set(vars(task(plain)))
