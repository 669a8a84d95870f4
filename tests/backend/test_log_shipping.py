"""Log lines on their way to the server: which arrive, and what is said of those that do not."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dagflow.backend import log_shipping
from dagflow.backend.log_shipping import LogShipper
from dagflow.exceptions import InvalidRequestError, ServerUnreachableError
from dagflow.testing import InProcessServer
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.logging import get_logger
from tests.served import registered

LOGGER = get_logger("shipped")


class Receiver:
    """A server that takes no line with a given word in it, and none at all for a number of requests."""

    def __init__(self, refused: str | None = None, away: int = 0) -> None:
        self.refused = refused
        self.away = away
        self.messages: list[str] = []
        self.sizes: list[int] = []

    def post(self, path: str, params: Any = None) -> Any:
        if self.away:
            self.away -= 1
            raise ServerUnreachableError("nobody there")
        messages = [line["message"] for line in params["logs"]]
        if self.refused is not None and any(self.refused in message for message in messages):
            raise InvalidRequestError("no such letters")
        self.messages += messages
        self.sizes.append(sum(map(len, messages)))
        return {"success": True}


def shipped(receiver: Receiver, *messages: str) -> list[str]:
    with LogShipper(receiver, "run", interval=60.0):
        for message in messages:
            LOGGER.info(message)
    return receiver.messages


def test_letters_that_no_text_can_hold_are_written_out(served: InProcessServer) -> None:
    with served.client() as client:
        run_id = client.create_flow_run(flow_id=registered(served))

        with LogShipper(client, run_id, interval=60.0) as shipper:
            for message in ("before", "found \udcff.txt", "after \U0001f600"):
                # Not through the logger: what gathers the output of tests cannot hold such letters either.
                shipper.handle(logging.makeLogRecord({"name": "shipped", "levelname": "INFO", "msg": message}))

        lines = client.get(f"flow_runs/{run_id}/logs")["items"]
    assert [line["message"] for line in lines] == ["before", "found \\udcff.txt", "after \U0001f600"]


def test_a_line_that_is_not_accepted_is_left_out_and_holds_up_no_other() -> None:
    messages = shipped(Receiver(refused="bad"), *map(str, range(5)), "bad", "last")

    assert messages == ["0", "1", "2", "3", "4", "last", "1 log lines were left out, because the server did not "
                        "accept them."]  # fmt: skip


def test_a_server_that_accepts_nothing_ends_the_sending_too() -> None:
    assert shipped(Receiver(refused=""), "one", "two") == []


def test_lines_wait_for_a_server_that_is_away_and_arrive_in_order() -> None:
    assert shipped(Receiver(away=1), "one", "two") == ["one", "two"]


def test_the_oldest_lines_go_when_too_many_wait_and_a_line_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_shipping, "MOST_WAITING", 3)

    messages = shipped(Receiver(), *map(str, range(8)))

    assert messages[1:] == ["5", "6", "7"]
    assert messages[0].startswith("5 log lines were dropped, because they came faster than they could be sent")


@pytest.mark.parametrize("letter", ["x", "\u00e9"])
def test_one_request_is_bounded_in_bytes(letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_shipping, "MOST_BYTES_AT_ONCE", 6_000)
    receiver = Receiver()

    shipped(receiver, *(letter * 900 for _ in range(6)))

    assert sum(receiver.sizes) == 5_400
    assert max(receiver.sizes) == {"x": 4_500, "\u00e9": 900}[letter]


def test_a_very_long_line_is_cut_and_says_so() -> None:
    (message,) = shipped(Receiver(), "x" * 2_000_000)

    assert message.endswith("… (2,000,000 characters, cut here)")
    assert len(message) < 1_000_000


def test_lines_below_the_level_of_the_logs_are_not_sent() -> None:
    receiver = Receiver()

    with set_temporary_config({"logging.level": "INFO"}), LogShipper(receiver, "run", interval=60.0):
        LOGGER.log(logging.DEBUG, "hidden")
        LOGGER.log(logging.INFO, "shown")

    assert receiver.messages == ["shown"]
