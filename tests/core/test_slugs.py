"""Names that are unique within a flow."""

from __future__ import annotations

import cloudpickle
import pytest

from dagflow import Flow, Parameter, Task, task


def test_slugs_are_name_sorted_tags_and_a_number() -> None:
    flow = Flow("f")
    tagged, chosen, plain = Task("t", tags=["y", "x"]), Task("t", slug="t-1"), Task("t")

    for one in (tagged, chosen, plain):
        flow.add_task(one)

    assert [flow.slugs[one] for one in (tagged, chosen, plain)] == ["t-x-y-1", "t-1", "t-2"]
    assert plain.slug is None


def test_a_task_counts_from_one_in_every_flow() -> None:
    first, second, shared = Flow("a"), Flow("b"), Task("t")
    first.add_task(Task("t"))

    first.add_task(shared)
    second.add_task(shared)

    assert (first.slugs[shared], second.slugs[shared]) == ("t-2", "t-1")


def test_the_number_of_a_replaced_task_is_not_used_again() -> None:
    flow, old, new, later = Flow("f"), Task("t"), Task("t"), Task("t")
    flow.add_task(old)

    flow.replace(old, new)
    flow.add_task(later)

    assert (flow.slugs[new], flow.slugs[later]) == ("t-2", "t-3")


def test_copies_and_pickles_go_on_counting_by_themselves() -> None:
    flow = Flow("f", tasks=[Task("t")])
    copies = [flow.copy(), cloudpickle.loads(cloudpickle.dumps(flow))]
    extra = flow.add_task(Task("t"))

    for copy in copies:
        one = copy.add_task(Task("t"))
        assert copy.slugs[one] == flow.slugs[extra] == "t-2"


def test_a_slug_is_fixed_when_the_task_is_added() -> None:
    flow = Flow("f")
    one = flow.add_task(Task("before"))

    one.name = "after"

    assert flow.slugs[one] == "before-1"


def test_adding_a_member_again_changes_nothing() -> None:
    flow = Flow("f")
    one = flow.add_task(Task("t"))

    assert flow.add_task(one) is one
    assert flow.slugs == {one: "t-1"}


@pytest.mark.parametrize("intruder", [Task("b", slug="taken"), Parameter("taken")])
def test_a_slug_belongs_to_one_task(intruder: Task) -> None:
    flow = Flow("f", tasks=[Task("a", slug="taken")])

    with pytest.raises(ValueError, match="'taken'"):
        flow.add_task(intruder)

    assert intruder not in flow.tasks


@pytest.mark.parametrize("thing", [1, "task", Task, lambda: 1, None])
def test_only_task_instances_are_added(thing: object) -> None:
    with pytest.raises(TypeError, match="task instances"):
        Flow("f").add_task(thing)  # type: ignore[arg-type]


def test_a_called_task_with_a_slug_of_its_own_gets_a_copy_of_it() -> None:
    fetch = task(lambda: 1, name="fetch", slug="fetch")

    with Flow("f") as flow:
        plain, renamed = fetch(), fetch(task_args={"slug": "other"})

    assert (flow.slugs[plain], flow.slugs[renamed]) == ("fetch-copy", "other")
