"""
What automations wait for, and what they are to say.

A trigger is a document: ``{"type": "state", "states": [...], "flow_group_ids": [...]}``,
``{"type": "not_running"|"not_finished", "seconds": n, "flow_group_ids": [...]}`` or
``{"type": "agents", "agent_config_id": …, "min_healthy": m, "seconds": n}``.
"""

from __future__ import annotations

from typing import Any

from dagflow.server.errors import Invalid
from dagflow.server.orchestration.kinds import KINDS, base_kinds, expanded

__all__ = ["ACTIONS", "TRIGGERS", "check_actions", "check_trigger", "filled", "fires"]

TRIGGERS = ("state", "not_running", "not_finished", "agents")
ACTIONS = {
    "webhook": ("url",),
    "slack": ("url",),
    "teams": ("url",),
    "email": ("to",),
    "twilio": ("to", "account_sid", "auth_token_secret", "from"),
    "pagerduty": ("routing_key_secret",),
    "message": (),
    "cancel_run": (),
    "pause_schedule": (),
    "create_run": (),
    "set_state": ("state",),
}
"""The kinds of actions, with what each must say."""


def check_trigger(trigger: dict[str, Any]) -> None:
    """Refuse a trigger that makes no sense."""
    kind = trigger.get("type")
    if kind not in TRIGGERS:
        raise Invalid(f"A trigger's type is one of {', '.join(TRIGGERS)}, found {kind!r}.")
    if kind == "state":
        names = trigger.get("states")
        if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
            raise Invalid("A trigger on states has a list of the names of states, such as ['Failed'].")
    else:
        seconds = trigger.get("seconds")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds < 1e9:
            raise Invalid(f"A trigger on time has seconds, found {seconds!r}.")
    if kind == "agents":
        _check_agents(trigger)
    groups = trigger.get("flow_group_ids")
    if groups is not None and not (isinstance(groups, list) and all(isinstance(one, str) for one in groups)):
        raise Invalid("flow_group_ids is a list of ids, or is left out for all flows.")


def _check_agents(trigger: dict[str, Any]) -> None:
    least, config = trigger.get("min_healthy", 1), trigger.get("agent_config_id")
    if not isinstance(least, int) or isinstance(least, bool) or not 0 < least < 2**31:
        raise Invalid(f"min_healthy is how many agents should be healthy, found {least!r}.")
    if config is not None and not isinstance(config, str):
        raise Invalid(f"agent_config_id is an id, found {config!r}.")


def check_actions(actions: list[dict[str, Any]]) -> None:
    """Refuse actions that make no sense."""
    for action in actions:
        kind = action.get("type")
        if not isinstance(kind, str) or kind not in ACTIONS:
            raise Invalid(f"An action's type is one of {', '.join(ACTIONS)}, found {kind!r}.")
        missing = [name for name in ACTIONS[kind] if not action.get(name) or not isinstance(action[name], str)]
        if missing:
            raise Invalid(f"An action of type {kind!r} needs {', '.join(missing)}, as text.")
        _check_fields(kind, action)
        if kind == "set_state" and action["state"] not in KINDS:
            raise Invalid(f"There is no state {action['state']!r}; there are {', '.join(sorted(KINDS))}.")


def _check_fields(kind: str, action: dict[str, Any]) -> None:
    """Refuse fields that would let the action fail whenever it is done."""
    for name in _TEXTS & action.keys():
        if action[name] is not None and not isinstance(action[name], str):
            raise Invalid(f"{name} of an action of type {kind!r} is text, found {action[name]!r}.")
    for name in ("headers", "secret_headers"):
        headers = action.get(name) or {}
        if not isinstance(headers, dict) or not all(isinstance(one, str) for one in headers.values()):
            raise Invalid(f"{name} of an action of type {kind!r} are texts by name, found {headers!r}.")
    if kind == "create_run":
        if not any(action.get(name) for name in _RUNNABLE):
            raise Invalid(f"An action of type 'create_run' needs one of {', '.join(_RUNNABLE)}.")
        if not isinstance(action.get("parameters") or {}, dict):
            raise Invalid(f"parameters of an action are values by name, found {action['parameters']!r}.")


_RUNNABLE = ("flow_id", "version_group_id", "deployment_id")
_TEXTS = frozenset({*_RUNNABLE, "url", "text", "title", "subject", "message", "severity"})


def fires(trigger: dict[str, Any], flow_group_id: str, state: str) -> bool:
    """
    Tell whether a change of a flow run's state is what a trigger waits for; a parent's name matches its children.

    >>> fires({"type": "state", "states": ["Failed"]}, "group", "TimedOut")
    True
    """
    if trigger.get("type") != "state":
        return False
    groups = trigger.get("flow_group_ids")
    if groups and flow_group_id not in groups:
        return False
    return state in expanded(trigger["states"]) or bool(base_kinds(state) & set(trigger["states"]))


def filled(template: Any, attributes: dict[str, Any]) -> Any:
    """
    Return *template* with ``{name}`` replaced by what it stands for; names that are not known stay as they are.

    >>> filled({"text": "{flow_run_name} is {state}"}, {"flow_run_name": "a", "state": "Failed"})
    {'text': 'a is Failed'}
    """
    if isinstance(template, str):
        for name, value in attributes.items():
            template = template.replace("{" + name + "}", "" if value is None else str(value))
        return template
    if isinstance(template, list):
        return [filled(one, attributes) for one in template]
    if isinstance(template, dict):
        return {filled(name, attributes): filled(value, attributes) for name, value in template.items()}
    return template
