"""What every test starts from: no settings of the person who runs it, a home of its own, no caches."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

for _name in [name for name in os.environ if name.startswith("DAGFLOW__")]:
    del os.environ[_name]
os.environ["DAGFLOW__USER_CONFIG_PATH"] = os.devnull
os.environ["DAGFLOW_PROFILE"] = ""

# A shell that starts the tests in the background lets them ignore Ctrl-C, and with them all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Imported here, because importing reads the environment.
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context
from tests.doubles import HttpDouble, http_double


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path) -> Iterator[None]:
    context.pop("caches", None)
    with set_temporary_config({"home_dir": str(tmp_path / "home")}):
        yield
    context.pop("caches", None)


@pytest.fixture
def api() -> Iterator[HttpDouble]:
    """Give an HTTP server with prepared answers."""
    with http_double() as double:
        yield double
