"""What the options of tasks and flows may be: each is checked where the user wrote it, in words that say the fix."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagflow.configuration import config
from dagflow.core.blame import user_location
from dagflow.exceptions import near_match
from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.engine.state import State

__all__ = [
    "checked_executor",
    "checked_function",
    "checked_handlers",
    "checked_nout",
    "checked_resources",
    "checked_result",
    "checked_retries",
    "checked_retry_on",
    "checked_schedule",
    "checked_tags",
    "checked_target",
    "checked_template",
    "checked_text",
    "checked_timeout",
    "checked_validator",
    "unknown_option",
]


def unknown_option(owner: str, name: str, known: Iterable[str]) -> TypeError:
    """Return the error for an option that does not exist; the near match is proposed."""
    return TypeError(f"{owner} has no option {name!r}{user_location()}.{near_match(name, known)}")


def checked_text(value: Any, what: str) -> Any:
    """
    Return *value*, a text or ``None``.

    Raises:
        TypeError: for anything else.
    """
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{what} must be text, found {value!r} of type {type(value).__name__}{user_location()}.")


def checked_function(value: Any, what: str, example: str) -> Any:
    """
    Return *value*, something to call or ``None``.

    Raises:
        TypeError: for anything else.
    """
    if value is None or callable(value):
        return value
    raise TypeError(f"{what} must be a function, found {value!r}{user_location()}. Use {example}.")


def checked_template(value: Any, what: str) -> Any:
    """
    Return *value*, a template, a function that makes a text, or ``None``.

    Raises:
        TypeError: for anything else.
    """
    if value is None or isinstance(value, str) or callable(value):
        return value
    if hasattr(value, "__fspath__"):
        return str(value)
    raise TypeError(
        f"{what} must be a template such as 'day-{{today}}' or a function, found {value!r}{user_location()}."
    )


def checked_result(result: Any, owner: str) -> Any:
    """
    Return *result*, a place for results or ``None``.

    Raises:
        TypeError: for a class or anything else that cannot keep a result.
    """
    if result is None or (hasattr(result, "write") and not isinstance(result, type)):
        return result
    fix = f"Write {result.__name__}(...)." if isinstance(result, type) else "Give an instance such as LocalResult()."
    raise TypeError(f"{owner}: result says where results are written, found {result!r}{user_location()}. {fix}")


def checked_executor(executor: Any) -> Any:
    """
    Return *executor*: an executor, a class of executors, or ``None``.

    Raises:
        TypeError: for anything else, such as the name of one.
    """
    if executor is None or hasattr(executor, "submit"):
        return executor
    raise TypeError(
        f"An executor is an object such as LocalExecutor() or LocalDaskExecutor(scheduler='threads'), "
        f"found {executor!r} of type {type(executor).__name__}{user_location()}."
    )


def checked_schedule(schedule: Any) -> Any:
    """
    Return *schedule*: a schedule or ``None``.

    Raises:
        TypeError: for anything that cannot say its next dates.
    """
    if schedule is None or (hasattr(schedule, "next") and not isinstance(schedule, type)):
        return schedule
    fix = "Use CronSchedule('0 6 * * *'), IntervalSchedule(interval=timedelta(hours=1)) or Schedule(clocks=[...])."
    if isinstance(schedule, str):
        fix = f"Use CronSchedule({schedule!r})."
    elif isinstance(schedule, datetime.timedelta):
        fix = "Use IntervalSchedule(interval=...) around it."
    elif hasattr(schedule, "events"):
        fix = "Use Schedule(clocks=[...]) around it."
    raise TypeError(f"A flow's schedule cannot be {schedule!r}{user_location()}. {fix}")


def checked_resources(resources: Any, name: str) -> dict[str, float]:
    """
    Return *resources* as a dict of numbers.

    Raises:
        TypeError: for anything but a dict of words and numbers.
        ValueError: for amounts that are not above zero.
    """
    fix = 'Write {"GPU": 1}.'
    if not isinstance(resources, Mapping):
        raise TypeError(f"Task {name!r}: resources must be a dict, found {resources!r}{user_location()}. {fix}")
    for key, amount in resources.items():
        if not isinstance(key, str) or isinstance(amount, bool) or not isinstance(amount, int | float):
            raise TypeError(
                f"Task {name!r}: resources must give a number for each word, found {key!r}: {amount!r}"
                f"{user_location()}. {fix}"
            )
        if not amount > 0:
            raise ValueError(
                f"Task {name!r}: a resource is asked for in amounts above zero, found {key!r}: {amount!r}"
                f"{user_location()}. {fix}"
            )
    return {key: float(amount) for key, amount in resources.items()}


def checked_tags(tags: Iterable[str] | None, name: str) -> set[str]:
    """
    Return *tags* as a set, those of enclosing ``with tags(...)`` blocks added.

    Raises:
        TypeError: for a single string, and for tags that are not text.
    """
    scope = context.get("tags") or ()
    if not tags:
        return set(scope)
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        fix = f"Use [{tags!r}]." if isinstance(tags, str) else "Use a list of words."
        raise TypeError(f"Task {name!r}: tags must be a set or list of words, found {tags!r}{user_location()}. {fix}")
    found = set(tags)
    for tag in found:
        if not isinstance(tag, str):
            raise TypeError(f"Task {name!r}: a tag must be text, found {tag!r}{user_location()}. Use {str(tag)!r}.")
    return found.union(scope)


def checked_retries(max_retries: int | None, delay: Any, name: str) -> tuple[int, Any]:
    """
    Return how many retries and how long before them.

    Raises:
        ValueError: for retries without a delay, a delay without retries, and a number that is none.
        TypeError: for a delay that is no length of time.
    """
    if max_retries is None and delay is None and not config.tasks.defaults.max_retries:
        return 0, None
    if isinstance(delay, tuple):
        delay = list(delay)
    _check_delay(delay, name)
    defaults = config.tasks.defaults
    retries = int(defaults.max_retries or 0) if max_retries is None else max_retries
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise ValueError(
            f"Task {name!r}: max_retries must be a whole number from 0, found {retries!r}{user_location()}."
        )
    if retries == 0 and delay is not None:
        raise ValueError(
            f"Task {name!r} has a retry_delay but no retries{user_location()}. Give max_retries as well."
        )
    if retries > 0 and delay is None:
        delay = _default_delay(defaults.retry_delay)
        if delay is None:
            raise ValueError(
                f"Task {name!r} has max_retries={retries} but no delay{user_location()}. "
                "Give retry_delay=datetime.timedelta(...)."
            )
    return retries, delay


def _default_delay(setting: Any) -> datetime.timedelta | None:
    """Return the configured delay; settings that were loaded hold a timedelta, those set by code may hold seconds."""
    if setting is None or setting is False:
        return None
    return setting if isinstance(setting, datetime.timedelta) else datetime.timedelta(seconds=setting)


def _check_delay(delay: Any, name: str) -> None:
    single = delay if isinstance(delay, list) else [delay]
    wrong = [one for one in single if not _is_delay(one, inside=isinstance(delay, list))]
    if wrong or delay == []:
        found = wrong[0] if wrong else delay
        number = isinstance(found, int | float)
        raise TypeError(
            f"Task {name!r}: retry_delay must be a timedelta, a list of them or a function of the run count, found "
            f"{found!r}{user_location()}. Write datetime.timedelta(seconds={found if number else 10})."
        )


def _is_delay(delay: Any, *, inside: bool) -> bool:
    if inside:
        return isinstance(delay, datetime.timedelta) or (isinstance(delay, int | float) and not isinstance(delay, bool))
    return delay is None or isinstance(delay, datetime.timedelta) or callable(delay)


def checked_retry_on(kinds: Any, name: str) -> tuple[type[BaseException], ...] | None:
    """
    Return the exception types to retry on as a tuple, ``None`` for all.

    Raises:
        TypeError: for anything but exception types.
    """
    if kinds is None:
        return None
    listed = tuple(kinds) if isinstance(kinds, list | tuple | set | frozenset) else (kinds,)
    wrong = [kind for kind in listed if not (isinstance(kind, type) and issubclass(kind, BaseException))]
    if wrong:
        raise TypeError(f"Task {name!r}: retry_on takes exception types, found {wrong[0]!r}{user_location()}.")
    return listed


def checked_timeout(timeout: Any, name: str) -> int | None:
    """
    Return the time limit in whole seconds, ``None`` for none; ``0`` means none as well.

    Raises:
        TypeError: for anything but an ``int`` or a timedelta.
        ValueError: for a negative one.
    """
    if timeout is None:
        return int(config.tasks.defaults.timeout or 0) or None
    if isinstance(timeout, datetime.timedelta):
        seconds = timeout.total_seconds()
        if seconds != int(seconds):
            warnings.warn(
                f"Task {name!r}: a timeout counts whole seconds; {seconds} s becomes {int(seconds)} s"
                f"{user_location()}.",
                stacklevel=4,
            )
        timeout = int(seconds)
    if not isinstance(timeout, int) or isinstance(timeout, bool):
        raise TypeError(
            f"Task {name!r}: timeout must be whole seconds or a timedelta, found {timeout!r}{user_location()}."
        )
    if timeout < 0:
        raise ValueError(
            f"Task {name!r}: a timeout cannot be negative, found {timeout!r}{user_location()}. Use 0 for no limit."
        )
    return timeout


def _validators() -> Any:
    from dagflow.engine import cache_validators

    return cache_validators


def checked_validator(cache_for: Any, validator: Any, name: str) -> Callable[..., bool]:
    """
    Return the cache validator; the default depends on whether anything is cached.

    Raises:
        TypeError: for a time that is no timedelta, and a validator that cannot be called.
    """
    if cache_for is None and validator is None:
        return _validators().never_use  # type: ignore[no-any-return]
    if cache_for is not None and not isinstance(cache_for, datetime.timedelta):
        number = cache_for if isinstance(cache_for, int | float) else 3600
        raise TypeError(
            f"Task {name!r}: cache_for must be a timedelta, found {cache_for!r}{user_location()}. "
            f"Write datetime.timedelta(seconds={number})."
        )
    checked_function(validator, f"Task {name!r}: cache_validator", "one of dagflow.engine.cache_validators")
    if validator is None:
        return _validators().duration_only  # type: ignore[no-any-return]
    if cache_for is None and validator is not _validators().never_use:
        warnings.warn(
            f"Task {name!r} has a cache_validator but no cache_for, so nothing is ever cached{user_location()}. "
            "Give cache_for=datetime.timedelta(...).",
            stacklevel=4,
        )
    return validator  # type: ignore[no-any-return]


def checked_target(result: Any, target: Any, name: str) -> tuple[Any, Any]:
    """
    Return the result and the target of a task; with a target, a copy of the result that points there.

    Raises:
        TypeError: for a result that cannot keep anything, and a target that is no template.
    """
    if result is None and target is None:
        return None, None
    result = checked_result(result, f"Task {name!r}")
    target = checked_template(target, f"Task {name!r}: target")
    if target is None or result is None:
        return result, target
    location = getattr(result, "location", None)
    if location is not None and location != target:
        warnings.warn(
            f"Task {name!r} has both the target {target!r} and a result at {location!r}; the target is used"
            f"{user_location()}. Leave one of them out.",
            stacklevel=4,
        )
    result = result.copy()
    if callable(target):
        result._formatter, result.location = target, None
    else:
        result.location = target
    return result, target


def checked_nout(nout: Any, name: str) -> int:
    """
    Return the number of items a task returns.

    Raises:
        ValueError: for anything but a whole number from 0.
    """
    if not isinstance(nout, int) or isinstance(nout, bool) or nout < 0:
        raise ValueError(f"Task {name!r}: nout must be a whole number from 0, found {nout!r}{user_location()}.")
    return nout


def checked_handlers(handlers: Any, on_failure: Any, owner: str) -> list[Callable[..., Any]]:
    """
    Return *handlers* as a list of its own, a failure callback added.

    Raises:
        TypeError: for anything but a list or tuple of functions.
    """
    if handlers is None and on_failure is None:
        return []
    if handlers is not None and (isinstance(handlers, str) or not isinstance(handlers, Sequence)):
        raise TypeError(
            f"{owner}: state_handlers must be a list of functions, found {handlers!r}{user_location()}. "
            "Put it in a list: state_handlers=[...]."
        )
    wrong = [handler for handler in handlers or () if not callable(handler)]
    if wrong:
        raise TypeError(f"{owner}: state_handlers must be functions, found {wrong[0]!r}{user_location()}.")
    found = list(handlers or ())
    if checked_function(on_failure, f"{owner}: on_failure", "a function of the task or flow and its state") is not None:
        from dagflow.utilities.notifications import callback_factory

        found.append(callback_factory(on_failure, check=_is_failed))
    return found


def _is_failed(state: State) -> bool:
    return state.is_failed()
