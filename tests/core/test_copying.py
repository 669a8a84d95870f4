"""Copies of tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dagflow import Flow, Parameter, Task, tags, task
from dagflow.triggers import all_finished


@task(tags=["base"])
def inc(x: int) -> int:
    return x + 1


@task
def one() -> int:
    return 1


def keep(task: Any, old: Any, new: Any) -> None:
    """Let every state pass."""


def test_a_copy_is_another_task_with_containers_of_its_own() -> None:
    original = Task("t", tags=["a"], state_handlers=[keep])

    copy = original.copy()
    copy.tags.add("b")
    copy.state_handlers.append(keep)

    assert copy is not original
    assert (copy.name, original.tags, original.state_handlers) == ("t", {"a"}, [keep])


def test_attributes_can_be_changed_on_the_way() -> None:
    copy = inc.copy(name="other", tags=["more"], trigger=all_finished, max_retries=2, retry_delay=timedelta(1))

    assert (copy.name, copy.tags, copy.trigger) == ("other", {"base", "more"}, all_finished)
    assert (copy.max_retries, copy.retry_delay) == (2, timedelta(1))
    assert inc.max_retries == 0


def test_attributes_of_a_subclass_can_be_changed_too() -> None:
    class Greet(Task):
        def __init__(self, whom: str, **kwargs: Any) -> None:
            self.whom = whom
            super().__init__(**kwargs)

        def run(self) -> str:
            return f"hello {self.whom}"

    with Flow("f") as flow:
        called = Greet("Ada", name="greet")(task_args={"whom": "Bob"})

    assert flow.run().result[called].result == "hello Bob"


def test_only_attributes_can_be_changed() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'tag'.*'tags'"):
        inc.copy(tag=["x"])


@pytest.mark.parametrize(
    "changes, kind",
    [
        ({"tags": "word"}, TypeError),
        ({"timeout": "soon"}, TypeError),
        ({"state_handlers": keep}, TypeError),
        ({"max_retries": 1}, ValueError),
        ({"trigger": "all"}, TypeError),
        ({"nout": -1}, ValueError),
        ({"name": 5}, TypeError),
    ],
)
def test_changes_are_checked_like_options(changes: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        inc.copy(**changes)


def test_a_slug_is_told_apart() -> None:
    original = Task("t", slug="s")

    assert original.copy().slug == "s-copy"
    assert original.copy(slug="mine").slug == "mine"
    assert Task("t").copy().slug is None


def test_copying_a_task_with_edges_is_pointed_out() -> None:
    with Flow("f") as flow:
        first = inc(1)
        flow.add_edge(first, one)
        with pytest.warns(UserWarning, match="has edges in flow 'f'"):
            first(2)


def test_calling_twice_gives_two_tasks_and_leaves_the_original_out() -> None:
    with Flow("f") as flow:
        a = inc(one)
        b = inc(one, task_args={"name": "other", "tags": ["more"]})

    assert a is not b
    assert inc not in flow.tasks
    assert flow.tasks == {a, b, one}
    assert flow.slugs[b] == "other-base-more-1"


def test_an_uncalled_task_stands_in_the_flow_once_however_often_it_is_used() -> None:
    with Flow("f") as flow:
        called = task(lambda x, y: x + y, name="add")(one, one)
        inc(one)

    assert len(flow.get_tasks(name="one")) == 1
    assert {edge.key for edge in flow.edges_to(called)} == {"x", "y"}


def test_a_parameter_is_copied_under_a_new_name() -> None:
    original = Parameter("p", default=3, tags=["a"])

    with tags("b"):
        copy = original.copy("q")

    assert (copy.name, copy.slug, copy.default, copy.tags) == ("q", "q", 3, {"a", "b"})
    assert original.tags == {"a"}
    with pytest.raises(TypeError, match="name"):
        original.copy()  # type: ignore[call-arg]
