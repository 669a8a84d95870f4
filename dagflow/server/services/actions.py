"""
What an automation does: each kind of action is one function of the backend, the action and the event.

Addresses are those that a user named, so they are looked at when the connection is made: private ones are refused
unless the server's settings allow them.
"""

from __future__ import annotations

import ipaddress
import smtplib
import socket
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from dagflow.server import encryption
from dagflow.server.backend import Backend
from dagflow.server.errors import Refusal
from dagflow.server.orchestration.automations import filled
from dagflow.server.orchestration.documents import state_document, wanted_state
from dagflow.server.store import automations as store
from dagflow.server.store import control, creation, flow_runs, schedules, values
from dagflow.server.store.batch import Batch

__all__ = ["perform"]

TIMEOUT = 10.0


def perform(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    """
    Do what *action* says about *event* and return how it went.

    Raises:
        Exception: when it could not be done; it is tried again.
    """
    attributes = _attributes(backend, event)
    return _ACTIONS[action["type"]](backend, filled(action, attributes), attributes)


def _attributes(backend: Backend, event: dict[str, Any]) -> dict[str, Any]:
    """Return what templates may name: the event, and the run and flow it is about."""
    run_id = event.get("flow_run_id")
    if run_id is None:
        return event
    try:
        run = backend.database.read(lambda connection: flow_runs.get_flow_run(connection, run_id))
    except Refusal:
        return event
    return {
        **event,
        "flow_run_name": run["name"],
        "flow_id": run["flow_id"],
        "flow_name": run["flow_name"],
        "flow_group_id": run["flow_group_id"],
        "project_name": run["project_name"],
        "flow_run_link": f"/flow-run/{run_id}",
        "flow_link": f"/flow/{run['flow_group_id']}",
    }


# --- to the outside --------------------------------------------------------------------------------------------


def _webhook(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    headers = dict(action.get("headers") or {})
    for name, secret in (action.get("secret_headers") or {}).items():
        headers[name] = _secret(backend, secret)
    return _post(backend, action["url"], action.get("payload", event), headers)


def _chat(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    text = (
        action.get("text")
        or f"{event.get('flow_run_name') or event['event_name']}: {event.get('message') or event.get('state')}"
    )
    return _post(backend, action["url"], {"text": text}, {})


def _pagerduty(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    payload = {
        "routing_key": _secret(backend, action["routing_key_secret"]),
        "event_action": "trigger",
        "dedup_key": event["id"],
        "payload": {
            "summary": str(event.get("message") or event["event_name"])[:1000],
            "source": "dagflow",
            "severity": action.get("severity", "error"),
        },
    }
    return _post(backend, action.get("url", "https://events.pagerduty.com/v2/enqueue"), payload, {})


def _twilio(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    import httpx2

    sid = action["account_sid"]
    url = action.get("url") or f"https://api.twilio.com/2010-04-01/Accounts/{sid}/Messages.json"
    form = {"To": action["to"], "From": action["from"], "Body": action.get("text") or str(event.get("message"))}
    with _client(backend, url) as client:
        answer = client.post(url, data=form, auth=httpx2.BasicAuth(sid, _secret(backend, action["auth_token_secret"])))
    return _accepted(answer)


def _email(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    from dagflow.configuration import config

    section = config.server.email
    if not section.host:
        raise RuntimeError("No mail server is set: server.email.host.")
    mail = EmailMessage()
    mail["Subject"] = str(action.get("subject") or event.get("message") or event["event_name"]).replace("\n", " ")[:200]
    mail["From"] = section.sender
    mail["To"] = action["to"]
    mail.set_content(str(action.get("text") or event.get("message")))
    with smtplib.SMTP(section.host, section.port, timeout=TIMEOUT) as server:
        if section.starttls:
            server.starttls()
        if section.user:
            server.login(section.user, section.password)
        server.send_message(mail)
    return f"sent to {action['to']}"


def _post(backend: Backend, url: str, payload: Any, headers: dict[str, str]) -> str:
    with _client(backend, url) as client:
        return _accepted(client.post(url, json=payload, headers=headers))


def _client(backend: Backend, url: str) -> Any:
    import httpx2

    address = _checked_address(url, allow_private=backend.settings.allow_private_webhooks)
    # The connection goes to the address that was looked at: a name that changes its mind in between gains nothing.
    return httpx2.Client(timeout=TIMEOUT, follow_redirects=False, transport=_pinned(address), trust_env=False)


def _pinned(address: str) -> Any:
    import httpx2

    class Pinned(httpx2.HTTPTransport):
        """Connects to one address whatever the name says."""

        def handle_request(self, request: Any) -> Any:
            name = request.url.host
            request.headers.setdefault("Host", name)
            request.extensions = {**request.extensions, "sni_hostname": name}
            request.url = request.url.copy_with(host=address)
            return super().handle_request(request)

    return Pinned()


def _checked_address(url: str, *, allow_private: bool) -> str:
    """Return the address behind a URL; private ones are refused."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"A webhook's url begins with http:// or https://, found {url[:100]!r}.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(one[4][0]) for one in found]
    for address in addresses:
        if not allow_private and not _is_public(address):
            raise PermissionError(
                f"{parts.hostname} is at {address}, a private address. "
                "Set server.allow_private_webhooks to true if webhooks may go there."
            )
    return str(addresses[0])


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address is somebody's on the open network, also when it is one that others are written into."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast


_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""Behind these lie addresses of version 4."""


def _accepted(answer: Any) -> str:
    if not 200 <= answer.status_code < 300:
        raise RuntimeError(f"{answer.request.url.host} answered {answer.status_code}: {answer.text[:200]}")
    return f"{answer.status_code}"


def _secret(backend: Backend, name: str) -> str:
    text = backend.database.read(lambda connection: values.get_secret(connection, name))
    return str(encryption.decrypted(text, backend.settings.secrets_key))


# --- inside ----------------------------------------------------------------------------------------------------


def _message(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    title = str(action.get("title") or event["event_name"])
    text = str(action.get("text") or event.get("message"))
    backend.database.write(lambda tx: store.add_message(tx, title, text))
    return "noted"


def _cancel_run(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    return backend.database.write(lambda tx: control.cancel(tx, event["flow_run_id"], "automation"))


def _pause_schedule(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    flow_id = action.get("flow_id") or event["flow_id"]
    backend.database.write(lambda tx: schedules.set_active(tx, flow_id, False))
    return "paused"


def _create_run(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    wanted = creation.WantedRun(
        flow_id=action.get("flow_id"),
        version_group_id=action.get("version_group_id"),
        deployment_id=action.get("deployment_id"),
        parameters=action.get("parameters"),
        idempotency_key=f"automation:{event['id']}",
    )
    return str(backend.database.write(lambda tx: creation.create_flow_run(tx, wanted))["id"])


def _set_state(backend: Backend, action: dict[str, Any], event: dict[str, Any]) -> str:
    def do(tx: Any) -> str:
        batch = Batch(tx, actor="automation")
        batch.read_flow_runs([event["flow_run_id"]])
        document = state_document(action["state"], action.get("message") or "Set by an automation.")
        answer = batch.set_flow_run(wanted_state(event["flow_run_id"], document))
        batch.save()
        return str(answer["state"])

    return backend.database.write(do)


_ACTIONS: dict[str, Callable[[Backend, dict[str, Any], dict[str, Any]], str]] = {
    "webhook": _webhook,
    "slack": _chat,
    "teams": _chat,
    "email": _email,
    "twilio": _twilio,
    "pagerduty": _pagerduty,
    "message": _message,
    "cancel_run": _cancel_run,
    "pause_schedule": _pause_schedule,
    "create_run": _create_run,
    "set_state": _set_state,
}
