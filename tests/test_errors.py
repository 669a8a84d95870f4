"""
What people do wrong, and what they are told: what was found, where in their file, and the fix.

Each row of :mod:`tests.mistakes` is a script that is run as the file ``pipeline.py``. Where the mistake is one of
building, the line that ends in ``# here`` is the one that the message must name.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

import pytest

from tests.mistakes import BUILDING, ELSEWHERE, PRELUDE


def run(code: str, tmp_path: Any) -> tuple[BaseException, str]:
    """Run a script as the user's file; return what it raised, and its text."""
    script = PRELUDE + textwrap.dedent(code)
    space: dict[str, Any] = {"__name__": "pipeline", "SOMEWHERE": str(tmp_path / "kept.dagflow")}
    with pytest.raises(BaseException) as caught:
        exec(compile(script, "/home/somebody/pipeline.py", "exec"), space)
    return caught.value, script


def says(error: BaseException, words: list[str]) -> None:
    message = str(error)
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} not in: {message}"


@pytest.mark.parametrize("code, kind, words", [row[1:] for row in BUILDING], ids=[row[0] for row in BUILDING])
@pytest.mark.filterwarnings("ignore:Tasks were made in the block")
def test_a_mistake_in_building_is_shown_where_it_was_made(
    code: str, kind: type[BaseException], words: list[str], tmp_path: Any
) -> None:
    error, script = run(code, tmp_path)

    assert isinstance(error, kind), repr(error)
    says(error, words)
    assert re.search(r"[.?!)]$", str(error)), f"no sentence: {error}"
    line = next(number for number, text in enumerate(script.splitlines(), 1) if text.endswith("# here"))
    says(error, [f"(pipeline.py, line {line})"])


@pytest.mark.parametrize("code, kind, words", [row[1:] for row in ELSEWHERE], ids=[row[0] for row in ELSEWHERE])
@pytest.mark.filterwarnings("ignore:Tasks were made in the block")
def test_other_mistakes_are_explained_too(
    code: str, kind: type[BaseException], words: list[str], tmp_path: Any
) -> None:
    error, _ = run(code, tmp_path)

    assert isinstance(error, kind), repr(error)
    says(error, words)
