"""
The words that tasks of Prefect 2 and 3 have for settings, said in those that dagflow keeps.

Both spellings of one setting are an error: which of them holds would be anybody's guess.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping
from typing import Any

from dagflow.core.advice import TASK_OPTIONS
from dagflow.core.blame import user_location
from dagflow.core.hooks import checked_hooks
from dagflow.core.options import checked_function, unknown_option

__all__ = ["EXTRAS", "WORDS", "delays", "exponential_backoff", "in_old_words"]

EXTRAS: dict[str, Any] = {
    "cache_expiration": None,
    "cache_policy": None,
    "description": None,
    "log_prints": None,
    "refresh_cache": None,
    "retry_condition_fn": None,
    "retry_jitter_factor": None,
    "version": None,
    "_hooks": (),
}
"""Attributes that only these words set; their defaults are the class's."""

_HOOKS = ("on_running", "on_completion", "on_cancellation", "on_crashed")

WORDS = frozenset(
    {"cache_key_fn", "retries", "retry_delay_seconds", "timeout_seconds", *EXTRAS, *_HOOKS} - {"_hooks"}
)
"""What the constructor of a task takes beside the words of Prefect 0.15."""

SAME = {"retries": "max_retries", "retry_delay_seconds": "retry_delay", "timeout_seconds": "timeout"}
"""Two words for one setting."""


def in_old_words(
    words: Mapping[str, Any], old: Mapping[str, Any], name: str, known: frozenset[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Translate *words* given for the task *name* beside those of *old*, whose ``None`` means not given.

    Returns:
        values for words of *old*, and attributes to set.

    Raises:
        TypeError: for an unknown word, and a value of the wrong type.
        ValueError: for a setting given in both spellings, and for numbers that cannot be.
    """
    owner = f"Task {name!r}"
    for word in words:
        if word not in WORDS:
            raise _unknown(owner, word, known)
    for word, twin in SAME.items():
        if words.get(word) is not None and old.get(twin) is not None:
            raise ValueError(
                f"{owner} is given {word}= and {twin}=, which say the same{user_location()}. Leave one of them out."
            )
    changes = {**_retries(words, old, owner), **_timeout(words, owner)}
    return changes, {**_extras(words, owner), **_caching(words, old, owner)}


def _unknown(owner: str, word: str, known: frozenset[str]) -> TypeError:
    if word in TASK_OPTIONS:
        return TypeError(f"{owner} has no option {word!r}{user_location()}. {TASK_OPTIONS[word]}")
    return unknown_option(owner, word, known)


def _retries(words: Mapping[str, Any], old: Mapping[str, Any], owner: str) -> dict[str, Any]:
    retries = words.get("retries")
    count = retries if retries is not None else old.get("max_retries")
    delay = words.get("retry_delay_seconds")
    changes = {} if retries is None else {"max_retries": retries}
    if not isinstance(count, int) or not count:
        return changes  # a delay before attempts that there are not is no mistake here
    if delay is not None:
        changes["retry_delay"] = delays(delay, count, owner)
    elif retries is not None and old.get("retry_delay") is None:
        changes["retry_delay"] = datetime.timedelta(0)
    return changes


def delays(given: Any, retries: int, owner: str) -> Any:
    """
    Return seconds as a timedelta, a list of them as a list; a function is asked for the list.

    Raises:
        TypeError: for anything else.
        ValueError: for negative numbers.
    """
    found = given(retries) if callable(given) else given
    if isinstance(found, datetime.timedelta):
        return found
    listed = list(found) if isinstance(found, list | tuple) else [found]
    for one in listed:
        if isinstance(one, bool) or not isinstance(one, int | float) or not math.isfinite(one):
            raise TypeError(
                f"{owner}: retry_delay_seconds must be a number, a list of them or exponential_backoff(...), found "
                f"{one!r}{user_location()}. Write retry_delay_seconds=10 or [1, 10, 60]."
            )
        if one < 0:
            raise ValueError(f"{owner}: retry_delay_seconds cannot be negative, found {one!r}{user_location()}.")
    if not listed:
        raise ValueError(f"{owner}: retry_delay_seconds is an empty list{user_location()}. Give one number at least.")
    spans = [datetime.timedelta(seconds=one) for one in listed]
    return spans if isinstance(found, list | tuple) else spans[0]


def exponential_backoff(backoff_factor: float) -> Callable[[int], list[float]]:
    """
    Return what ``retry_delay_seconds`` takes for delays that double: the factor, twice it, four times it and so on.

    >>> exponential_backoff(10)(3)
    [10, 20, 40]
    """

    def delays_of(retries: int) -> list[float]:
        return [backoff_factor * 2**attempt for attempt in range(retries)]

    return delays_of


def _timeout(words: Mapping[str, Any], owner: str) -> dict[str, Any]:
    seconds = words.get("timeout_seconds")
    if seconds is None:
        return {}
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | datetime.timedelta):
        raise TypeError(f"{owner}: timeout_seconds must be a number, found {seconds!r}{user_location()}.")
    if isinstance(seconds, float):
        if not math.isfinite(seconds):
            raise ValueError(f"{owner}: timeout_seconds must be finite, found {seconds!r}{user_location()}.")
        seconds = math.ceil(seconds)  # limits count whole seconds, and nothing may end before its time
    return {"timeout": seconds}


def _extras(words: Mapping[str, Any], owner: str) -> dict[str, Any]:
    found = {word: words[word] for word in ("description", "log_prints", "version") if words.get(word) is not None}
    jitter = words.get("retry_jitter_factor")
    if jitter is not None:
        if isinstance(jitter, bool) or not isinstance(jitter, int | float) or not 0 <= jitter < math.inf:
            raise ValueError(
                f"{owner}: retry_jitter_factor must be a number from 0, found {jitter!r}{user_location()}."
            )
        found["retry_jitter_factor"] = float(jitter)
    condition = words.get("retry_condition_fn")
    if condition is not None:
        example = "a function such as f(task, task_run, state) that returns True to try again"
        found["retry_condition_fn"] = checked_function(condition, f"{owner}: retry_condition_fn", example)
    hooks = checked_hooks({event: words.get(event) for event in _HOOKS}, owner)
    if hooks:
        found["_hooks"] = hooks
    return found


def _caching(words: Mapping[str, Any], old: Mapping[str, Any], owner: str) -> dict[str, Any]:
    function, policy = words.get("cache_key_fn"), words.get("cache_policy")
    expiration, refresh = words.get("cache_expiration"), words.get("refresh_cache")
    if (function is not None or policy is not None) and (
        old.get("cache_for") is not None or old.get("cache_validator") is not None
    ):
        raise ValueError(
            f"{owner} has a cache key and cache_for or cache_validator{user_location()}, which are two ways to cache. "
            "Leave one of them out; cache_expiration= says how long a key holds."
        )
    if function is not None and policy is not None:
        raise ValueError(f"{owner} has both cache_key_fn and cache_policy{user_location()}. Leave one of them out.")
    if function is not None:
        from dagflow.engine.cache_policies import CacheKeyFn

        example = "a function such as task_input_hash(context, arguments)"
        policy = CacheKeyFn(checked_function(function, f"{owner}: cache_key_fn", example))
    if policy is not None and not hasattr(policy, "key"):
        raise TypeError(
            f"{owner}: cache_policy must be one of dagflow.engine.cache_policies, found {policy!r}{user_location()}. "
            "Write cache_policy=INPUTS + TASK_SOURCE, or cache_key_fn=a_function."
        )
    if expiration is not None and not isinstance(expiration, datetime.timedelta):
        raise TypeError(
            f"{owner}: cache_expiration must be a timedelta, found {expiration!r}{user_location()}. "
            "Write datetime.timedelta(hours=1)."
        )
    found = {"cache_policy": policy, "cache_expiration": expiration, "refresh_cache": refresh}
    return {word: value for word, value in found.items() if value is not None}
