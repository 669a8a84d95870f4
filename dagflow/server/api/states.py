"""States: set in batches or one by one."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from fastapi import Request

from dagflow.server.api.answers import Answer, Here, router, who_asks
from dagflow.server.backend import Backend
from dagflow.server.errors import Conflict, Invalid, NotFound, Refusal, TooLarge
from dagflow.server.orchestration.rules import Wanted, moment
from dagflow.server.store.states import Request as StatesRequest
from dagflow.server.text import dumped, parsed
from dagflow.utilities.identities import new_id, task_run_id

__all__ = ["states_of_flow_run", "states_of_many", "states_of_task_run"]

states = router("/states", "states")
MOST_STATES = 5_000

_ITEM = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "state": {"type": "object"},
        "version": {"type": "integer"},
        "token": {"type": "integer"},
        "reason": {"type": "string"},
    },
    "required": ["state"],
}
_FLOW_ITEM = {**_ITEM, "properties": {**_ITEM["properties"], "flow_run_id": {"type": "string"}}}  # type: ignore[dict-item]
_TASK_ITEM = {
    **_ITEM,
    "properties": {
        **_ITEM["properties"],  # type: ignore[dict-item]
        "task_run_id": {"type": "string"},
        "flow_run_id": {"type": "string"},
        "task_id": {"type": "string"},
        "map_index": {"type": "integer", "minimum": -1},
        "name": {"type": "string"},
    },
}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_BATCH = {
    "type": "object",
    "properties": {
        "flow_runs": {"type": "array", "items": _FLOW_ITEM},
        "task_runs": {"type": "array", "items": _TASK_ITEM},
    },
}


@states.post("", openapi_extra=_body(_BATCH))
async def set_states(request: Request, here: Here) -> Answer:
    """Set states of flow runs and task runs; each has an answer of its own."""
    return Answer(await states_of_many(here, await request.body(), request.scope))


async def states_of_many(here: Backend, content: bytes, scope: MutableMapping[str, Any]) -> dict[str, Any]:
    """
    Return the answer to states in batches.

    Asked most of all, so the guard asks it directly, without the machinery that finds the other endpoints.
    """
    body = parsed(content)
    if not isinstance(body, dict):
        raise Invalid("The body is to be an object with flow_runs and task_runs.")
    flow_items, task_items = body.get("flow_runs") or [], body.get("task_runs") or []
    for items in (flow_items, task_items):
        if not isinstance(items, list) or len(items) > MOST_STATES:
            raise Invalid(f"flow_runs and task_runs are lists of at most {MOST_STATES:,} items.")
    flow_runs, bad_flow_runs = _read(flow_items, _flow_run)
    task_runs, bad_task_runs = _read(task_items, _task_run)
    interval = here.settings.queue_interval
    answers = await here.set_states(StatesRequest(flow_runs, task_runs, who_asks(scope), interval))
    return {
        "flow_runs": _merged(answers["flow_runs"], bad_flow_runs),
        "task_runs": _merged(answers["task_runs"], bad_task_runs),
    }


def _read(items: list[Any], read: Any) -> tuple[list[Wanted], dict[int, dict[str, Any]]]:
    """Return the items that make sense, and the answers to the others by their place."""
    wanted, bad = [], {}
    for place, item in enumerate(items):
        try:
            wanted.append(read(item))
        except Invalid as error:
            bad[place] = {
                "status": "ERROR", "message": f"State update failed: {error.message}", "version": None, "state": None,
                "id": None, "state_id": None, "code": error.code,
            }  # fmt: skip
    return wanted, bad


def _merged(good: list[dict[str, Any]], bad: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    if not bad:
        return good
    rest = iter(good)
    return [bad[place] if place in bad else next(rest) for place in range(len(good) + len(bad))]


def _flow_run(item: Any) -> Wanted:
    return _wanted(item, _uuid(item, "flow_run_id"))


def _task_run(item: Any) -> Wanted:
    if not isinstance(item, dict):
        raise Invalid("An item is an object.")
    if item.get("task_run_id") is not None:
        return _wanted(item, _uuid(item, "task_run_id"))
    flow_run_id, task_id = _uuid(item, "flow_run_id"), _uuid(item, "task_id")
    index = _integer(item, "map_index")
    index = -1 if index is None else index
    if not -1 <= index < 2**31:
        raise Invalid(f"map_index is -1 or more, found {index}.")
    wanted = _wanted(item, task_run_id(flow_run_id, task_id, index))
    wanted.task_id, wanted.flow_run_id, wanted.map_index = task_id, flow_run_id, index
    return wanted


def _wanted(item: Any, run_id: str) -> Wanted:
    if not isinstance(item, dict):
        raise Invalid("An item is an object.")
    document = item.get("state")
    if not isinstance(document, dict) or not isinstance(document.get("type"), str):
        raise Invalid("state is to be a document with a type.")
    if document.get("start_time") is not None:
        try:
            moment(document["start_time"])
        except (ValueError, OverflowError) as error:
            raise Invalid(f"start_time {document['start_time']!r} is no moment.") from error
    name, reason = item.get("name"), item.get("reason")
    return Wanted(
        run_id,
        document,
        dumped(document),
        _uuid(item, "id") if item.get("id") is not None else new_id(),
        _integer(item, "version"),
        _integer(item, "token"),
        None if reason is None else str(reason)[:1000],
        None if name is None else str(name)[:1000],
    )


_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch


def _uuid(item: Any, name: str) -> str:
    value = item.get(name) if isinstance(item, dict) else None
    if not isinstance(value, str) or _UUID(value) is None:
        raise Invalid(f"{name} is to be a UUID, found {value!r}.")
    return value


def _integer(item: dict[str, Any], name: str) -> int | None:
    value = item.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**31:
        raise Invalid(f"{name} is to be a whole number, found {value!r}.")
    return value


# --- one by one ------------------------------------------------------------------------------------------------


async def states_of_flow_run(request: Request, run_id: str, here: Any, who: str | None) -> Answer:
    """Set the state of one flow run."""
    wanted = _flow_run({**_object(await request.json()), "flow_run_id": run_id})
    answers = await here.set_states(StatesRequest([wanted], [], who, here.settings.queue_interval))
    return _single(answers["flow_runs"][0])


async def states_of_task_run(request: Request, run_id: str, here: Any, who: str | None) -> Answer:
    """Set the state of one task run."""
    wanted = _task_run({**_object(await request.json()), "task_run_id": run_id})
    answers = await here.set_states(StatesRequest([], [wanted], who, here.settings.queue_interval))
    return _single(answers["task_runs"][0])


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Invalid("The body is to be an object with a state.")
    return body


def _single(answer: dict[str, Any]) -> Answer:
    if answer["status"] != "ERROR":
        return Answer(answer)
    kinds: dict[str, type[Refusal]] = {"NOT_FOUND": NotFound, "INVALID": Invalid, "TOO_LARGE": TooLarge}
    raise kinds.get(answer["code"], Conflict)(answer["message"], code=answer["code"], detail=answer.get("detail"))
