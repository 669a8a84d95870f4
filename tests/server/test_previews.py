"""What is worked out for people: layouts, differences, moments of schedules, artifacts as HTML."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.calls import Api, Refused, clock, flow_document, nobody, schedule, task_document

# --- layouts ---------------------------------------------------------------------------------------------------


def test_a_layout_has_places_of_tasks_and_routes_of_edges(api: Api) -> None:
    flow = api.register(flow_document("m", ("a", "b", "c"), ["a>b", "b>>c"]))["id"]

    found = api.get(f"/flows/{flow}/layout")

    a, b, c = (next(one for one in found["nodes"] if one["slug"] == slug) for slug in "abc")
    assert a["y"] < b["y"] < c["y"] < found["height"]
    assert (c["mapped"], c["auto_generated"], c["task_id"] != a["task_id"]) == (True, False, True)
    edge = next(one for one in found["edges"] if one["to"] == "c")
    assert (edge["from"], edge["key"], edge["mapped"]) == ("b", "x", True)
    assert edge["points"][0] == [b["x"] + b["width"] / 2, b["y"] + b["height"]]
    assert edge["points"][-1] == [c["x"] + c["width"] / 2, c["y"]]


def test_a_layout_is_made_once(api: Api) -> None:
    flow = api.register()["id"]
    first = api.get(f"/flows/{flow}/layout")

    assert api.get(f"/flows/{flow}/layout") == first
    api.delete(f"/flows/{flow}")
    with pytest.raises(Refused, match="404"):
        api.get(f"/flows/{flow}/layout")


def test_a_flow_without_tasks_has_an_empty_layout(api: Api) -> None:
    flow = api.register(flow_document("m", (), ()))["id"]

    found = api.get(f"/flows/{flow}/layout")

    assert (found["nodes"], found["edges"]) == ([], [])


# --- differences -----------------------------------------------------------------------------------------------


def test_two_versions_are_compared(api: Api) -> None:
    old = api.register(flow_document("m", ("a", "b"), ["a>b"], {"x": 1, "z": 1}))["id"]
    tasks: list[Any] = [task_document("a", max_retries=3), "c"]
    new = api.register(flow_document("m", tasks, ["a>c"], {"x": 2, "y": 1}, schedule=schedule()))["id"]

    found = api.get(f"/flows/{new}/diff", other=old)

    assert (found["old"]["version"], found["new"]["version"]) == (1, 2)
    assert (found["tasks"]["added"], found["tasks"]["removed"]) == (["c"], ["b"])
    assert found["tasks"]["changed"] == [{"slug": "a", "fields": {"max_retries": [None, 3]}}]
    assert [(one["from"], one["to"], one["key"]) for one in found["edges"]["added"]] == [("a", "c", "x")]
    assert [(one["from"], one["to"]) for one in found["edges"]["removed"]] == [("a", "b")]
    assert (found["parameters"]["added"], found["parameters"]["removed"]) == (["y"], ["z"])
    assert found["parameters"]["changed"] == [{"name": "x", "fields": {"default": [1, 2]}}]
    assert found["schedule"] == [None, schedule()]
    assert (found["run_config"], found["storage"]) == (None, None)
    assert api.get(f"/flows/{old}/diff", other=new) == found


def test_a_version_does_not_differ_from_itself(api: Api) -> None:
    flow = api.register()["id"]

    found = api.get(f"/flows/{flow}/diff", other=flow)

    nothing: dict[str, list[Any]] = {"added": [], "removed": [], "changed": []}
    assert (found["tasks"], found["parameters"]) == (nothing, nothing)


def test_a_version_cannot_be_compared_with_nothing(api: Api) -> None:
    flow = api.register()["id"]

    with pytest.raises(Refused, match="404"):
        api.get(f"/flows/{flow}/diff", other=nobody())
    assert api.ask("GET", f"/flows/{flow}/diff").status_code == 422


# --- schedules -------------------------------------------------------------------------------------------------


def test_the_next_moments_of_a_schedule_are_told(api: Api) -> None:
    cron = {"type": "CronClock", "cron": "0 9 * * *", "parameter_defaults": {"x": 1}, "labels": ["a"]}

    times = api.post("/schedules/preview", {"schedule": schedule(cron), "timezone": "Asia/Tokyo", "count": 3})["times"]

    assert len(times) == 3
    assert [(one["utc"][11:19], one["local"][11:], one["timezone"]) for one in times] == [
        ("00:00:00", "09:00:00+09:00", "Asia/Tokyo")
    ] * 3
    assert (times[0]["parameters"], times[0]["labels"]) == ({"x": 1}, ["a"])


def test_a_schedule_that_ends_has_fewer_moments(api: Api) -> None:
    end = {"dt": api.at(7200)[:19], "tz": "UTC"}

    times = api.post("/schedules/preview", {"schedule": schedule(clock(end_date=end))})["times"]

    assert len(times) < 10


@pytest.mark.parametrize(
    "document",
    [
        {"schedule": {}},
        {"schedule": schedule({"type": "CronClock", "cron": "nonsense"})},
        {"schedule": schedule(clock(-1))},
        {"schedule": schedule(), "timezone": "Nowhere/Land"},
        {"schedule": schedule(), "count": 1000},
        {"schedule": {"clocks": [None]}},
        {"schedule": None},
        {"schedule": schedule({"type": "RRuleClock", "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31"})},
    ],
)
def test_a_schedule_that_is_none_is_refused_with_the_reason(api: Api, document: dict[str, Any]) -> None:
    answer = api.ask("POST", "/schedules/preview", document)

    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


# --- artifacts -------------------------------------------------------------------------------------------------


def html(api: Api, kind: str, data: Any) -> str:
    run = api.running()
    api.ran(run, "extract")
    body = {"task_run_id": api.task_run_id(run, "extract"), "kind": kind, "data": data}
    return str(api.get(f"/artifacts/{api.post('/artifacts', body)['id']}/html")["html"])


def test_markdown_becomes_html(api: Api) -> None:
    made = html(api, "markdown", {"markdown": "# Rows\n\n|a|\n|-|\n|1|\n\n[more](https://example.com)"})

    assert "<h1>Rows</h1>" in made
    assert "<td>1</td>" in made
    assert '<a href="https://example.com" rel="noopener noreferrer">more</a>' in made


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "![x](https://example.com/x.png)",
        "<a href='https://example.com' onclick='x()'>x</a>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](/api/keys)",
        "<iframe src='https://example.com'></iframe>",
    ],
)
def test_markdown_does_no_harm(api: Api, text: str) -> None:
    made = html(api, "markdown", {"markdown": text})

    assert not any(sign in made for sign in ("<script", "<img", "<iframe", "<a href"))


def test_a_link_becomes_html_and_numbers_do_not(api: Api) -> None:
    assert html(api, "link", {"link": "https://example.com/?a=1&b=2"}).startswith('<a href="https://example.com/?a=1')
    assert "href" not in html(api, "link", {"link": "javascript:alert(1)"})
    assert html(api, "markdown", {"markdown": 5}) == ""
    with pytest.raises(Refused, match="422"):
        html(api, "progress", {"progress": 5})
    with pytest.raises(Refused, match="404"):
        api.get(f"/artifacts/{nobody()}/html")
