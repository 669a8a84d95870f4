"""Talking to a server: the client, and secrets."""

from __future__ import annotations

from dagflow.client.client import Client
from dagflow.client.secrets import Secret

__all__ = ["Client", "Secret"]
