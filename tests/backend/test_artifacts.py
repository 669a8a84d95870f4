"""What task runs leave on their pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import dagflow.artifacts
from dagflow.backend import artifacts
from dagflow.engine.state import Running
from dagflow.testing import InProcessServer
from dagflow.utilities.context import context
from tests.served import registered


@pytest.fixture
def page(served: InProcessServer) -> Any:
    """Give the artifacts of a task run in which the test is."""
    client, flow_id = served.client(), registered(served)
    run_id = client.create_flow_run(flow_id)
    client.set_flow_run_state(run_id, Running())
    task = client.get(f"flows/{flow_id}/tasks")["items"][0]
    task_run_id = client.get_task_run_info(run_id, task["id"]).id
    with context(running_with_backend=True, task_run_id=task_run_id):
        params = {"task_run_id": task_run_id}
        yield lambda: [(one["kind"], one["data"]) for one in client.get("artifacts", params)["items"]]


Call = Callable[[], Any]
CASES: list[tuple[Any, Any, tuple[str, Any], tuple[str, Any]]] = [
    (
        lambda: artifacts.create_link_artifact("http://a"),
        lambda id: artifacts.update_link_artifact(id, "http://b"),
        ("link", {"link": "http://a"}),
        ("link", {"link": "http://b"}),
    ),
    (
        lambda: artifacts.create_markdown_artifact("# a"),
        lambda id: artifacts.update_markdown_artifact(id, "# b"),
        ("markdown", {"markdown": "# a"}),
        ("markdown", {"markdown": "# b"}),
    ),
    (
        lambda: artifacts.create_table_artifact([{"x": 1}, {"y": 2}], key="t", description="two"),
        lambda id: artifacts.update_table_artifact(id, {"x": [1, 2]}),
        ("table", {"columns": ["x", "y"], "rows": [[1, None], [None, 2]]}),
        ("table", {"columns": ["x"], "rows": [[1], [2]]}),
    ),
    (
        lambda: artifacts.create_progress_artifact(10),
        lambda id: artifacts.update_progress_artifact(id, 100),
        ("progress", {"progress": 10.0}),
        ("progress", {"progress": 100.0}),
    ),
]
KINDS = ["link", "markdown", "table", "progress"]


@pytest.mark.parametrize(("create", "update", "first", "then"), CASES, ids=KINDS)
def test_artifacts_are_made_changed_and_deleted(page: Any, create: Any, update: Any, first: Any, then: Any) -> None:
    artifact_id = create()
    assert page() == [first]

    update(artifact_id)
    assert page() == [then]

    artifacts.delete_artifact(artifact_id)
    assert page() == []


@pytest.mark.parametrize(("create", "update", "first", "then"), CASES, ids=KINDS)
def test_outside_a_run_under_a_server_nothing_happens(create: Any, update: Any, first: Any, then: Any) -> None:
    assert create() is None
    assert update(None) is None
    artifacts.delete_artifact(None)


@pytest.mark.parametrize("progress", [-1, 101, True, float("nan")])
def test_progress_is_a_part_of_a_hundred(progress: Any) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        artifacts.create_progress_artifact(progress)


@pytest.mark.parametrize(
    "call", [lambda: artifacts.update_link_artifact(None, "x"), lambda: artifacts.delete_artifact("")]
)
def test_without_an_id_nothing_can_be_changed(page: Any, call: Call) -> None:
    with pytest.raises(ValueError, match="id is missing"):
        call()


def test_old_names_still_work_with_a_warning(page: Any) -> None:
    with pytest.warns(UserWarning, match=r"artifacts\.create_link is now .*create_link_artifact"):
        artifact_id = dagflow.artifacts.create_link("http://a")
    with pytest.warns(UserWarning, match="update_link_artifact"):
        dagflow.artifacts.update_link(artifact_id, "http://b")
    with pytest.warns(UserWarning, match="create_markdown_artifact"):
        text_id = dagflow.artifacts.create_markdown("a")
    with pytest.warns(UserWarning, match="update_markdown_artifact"):
        dagflow.artifacts.update_markdown(text_id, "b")
    assert sorted(page(), key=str) == [("link", {"link": "http://b"}), ("markdown", {"markdown": "b"})]

    with pytest.warns(UserWarning, match="delete_artifact"):
        dagflow.artifacts.delete_artifact(artifact_id)
    assert page() == [("markdown", {"markdown": "b"})]
