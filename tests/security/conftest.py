"""Fixtures of these tests: those of the server's."""

from __future__ import annotations

from tests.server.conftest import new_database as new_database
from tests.server.conftest import new_postgresql as new_postgresql
from tests.server.conftest import new_sqlite as new_sqlite
from tests.server.conftest import server as server
from tests.server.conftest import start as start
