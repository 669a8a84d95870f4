"""The tasks that gather results."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, task
from dagflow.tasks.core.collections import Dict, List, Set, Tuple


@task
def same(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    "kind, expected", [(List, [3, 1, 2]), (Tuple, (3, 1, 2)), (Set, {1, 2, 3})]
)
def test_items_are_gathered_in_their_order(kind: Any, expected: Any) -> None:
    with Flow("f") as flow:
        made = kind().bind(same(3), 1, same(2))

    assert flow.run().result[made].result == expected


def test_a_gatherer_without_items_is_empty() -> None:
    with Flow("f") as flow:
        made = List().bind()

    assert flow.run().result[made].result == []


def test_gathering_can_be_mapped() -> None:
    with Flow("f") as flow:
        pairs = List().bind(same([1, 2]), [10, 20], mapped=True)

    assert flow.run().result[pairs].result == [[1, 10], [2, 20]]


def test_a_dict_is_made_of_keys_and_values() -> None:
    assert Dict().run(keys=["a", 1], values=[1, 2]) == {"a": 1, 1: 2}
    with pytest.raises(ValueError, match="2 keys and 1 values"):
        Dict().run(keys=["a", "b"], values=[1])


def test_a_failed_item_fails_the_collection_by_its_trigger() -> None:
    @task
    def fail() -> None:
        raise ValueError

    with Flow("f") as flow:
        taken = same([fail(), 1])

    assert type(flow.run().result[taken]).__name__ == "TriggerFailed"
