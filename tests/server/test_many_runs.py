"""Acting on many runs at once, finding them by parameters, previews of restarts, logs as they are read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.calls import Api, Refused, flow_document, nobody

# --- many at once ----------------------------------------------------------------------------------------------


def act(api: Api, action: str, **others: Any) -> Any:
    return api.post("/flow_runs/bulk", {"action": action, **others})


def test_many_runs_are_cancelled(api: Api) -> None:
    flow = api.register()["id"]
    runs = [api.new_run(flow) for _ in range(3)]

    assert act(api, "cancel", ids=[*runs, runs[0]]) == {"matched": 3, "done": 3, "refused": []}
    assert [api.run(run)["state"] for run in runs] == ["Cancelled"] * 3


def test_a_filter_means_all_runs_that_match(api: Api) -> None:
    flow = api.register()["id"]
    failed = [api.running(flow) for _ in range(2)]
    for run in failed:
        api.finish(run, "TimedOut")
    other = api.new_run(flow)
    project = api.run(other)["project_name"]

    answer = act(api, "delete", filter={"state": ["Failed"], "flow_name": "etl", "project_name": project})

    assert (answer["matched"], answer["done"]) == (2, 2)
    assert [one["id"] for one in api.items("/flow_runs")] == [other]


def test_one_run_that_cannot_be_restarted_does_not_hold_up_the_others(api: Api) -> None:
    flow = api.register()["id"]
    ended, going = api.running(flow), api.running(flow)
    api.finish(ended, "Failed")

    answer = act(api, "restart", ids=[ended, going, "nothing"])

    assert (answer["matched"], answer["done"]) == (3, 1)
    assert [one["id"] for one in answer["refused"]] == [going, "nothing"]
    assert "only one that has ended" in answer["refused"][0]["message"]
    assert [api.run(run)["state"] for run in (ended, going)] == ["Scheduled", "Running"]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "cancel"},
        {"action": "cancel", "filter": {}},
        {"action": "explode", "ids": []},
        {"action": "cancel", "ids": [], "filter": {"state": "Failed"}},
        {"action": "cancel", "filter": {"colour": "red"}},
        {"action": "cancel", "filter": {"since": "then"}},
        {"action": "cancel", "filter": {"parameter": "x"}},
        {"action": "cancel", "ids": [5]},
    ],
)
def test_a_bulk_request_without_sense_is_refused(api: Api, body: Any) -> None:
    run = api.new_run()

    assert api.ask("POST", "/flow_runs/bulk", body).status_code == 422
    assert api.run(run)["state"] == "Scheduled"


# --- parameters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("x=5", [5, "5"]),
        ('x="5"', ["5"]),
        ("x=55", [55]),
        ("x=true", [True, "true"]),
        ("x=null", [None]),
        ('x={"a":[1]}', [{"a": [1]}]),
        ("x=five = 5", ["five = 5"]),
        ("y=5", []),
        ('a"b=1', []),
        ("x=1e400", []),
        ('x="\\u0000"', []),
        ("x=" + "9" * 40, []),
        ("x=NaN", []),
    ],
)
def test_runs_are_found_by_a_parameter(api: Api, wanted: str, found: list[Any]) -> None:
    flow = api.register(flow_document(parameters={"x": 0}))["id"]
    for value in (5, 55, "5", True, "true", None, {"a": [1]}, "five = 5"):
        api.new_run(flow, parameters={"x": value})

    items = api.items("/flow_runs", parameter=wanted)

    values = [one["parameters"]["x"] for one in items]
    assert sorted(map(repr, values)) == sorted(map(repr, found))


def test_a_parameter_without_a_value_is_refused(api: Api) -> None:
    with pytest.raises(Refused, match="name=value"):
        api.get("/flow_runs", parameter="x")


# --- restarts --------------------------------------------------------------------------------------------------


def test_a_preview_of_a_restart_tells_what_runs_again_and_changes_nothing(api: Api) -> None:
    run = api.running(api.register(flow_document("m", ("a", "b", "c"), ["a>b", "b>c"]))["id"])
    api.ran(run, "a")
    api.ran(run, "b", "Failed")
    api.set_task(run, "c", "TriggerFailed")
    api.finish(run, "Failed")
    before = api.run(run)

    found = api.post(f"/flow_runs/{run}/restart", {"preview": True})

    assert [(one["slug"], one["map_index"], one["state"]) for one in found["again"]] == [
        ("b", -1, "Failed"),
        ("c", -1, "TriggerFailed"),
    ]
    assert found["again"][0]["task_run_id"] == api.task_run_id(run, "b")
    assert found["reset"] == 2
    assert "a is needed" in found["warnings"][0]
    assert api.run(run) == before
    assert api.post(f"/flow_runs/{run}/restart", {})["reset"] == 2


def test_a_preview_is_refused_like_the_restart(api: Api) -> None:
    run = api.running()

    with pytest.raises(Refused, match="409"):
        api.post(f"/flow_runs/{run}/restart", {"preview": True})
    with pytest.raises(Refused, match="404"):
        api.post(f"/flow_runs/{nobody()}/restart", {"preview": True})
    with pytest.raises(Refused, match="404"):
        api.post(f"/flow_runs/{run}/restart", {"preview": True, "from_task_run_id": nobody()})


# --- logs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(api: Api) -> str:
    """Give a run with lines 0 to 9, of which the even ones are a task's."""
    run = api.running()
    task = api.task_run_id(run, "extract")
    lines = [
        {
            "flow_run_id": run,
            "task_run_id": task if number % 2 == 0 else None,
            "timestamp": api.at(number),
            "level": "ERROR" if number == 4 else "INFO",
            "message": f"Line {number} ÄH 100%" if number == 6 else f"Line {number}",
        }
        for number in range(10)
    ]
    api.post("/logs", {"logs": lines})
    return run


def messages(api: Api, run: str, **params: Any) -> list[str]:
    return [one["message"].split()[1] for one in api.items(f"/flow_runs/{run}/logs", **params)]


def test_log_lines_tell_their_task(api: Api, logged: str) -> None:
    first, second = api.items(f"/flow_runs/{logged}/logs")[:2]

    assert (first["task_slug"], first["map_index"]) == ("extract", -1)
    assert (second["task_slug"], second["map_index"]) == (None, None)
    assert second["seq"] > first["seq"]


def test_log_lines_are_found_by_text_and_task(api: Api, logged: str) -> None:
    assert messages(api, logged, q="lINE 3") == ["3"]
    assert messages(api, logged, q="ÄH") == ["6"]
    assert messages(api, logged, q="0%") == ["6"]
    assert messages(api, logged, q="_") == []
    assert messages(api, logged, task_slug="extract") == ["0", "2", "4", "6", "8"]
    assert messages(api, logged, task_slug="load") == []


def test_logs_are_read_backwards(api: Api, logged: str) -> None:
    newest = api.items(f"/flow_runs/{logged}/logs", newest=True, limit=3)
    before = newest[-1]["seq"]

    assert [one["message"] for one in newest] == ["Line 9", "Line 8", "Line 7"]
    assert messages(api, logged, newest=True, before_seq=before, limit=3) == ["6", "5", "4"]
    assert messages(api, logged, before_seq=before, limit=3) == ["4", "5", "6"]
    assert len(messages(api, logged, before_seq=2**61)) == 10


def test_logs_are_downloaded_as_text(api: Api, logged: str) -> None:
    answer = api.ask("GET", f"/flow_runs/{logged}/logs/download")

    lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"].endswith('.log"')
    assert len(lines) == 10
    assert lines[4] == f"{api.at(4)} ERROR    extract | Line 4"


def test_a_download_takes_the_same_filters_and_has_no_end_of_lines_to_it(
    api: Api, logged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagflow.server.store.logs.TEXT_LINES", 2)

    assert len(api.ask("GET", f"/flow_runs/{logged}/logs/download").text.splitlines()) == 10
    found = api.ask("GET", f"/flow_runs/{logged}/logs/download", params={"level": "ERROR", "q": "line"})
    assert found.text.endswith("Line 4\n")
    assert found.text.count("\n") == 1
    assert api.ask("GET", f"/flow_runs/{nobody()}/logs/download").status_code == 404
