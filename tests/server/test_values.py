"""Log lines, keys and values, secrets, artifacts, events, keys of the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dagflow.testing import InProcessServer
from tests.server.calls import Api, Refused, nobody

# --- logs ------------------------------------------------------------------------------------------------------


def write(api: Api, *lines: Any) -> Any:
    return api.post("/logs", {"logs": list(lines)})


def messages(api: Api, run: str, **params: Any) -> list[str]:
    return [one["message"] for one in api.items(f"/flow_runs/{run}/logs", **params)]


def test_a_line_without_level_and_time_is_info_of_now(api: Api) -> None:
    run = api.new_run()

    write(api, {"flow_run_id": run, "message": "hello"})

    [line] = api.items(f"/flow_runs/{run}/logs")
    assert (line["level"], line["timestamp"], line["message"]) == ("INFO", api.at(), "hello")


def test_one_bad_line_spoils_no_other(api: Api) -> None:
    run = api.new_run()

    answer = write(api, "nonsense", {"flow_run_id": run, "message": "a"}, {"flow_run_id": nobody()}, {}, None,
                   {"flow_run_id": run, "level": "LOUD", "timestamp": "soon", "message": 5, "info": {"x": [1]}},
                   {"flow_run_id": {"a": 1}}, {"flow_run_id": run, "message": "b", "seq": 10**30})  # fmt: skip

    assert (answer["success"], answer["written"]) == (True, 3)
    assert [one["number"] for one in answer["errors"]] == [0, 2, 3, 4, 6]
    assert sorted(messages(api, run)) == ["5", "a", "b"]


def test_lines_come_in_the_order_of_their_time(api: Api) -> None:
    run = api.new_run()
    write(api, {"flow_run_id": run, "message": "second", "timestamp": api.at(2)})
    write(api, *({"flow_run_id": run, "message": f"first {i}", "timestamp": api.at(1)} for i in range(3)))

    assert messages(api, run) == ["first 0", "first 1", "first 2", "second"]


def test_lines_are_read_on_from_where_one_was(api: Api) -> None:
    run = api.new_run()
    write(api, *({"flow_run_id": run, "message": str(i)} for i in range(5)))
    first = api.get(f"/flow_runs/{run}/logs", limit=2)

    rest = api.get(f"/flow_runs/{run}/logs", after_seq=first["last_seq"])
    end = api.get(f"/flow_runs/{run}/logs", after_seq=rest["last_seq"])

    assert [one["message"] for one in first["items"] + rest["items"]] == list("01234")
    assert end["items"] == []


def test_lines_are_filtered(api: Api) -> None:
    run = api.running()
    task = api.task_run_id(run, "extract")
    write(api, {"flow_run_id": run, "message": "a", "level": "debug", "task_run_id": task},
          {"flow_run_id": run, "message": "b", "level": "ERROR", "timestamp": api.at(10)},
          {"flow_run_id": run, "message": "c", "level": "WARNING"})  # fmt: skip

    assert messages(api, run, level="WARNING") == ["c", "b"]
    assert messages(api, run, task_run_id=task) == ["a"]
    assert messages(api, run, since=api.at(5)) == ["b"]
    assert messages(api, run, until=api.at(5), level="INFO") == ["c"]
    assert [one["message"] for one in api.items(f"/task_runs/{task}/logs")] == ["a"]


def test_lines_that_come_after_the_end_are_kept(api: Api) -> None:
    run = api.running()
    api.finish(run)

    assert write(api, {"flow_run_id": run, "message": "late"})["written"] == 1


def test_a_line_is_cut_at_a_million_signs(api: Api) -> None:
    run = api.new_run()

    write(api, {"flow_run_id": run, "message": "x" * 1_000_500})

    assert len(messages(api, run)[0]) == 1_000_000


def test_beyond_the_most_lines_of_a_run_one_line_says_how_many_were_dropped(
    start: Callable[..., InProcessServer],
) -> None:
    api = Api(start(max_logs_per_run=10))
    flow = api.register()["id"]
    run, other = api.new_run(flow), api.new_run(flow)

    for _ in range(5):
        write(api, *({"flow_run_id": run, "message": "x"} for _ in range(4)))
    write(api, {"flow_run_id": other, "message": "y"})

    found = messages(api, run)
    assert found.count("x") == 10 and len(found) == 11
    assert "10 lines" in found[-1] and "dropped" in found[-1]
    assert messages(api, other) == ["y"]


# --- keys and values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 0, "", [], {"a": [1.5, None, "ü"]}, "x" * 9_000, 10**25])
def test_a_value_comes_back_as_it_was(api: Api, value: Any) -> None:
    first = api.post("/kv", {"key": "k", "value": "old"})["id"]

    assert api.post("/kv", {"key": "k", "value": value})["id"] == first
    assert api.get("/kv/k") == {"key": "k", "value": value}


@pytest.mark.parametrize("number", ["1e999", "-1E+0999", "1" * 300 + "e99", "1" * 400 + ".0", "[0,1e309]"])
def test_a_number_that_readers_of_json_cannot_hold_is_refused(api: Api, number: str) -> None:
    body = f'{{"key": "k", "value": {number}}}'

    answer = api.ask("POST", "/kv", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, api.items("/kv")) == (400, [])


def test_a_value_has_ten_thousand_bytes_at_most(api: Api) -> None:
    api.post("/kv", {"key": "k", "value": "x" * 9_998})

    for value in ("x" * 9_999, "ü" * 5_000):
        with pytest.raises(Refused, match="413 TOO_LARGE"):
            api.post("/kv", {"key": "k", "value": value})


def test_keys_are_listed_and_deleted(api: Api) -> None:
    for key in ("b", "a", "c/d e?"):
        api.post("/kv", {"key": key, "value": 1})

    assert [one["key"] for one in api.items("/kv")] == ["a", "b", "c/d e?"]
    assert api.delete("/kv/a") == {"deleted": True}
    assert [api.ask(method, "/kv/a").status_code for method in ("GET", "DELETE")] == [404, 404]


def test_a_secret_is_kept_encrypted_and_never_listed(api: Api) -> None:
    api.post("/secrets", {"name": "PASSWORD", "value": {"deep": "canary-7f3a"}})

    assert api.get("/secrets/PASSWORD")["value"] == {"deep": "canary-7f3a"}
    assert "canary" not in json.dumps(api.items("/secrets"))
    api.delete("/secrets/PASSWORD")
    assert api.items("/secrets") == []


def test_without_a_key_there_are_no_secrets(start: Callable[..., InProcessServer]) -> None:
    api = Api(start(secrets_key=""))

    with pytest.raises(Refused, match=r"409 SECRETS_DISABLED: .* server.secrets_key"):
        api.post("/secrets", {"name": "x", "value": 1})
    assert api.get("/health")["secrets"] is False


def test_with_another_key_secrets_cannot_be_read(
    start: Callable[..., InProcessServer], new_database: Callable[[], str]
) -> None:
    url = new_database()
    with InProcessServer(database_url=url, secrets_key="one") as first:
        Api(first).post("/secrets", {"name": "x", "value": 1})

    with pytest.raises(Refused, match="409 SECRETS_UNREADABLE"):
        Api(start(database_url=url, secrets_key="two")).get("/secrets/x")


# --- artifacts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data"),
    [("link", {"link": "https://x"}), ("markdown", {"markdown": "# x"}), ("table", {"rows": [1]}), ("progress", 5)],
)
def test_a_task_run_shows_things(api: Api, kind: str, data: Any) -> None:
    run = api.running()
    task = api.task_run_id(run, "extract")

    id = api.post("/artifacts", {"task_run_id": task, "kind": kind, "data": data, "key": "k"})["id"]
    api.patch(f"/artifacts/{id}", {"data": {"new": 1}})

    for found in (
        api.items(f"/task_runs/{task}/artifacts"),
        api.items("/artifacts", flow_run_id=run),
        api.items("/artifacts", key="k"),
    ):
        assert [(one["id"], one["kind"], one["data"]) for one in found] == [(id, kind, {"new": 1})]
    api.delete(f"/artifacts/{id}")
    assert api.items("/artifacts", task_run_id=task) == []


def test_the_same_artifact_is_made_once(api: Api) -> None:
    body = {"id": nobody(), "task_run_id": api.task_run_id(api.running(), "extract"), "kind": "link", "data": {}}

    assert [api.post("/artifacts", body)["id"] for _ in range(2)] == [body["id"]] * 2
    assert len(api.items("/artifacts")) == 1


def test_artifacts_that_make_no_sense_are_refused(api: Api) -> None:
    task = api.task_run_id(api.running(), "extract")
    for changes, status in (
        ({"kind": "film"}, 422),
        ({"task_run_id": nobody()}, 404),
        ({"data": "x" * 1_000_001}, 413),
    ):
        body = {"task_run_id": task, "kind": "link", "data": {}, **changes}
        assert api.ask("POST", "/artifacts", body).status_code == status


# --- events ----------------------------------------------------------------------------------------------------


def events(api: Api, number: int, **params: Any) -> list[tuple[str, str, Any]]:
    """Return so many events of the stream: id, kind, record."""
    found: list[tuple[str, str, Any]] = []
    from dagflow.server.api import events as module

    async def collect() -> None:
        run_id = params.get("flow_run_id")
        place = module._read_place(params["after"])

        class Quiet:
            async def is_disconnected(self) -> bool:
                return False

        stream: Any = module._events(Quiet(), api.server.backend, run_id, place)  # type: ignore[arg-type]
        async for text in stream:
            fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
            if "data" in fields:
                found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
            if len(found) == number:
                break
        await stream.aclose()

    api.server.transport._run(collect())
    return found


def test_a_run_is_followed_by_its_events_and_from_any_of_them(api: Api) -> None:
    run = api.running()
    api.set_task(run, "extract", "Running")
    write(api, {"flow_run_id": run, "message": "hello"})
    other = api.new_run()
    assert other

    found = events(api, 4, flow_run_id=run, after="0.0.0")

    assert [(kind, record.get("state") or record["message"]) for _, kind, record in found] == [
        ("flow_run_state", "Scheduled"), ("flow_run_state", "Running"), ("task_run_state", "Running"), ("log", "hello"),
    ]  # fmt: skip
    assert found[2][2]["task_slug"] == "extract"
    again = events(api, 2, flow_run_id=run, after=found[1][0])
    assert again == found[2:]


@pytest.mark.parametrize("place", ["x", "1.2", "1.2.3.4", "-1.0.0", "99999999999999999999.0.0", "²..", "a.b.c"])
def test_events_after_nonsense_are_refused(api: Api, place: str) -> None:
    assert api.ask("GET", "/events", params={"after": place}).status_code == 400
    assert api.ask("GET", "/events", params={"flow_run_id": nobody()}).status_code == 404


# --- health ----------------------------------------------------------------------------------------------------


def test_health_tells_the_database_and_the_version(api: Api) -> None:
    health = api.get("/health")

    assert health["status"] == "ok" and health["database"] == api.server.backend.settings.kind
    assert health["version"] == api.get("/version")["version"]
    assert api.get("/settings")["queue_interval"] == 30.0


def test_figures_for_prometheus_are_there(api: Api) -> None:
    api.new_run()
    api.running()
    api.agent()
    api.later(60)

    answer = api.http.get(api.server.url + "/metrics")

    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert answer.headers["content-type"].startswith("text/plain")
    assert float(lines['dagflow_flow_runs{state="Running"}']) == 1
    assert (float(lines["dagflow_agents"]), float(lines["dagflow_up_seconds"])) == (1, 60)
    assert float(lines["dagflow_oldest_ready_seconds"]) == 0 or 'state="Scheduled"' in answer.text
