"""The connection of one client, with patience that ends: half a request does not hold a connection for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["PatientProtocol"]

HEADER_SECONDS = 10.0
MOST_JOINED = 65_536
"""Bytes that wait to be written at most; behind them the connection tells whether its other end keeps up."""


class JoinedWrites:
    """
    A transport that writes what is given to it together: head and body of an answer go out as one packet.

    Args:
        transport: the one that writes.
        loop: the loop that it is on.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Write *data*, at the latest when the loop comes round again."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > MOST_JOINED:
            self._flush()

    def close(self) -> None:
        """Close the connection after what was to be written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if parts:
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        """Return what the transport has."""
        return getattr(self._transport, name)


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection on which the headers of a request do not arrive in time."""

    _limit: asyncio.TimerHandle | None = None
    _complete = True

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take some of a request."""
        if self._complete and self._limit is None:
            self._complete = False
            self._wait()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Stop waiting: the guard has its own limit for the body."""
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Be ready for the next request."""
        self._complete = True
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the limit."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._limit = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _give_up(self) -> None:
        self._limit = None
        if not self.transport.is_closing():
            self.transport.close()
