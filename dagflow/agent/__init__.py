"""Agents: processes that fetch scheduled runs from a server and start them where they belong."""

from __future__ import annotations

from dagflow.agent.agent import Agent

__all__ = ["Agent"]
