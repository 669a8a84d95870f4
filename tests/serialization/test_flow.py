"""Flows as documents."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest

from dagflow import triggers
from dagflow.core.flow import Flow
from dagflow.core.parameter import Parameter
from dagflow.core.task import Task
from dagflow.run_configs import LocalRun, UniversalRun
from dagflow.serialization.flow import deserialize_flow
from dagflow.utilities.tasks import task


@task(tags=["b", "a"], max_retries=2, retry_delay=datetime.timedelta(minutes=1), timeout=5)
def add(x: int, y: int = 1) -> int:
    return x + y


def sums(name: str = "sums", y: Any = 2) -> Flow:
    with Flow(name, run_config=LocalRun(labels=["z", "q"])) as flow:
        start = Parameter("start", default=3)
        first = add(start, y=y)
        add.map([first, first])
    return flow


def test_a_document_has_exactly_the_agreed_keys_in_every_part() -> None:
    document = sums().serialize()

    assert set(document) == {
        "name", "type", "schedule", "parameters", "tasks", "edges", "reference_tasks", "environment", "run_config",
        "storage", "__version__",
    }  # fmt: skip
    assert set(document["tasks"][0]) == {
        "name", "slug", "type", "tags", "max_retries", "retry_delay", "timeout", "trigger", "skip_on_upstream_skip",
        "cache_for", "cache_key", "cache_validator", "inputs", "outputs", "auto_generated", "__version__",
    }  # fmt: skip
    assert set(document["edges"][0]) == {
        "upstream_task", "downstream_task", "key", "mapped", "flattened", "__version__",
    }  # fmt: skip


def test_a_task_is_described_by_its_settings_and_signature() -> None:
    (document,) = [one for one in sums().serialize()["tasks"] if one["slug"] == "add-a-b-1"]

    assert document["tags"] == ["a", "b"]
    assert (document["max_retries"], document["retry_delay"], document["timeout"]) == (2, 60.0, 5)
    assert document["trigger"] == {"fn": "dagflow.triggers.all_successful", "kwargs": {}}
    assert document["inputs"] == {"x": {"type": "int", "required": True}, "y": {"type": "int", "required": False}}
    assert document["outputs"] == "int"


def test_the_order_of_building_does_not_show() -> None:
    one, other = Flow("order"), Flow("order")
    tasks = [Task(f"t{number}", slug=f"t{number}") for number in range(4)]
    for task_ in tasks:
        one.add_task(task_)
    one.chain(*tasks)
    for left, right in reversed(list(pairwise(tasks))):
        other.add_edge(left, right)

    assert one.serialize() == other.serialize()
    assert one.serialized_hash() == other.serialized_hash()


def test_edges_between_the_same_tasks_are_ordered_by_key() -> None:
    class Two(Task):
        def run(self, a: Any, b: Any) -> None:
            """Take two."""

    def flow_of(*keys: str) -> Flow:
        flow = Flow("keys")
        source, sink = Task("source", slug="source"), Two("sink", slug="sink")
        for key in keys:
            flow.add_edge(source, sink, key=key)
        return flow

    assert [edge["key"] for edge in flow_of("b", "a").serialize()["edges"]] == ["a", "b"]
    assert flow_of("b", "a").serialized_hash() == flow_of("a", "b").serialized_hash()


def test_serializing_leaves_the_tasks_as_they_were() -> None:
    one = Task("one")
    flow = Flow("first", tasks=[one])

    flow.serialize()
    flow.serialize()["tasks"][0]["trigger"]["fn"] = "changed"

    assert one.slug is None
    assert flow.serialize()["tasks"][0]["trigger"]["fn"] == "dagflow.triggers.all_successful"


def test_only_chosen_reference_tasks_are_written() -> None:
    one, other = Task("one"), Task("other")
    flow = Flow("references", tasks=[one, other])
    assert flow.serialize()["reference_tasks"] == []

    flow.set_reference_tasks([other, one])

    assert flow.serialize()["reference_tasks"] == [{"slug": "one-1"}, {"slug": "other-1"}]


def test_a_parameter_default_must_be_json() -> None:
    flow = Flow("bad", tasks=[Parameter("when", default=datetime.date(2024, 1, 1))])

    with pytest.raises(ValueError, match=r"Parameter 'when'.*cannot be written as JSON"):
        flow.serialize()


def test_building_without_storage_is_refused() -> None:
    with pytest.raises(ValueError, match="has no storage to build"):
        Flow("bare").serialize(build=True)


def test_an_invalid_flow_is_not_serialized() -> None:
    one, other = Task("one"), Task("other")
    flow = Flow("circle")
    flow.chain(one, other)
    flow.add_edge(other, one)

    with pytest.raises(ValueError, match="has a cycle"):
        flow.serialize()


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (sums(), False),
        (sums(name="other"), True),
        (sums(y=3), True),
        (sums(y="2"), True),
        (sums(y={"b": [1], "a": {2}}), True),
    ],
)
def test_the_hash_changes_with_what_counts(other: Flow, differs: bool) -> None:
    assert (sums().serialized_hash() != other.serialized_hash()) is differs


def test_the_hash_is_the_same_in_another_process() -> None:
    code = (
        "from dagflow.core.flow import Flow\n"
        "from dagflow.core.task import Task\n"
        "class Sink(Task):\n    def run(self, x): pass\n"
        "flow = Flow('p')\n"
        "flow.add_edge({'b', 'a', 'c'}, Sink(tags=['x', 'y', 'z']), key='x')\n"
        "flow.add_edge(object(), Sink(), key='x')\n"
        "print(flow.serialized_hash())"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert len(hashes) == 1 and len(hashes.pop().strip()) == 64


def test_a_skeleton_reads_back_what_was_written() -> None:
    flow = sums()
    flow.get_tasks(slug="add-a-b-2")[0].trigger = triggers.some_failed(at_least=1)
    flow.set_reference_tasks(flow.get_tasks(slug="add-a-b-1"))
    document = json.loads(json.dumps(flow.serialize()))

    skeleton = deserialize_flow(document)
    again = skeleton.serialize()

    assert skeleton.run_config == LocalRun(labels=["q", "z"])
    assert again["edges"] == document["edges"] and again["reference_tasks"] == document["reference_tasks"]
    assert again["parameters"] == document["parameters"]
    kept = ("name", "slug", "tags", "max_retries", "retry_delay", "timeout", "trigger", "auto_generated")
    assert [[one[key] for key in kept] for one in again["tasks"]] == [
        [one[key] for key in kept] for one in document["tasks"]
    ]


def test_a_skeleton_passes_over_unknown_fields_and_types() -> None:
    document = sums().serialize()
    document["from_the_future"] = 1
    document["tasks"][0]["type"] = "no.such.module.Task"

    assert deserialize_flow(document).name == "sums"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name: "),
        ({"tasks": [{"name": "x"}]}, "tasks.0.slug: "),
        ({"reference_tasks": [{"slug": "ghost"}]}, "'ghost', which it lacks"),
        ({"run_config": {"type": "MoonRun"}}, "Unknown run config type 'MoonRun'"),
    ],
)
def test_a_broken_document_is_refused_by_naming_the_field(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        deserialize_flow(sums().serialize() | change)


def test_a_run_config_of_another_kind_is_refused() -> None:
    assert Flow("fine", run_config=UniversalRun()).serialize()["run_config"]["type"] == "UniversalRun"
    with pytest.raises(TypeError, match=r"expected an instance of a class in dagflow\.run_configs"):
        Flow("bad", run_config="local").serialize()
