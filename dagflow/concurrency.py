"""
Limits that a task asks for by name while it runs: so many at once, or so many a second, over all runs of a server.

    with concurrency("database", occupy=2, timeout_seconds=60):
        ...                                # at most as many at once as the limit has slots

    rate_limit("api")                      # waits until the rate allows one more

``Client().update_named_limit("database", 5)`` sets the first, ``update_named_limit("api", 10, slots_per_second=2)`` the
second. Slots belong to the flow run: when its process is killed they are free as soon as the server takes it for lost.
Outside a run under a server nothing waits, so a flow runs as well without one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from dagflow.client.client import Client
from dagflow.client.connection import in_path
from dagflow.exceptions import ClientError, ServerUnreachableError
from dagflow.utilities.context import context
from dagflow.utilities.identities import new_id
from dagflow.utilities.logging import get_logger

__all__ = ["concurrency", "rate_limit"]

SHORTEST_PAUSE = 0.05
"""Seconds after which it is asked again first; each pause is twice as long, up to what the server says."""

LONGEST_PAUSE = 5.0
"""Seconds after which it is asked again at the latest, whatever was forecast: a limit may be raised meanwhile."""


@contextlib.contextmanager
def concurrency(name: str, occupy: int = 1, timeout_seconds: float | None = None) -> Iterator[None]:
    """
    Hold slots of a limit for a ``with`` block, waiting until they are free.

    Args:
        name: of the limit.
        occupy: how many slots are needed.
        timeout_seconds: how long to wait at most; for ever without.

    Raises:
        TimeoutError: when they did not become free in time.
        ValueError: for more slots than there are, or fewer than one.
    """
    id = _wait_for_slots(name, occupy, timeout_seconds)
    try:
        yield
    finally:
        if id is not None:
            _give_back(id)


def rate_limit(name: str, occupy: int = 1, timeout_seconds: float | None = None) -> None:
    """
    Wait until a rate allows *occupy* more; nothing has to be given back.

    Args:
        name: of the limit, which needs ``slots_per_second``.
        occupy: how many slots to use.
        timeout_seconds: how long to wait at most; for ever without.

    Raises:
        TimeoutError: when the rate did not allow it in time.
        ValueError: for more slots than there are, or fewer than one.
    """
    _wait_for_slots(name, occupy, timeout_seconds)


def _wait_for_slots(name: str, occupy: int, timeout_seconds: float | None) -> str | None:
    """Return the id of slots of ours, ``None`` where there is nobody to ask."""
    if occupy < 1:
        raise ValueError(f"At least one slot of the limit {name!r} has to be asked for, found occupy={occupy}.")
    if not context.get("running_with_backend"):
        return None
    wanted = {
        "id": new_id(),
        "name": name,
        "occupy": occupy,
        "flow_run_id": context.flow_run_id,
        "run_token": context.run_token,
    }
    began, most = time.monotonic(), SHORTEST_PAUSE
    with Client() as client:
        while (pause := min(_pause(client, wanted), most)) > 0:
            most = min(2 * most, LONGEST_PAUSE)
            left = None if timeout_seconds is None else began + timeout_seconds - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(
                    f"The limit {name!r} had no {occupy} free slots within {timeout_seconds:g} s: others use them. "
                    "Raise the limit, or wait longer."
                )
            time.sleep(pause if left is None else min(pause, left))
    return str(wanted["id"])


def _pause(client: Client, wanted: dict[str, object]) -> float:
    """Ask for slots; return after how many seconds to ask again, 0 when they are ours."""
    try:
        answer = client.post("slots", wanted)
    except ServerUnreachableError as error:
        # For how long the run bears that is decided where its states are reported.
        get_logger("concurrency").warning("No slot could be asked for, so this waits: %s", error)
        return LONGEST_PAUSE
    if answer["limit"] is None:
        get_logger("concurrency").warning(
            "There is no limit %r, so nothing waits for it. Set one: Client().update_named_limit(%r, 1).",
            wanted["name"], wanted["name"],
        )  # fmt: skip
    return float(answer["wait_seconds"])


def _give_back(id: str) -> None:
    """Give slots back; those that cannot be are free when the run ends."""
    try:
        with Client() as client:
            client.delete(f"slots/{in_path(id)}")
    except ClientError as error:
        get_logger("concurrency").warning("A slot could not be given back; it is free when the run ends: %s", error)
