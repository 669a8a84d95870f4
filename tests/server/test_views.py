"""What pages show at a glance: flows, the server, the queue, grids, timelines, activity."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.calls import Api, Refused, flow_document, nobody, schedule, state


def group_of(api: Api, run: str) -> str:
    return str(api.run(run)["flow_group_id"])


def ended(api: Api, flow: str, kind: str = "Success", seconds: float = 10.0) -> str:
    """Let a run of a flow begin now and end after some seconds."""
    run = api.running(flow)
    api.later(seconds)
    api.finish(run, kind)
    return run


# --- flows -----------------------------------------------------------------------------------------------------


def test_the_overview_has_each_flow_with_its_live_version_and_its_last_runs(api: Api) -> None:
    api.register(flow_document("a"))
    flow = api.register(flow_document("a", schedule=schedule()))
    runs = [ended(api, flow["id"], kind) for kind in ("Failed", "Success", "Success", "Success")]

    (one,) = api.items("/flow_groups/overview")

    assert (one["group_id"], one["flow_id"], one["name"], one["version"]) == (
        flow["flow_group_id"],
        flow["id"],
        "a",
        2,
    )
    assert (one["project_name"], one["is_schedule_active"], one["archived"]) == ("night", True, False)
    assert one["schedule"]["clocks"] and one["next_run"] > api.at(-60)
    assert [run["id"] for run in one["last_runs"]] == runs[::-1]
    assert one["success_rate"] == 0.75


def test_the_overview_shows_ten_runs_that_have_begun(api: Api) -> None:
    flow = api.register()["id"]
    for _ in range(12):
        ended(api, flow)
    api.new_run(flow)

    (one,) = api.items("/flow_groups/overview")

    assert [run["state"] for run in one["last_runs"]] == ["Success"] * 10


def test_the_overview_pages_by_name_and_finds_by_text_and_project(api: Api) -> None:
    for name in ("Beta", "alpha", "gamma"):
        api.register(flow_document(name))
    api.register(flow_document("beta"), project="day")
    project = api.items("/flow_groups/overview", q="gamma")[0]["project_id"]

    first = api.get("/flow_groups/overview", limit=3)
    second = api.get("/flow_groups/overview", limit=3, cursor=first["cursor"])

    names = [one["name"] for one in first["items"] + second["items"]]
    assert sorted(names) == ["Beta", "alpha", "beta", "gamma"]
    assert second["cursor"] is None
    assert [one["name"] for one in api.items("/flow_groups/overview", q="BET", project_id=project)] == ["Beta"]
    assert api.items("/flow_groups/overview", q="%") == []


def test_the_overview_shows_a_flow_that_was_archived(api: Api) -> None:
    flow = api.register()["id"]
    api.post(f"/flows/{flow}/archive")

    (one,) = api.items("/flow_groups/overview")

    assert (one["flow_id"], one["archived"], one["success_rate"], one["last_runs"]) == (flow, True, None, [])


# --- the server ------------------------------------------------------------------------------------------------


def test_the_summary_tells_what_the_server_is_and_does(api: Api) -> None:
    api.agent()
    api.tick()

    found = api.get("/summary")

    assert found["server"]["version"]
    assert found["server"]["database"]["kind"] == api.get("/health")["database"]
    assert found["server"]["database"]["bytes"] > 0
    assert found["server"]["database"]["revision"] == "0003"
    services = {one["name"]: one for one in found["server"]["services"]}
    assert services["scheduler"]["last"] == api.at()
    assert services["scheduler"]["seconds"] >= 0
    assert services["scheduler"]["problem"] is None
    assert found["agents"] == {"healthy": 1, "silent": 0}


def test_the_summary_counts_runs_by_when_they_ended(api: Api) -> None:
    flow = api.register()["id"]
    ended(api, flow, "Failed")
    api.later(7200)
    failed = ended(api, flow, "TimedOut")
    ended(api, flow)
    api.running(flow)
    api.later(60)

    lately, day = api.get("/summary", hours=1), api.get("/summary")

    assert lately["finished"] == {"TimedOut": 1, "Success": 1}
    assert day["finished"] == {"TimedOut": 1, "Success": 1, "Failed": 1}
    assert (lately["running"], lately["waiting"]) == (1, 0)
    assert [(one["id"], one["state"], one["flow_name"]) for one in lately["failed"]] == [(failed, "TimedOut", "etl")]


def test_the_summary_has_late_runs_with_reasons_and_upcoming_ones(api: Api) -> None:
    flow = api.register()["id"]
    late = api.new_run(flow, labels=["gpu"])
    soon = api.new_run(flow, scheduled_start_time=api.at(3600))
    api.later(60)

    found = api.get("/summary")

    assert [one["id"] for one in found["late"]] == [late]
    assert found["late"][0]["reasons"][0]["code"] == "NO_AGENT"
    assert [one["id"] for one in found["upcoming"]] == [soon]
    assert found["waiting"] == 1


def test_the_summary_tells_what_went_wrong_in_a_service(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    services = api.server.app.state.services
    service = services.services[0]

    def fail(backend: Any) -> None:
        raise ValueError("no luck")

    service.run = fail
    services.run_once(service)

    assert api.get("/summary")["server"]["services"][0]["problem"] == "ValueError: no luck"


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "x", "1e300"])
def test_a_summary_of_no_time_is_refused(api: Api, hours: str) -> None:
    assert api.ask("GET", "/summary", params={"hours": hours}).status_code == 422


# --- the queue -------------------------------------------------------------------------------------------------


def codes(api: Api, run: str) -> list[str]:
    (one,) = [one for one in api.get("/queue")["runs"] if one["id"] == run]
    texts = [reason["text"] for reason in one["reasons"]]
    assert texts == api.get(f"/flow_runs/{run}/why")["reasons"]
    return [reason["code"] for reason in one["reasons"]]


def test_the_queue_has_runs_that_wait_the_longest_first(api: Api) -> None:
    flow = api.register()["id"]
    second = api.new_run(flow)
    api.later(1)
    first = api.new_run(flow, scheduled_start_time=api.at(-100))
    api.new_run(flow, scheduled_start_time=api.at(100))
    paused = api.new_run(flow)
    api.set_flow(paused, "Paused")

    found = api.get("/queue")

    assert [one["id"] for one in found["runs"]] == [first, second, paused]
    assert found["total"] == 3
    assert len(api.get("/queue", limit=1)["runs"]) == 1


def test_the_queue_tells_why_each_run_waits(api: Api) -> None:
    flow = api.register()["id"]
    assert codes(api, api.new_run(flow)) == ["NO_AGENT"]
    api.agent("big")
    assert codes(api, api.new_run(flow, labels=["gpu"])) == ["LABELS"]
    assert codes(api, api.new_run(flow, labels=["big"])) == ["READY"]
    api.later(100)
    assert codes(api, api.new_run(flow, labels=["big"])) == ["SILENT_AGENTS"]


def test_the_queue_tells_of_limits_pools_and_overlap(api: Api) -> None:
    flow = api.register()
    api.agent("big")
    api.post("/limits", {"kind": "flow_label", "name": "big", "limit": 1})
    api.running(flow["id"], labels=["big"])

    waiting = api.new_run(flow["id"], labels=["big"])
    assert codes(api, waiting) == ["LABEL_LIMIT"]

    api.post(f"/flow_groups/{flow['flow_group_id']}/settings", {"overlap_policy": "queue"})
    assert codes(api, waiting) == ["LABEL_LIMIT", "OVERLAP"]


# --- runs beside each other ------------------------------------------------------------------------------------


def mapped_run(api: Api, flow: str) -> str:
    run = api.running(flow)
    api.ran(run, "extract")
    api.set_task(run, "load", "Mapped")
    for index, kind in enumerate(("Success", "Failed", "Success")):
        api.later(5)
        api.ran(run, "load", kind, index)
    return run


def test_a_grid_has_the_states_of_tasks_in_the_last_runs(api: Api) -> None:
    flow = api.register(flow_document("m", ("load", "extract"), ["extract>>load"]))["id"]
    first = mapped_run(api, flow)
    api.finish(first, "Failed")
    api.later(1)
    second = api.running(flow)
    api.set_task(second, "extract", "Running")

    found = api.get(f"/flow_groups/{group_of(api, first)}/grid")

    assert [one["id"] for one in found["runs"]] == [second, first]
    assert found["runs"][1]["flow_version"] == 1
    assert [one["slug"] for one in found["tasks"]] == ["extract", "load"]
    assert found["cells"]["extract"] == ["Running", "Success"]
    assert found["cells"]["load"][1] == "Mapped"
    assert found["children"] == {"load": [None, {"Success": 2, "Failed": 1}]}
    assert len(api.get(f"/flow_groups/{group_of(api, first)}/grid", runs=1)["runs"]) == 1


def test_a_grid_keeps_tasks_that_a_later_version_has_no_more(api: Api) -> None:
    run = api.running(api.register(flow_document("m", ("a", "b"), ["a>b"]))["id"])
    api.ran(run, "a")
    api.finish(run)
    api.register(flow_document("m", ("b", "c"), ["b>c"]))

    found = api.get(f"/flow_groups/{group_of(api, run)}/grid")

    assert [one["slug"] for one in found["tasks"]] == ["b", "c", "a"]
    assert (found["cells"]["a"], found["cells"]["c"]) == (["Success"], [None])


def test_a_flow_without_runs_has_a_grid_of_its_tasks(api: Api) -> None:
    group = api.register()["flow_group_id"]

    found = api.get(f"/flow_groups/{group}/grid")

    assert (found["runs"], [one["slug"] for one in found["tasks"]]) == ([], ["extract", "load"])
    assert found["cells"] == {"extract": [], "load": []}


def test_durations_have_percentiles_of_each_task(api: Api) -> None:
    flow = api.register()["id"]
    for seconds in (1, 2, 3, 100):
        run = api.running(flow)
        api.set_task(run, "extract", "Running")
        api.later(seconds)
        api.set_task(run, "extract", "Failed" if seconds == 3 else "Success")
        api.finish(run, "Failed" if seconds == 3 else "Success")

    found = api.get(f"/flow_groups/{group_of(api, run)}/durations")

    assert [one["seconds"] for one in found["runs"]] == [100, 3, 2, 1]
    extract = next(one for one in found["tasks"] if one["slug"] == "extract")
    assert (extract["count"], extract["failed"]) == (4, 1)
    assert (extract["p50"], extract["p95"], extract["last"]) == (2, 100, 100)
    assert found["success_rate"] == 0.75
    load = next(one for one in found["tasks"] if one["slug"] == "load")
    assert (load["count"], load["p50"], load["last"]) == (0, None, None)


# --- a run over time -------------------------------------------------------------------------------------------


def test_a_timeline_has_spans_of_tasks_by_attempt(api: Api) -> None:
    run = api.running()
    begun = api.at()
    api.set_task(run, "extract", "Running")
    api.later(5)
    failed = api.at()
    api.set_task(run, "extract", "Failed")
    api.set_task(run, "load", "TriggerFailed")
    api.finish(run, "Failed")
    api.later(100)
    api.post(f"/flow_runs/{run}/restart", {})
    api.later(10)
    api.post(f"/flow_runs/{run}/begin", {})
    api.set_flow(run, "Running")
    again = api.at()
    api.ran(run, "extract")
    api.later(1)
    api.ran(run, "load")

    found = api.get(f"/flow_runs/{run}/timeline")

    assert [(one["number"], one["start"], one["end"]) for one in found["attempts"]] == [
        (1, begun, failed),
        (2, again, None),
    ]
    extract, load = found["tasks"]
    assert [(one["kind"], one["start"], one["end"], one["attempt"], one["state"]) for one in extract["spans"]] == [
        ("running", begun, failed, 1, "Failed"),
        ("running", again, again, 2, "Success"),
    ]
    assert (load["slug"], load["state"], load["children"]) == ("load", "Success", None)
    assert found["critical_path"] == ["extract", "load"]
    assert [one["state"] for one in found["states"]][-1] == "Running"


def test_a_timeline_shows_waits(api: Api) -> None:
    run = api.running()
    for kind in ("Submitted", "Running", state("Retrying", start_time=api.at(30)), "Running"):
        api.set_task(run, "extract", kind)
        api.later(10)

    extract = api.get(f"/flow_runs/{run}/timeline")["tasks"][0]

    assert [one["kind"] for one in extract["spans"]] == ["queued", "running", "waiting", "running"]
    assert extract["spans"][-1]["end"] is None


def test_a_timeline_has_one_row_for_a_mapped_task(api: Api) -> None:
    run = mapped_run(api, api.register(flow_document("m", edges=["extract>>load"]))["id"])

    load = api.get(f"/flow_runs/{run}/timeline")["tasks"][1]

    assert load["children"] == {"Success": 2, "Failed": 1}
    (span,) = load["spans"]
    assert (span["kind"], span["start"], span["end"]) == ("running", api.at(-10), api.at())


def test_a_run_that_waits_has_a_timeline_of_pending_tasks(api: Api) -> None:
    found = api.get(f"/flow_runs/{api.new_run()}/timeline")

    assert [(one["slug"], one["state"], one["spans"]) for one in found["tasks"]] == [
        ("extract", "Pending", []),
        ("load", "Pending", []),
    ]
    assert (found["attempts"], found["critical_path"]) == ([], [])


# --- all runs over time ----------------------------------------------------------------------------------------


def test_the_timeline_has_runs_that_touch_a_stretch_of_time(api: Api) -> None:
    flow = api.register()["id"]
    ended(api, flow)
    api.later(1000)
    since = api.at()
    running = api.running(flow)
    done = ended(api, flow)
    planned = api.new_run(flow, scheduled_start_time=api.at(100))
    api.new_run(flow, scheduled_start_time=api.at(5000))

    found = api.get("/timeline", since=since, until=api.at(1000))["runs"]

    assert [one["id"] for one in found] == [running, done, planned]
    assert found[0]["project_name"] == "night"
    assert len(api.get("/timeline", since=since, until=api.at(1000), limit=2)["runs"]) == 2


def test_activity_has_what_happened_the_latest_first(api: Api) -> None:
    one, two = api.running(), api.new_run()
    api.post(f"/flow_runs/{two}/cancel", {"reason": "no need"})

    first = api.get("/activity", limit=1)
    rest = api.get("/activity", cursor=first["cursor"])["items"]

    assert first["items"][0]["run_id"] == two
    assert (first["items"][0]["state"], first["items"][0]["reason"]) == ("Cancelled", "no need")
    assert first["items"][0]["flow_name"] == "etl"
    assert [item["state"] for item in rest] == ["Scheduled", "Running", "Scheduled"]
    assert {item["run_id"] for item in api.items("/activity", flow_run_id=one)} == {one}


@pytest.mark.parametrize(
    "path",
    ["flow_groups/{}/grid", "flow_groups/{}/durations", "flow_runs/{}/timeline", "flows/{}/layout"],
)
@pytest.mark.parametrize("id", ["nothing", "%F0%9F%92%A9"])
def test_what_is_not_there_is_not_found(api: Api, path: str, id: str) -> None:
    assert api.ask("GET", "/" + path.format(id)).status_code == 404


def test_odd_questions_are_refused(api: Api) -> None:
    odd: list[tuple[str, dict[str, Any]]] = [
        ("/queue", {"limit": 0}),
        ("/timeline", {"since": "then"}),
        ("/activity", {"cursor": "W10"}),
        ("/flow_groups/overview", {"cursor": "WzEsMl0"}),
        (f"/flow_groups/{nobody()}/grid", {"runs": 1000}),
    ]
    for path, params in odd:
        with pytest.raises(Refused) as refused:
            api.get(path, **params)
        assert refused.value.status in (400, 422)
