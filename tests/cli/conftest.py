"""Fixtures of these tests."""

from __future__ import annotations

from tests.served import served as served
