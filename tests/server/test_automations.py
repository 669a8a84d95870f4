"""What happens by itself when a run changes, or does not change in time; and what is sent to the outside."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dagflow.server.services.actions import _checked_address
from dagflow.testing import InProcessServer
from tests.server.calls import Api, Refused, flow_document, schedule


class Webhook:
    """Somebody on this machine who is told things."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], Any]] = []
        self.statuses: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.heard.append((dict(self.headers), json.loads(body)))
                status = outer.statuses.pop(0) if outer.statuses else 200
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", outer.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()
    thread = threading.Thread(target=hook.server.serve_forever, args=[0.01])
    thread.start()
    yield hook
    hook.server.shutdown()
    thread.join()
    hook.server.server_close()


@pytest.fixture
def api(start: Callable[..., InProcessServer]) -> Api:
    return Api(start(allow_private_webhooks=True))


FAILED = {"type": "state", "states": ["Failed"]}


def automation(api: Api, trigger: dict[str, Any], *actions: dict[str, Any], **others: Any) -> str:
    body = {"name": "tell me", "trigger": trigger, "actions": list(actions), **others}
    return str(api.post("/automations", body)["id"])


def deliveries(api: Api, id: str) -> list[tuple[str, int]]:
    return [(one["status"], one["attempts"]) for one in api.items(f"/automations/{id}/deliveries")]


def failed(api: Api, name: str = "etl") -> str:
    run = api.running(api.register(flow_document(name))["id"])
    api.set_flow(run, {"type": "Failed", "message": "It broke."})
    return run


# --- triggers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "kind", "fires"),
    [
        (["Failed"], "Failed", True), (["Failed"], "TimedOut", True), (["TimedOut"], "Failed", False),
        (["Failed"], "Success", False), (["Success", "Cancelled"], "Cancelled", True), (["Completed"], "Success", True),
        (["Finished"], "Failed", True), (["Scheduled"], "Retrying", True),
    ],
)  # fmt: skip
def test_a_state_matches_by_its_class_or_a_parent(api: Api, states: list[str], kind: str, fires: bool) -> None:
    run = api.running()
    id = automation(api, {"type": "state", "states": states}, {"type": "message"})

    api.set_flow(run, kind)

    assert bool(deliveries(api, id)) is fires


def test_a_trigger_may_be_about_some_flows(api: Api) -> None:
    group = api.register(flow_document("mine"))["flow_group_id"]
    id = automation(api, {**FAILED, "flow_group_ids": [group]}, {"type": "message"})

    failed(api, "other")
    assert deliveries(api, id) == []
    failed(api, "mine")
    assert deliveries(api, id) == [("waiting", 0)]


def test_a_disabled_automation_does_nothing(api: Api) -> None:
    id = automation(api, FAILED, {"type": "message"}, enabled=False)

    failed(api)

    assert deliveries(api, id) == []


@pytest.mark.parametrize(("kind", "moves"), [("not_running", []), ("not_finished", ["Running"])])
def test_a_deadline_that_passes_is_told_once(api: Api, kind: str, moves: list[str]) -> None:
    flow = api.register()["id"]
    done, stuck = api.new_run(flow), api.new_run(flow)
    api.set_flow(done, "Running")
    api.finish(done)
    for move in moves:
        api.set_flow(stuck, move)
    id = automation(api, {"type": kind, "seconds": 60}, {"type": "message", "text": "{flow_run_id} {kind}"})

    api.tick(59)
    before = deliveries(api, id)
    for _ in range(3):
        api.tick(2)

    assert (before, deliveries(api, id)) == ([], [("done", 1)])
    assert [one["text"] for one in api.items("/messages")] == [f"{stuck} {kind}"]


def test_too_few_healthy_agents_are_told_once_and_again_after_recovery(api: Api) -> None:
    config = api.post("/agent_configs", {"name": "prod"})["id"]
    agent = api.agent(agent_config_id=config)
    trigger = {"type": "agents", "agent_config_id": config, "min_healthy": 1, "seconds": 60}
    id = automation(api, trigger, {"type": "message"})

    counts = []
    for wait in (30, 40, 40):
        api.tick(wait)
        counts.append(len(deliveries(api, id)))
    api.claim(agent)
    api.tick()
    api.tick(61)

    assert (counts, len(deliveries(api, id))) == ([0, 1, 1], 2)


# --- deliveries ------------------------------------------------------------------------------------------------


def test_a_webhook_is_told_what_happened(api: Api, webhook: Webhook) -> None:
    api.post("/secrets", {"name": "TOKEN", "value": "s3cret"})
    action = {
        "type": "webhook", "url": webhook.url, "headers": {"X-Run": "{flow_run_name}"},
        "secret_headers": {"Authorization": "TOKEN"}, "payload": {"text": "{flow_name}: {state}, {message}"},
    }  # fmt: skip
    id = automation(api, FAILED, action)
    run = failed(api)

    api.tick()

    [(headers, body)] = webhook.heard
    assert body == {"text": "etl: Failed, It broke."}
    assert (headers["X-Run"], headers["Authorization"]) == (api.run(run)["name"], "s3cret")
    assert deliveries(api, id) == [("done", 1)]
    assert "s3cret" not in json.dumps(api.items(f"/automations/{id}/deliveries"))


def test_without_a_payload_the_event_itself_is_sent(api: Api, webhook: Webhook) -> None:
    automation(api, FAILED, {"type": "webhook", "url": webhook.url})
    run = failed(api)

    api.tick()

    event = webhook.heard[0][1]
    assert (event["flow_run_id"], event["state"], event["event_name"]) == (run, "Failed", "flow_run_state")


def test_a_delivery_that_fails_is_tried_again_later_and_later(api: Api, webhook: Webhook) -> None:
    id = automation(api, FAILED, {"type": "webhook", "url": webhook.url})
    webhook.statuses = [500, 503]
    run = failed(api)

    seen = []
    for wait in (0, 4, 1, 9, 1):
        api.tick(wait)
        seen.append((len(webhook.heard), deliveries(api, id)[0]))

    assert seen == [
        (1, ("waiting", 1)), (1, ("waiting", 1)), (2, ("waiting", 2)), (2, ("waiting", 2)), (3, ("done", 3)),
    ]  # fmt: skip
    assert api.run(run)["state"] == "Failed"
    assert len({event["id"] for _, event in webhook.heard}) == 1


def test_a_delivery_is_given_up_in_the_end(start: Callable[..., InProcessServer], webhook: Webhook) -> None:
    api = Api(start(allow_private_webhooks=True, delivery_retries=2))
    id = automation(api, FAILED, {"type": "webhook", "url": webhook.url})
    webhook.statuses = [500] * 10
    failed(api)

    for _ in range(6):
        api.tick(1000)

    assert (len(webhook.heard), deliveries(api, id)) == (3, [("failed", 3)])
    assert "answered 500" in api.items(f"/automations/{id}/deliveries")[0]["answer"]


def test_what_was_to_be_done_survives_a_restart_of_the_server(
    start: Callable[..., InProcessServer], new_database: Callable[[], str], webhook: Webhook
) -> None:
    url = new_database()
    with InProcessServer(database_url=url, allow_private_webhooks=True) as first:
        api = Api(first)
        automation(api, FAILED, {"type": "webhook", "url": webhook.url})
        failed(api)

    start(database_url=url, allow_private_webhooks=True, clock=first.clock).tick()

    assert len(webhook.heard) == 1


def test_redirections_are_not_followed(api: Api, webhook: Webhook) -> None:
    id = automation(api, FAILED, {"type": "webhook", "url": webhook.url})
    webhook.statuses = [302]
    failed(api)

    api.tick()

    assert (len(webhook.heard), deliveries(api, id)) == (1, [("waiting", 1)])


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_a_chat_is_told_in_a_sentence(api: Api, webhook: Webhook, kind: str) -> None:
    automation(api, FAILED, {"type": kind, "url": webhook.url})
    run = failed(api)

    api.tick()

    assert webhook.heard[0][1] == {"text": f"{api.run(run)['name']}: It broke."}


def test_pagerduty_is_called_with_a_key_from_the_secrets(api: Api, webhook: Webhook) -> None:
    api.post("/secrets", {"name": "PD", "value": "routing"})
    automation(api, FAILED, {"type": "pagerduty", "routing_key_secret": "PD", "url": webhook.url})
    failed(api)

    api.tick()

    body = webhook.heard[0][1]
    assert (body["routing_key"], body["payload"]["summary"]) == ("routing", "It broke.")


# --- actions inside --------------------------------------------------------------------------------------------


def test_a_run_may_be_cancelled_by_itself(api: Api) -> None:
    automation(api, {"type": "not_running", "seconds": 5}, {"type": "cancel_run"})
    run = api.new_run()

    api.tick(6)

    assert api.run(run)["state"] == "Cancelled"


def test_a_failure_may_pause_the_schedule(api: Api) -> None:
    automation(api, FAILED, {"type": "pause_schedule"})
    flow = api.register(flow_document(schedule=schedule()))["id"]
    run = api.running(flow)
    api.finish(run, "Failed")

    api.tick()

    assert not api.get(f"/flows/{flow}")["is_schedule_active"]


def test_a_failure_may_start_another_flow_once(api: Api) -> None:
    repair = api.register(flow_document("repair", parameters={"of": ""}))["version_group_id"]
    action = {"type": "create_run", "version_group_id": repair, "parameters": {"of": "{flow_run_id}"}}
    automation(api, FAILED, action)
    run = failed(api)

    for _ in range(3):
        api.tick(10)

    assert [one["parameters"] for one in api.items("/flow_runs", flow_name="repair")] == [{"of": run}]


def test_a_state_may_be_set(api: Api) -> None:
    automation(api, {"type": "not_running", "seconds": 5}, {"type": "set_state", "state": "Failed", "message": "Late."})
    run = api.new_run()

    api.tick(6)

    assert (api.run(run)["state"], api.run(run)["state_message"]) == ("Failed", "Late.")


def test_a_message_is_left_and_read(api: Api) -> None:
    automation(api, FAILED, {"type": "message", "title": "Oh", "text": "{flow_name} is {state}"})
    failed(api)
    api.tick()

    [message] = api.items("/messages")
    api.post(f"/messages/{message['id']}/read")

    assert (message["title"], message["text"], message["read"]) == ("Oh", "etl is Failed", False)
    assert api.items("/messages")[0]["read"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": " ", "trigger": FAILED}, {"name": "x", "trigger": {"type": "moon"}}, {"name": "x", "trigger": {}},
        {"name": "x", "trigger": {"type": "state", "states": []}}, {"name": "x", "trigger": {"type": "not_running"}},
        {"name": "x", "trigger": {"type": "agents", "seconds": -1}},
        {"name": "x", "trigger": {"type": "agents", "seconds": 5, "min_healthy": "many"}},
        {"name": "x", "trigger": {"type": "agents", "seconds": 5, "agent_config_id": {}}},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "dance"}]},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "webhook"}]},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "webhook", "url": 5}]},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "set_state", "state": "Nowhere"}]},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "webhook", "url": "http://x", "headers": 5}]},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "webhook", "url": "http://x", "headers": {"a": 5}}]},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "message", "text": {}}]},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "create_run"}]},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "create_run", "flow_id": 5}]},
        {"name": "x", "trigger": FAILED, "actions": [{"type": "create_run", "flow_id": "f", "parameters": [1]}]},
    ],
)  # fmt: skip
def test_an_automation_that_makes_no_sense_is_refused(api: Api, body: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="422 INVALID"):
        api.post("/automations", body)


def test_an_automation_is_changed_and_deleted(api: Api) -> None:
    id = automation(api, FAILED, {"type": "message"})

    api.patch(f"/automations/{id}", {"enabled": False})
    with pytest.raises(Refused, match="422"):
        api.patch(f"/automations/{id}", {"name": ""})
    found = api.get(f"/automations/{id}")
    api.delete(f"/automations/{id}")

    assert (found["enabled"], found["name"], found["trigger"]) == (False, "tell me", FAILED)
    assert api.items("/automations") == []


# --- private addresses -----------------------------------------------------------------------------------------


def test_a_webhook_to_this_machine_is_refused_unless_allowed(
    start: Callable[..., InProcessServer], webhook: Webhook
) -> None:
    api = Api(start())
    id = automation(api, FAILED, {"type": "webhook", "url": webhook.url})
    failed(api)

    api.tick()

    assert webhook.heard == []
    assert "allow_private_webhooks" in api.items(f"/automations/{id}/deliveries")[0]["answer"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[fe80::1]", "[fd00::1]", "2130706433", "0x7f000001",
        "0177.0.0.1", "127.1", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255",
    ],
)  # fmt: skip
def test_no_spelling_of_a_private_address_is_connected_to(host: str) -> None:
    with pytest.raises(PermissionError, match="private address"):
        _checked_address(f"http://{host}/", allow_private=False)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org", "http://", "gopher://127.0.0.1", "x", ""])
def test_only_web_addresses_are_webhooks(url: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        _checked_address(url, allow_private=True)


def test_a_public_address_is_taken_as_it_is() -> None:
    assert _checked_address("https://93.184.215.14/x", allow_private=False) == "93.184.215.14"


def test_a_name_is_resolved_once_and_connected_to_as_it_was_looked_at(
    api: Api, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    asked = []
    genuine = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        asked.append(host)
        return genuine("127.0.0.1" if host == "changes.example" else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = webhook.url.split(":")[2]
    automation(api, FAILED, {"type": "webhook", "url": f"http://changes.example:{port}"})
    failed(api)

    api.tick()

    assert asked.count("changes.example") == 1
    assert webhook.heard[0][0]["Host"].startswith("changes.example")
