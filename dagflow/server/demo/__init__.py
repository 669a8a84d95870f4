"""
A database that looks lived in: for trying the pages, for pictures of them, for measuring.

What is in it follows from a seed, relative to the moment at which it is made; only the identities of flows and tasks
differ each time.
"""

from __future__ import annotations

from dagflow.server.demo.filler import fill
from dagflow.server.demo.surroundings import living_agents

__all__ = ["fill", "living_agents"]
