"""``@flow``: a function is traced once into a flow."""

from __future__ import annotations

import linecache
import random
import textwrap
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

import dagflow
from dagflow import Flow, Parameter, case, flow, mapped, resource_manager, tags, task, unmapped
from dagflow.exceptions import FlowError, ParameterError
from dagflow.tasks.control_flow import merge


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@task
def boom(x: Any) -> None:
    raise KeyError(x)


def traced_from(body: str, argument: str = "n") -> Any:
    """Make a flow of source text that Python can show again."""
    text = f"def made({argument}):\n" + textwrap.indent(body, "    ")
    name = f"<body {len(linecache.cache)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"add": add, "task": task}
    exec(compile(text, name, "exec"), namespace)
    return flow(namespace["made"])


# --- what it makes -----------------------------------------------------------------------------------------------


def test_a_traced_function_is_a_flow() -> None:
    @flow
    def daily_load(day, limit=10):
        """
        Load one day.

        Slowly.
        """
        return add(day, limit)

    assert isinstance(daily_load, Flow)
    assert daily_load.name == "daily-load"
    assert daily_load.description == "Load one day."
    assert sorted(daily_load.slugs.values()) == ["add-1", "day", "limit"]
    assert {one.name: (one.required, one.default) for one in daily_load.parameters()} == {
        "day": (True, None),
        "limit": (False, 10),
    }
    assert daily_load.serialize()["name"] == "daily-load"
    assert daily_load.run(day=1).result[next(iter(daily_load.reference_tasks()))].result == 11


def test_options_of_a_flow_are_taken() -> None:
    @flow(name="etl", description="all of it", version="3", tags=["a"], retries=2, retry_delay_seconds=[1, 2])
    def ignored():
        """Other words."""

    assert (ignored.name, ignored.description, ignored.version, ignored.tags) == ("etl", "all of it", "3", {"a"})
    assert ignored.retries == 2
    assert [one.total_seconds() for one in ignored.retry_delay_seconds] == [1, 2]


def test_the_function_is_traced_once_and_late() -> None:
    calls = []

    @flow
    def late(x=1):
        calls.append(x)
        return add(x)

    assert calls == []
    assert late() == 2
    assert late(x=5) == 6
    assert len(calls) == 1
    assert isinstance(calls[0], Parameter)


def test_what_is_open_where_the_graph_is_asked_for_has_no_part_in_it() -> None:
    @flow
    def inner():
        return add(1)

    with Flow("outer") as outer, tags("loud"), case(add(1), 2):
        assert {one.name for one in inner.tasks} == {"add"}

    assert inner.tasks.isdisjoint(outer.tasks)
    assert {frozenset(one.tags) for one in inner.tasks} == {frozenset()}


def test_a_parameter_that_the_function_ignores_is_one_still() -> None:
    @flow
    def lazy(x):
        return add(1)

    assert lazy(7) == 2
    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        lazy()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: flow(name="f")(lambda *items: None), ["*items", "list or dict"]),
        (lambda: flow(name="f")(lambda **items: None), ["**items", "list or dict"]),
        (lambda: flow(name="f")(lambda wait_for: None), ["'wait_for'", "Rename"]),
    ],
)
def test_arguments_without_a_name_are_refused_at_decoration(make: Callable[[], Any], words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        make()

    assert all(word in str(caught.value) for word in words)


async def waits() -> None: ...


def yields() -> Any:
    yield 1


@pytest.mark.parametrize("fn", [waits, yields, 3, "name", add])
def test_only_plain_functions_are_traced(fn: Any) -> None:
    with pytest.raises(TypeError):
        flow(fn)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nam": "x"}, ["'nam'", "Did you mean 'name'?"]),
        ({"task_runner": 1}, ["executor="]),
        ({"persist_result": True}, ["checkpointing"]),
    ],
)
def test_unknown_options_are_refused_with_the_word_to_use(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(TypeError) as caught:
        flow(**options)(lambda: None)

    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1}, {"retries": "1"}, {"timeout_seconds": 0}, {"timeout_seconds": True}, {"tags": "one"},
        {"retry_delay_seconds": -1, "retries": 1}, {"trace": "twice"}, {"nested": "x"}, {"flow_run_name": 3},
        {"on_completion": lambda a, b: None}, {"description": 3},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        flow(**options, name="f")(lambda: None)


# --- calls in the body -------------------------------------------------------------------------------------------


def test_calls_in_the_body_make_edges_as_in_a_with_block() -> None:
    @resource_manager
    class Box:
        def setup(self) -> str:
            return "open"

        def cleanup(self, resource: str) -> None: ...

    @flow
    def all_kinds(n):
        with tags("t"):
            one = add(n, 1)
        with case(one > 1, True):
            high = add(one, 100)
        with case(one > 1, False):
            low = add(one, -100)
        with Box() as box:
            boxed = add(box, "!")
        children = add.map([1, 2], y=unmapped(n))
        return {"merged": merge(high, low), "boxed": boxed, "mapped": children, "again": add(mapped([n, 5]))}

    assert all_kinds(1) == {"merged": 102, "boxed": "open!", "mapped": [2, 3], "again": [2, 6]}
    assert [one.tags for one in all_kinds.get_tasks(tags=["t"])] == [{"t"}]


def test_wait_for_and_submit_are_other_words_for_upstream_tasks_and_a_call() -> None:
    @flow
    def ordered():
        first = add.submit(1)
        second = add(2, wait_for=[first])
        third = add(3, wait_for=second)
        children = add.map([1, 2], wait_for=[third])
        return first, second, third, children

    first, second, third, children = ordered._returned if ordered.tasks else ()

    assert {(one.upstream_task, one.downstream_task, one.key, one.mapped) for one in ordered.edges} >= {
        (first, second, None, False),
        (second, third, None, False),
        (third, children, None, False),
    }
    assert ordered() == (2, 3, 4, [2, 3])


def test_an_argument_of_a_task_that_is_called_wait_for_stays_one() -> None:
    @task
    def own(wait_for):
        return wait_for

    @task
    def any_words(**words):
        return words

    with Flow("f") as built:
        mine = own(wait_for=3)
        words = any_words(wait_for=4)

    state = built.run()
    assert (state.result[mine].result, state.result[words].result) == (3, {"wait_for": 4})


def test_what_is_returned_decides_about_success() -> None:
    @flow
    def lenient(n):
        boom(n)
        return add(n)

    state = lenient(1, return_state=True)

    assert state.is_successful()
    assert [one.name for one in lenient.reference_tasks()] == ["add"]


@pytest.mark.parametrize(
    ("returned", "value"),
    [
        (lambda n: None, None),
        (lambda n: 5, 5),
        (lambda n: n, 1),
        (lambda n: add(n), 2),
        (lambda n: [add(n), {"x": (add(n), "plain")}], [2, {"x": (2, "plain")}]),
    ],
)
def test_a_call_returns_the_value_of_what_the_function_returns(returned: Any, value: Any) -> None:
    assert flow(name="f")(returned)(1) == value


# --- calls of the flow -------------------------------------------------------------------------------------------


def test_a_call_binds_as_a_function_does() -> None:
    @flow
    def pair(a, b=2, *, c=3):
        return add(a, add(b, c))

    assert pair(1) == 6
    assert pair(1, b=5) == 9
    assert pair(1, 0, c=0) == 1
    with pytest.raises(TypeError, match=r"'pair' cannot be called like this.*unexpected.*Did you mean 'b'") as caught:
        pair(1, bb=2)
    assert "(a, b=2, *, c=3)" in str(caught.value)


def test_a_failed_run_raises_what_the_task_raised() -> None:
    @flow
    def sad(n):
        return add(add(boom(n)))

    with pytest.raises(KeyError, match="7"):
        sad(7)
    state = sad(7, return_state=True)
    assert state.is_failed()


def test_a_mapped_failure_is_raised_too() -> None:
    @flow
    def sad():
        return add.map([1, "x", 3])

    with pytest.raises(TypeError, match="concatenate"):
        sad()


def test_a_signal_is_raised_as_it_is() -> None:
    @task
    def stop() -> None:
        raise dagflow.engine.signals.FAIL("enough")

    @flow
    def stopped():
        return stop()

    with pytest.raises(dagflow.engine.signals.FAIL, match="enough"):
        stopped()


def test_a_flow_called_in_a_task_runs_there() -> None:
    @flow
    def inner(n):
        return add(n)

    @task
    def outer(n):
        return inner(n) * 10

    with Flow("f") as built:
        made = outer(1)

    assert built.run().result[made].result == 20


def test_waiting_makes_no_sense_outside_a_flow() -> None:
    with pytest.raises(TypeError, match="nothing to wait for"):
        flow(name="f")(lambda: None)(wait_for=[1])


# --- fn ----------------------------------------------------------------------------------------------------------


def test_fn_is_the_undecorated_function_in_a_block_too() -> None:
    class Own(dagflow.Task):
        def run(self, x: int) -> int:
            return x + 1

    @flow
    def uses():
        return add.fn(1, 2)

    own = Own()
    with Flow("f") as built:
        assert add.fn(1) == 2
        assert own.fn(3) == 4

    assert built.tasks == set()
    assert add.fn is add.run
    assert uses() == 3
    assert uses.fn() == 3


def test_a_task_called_outside_a_flow_points_at_run_and_fn() -> None:
    with pytest.raises(ValueError, match=r"outside a flow.*add\.run\(\.\.\.\).*add\.fn\(\.\.\.\)"):
        add(1)
    with pytest.raises(ValueError, match="outside a flow"):
        add.submit(1)


def test_a_subclass_may_have_a_fn_of_its_own() -> None:
    class Own(dagflow.Task):
        def __init__(self, fn: Any) -> None:
            self.fn = fn
            super().__init__()

    assert Own(max).fn is max


# --- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("for one in add(n): pass", ["cannot be iterated", ".map(task)"]),
        ("[add(one) for one in add(n)]", ["cannot be iterated", ".map(task)"]),
        ("for one in n: pass", ["'n'", "cannot be iterated"]),
        ("len(add(n))", ["no length", "in a task"]),
        ("if add(n): pass", ["no truth value", "case("]),
        ("if n > 3: pass", ["no truth value", "case("]),
        ("bool(n)", ["no truth value", "case("]),
        ("int(n)", ["made a number", "in a task"]),
        ("float(n)", ["made a number", "in a task"]),
        ("range(n)", ["made a number", "in a task"]),
        ("f'{n}'", ["written as text", "in a task"]),
        ("f'{add(n):>10}'", ["written as text", "in a task"]),
        ("print(add(n))", ["written as text", "in a task"]),
        ("'%s' % add(n)", ["written as text", "in a task"]),
        ("add(n).result()", ["`add(n).result()`", "line 2", "not known before the run; pass it to a task"]),
        ("x = add(n)\nreturn x.result(raise_on_failure=False)", ["line 3", "pass it to a task"]),
    ],
)
def test_a_construct_that_needs_a_value_is_named_with_its_cure(body: str, words: list[str]) -> None:
    with pytest.raises(TypeError) as caught:
        traced_from(body).tasks  # noqa: B018

    assert [word for word in words if word not in str(caught.value)] == []


def test_an_operator_that_makes_no_task_gets_a_note() -> None:
    with pytest.raises(TypeError, match="bad operand type") as caught:
        traced_from("return -add(n)").tasks  # noqa: B018

    assert "the operators that make tasks" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("body", "cure"),
    [("add(n).wait()", "wait_for="), ("add.delay(n)", "in the background"), ("add.with_options(name='x')", "copy(")],
)
def test_words_that_a_static_graph_refuses_say_what_to_write(body: str, cure: str) -> None:
    with pytest.raises(AttributeError) as caught:
        traced_from(body).tasks  # noqa: B018

    assert cure in str(caught.value)


def test_outside_a_traced_function_a_task_is_written_as_before() -> None:
    with Flow("f"):
        made = add(1)

        assert (str(made), f"{made}", f"{made:>12}") == ("<Task: add>", "<Task: add>", " <Task: add>")


def test_plain_values_are_computed_while_tracing() -> None:
    made = traced_from("total = 0\nfor i in range(3):\n    total = add(total, i)\nreturn add(total, len('four'))")

    assert made(0) == 7
    assert len(made.get_tasks(name="add")) == 4


def test_an_error_of_the_function_is_raised_each_time_as_it_is() -> None:
    made = traced_from("return n.nothing_like_this")

    for _ in range(2):
        with pytest.raises(AttributeError, match="nothing_like_this"):
            made.tasks  # noqa: B018
    with pytest.raises(AttributeError, match="nothing_like_this"):
        made.run(n=1)


def test_what_a_flow_has_not_is_said_with_what_it_has() -> None:
    made = flow(name="f")(lambda: None)

    with pytest.raises(AttributeError, match="run by calling it"):
        made.submit()
    assert not hasattr(made, "anything_else")


@pytest.mark.parametrize("name", ["transaction", "allow_failure", "task_runners", "futures"])
def test_names_of_the_root_that_are_refused_say_what_to_use(name: str) -> None:
    with pytest.raises(ImportError, match=rf"no '{name}'\. [A-Z]"):
        getattr(dagflow, name)


# --- equal tracings ----------------------------------------------------------------------------------------------


def test_two_tracings_are_equal_or_check_says_where_not() -> None:
    steady = traced_from("return add(n, 5)")
    rand = random.Random(1)

    @flow
    def by_chance(n):
        return add(n, rand.random())

    @flow
    def more_and_more(n, made=[]):  # noqa: B006
        made_now = add(n)
        seen.append(1)
        return add(made_now) if len(seen) > 1 else made_now

    seen: list[int] = []

    assert steady.check().ok
    assert [one.kind for one in by_chance.check()] == ["tracing"]
    assert "argument 'y' of 'add-1'" in str(by_chance.check())
    assert "'add-2' is there only once" in str(more_and_more.check())


def test_a_flow_that_calls_itself_is_refused() -> None:
    @flow
    def endless(n):
        return endless(n)

    with pytest.raises(FlowError, match="calls itself"):
        endless.tasks  # noqa: B018


def test_two_flows_that_call_each_other_are_refused() -> None:
    @flow
    def ping(n):
        return pong(n)

    @flow
    def pong(n):
        return ping(n)

    with pytest.raises(FlowError, match="calls itself"):
        ping.tasks  # noqa: B018


# --- travelling --------------------------------------------------------------------------------------------------


def test_a_traced_flow_travels_with_its_graph_and_without_its_function() -> None:
    @flow
    def travels(n: int):
        return {"sum": add(n, 1)}

    there = cloudpickle.loads(cloudpickle.dumps(travels))

    assert there(4) == {"sum": 5}
    assert there.check().ok
    with pytest.raises(AttributeError):
        there.fn  # noqa: B018


def test_a_task_that_is_replaced_is_so_in_what_is_returned() -> None:
    @flow
    def original(n):
        return {"sum": add(n)}

    (old,) = original.get_tasks(name="add")
    original.replace(old, task(lambda x, y=0: x * 100, name="times"))

    assert original(2) == {"sum": 200}


def test_a_copy_is_a_flow_of_its_own() -> None:
    @flow
    def original(n):
        return add(n)

    other = original.copy()
    with other:
        add(5)

    assert (len(original.tasks), len(other.tasks)) == (2, 3)
    assert other(1) == original(1) == 2


# --- traced at each call -----------------------------------------------------------------------------------------


@flow(trace="call", log_prints=True)
def by_call(count: int, base=1):
    return [add(number, base) for number in range(count)]


def test_a_flow_traced_at_each_call_sees_actual_values() -> None:
    assert by_call(3) == [1, 2, 3]
    assert by_call(1, base=10) == [10]
    assert by_call("2") == [1, 2]
    assert by_call.run(count=2).is_successful()
    assert by_call.run(parameters={"count": 2}).is_successful()


@pytest.mark.parametrize(
    "use", [lambda one: one.tasks, lambda one: one.serialize(), lambda one: one.register("project")]
)
def test_a_flow_traced_at_each_call_has_no_graph_to_register(use: Any) -> None:
    with pytest.raises(FlowError, match="traced at each call"):
        use(by_call)


def test_a_flow_traced_at_each_call_checks_its_parameters() -> None:
    with pytest.raises(ParameterError, match="count: input should be a valid integer"):
        by_call("many")
    with pytest.raises(ParameterError, match="needs a value for 'count'"):
        by_call.run()
    with pytest.raises(ParameterError, match=r"no parameter 'cuont'.*'count'"):
        by_call.run(parameters={"cuont": 1})
