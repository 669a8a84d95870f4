"""The connection of one client."""

from __future__ import annotations

import asyncio
from typing import Any

from dagflow.server.protocol import MOST_JOINED, JoinedWrites


class Wire:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def write(self, data: bytes) -> None:
        """Note it."""
        self.told.append(data)

    def close(self) -> None:
        """Note it."""
        self.told.append("closed")

    def is_closing(self) -> bool:
        """Tell whether it was closed."""
        return "closed" in self.told


def written(*parts: bytes, close: bool = False) -> list[Any]:
    async def write() -> list[Any]:
        wire = Wire()
        joined = JoinedWrites(wire, asyncio.get_running_loop())
        for part in parts:
            joined.write(part)
        if close:
            joined.close()
        await asyncio.sleep(0)
        return wire.told

    return asyncio.run(write())


def test_head_and_body_of_an_answer_are_one_packet() -> None:
    assert written(b"head", b"body") == [b"headbody"]


def test_what_was_to_be_written_goes_before_the_connection_is_closed() -> None:
    assert written(b"head", b"body", close=True) == [b"headbody", "closed"]


def test_a_large_answer_does_not_gather() -> None:
    part = b"x" * (MOST_JOINED - 1)

    assert written(part, part, b"end") == [part + part, b"end"]


def test_the_transport_is_asked_for_everything_else() -> None:
    wire = Wire()
    loop = asyncio.new_event_loop()
    try:
        joined = JoinedWrites(wire, loop)
        assert joined.is_closing() is False
        joined.close()
        assert joined.is_closing() is True
    finally:
        loop.close()
