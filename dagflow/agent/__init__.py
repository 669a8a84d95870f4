"""Agents: processes that fetch scheduled runs from a server and start them where they belong."""
