"""
State handlers that tell people: on Slack, by mail, in Jira, or by a function of your own.

Each notifier can be given its options alone, and is then a handler to hand to a flow or a task::

    Flow("nightly", state_handlers=[slack_notifier(only_states=[Failed])])

A notifier always returns the new state. The states it is not interested in cost nothing: secrets are looked up only
when there is something to send. When sending fails, so does the task, unless ``raise_on_error=False`` asks for a log
line instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from dagflow.utilities.context import context
from dagflow.utilities.logging import get_logger
from dagflow.utilities.secrets import Secret

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

    from dagflow.engine.state import State

__all__ = [
    "callback_factory",
    "email_message_formatter",
    "gmail_notifier",
    "jira_message_formatter",
    "jira_notifier",
    "slack_message_formatter",
    "slack_notifier",
]

SEND_TIMEOUT_SECONDS = 15
GMAIL = ("smtp.gmail.com", 465)

Handler = Callable[[Any, Any, Any], Any]


def callback_factory(fn: Callable[[Any, State], Any], check: Callable[[State], Any]) -> Handler:
    """
    Return a state handler that calls ``fn(obj, new_state)`` when ``check(new_state)`` is ``True``.

    A value that is merely truthy does not count, so that a predicate somebody forgot to call never fires.
    """

    def state_handler(obj: Any, old_state: State, new_state: State) -> State:
        if check(new_state) is True:
            fn(obj, new_state)
        return new_state

    return state_handler


def _notifier(send: Callable[..., None]) -> Callable[..., Any]:
    """Make of *send*, which sends one message, a notifier: options first, filtered, returning the new state."""

    @wraps(send)
    def notifier(*states: Any, **options: Any) -> Any:
        if not states:
            return partial(notifier, **options)
        tracked_obj, _, new_state = states
        ignore_states = options.pop("ignore_states", None)
        only_states = options.pop("only_states", None)
        raise_on_error = options.pop("raise_on_error", True)
        if not _is_wanted(new_state, ignore_states, only_states):
            return new_state
        try:
            send(tracked_obj, new_state, **options)
        except Exception as error:
            if raise_on_error:
                raise
            get_logger(send.__name__).warning(
                "Nobody was told that %s is %s: %s. The run goes on.",
                _name(tracked_obj),
                type(new_state).__name__,
                error or type(error).__name__,
            )
        return new_state

    return notifier


def _is_wanted(state: State, ignore: Iterable[type] | None, only: Iterable[type] | None) -> bool:
    """Tell whether *state* is of interest; naming a class covers its subclasses."""
    if isinstance(state, tuple(ignore or ())):
        return False
    return not only or isinstance(state, tuple(only))


def _name(tracked_obj: Any) -> str:
    return str(getattr(tracked_obj, "name", tracked_obj))


def _account(state: State) -> str | None:
    """Return what there is to say about *state*: its error, else its message."""
    error = state.result
    return repr(error) if isinstance(error, Exception) else state.message


def _run_page() -> str | None:
    """Return the address of the run's page, when a server knows the run."""
    run_id = context.get("flow_run_id")
    if not run_id or not context.get("running_with_backend"):
        return None
    return f"{context.config.cloud.api.rstrip('/').removesuffix('/api')}/flow-run/{run_id}"


def slack_message_formatter(tracked_obj: Any, state: State, backend_info: bool = True) -> dict[str, Any]:
    """Return the Slack message about *state*: one attachment, titled with the state's name and in its colour."""
    kind = type(state).__name__
    attachment: dict[str, Any] = {
        "fallback": f"{_name(tracked_obj)} is now {kind}",
        "color": state.color,
        "author_name": "dagflow",
        "title": kind,
        "text": f"{_name(tracked_obj)} is now in state {kind}",
        "fields": [],
    }
    account = _account(state)
    if account is not None:
        text = f"```{account}```" if isinstance(state.result, Exception) else account
        attachment["fields"].append({"title": "Message", "value": text, "short": False})
    page = _run_page() if backend_info else None
    if page:
        attachment["title_link"] = page
    return {"attachments": [attachment]}


@_notifier
def slack_notifier(
    tracked_obj: Any,
    new_state: State,
    webhook_secret: str | None = None,
    backend_info: bool = True,
    proxies: Mapping[str, str] | None = None,
) -> None:
    """
    Post a message to the Slack webhook whose address is the secret *webhook_secret*, by default ``SLACK_WEBHOOK_URL``.

    Call it as ``slack_notifier(ignore_states=None, only_states=None, webhook_secret=None, backend_info=True,
    proxies=None, raise_on_error=True)`` to get a handler. An answer that is not a success is a ``ValueError``.
    """
    import httpx2

    url = Secret(webhook_secret or "SLACK_WEBHOOK_URL").get()
    message = slack_message_formatter(tracked_obj, new_state, backend_info)
    mounts = {f"{scheme}://": httpx2.HTTPTransport(proxy=proxy) for scheme, proxy in (proxies or {}).items()}
    with httpx2.Client(mounts=mounts, timeout=SEND_TIMEOUT_SECONDS) as client:
        response = client.post(url, json=message)
    if not response.is_success:
        raise ValueError(
            f"Slack did not take the message about {_name(tracked_obj)!r}: it answered {response.status_code} "
            f"{response.text[:200]!r}. Check the webhook in the secret {webhook_secret or 'SLACK_WEBHOOK_URL'!r}."
        )


def email_message_formatter(tracked_obj: Any, state: State, email_to: str) -> EmailMessage:
    """Return the mail about *state*, in plain text and HTML."""
    from email.message import EmailMessage
    from html import escape

    # Names come from users; a line break in a header would be refused.
    name = " ".join(_name(tracked_obj).split())
    kind = type(state).__name__
    account = _account(state) or ""
    message = EmailMessage()
    message["Subject"] = f"{name} is now {kind}"
    message["From"] = message["To"] = email_to
    message.set_content(f"{name} is now in state {kind}.\n\n{account}\n")
    message.add_alternative(
        f'<p><b>{escape(name)}</b> is now in state <b style="color: {state.color}">{kind}</b>.</p>'
        f"<pre>{escape(account)}</pre>",
        subtype="html",
    )
    return message


def _connect_to_gmail() -> smtplib.SMTP:
    import smtplib

    return smtplib.SMTP_SSL(*GMAIL, timeout=SEND_TIMEOUT_SECONDS)


@_notifier
def gmail_notifier(tracked_obj: Any, new_state: State, connect: Callable[[], smtplib.SMTP] | None = None) -> None:
    """
    Send a mail from the account in the secrets ``EMAIL_USERNAME`` and ``EMAIL_PASSWORD`` to itself.

    Call it as ``gmail_notifier(ignore_states=None, only_states=None, raise_on_error=True, connect=None)`` to get a
    handler; *connect* opens the connection to another mail server. A refusal by the server is a ``ValueError``.
    """
    import smtplib

    username = str(Secret("EMAIL_USERNAME").get())
    password = str(Secret("EMAIL_PASSWORD").get())
    message = email_message_formatter(tracked_obj, new_state, username)
    try:
        with (connect or _connect_to_gmail)() as server:
            server.login(username, password)
            server.send_message(message)
    except smtplib.SMTPException as error:
        raise ValueError(
            f"The mail server did not take the message about {_name(tracked_obj)!r}: {error}. "
            "Check the secrets EMAIL_USERNAME and EMAIL_PASSWORD."
        ) from error


def jira_message_formatter(tracked_obj: Any, state: State) -> str:
    """Return the summary line of an issue about *state*."""
    account = _account(state)
    return f"{_name(tracked_obj)} is now in state {type(state).__name__}" + (f": {account}" if account else "")


@_notifier
def jira_notifier(
    tracked_obj: Any,
    new_state: State,
    options: Mapping[str, Any],
    server_URL: str | None = None,
    assignee: str | None = "-1",
) -> None:
    """
    Create a Jira issue; *options* are its fields, among them ``project`` and ``issuetype``.

    Call it as ``jira_notifier(options, ignore_states=None, only_states=None, server_URL=None, assignee="-1",
    raise_on_error=True)``, with *options* by keyword, to get a handler. The secret ``JIRASECRETS`` holds a mapping
    with ``JIRAUSER``, ``JIRATOKEN`` and, unless *server_URL* is given, ``JIRASERVER``. The library ``jira`` must be
    installed.
    """
    try:
        from jira import JIRA
    except ImportError as error:
        raise ImportError("jira_notifier needs the library `jira`: pip install jira.") from error

    credentials = Secret("JIRASECRETS").get()
    jira = JIRA(
        basic_auth=(credentials["JIRAUSER"], credentials["JIRATOKEN"]),
        options={"server": server_URL or credentials["JIRASERVER"]},
    )
    summary = " ".join(jira_message_formatter(tracked_obj, new_state).split())[:255]
    issue = jira.create_issue({**options, "summary": summary})
    if not issue:
        raise ValueError(f"Jira did not create the issue about {_name(tracked_obj)!r}.")
    if assignee:
        jira.assign_issue(issue, assignee)
