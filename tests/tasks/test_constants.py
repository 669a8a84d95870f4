"""``Constant`` as people use it by hand."""

from __future__ import annotations

import cloudpickle

from dagflow import Flow, task
from dagflow.tasks.core.constants import Constant


@task
def same(x: object) -> object:
    return x


def test_a_constant_takes_the_options_of_a_task() -> None:
    one = Constant(5, name="five", tags=["t"])

    assert (one.name, one.tags, one.value, one.run()) == ("five", {"t"}, 5, 5)
    assert one.is_constant


def test_a_constant_may_be_used_by_many_tasks() -> None:
    five = Constant([5])

    with Flow("f") as flow:
        flow.add_task(five)
        results = [same(five), same(five)]
    state = flow.run()

    assert [state.result[one].result for one in results] == [[5], [5]]
    assert flow.downstream_tasks(five) == set(results)


def test_a_constant_that_was_not_added_is_folded_into_its_consumer() -> None:
    with Flow("f") as flow:
        called = same(Constant(5))

    assert flow.tasks == {called}
    assert flow.constants[called] == {"x": 5}


def test_a_constant_travels() -> None:
    other = cloudpickle.loads(cloudpickle.dumps(Constant({"a": 1})))

    assert (other.value, other.is_constant) == ({"a": 1}, True)


def test_a_flow_of_constants_alone_succeeds() -> None:
    flow = Flow("f", tasks=[one := Constant(1)])

    state = flow.run()

    assert state.is_successful()
    assert state.result[one].result == 1
