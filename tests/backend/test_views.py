"""Views of flows, flow runs and task runs, against a server in this process."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from dagflow.backend import FlowRunView, FlowView, TaskRunView
from dagflow.client import Client
from dagflow.engine.result import Result
from dagflow.engine.results import LocalResult, PrefectResult
from dagflow.engine.state import Cached, Failed, Mapped, Running, Scheduled, Success
from dagflow.run_configs import LocalRun, UniversalRun
from dagflow.storage import Module
from dagflow.testing import InProcessServer
from dagflow.utilities.identities import task_run_id
from tests.served import registered, small_flow

NOBODY = "c0ffee00-0000-4000-8000-000000000001"


class OwnResult(Result):
    """A result of the user's own."""

    def read(self, location: str) -> OwnResult:
        new = self.copy()
        new.value, new.location = f"read from {location}", location
        return new


# --- flows ---------------------------------------------------------------------------------------------------


def test_a_flow_is_seen_whole(served: InProcessServer) -> None:
    flow_id = registered(served, run_config=LocalRun(env={"A": "1"}))

    view = FlowView.from_flow_id(flow_id)

    assert (view.flow_id, view.name, view.project_name, view.archived) == (flow_id, "etl", "night", False)
    assert isinstance(view.storage, Module) and isinstance(view.run_config, LocalRun)
    assert view.settings["heartbeat_enabled"] is True and view.flow_group_labels is None
    assert sorted(task.name for task in view.flow.tasks) == ["extract", "load"]
    assert view.flow is view.flow
    assert repr(view) == f"FlowView(flow_id='{flow_id}', name='etl', project_name='night', storage_type=Module)"


def test_a_view_does_not_change(served: InProcessServer) -> None:
    view = FlowView.from_flow_id(registered(served))

    with pytest.raises(AttributeError):
        view.name = "other"  # type: ignore[misc]


def test_a_group_is_seen_by_its_newest_version(served: InProcessServer) -> None:
    group = FlowView.from_flow_id(registered(served)).flow_group_id
    newest = registered(served)

    assert FlowView.from_flow_group_id(group).flow_id == newest
    assert FlowView.from_id(group).flow_id == FlowView.from_id(newest).flow_id == newest


def test_a_name_finds_the_live_version(served: InProcessServer) -> None:
    registered(served)
    newest = registered(served)

    assert FlowView.from_flow_name("etl").flow_id == newest
    assert FlowView.from_flow_name("etl", project_name="night").flow_id == newest
    for wrong in ({"project_name": "day"}, {"project_name": None}):
        with pytest.raises(ValueError, match=r"found 0\. There is one in 'night'\..* GET flows .*'etl'"):
            FlowView.from_flow_name("etl", **wrong)
    with pytest.raises(ValueError, match=r"Did you mean 'etl'\?"):
        FlowView.from_flow_name("elt")


def test_a_name_in_two_projects_needs_the_project(served: InProcessServer) -> None:
    registered(served, project="day")
    served.clock.time += 1
    newest = registered(served, project="night")

    with pytest.raises(ValueError, match=r"2 flows named 'etl', in the projects 'day', 'night'.*project_name"):
        FlowView.from_flow_name("etl")
    assert FlowView.from_flow_name("etl", last_updated=True).flow_id == newest


@pytest.mark.parametrize(
    "view", [FlowView.from_flow_id, FlowView.from_flow_group_id, FlowView.from_id, FlowRunView.from_flow_run_id]
)
def test_what_is_not_there_is_an_error_with_the_question(served: InProcessServer, view: Any) -> None:
    with pytest.raises(ValueError, match=f"GET flow.*{NOBODY}"):
        view(NOBODY)
    with pytest.raises(TypeError, match="must be a str"):
        view(7)


def test_an_archived_flow_is_not_found_by_name(served: InProcessServer) -> None:
    flow_id = registered(served)
    served.client().archive_flow(flow_id)

    assert FlowView.from_flow_id(flow_id).archived
    with pytest.raises(ValueError, match="found 0"):
        FlowView.from_flow_name("etl")


# --- flow runs -----------------------------------------------------------------------------------------------


class Made:
    """A run of the small flow, and its task runs."""

    def __init__(self, served: InProcessServer) -> None:
        self.client: Client = served.client()
        self.flow_id = registered(served, run_config=UniversalRun(labels=["a"]))
        self.id = self.client.create_flow_run(self.flow_id, run_name="mine", context={"x": 1})
        self.client.set_flow_run_state(self.id, Running())
        tasks = self.client.get(f"flows/{self.flow_id}/tasks")["items"]
        self.tasks = {task["slug"]: task["id"] for task in tasks}

    def set(self, slug: str, state: Any, map_index: int = -1) -> str:
        """Bring a task run into a state, and return its id."""
        self.client.get_task_run_info(self.id, self.tasks[slug], map_index)
        run_id = task_run_id(self.id, self.tasks[slug], map_index)
        self.client.set_task_run_state(run_id, Running())
        self.client.set_task_run_state(run_id, state)
        return run_id


def kept(value: Any) -> Result:
    return PrefectResult().write(value)


def test_a_run_is_seen_whole(served: InProcessServer) -> None:
    run = Made(served)

    view = FlowRunView.from_flow_run_id(run.id)

    assert (view.name, view.flow_id, view.labels, view.context) == ("mine", run.flow_id, {"a"}, {"x": 1})
    assert view.state.is_running()
    assert [type(one.state).__name__ for one in view.states] == ["Scheduled", "Running"]
    assert view.states[0].timestamp <= view.states[1].timestamp <= view.updated_at
    assert view.states[1].is_running()
    assert view.get_flow_metadata().flow_id == run.flow_id
    assert view.get_flow_metadata() is view.get_flow_metadata() is not view.get_flow_metadata(no_cache=True)


def test_news_are_in_a_new_view(served: InProcessServer) -> None:
    run = Made(served)
    view = FlowRunView.from_flow_run_id(run.id)
    run.client.set_flow_run_state(run.id, Success())

    latest = view.get_latest()

    assert view.state.is_running() and latest.state.is_successful() and len(latest.states) == 3


def test_only_finished_task_runs_are_kept(served: InProcessServer) -> None:
    run = Made(served)
    done = run.set("extract-1", Success(result=kept([1])))
    run.client.get_task_run_info(run.id, run.tasks["load-1"])
    view = FlowRunView.from_flow_run_id(run.id, load_static_tasks=True)

    first, again = view.get_task_run("extract-1"), view.get_task_run(task_run_id=done)
    pending, pending_again = view.get_task_run("load-1"), view.get_task_run("load-1")

    assert first is again is view.get_latest().get_task_run("extract-1")
    assert pending == pending_again and pending is not pending_again
    assert "cached_task_runs=1" in repr(view)


def test_a_task_run_needs_slug_or_id_and_both_must_agree(served: InProcessServer) -> None:
    run = Made(served)
    done = run.set("extract-1", Success())
    view = FlowRunView.from_flow_run_id(run.id)

    with pytest.raises(ValueError, match="task_slug or a task_run_id"):
        view.get_task_run()
    with pytest.raises(ValueError, match="one of 'extract-1', not of 'load-1'"):
        view.get_task_run(task_slug="load-1", task_run_id=done)
    with pytest.raises(ValueError, match="map_index"):
        view.get_task_run(task_run_id=done, map_index=4)
    with pytest.raises(ValueError, match="found 0"):
        view.get_task_run("nothing-1")


def test_all_task_runs_come_however_many_there_are(served: InProcessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagflow.backend import flow_run

    monkeypatch.setattr(flow_run, "PAGE", 2)
    run = Made(served)
    ids = {run.set("extract-1", Success(), index) for index in range(5)}
    view = FlowRunView.from_flow_run_id(run.id)

    found = {one.task_run_id for one in view.get_all_task_runs()}
    assert found == set(view.get_task_run_ids())
    assert found > ids
    assert len(found - ids) == 2, "a run of each task is there before anything happens to it"


def test_logs_are_cut_by_time(served: InProcessServer) -> None:
    run = Made(served)
    now = int(served.clock.time)
    times = [f"{datetime.datetime.fromtimestamp(now - 9 + n, datetime.UTC):%Y-%m-%dT%H:%M:%S}Z" for n in range(4)]
    run.client.write_run_logs(
        [
            {"flow_run_id": run.id, "timestamp": time, "level": "WARNING", "message": str(n)}
            for n, time in enumerate(times)
        ]
    )
    view = FlowRunView.from_flow_run_id(run.id)
    [_, start, end, _] = [one.timestamp for one in view.get_logs()][-4:]

    assert [(line.message, line.level) for line in view.get_logs(start_time=start)] == [("2", 30), ("3", 30)]
    assert [line.message for line in view.get_logs(start_time=start, end_time=end)] == ["2"]


# --- task runs -----------------------------------------------------------------------------------------------


def test_a_task_run_is_found_by_id_and_slug(served: InProcessServer) -> None:
    run = Made(served)
    run_id = run.set("extract-1", Success(result=kept([1, 2])), map_index=3)

    by_id, by_slug = TaskRunView.from_task_run_id(run_id), TaskRunView.from_task_slug("extract-1", run.id, 3)

    assert by_id == by_slug and by_id.map_index == 3 and by_id.flow_run_id == run.id
    assert by_id.get_result() == [1, 2]


def test_a_result_is_read_once(served: InProcessServer, tmp_path: Path) -> None:
    run = Made(served)
    result = LocalResult(dir=str(tmp_path), location="x").write([1, 2])
    view = TaskRunView.from_task_run_id(run.set("extract-1", Success(result=result)))

    first = view.get_result()

    assert first == [1, 2] and view.get_result() is first


def test_what_has_no_result_is_told_apart(served: InProcessServer) -> None:
    run = Made(served)
    run.client.get_task_run_info(run.id, run.tasks["load-1"])

    with pytest.raises(ValueError, match="has not finished: it is Pending"):
        TaskRunView.from_task_slug("load-1", run.id).get_result()
    with pytest.raises(TypeError, match="has no result"):
        TaskRunView.from_task_run_id(run.set("extract-1", Failed("no"), 1)).get_result()
    with pytest.raises(ValueError, match="without a location"):
        TaskRunView.from_task_run_id(run.set("extract-1", Success(result=LocalResult()), 2)).get_result()
    with pytest.raises(ValueError, match=r"cannot be read from .*with LocalResult"):
        TaskRunView.from_task_run_id(
            run.set("extract-1", Success(result=LocalResult(dir="/nowhere", location="x", validate_dir=False)), 3)
        ).get_result()


def test_a_result_of_the_users_own_is_read_where_its_class_is(served: InProcessServer) -> None:
    run = Made(served)
    result = OwnResult(1, location="there")

    assert TaskRunView.from_task_run_id(run.set("extract-1", Success(result=result))).get_result() == "read from there"


def test_a_result_of_a_class_that_is_not_here_is_told(served: InProcessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Made(served)
    monkeypatch.setattr(OwnResult, "__module__", "nowhere_at_all")
    run_id = run.set("extract-1", Success(result=OwnResult(1, location="there")))

    with pytest.raises(TypeError, match=r"nowhere_at_all\.OwnResult, which cannot be made here"):
        TaskRunView.from_task_run_id(run_id).get_result()


def test_a_mapped_task_gives_its_childrens_values_in_order(served: InProcessServer) -> None:
    run = Made(served)
    parent = run.set("extract-1", Mapped(n_map_states=3))
    for index in (2, 0, 1):
        run.set("extract-1", Success(result=kept(index * 10)), index)

    view = TaskRunView.from_task_run_id(parent)

    assert [child.map_index for child in view.iter_mapped()] == [0, 1, 2]
    assert view.get_result() == [0, 10, 20]


def test_a_map_with_an_unfinished_child_names_it(served: InProcessServer) -> None:
    run = Made(served)
    parent = run.set("extract-1", Mapped(n_map_states=1))
    run.client.get_task_run_info(run.id, run.tasks["extract-1"], 0)

    with pytest.raises(ValueError, match=r"1 of 1 children that have not finished, such as .*extract-1\[0\]"):
        TaskRunView.from_task_run_id(parent).get_result()


def test_what_is_not_mapped_has_no_children(served: InProcessServer) -> None:
    run = Made(served)

    with pytest.raises(TypeError, match="is not mapped: it is Cached"):
        next(TaskRunView.from_task_run_id(run.set("extract-1", Cached())).iter_mapped())


def test_a_missing_state_counts_as_scheduled() -> None:
    record = {"id": "i", "task_id": "t", "flow_run_id": "f", "map_index": -1, "serialized_state": None}

    assert isinstance(TaskRunView.of(record).state, Scheduled)


def test_task_runs_are_equal_by_id_and_state() -> None:
    def view(id: str, state: Any) -> TaskRunView:
        return TaskRunView(id, "t", "s", None, state, -1, "f")

    assert view("a", Success()) == view("a", Success())
    assert view("a", Success()) != view("a", Failed()) != view("b", Failed())
    assert view("a", Success()) != "a"


def test_a_flow_of_another_shape_still_loads(served: InProcessServer) -> None:
    flow_id = registered(served)
    view = FlowView.from_flow_id(flow_id)
    view.serialized_flow["of_a_later_version"] = {"x": 1}

    assert len(view.flow.tasks) == len(small_flow().tasks)
