"""Decisions: pure functions of states, limits and times; no database here."""
