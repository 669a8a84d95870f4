"""
Coroutine functions as tasks: each is run to its end in an event loop of its own.

Expected output:

    ['north answered', 'south answered']
"""

from __future__ import annotations

import asyncio

from dagflow import Flow, task


@task
async def ask(station: str) -> str:
    """Wait without blocking."""
    await asyncio.sleep(0.01)
    return f"{station} answered"


with Flow("async tasks") as flow:
    answers = ask.map(["north", "south"])


if __name__ == "__main__":
    print(flow.run().result[answers].result)
