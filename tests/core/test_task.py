"""What a task is made of."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Tuple  # noqa: UP035  (both spellings are users')

import pytest

from dagflow import Flow, Task, context, tags, task
from dagflow.engine.cache_validators import all_inputs, duration_only, never_use
from dagflow.engine.results import LocalResult
from dagflow.engine.state import Failed, Retrying, Running, Success, TriggerFailed
from dagflow.triggers import all_finished, all_successful
from dagflow.utilities.configuration import set_temporary_config

MINUTE = timedelta(minutes=1)


def test_a_plain_task_has_the_defaults() -> None:
    class Sweep(Task):
        pass

    one = Sweep()

    assert (one.name, one.slug, one.tags, one.timeout, one.nout) == ("Sweep", None, set(), None, None)
    assert (one.max_retries, one.retry_delay, one.checkpoint, one.result, one.target) == (0, None, None, None, None)
    assert (one.trigger, one.skip_on_upstream_skip, one.log_stdout) == (all_successful, True, False)
    assert (one.cache_for, one.cache_key, one.cache_validator) == (None, None, never_use)
    assert repr(one) == "<Task: Sweep>"
    assert one.logger.name == "dagflow.Sweep"
    assert Task().run() is None


def test_tasks_are_themselves_only() -> None:
    a, b = Task("same"), Task("same")

    assert a == a
    assert (a == b) is False
    assert (a != b) is True
    assert len({a, b}) == 2


def test_a_task_may_have_a_logger_of_its_own() -> None:
    import logging

    class Loud(Task):
        def __init__(self) -> None:
            super().__init__()
            self.logger = logging.getLogger("loud")

    assert Loud().logger.name == "loud"
    assert Task("quiet").logger.name == "dagflow.quiet"


# --- tags ---


def test_tags_are_a_set_joined_with_those_of_the_block() -> None:
    with tags("a", "b"), tags("c"):
        assert context.tags == {"a", "b", "c"}
        one = Task(tags=["d", "a"])

    assert one.tags == {"a", "b", "c", "d"}
    assert Task().tags == set()


def test_tags_reach_copies_and_bound_tasks() -> None:
    called, bound = task(lambda x: x, name="called"), task(lambda x: x, name="bound")

    with Flow("f"), tags("t"):
        copied = called(1)
        bound.bind(1)

    assert (copied.tags, bound.tags, called.tags) == ({"t"}, {"t"}, set())


@pytest.mark.parametrize("wrong", ["word", 5, [1]])
def test_tags_must_be_words(wrong: Any) -> None:
    with pytest.raises(TypeError, match="tag"):
        Task(tags=wrong)


# --- retries ---


def test_retries_and_their_delay_belong_together() -> None:
    with pytest.raises(ValueError, match="no delay"):
        Task(max_retries=1)
    with pytest.raises(ValueError, match="no retries"):
        Task(retry_delay=MINUTE)
    with pytest.raises(ValueError, match="no retries"):
        Task(retry_delay=MINUTE, max_retries=0)

    assert Task(max_retries=2, retry_delay=MINUTE).max_retries == 2


def test_configured_retries_are_the_default_and_zero_overrides_them() -> None:
    with set_temporary_config({"tasks.defaults.max_retries": 3, "tasks.defaults.retry_delay": 10}):
        default, none = Task(), Task(max_retries=0)

    assert (default.max_retries, default.retry_delay) == (3, timedelta(seconds=10))
    assert (none.max_retries, none.retry_delay) == (0, None)


@pytest.mark.parametrize("setting", [0, 0.5, timedelta(seconds=3)])
def test_a_configured_delay_may_be_seconds_or_what_loading_makes_of_them(setting: Any) -> None:
    with set_temporary_config({"tasks.defaults.max_retries": 1, "tasks.defaults.retry_delay": setting}):
        delay = Task().retry_delay

    assert delay == (setting if isinstance(setting, timedelta) else timedelta(seconds=setting))


def test_configured_retries_without_a_delay_are_refused() -> None:
    with set_temporary_config({"tasks.defaults.max_retries": 3}), pytest.raises(ValueError, match="no delay"):
        Task()


@pytest.mark.parametrize("delay", [5, "5", [timedelta(1), "5"], []])
def test_a_delay_is_a_length_of_time(delay: Any) -> None:
    with pytest.raises(TypeError, match="retry_delay must be a timedelta"):
        Task(max_retries=1, retry_delay=delay)


@pytest.mark.parametrize("number", [-1, 1.5, "3", True])
def test_the_number_of_retries_is_a_whole_number(number: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        Task(max_retries=number, retry_delay=MINUTE)


# --- timeout ---


@pytest.mark.parametrize("given, kept", [(5, 5), (0, 0), (timedelta(hours=1), 3600), (None, None)])
def test_a_timeout_is_kept_in_seconds(given: Any, kept: Any) -> None:
    assert Task(timeout=given).timeout == kept


def test_fractions_of_a_timeout_are_dropped_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="whole seconds"):
        one = Task(timeout=timedelta(seconds=2.5))

    assert one.timeout == 2


@pytest.mark.parametrize("wrong", [2.5, "5", True])
def test_a_timeout_of_another_type_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="timeout"):
        Task(timeout=wrong)


def test_a_timeout_of_zero_is_no_limit() -> None:
    unlimited = task(lambda: "done", name="unlimited", timeout=0)

    with Flow("f") as flow:
        one = unlimited()

    assert flow.run().result[one].result == "done"


def test_the_configured_timeout_is_the_default() -> None:
    with set_temporary_config({"tasks.defaults.timeout": 7}):
        assert Task().timeout == 7


# --- caches, results, targets ---


def test_the_validator_follows_from_cache_for() -> None:
    assert Task(cache_for=MINUTE).cache_validator is duration_only
    assert Task(cache_for=MINUTE, cache_validator=all_inputs).cache_validator is all_inputs
    assert Task(cache_validator=never_use).cache_validator is never_use


def test_a_validator_without_cache_for_is_pointed_out() -> None:
    with pytest.warns(UserWarning, match="cache_for"):
        Task(cache_validator=all_inputs)


def test_a_target_points_a_copy_of_the_result_there(tmp_path: Any) -> None:
    place = LocalResult(dir=str(tmp_path))

    one = Task(result=place, target="{today}.pkl")

    assert one.result is not None
    assert one.result is not place
    assert one.result.location == "{today}.pkl"
    assert place.location is None


def test_a_target_beside_another_location_is_pointed_out(tmp_path: Any) -> None:
    with pytest.warns(UserWarning, match="target"):
        one = Task(result=LocalResult(dir=str(tmp_path), location="here"), target="there")

    assert one.result is not None
    assert one.result.location == "there"


# --- handlers ---


@pytest.mark.parametrize("wrong", [len, {len}, "len", [5]])
def test_state_handlers_are_a_list_of_functions(wrong: Any) -> None:
    with pytest.raises(TypeError, match="state_handlers"):
        Task(state_handlers=wrong)


@pytest.mark.parametrize("kind", [list, tuple])
def test_on_failure_never_grows_the_callers_list(kind: Callable[[list[Any]], Any]) -> None:
    given = kind([len])

    one = Task(state_handlers=given, on_failure=lambda task, state: None)

    assert len(given) == 1
    assert len(one.state_handlers) == 2


def test_on_failure_hears_every_failing_attempt_and_failed_triggers() -> None:
    heard: list[tuple[str, type]] = []

    def note(one: Any, state: Any) -> None:
        heard.append((one.name, type(state)))

    @task(max_retries=1, retry_delay=timedelta(0), on_failure=note)
    def fail() -> None:
        raise ValueError

    @task(on_failure=note)
    def follow(x: Any) -> None:
        pass

    with Flow("f") as flow:
        follow(fail())
    flow.run()

    assert heard == [("fail", Failed), ("fail", Failed), ("follow", TriggerFailed)]


def test_on_failure_is_silent_otherwise() -> None:
    heard: list[Any] = []
    one = Task(on_failure=lambda task, state: heard.append(state))

    for new in (Running(), Retrying(), Success()):
        one.state_handlers[0](one, None, new)

    assert heard == []


# --- nout ---


def no_hint():  # type: ignore[no-untyped-def]
    return None


def two() -> tuple[int, str]:
    return 1, "a"


NOUT: list[tuple[Any, int | None]] = [
    (tuple[int, str], 2),
    (Tuple[int, str], 2),  # noqa: UP006
    (tuple[()], 0),
    (Tuple[()], 0),  # noqa: UP006
    (tuple, None),
    (Tuple, None),  # noqa: UP006
    (tuple[int, ...], None),
    ("tuple[int, str]", None),
    (int, None),
    (list[int], None),
]


@pytest.mark.parametrize("annotation, nout", NOUT)
def test_the_number_of_items_follows_from_the_annotation(annotation: Any, nout: int | None) -> None:
    def make() -> Any:
        return None

    make.__annotations__["return"] = annotation

    assert task(make).nout == nout


def test_a_task_without_annotation_has_no_number_of_items() -> None:
    assert task(no_hint).nout is None
    assert task(no_hint, nout=3).nout == 3


def test_unpacking_makes_an_item_task_for_each() -> None:
    pair = task(lambda: (1, "a"), name="pair", nout=2)

    with Flow("f") as flow:
        number, word = pair()
        (alone,) = pair(task_args={"nout": 1})
    state = flow.run()

    assert (number.name, word.name) == ("pair[0]", "pair[1]")
    assert [state.result[one].result for one in (number, word, alone)] == [1, "a", 1]


def test_a_task_of_unknown_length_is_not_iterated() -> None:
    with Flow("f") as flow, pytest.raises(TypeError, match="nout"):
        list(flow.add_task(Task("one")))


def test_a_mapped_task_forgets_the_number_of_items() -> None:
    pair = task(lambda x: (x, x), name="pair", nout=2)

    with Flow("f"):
        assert pair.map([1]).nout is None
        assert pair(1).nout == 2


# --- subclasses ---


@pytest.mark.parametrize("name", ["name", "tags", "result", "target"])
def test_an_attribute_set_too_early_is_pointed_out(name: str) -> None:
    class Early(Task):
        def __init__(self) -> None:
            setattr(self, name, "mine")
            super().__init__()

    with pytest.warns(UserWarning, match=name):
        one = Early()

    assert getattr(one, name) != "mine"


def test_a_class_variable_in_the_way_is_pointed_out() -> None:
    class Clash(Task):
        target = "somewhere"

    with pytest.warns(UserWarning, match="target"):
        assert Clash().target is None


def test_a_task_given_to_a_constructor_is_pointed_out() -> None:
    class Holder(Task):
        def __init__(self, held: Any) -> None:
            self.held = held
            super().__init__()

    with pytest.warns(UserWarning, match="'inner'"):
        Holder(Task("inner"))
    with pytest.warns(UserWarning, match="'inner'"):
        Holder(held=Task("inner"))


def test_a_subclass_that_forgets_the_constructor_is_told() -> None:
    class Forgetful(Task):
        def __init__(self) -> None:
            self.mine = 1

    with Flow("f"), pytest.raises(AttributeError, match=r"super\(\).__init__"):
        Forgetful()()


def test_other_missing_attributes_are_reported_plainly() -> None:
    with pytest.raises(AttributeError, match="'Task' object has no attribute 'nmae'"):
        Task().nmae  # type: ignore[attr-defined]  # noqa: B018


def test_the_class_shows_the_signature_of_its_constructor() -> None:
    shown = list(inspect.signature(Task).parameters)

    assert shown[:4] == ["name", "slug", "tags", "max_retries"]
    assert "self" not in shown


@pytest.mark.parametrize(
    "changes",
    [
        {"trigger": "all_finished"}, {"result": LocalResult}, {"result": "dir"}, {"name": 5}, {"slug": 5},
        {"target": 5}, {"task_run_name": 5}, {"cache_for": 60}, {"cache_validator": "all", "cache_for": MINUTE},
        {"on_failure": 5}, {"retry_on": "ValueError", "max_retries": 1, "retry_delay": MINUTE}, {"nme": "x"},
    ],
)  # fmt: skip
def test_options_of_the_wrong_type_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Task(**changes)


def test_options_of_the_right_type_are_kept() -> None:
    one = Task(trigger=all_finished, task_run_name=lambda **keys: "x", cache_key="key", retry_on=KeyError)

    assert (one.trigger, one.cache_key, one.retry_on) == (all_finished, "key", (KeyError,))
