"""Notifiers, against real small servers."""

from __future__ import annotations

import pickle
import smtplib
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx2
import pytest

from dagflow.engine.state import Failed, Pending, Retrying, Running, Success, TimedOut
from dagflow.utilities.context import context
from dagflow.utilities.notifications import (
    callback_factory,
    email_message_formatter,
    gmail_notifier,
    jira_notifier,
    slack_message_formatter,
    slack_notifier,
)
from tests.doubles import HttpDouble, MailDouble, mail_double

TASK = SimpleNamespace(name="load")


@pytest.fixture
def mail() -> Iterator[MailDouble]:
    with mail_double() as double:
        yield double


def connect_to(mail: MailDouble) -> Any:
    return lambda: smtplib.SMTP("127.0.0.1", mail.port, timeout=10)


def test_a_callback_fires_when_the_check_says_exactly_true() -> None:
    hits: list[Any] = []
    handler = callback_factory(lambda obj, state: hits.append((obj, state)), check=lambda state: state.is_failed())
    failed, fine = Failed(), Success()

    assert handler("o", Pending(), fine) is fine
    assert handler("o", Pending(), failed) is failed
    assert hits == [("o", failed)]


@pytest.mark.parametrize("truthy", [1, "yes", [0], Success.is_successful])
def test_a_merely_truthy_check_does_not_count(truthy: Any) -> None:
    hits: list[Any] = []

    callback_factory(lambda obj, state: hits.append(obj), check=lambda state: truthy)("o", Pending(), Success())

    assert hits == []


def test_a_slack_message_is_posted_and_the_state_returned(api: HttpDouble) -> None:
    state = Failed(result=ValueError("no rows"))

    with context(secrets={"SLACK_WEBHOOK_URL": f"{api.url}/hook"}):
        returned = slack_notifier(TASK, Running(), state)

    assert returned is state
    [(method, path, _, body)] = api.requests
    assert (method, path) == ("POST", "/hook")
    assert body == slack_message_formatter(TASK, state)


def test_a_slack_message_has_the_name_colour_and_error_of_the_state() -> None:
    [attachment] = slack_message_formatter(TASK, Failed(result=ValueError("no rows")))["attachments"]
    [plain] = slack_message_formatter(TASK, Success("all well"))["attachments"]

    assert (attachment["title"], attachment["color"]) == ("Failed", Failed.color)
    assert "load" in attachment["text"]
    assert attachment["fields"][0]["value"] == "```ValueError('no rows')```"
    assert plain["fields"][0]["value"] == "all well"


def test_a_slack_message_links_to_the_run_only_under_a_server() -> None:
    with context(flow_run_id="42", running_with_backend=True):
        with_link = slack_message_formatter(TASK, Success())
        without = slack_message_formatter(TASK, Success(), backend_info=False)
    local = slack_message_formatter(TASK, Success())

    assert with_link["attachments"][0]["title_link"].endswith("/flow-run/42")
    assert "title_link" not in without["attachments"][0]
    assert "title_link" not in local["attachments"][0]


def test_a_notifier_with_only_options_is_a_handler_that_can_be_pickled(api: HttpDouble) -> None:
    handler = pickle.loads(pickle.dumps(slack_notifier(only_states=[Failed], webhook_secret="OTHER")))

    with context(secrets={"OTHER": f"{api.url}/other"}):
        handler(TASK, Pending(), Success())
        handler(TASK, Pending(), TimedOut())

    assert [path for _, path, _, _ in api.requests] == ["/other"]


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, ["Success", "TimedOut", "Retrying"]),
        ({"ignore_states": [Failed]}, ["Success", "Retrying"]),
        ({"only_states": [Failed]}, ["TimedOut"]),
        ({"only_states": [Failed, Success], "ignore_states": [TimedOut]}, ["Success"]),
    ],
)
def test_filters_cover_subclasses(api: HttpDouble, options: dict[str, Any], sent: list[str]) -> None:
    handler = slack_notifier(**options)

    with context(secrets={"SLACK_WEBHOOK_URL": api.url}):
        for state in (Success(), TimedOut(), Retrying()):
            handler(TASK, Pending(), state)

    assert [body["attachments"][0]["title"] for *_, body in api.requests] == sent


@pytest.mark.parametrize("notifier", [slack_notifier, gmail_notifier, jira_notifier(options={})])
def test_no_secret_is_needed_for_a_state_nobody_wants_to_hear_of(notifier: Any) -> None:
    state = Success()

    assert notifier(TASK, Running(), state, only_states=[Failed]) is state


@pytest.mark.parametrize("notifier", [slack_notifier, gmail_notifier])
def test_a_missing_secret_is_a_value_error(notifier: Any) -> None:
    with pytest.raises(ValueError, match="was not found"):
        notifier(TASK, Running(), Failed())


def test_a_refusal_by_slack_is_a_value_error(api: HttpDouble) -> None:
    api.answers["/hook"] = (403, b"invalid_token")

    with (
        context(secrets={"SLACK_WEBHOOK_URL": f"{api.url}/hook"}),
        pytest.raises(ValueError, match="403 'invalid_token'"),
    ):
        slack_notifier(TASK, Running(), Failed())


def test_connection_errors_propagate_or_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    state = Failed()
    with context(secrets={"SLACK_WEBHOOK_URL": "http://127.0.0.1:1/"}):
        with pytest.raises(httpx2.ConnectError):
            slack_notifier(TASK, Running(), state)

        assert slack_notifier(raise_on_error=False)(TASK, Running(), state) is state

    assert "Nobody was told that load is Failed" in caplog.text


def test_slack_is_reached_through_a_proxy(api: HttpDouble) -> None:
    with context(secrets={"SLACK_WEBHOOK_URL": "http://slack.invalid/hook"}):
        slack_notifier(proxies={"http": api.url})(TASK, Running(), Failed())

    assert api.requests[0][1] == "http://slack.invalid/hook"


def test_a_mail_is_sent_to_its_own_account(mail: MailDouble) -> None:
    with context(secrets={"EMAIL_USERNAME": "ann@example.org", "EMAIL_PASSWORD": "pw"}):
        gmail_notifier(connect=connect_to(mail))(TASK, Running(), Failed(result=ValueError("<no rows>")))

    message = message_from_bytes(mail.messages[0], policy=policy.default)
    assert message["Subject"] == "load is now Failed"
    assert message["To"] == message["From"] == "ann@example.org"
    assert "ValueError('<no rows>')" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "&lt;no rows&gt;" in message.get_body(("html",)).get_content()  # type: ignore[union-attr]


def test_a_name_with_a_line_break_cannot_add_headers() -> None:
    message = email_message_formatter(SimpleNamespace(name="x\nBcc: all@example.org"), Failed("m"), "ann@example.org")

    assert message["Bcc"] is None
    assert message["Subject"] == "x Bcc: all@example.org is now Failed"


def test_a_refusal_by_the_mail_server_is_a_value_error(mail: MailDouble) -> None:
    mail.refuse = True

    with (
        context(secrets={"EMAIL_USERNAME": "u", "EMAIL_PASSWORD": "p"}),
        pytest.raises(ValueError, match="EMAIL_PASSWORD"),
    ):
        gmail_notifier(TASK, Running(), Failed(), connect=connect_to(mail))


def test_jira_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jira", None)

    with pytest.raises(ImportError, match="pip install jira"):
        jira_notifier(TASK, Running(), Failed(), options={})


def test_a_jira_issue_is_created_and_assigned(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    class FakeJira:
        def __init__(self, **settings: Any) -> None:
            seen["settings"] = settings

        def create_issue(self, fields: dict[str, Any]) -> str:
            seen["fields"] = fields
            return "issue"

        def assign_issue(self, issue: str, assignee: str) -> None:
            seen["assigned"] = (issue, assignee)

    library = ModuleType("jira")
    library.JIRA = FakeJira  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jira", library)
    options = {"project": "P"}

    with context(secrets={"JIRASECRETS": {"JIRAUSER": "u", "JIRATOKEN": "t", "JIRASERVER": "s"}}):
        jira_notifier(options=options)(TASK, Running(), Failed("no rows"))

    assert seen["settings"] == {"basic_auth": ("u", "t"), "options": {"server": "s"}}
    assert seen["fields"] == {"project": "P", "summary": "load is now in state Failed: no rows"}
    assert seen["assigned"] == ("issue", "-1")
    assert options == {"project": "P"}
