"""Every Python snippet in the documents runs: each page top to bottom, in one namespace and a folder of its own."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.rst", *sorted((ROOT / "docs").rglob("*.rst"))]

BLOCK = re.compile(
    r"^(?P<indent> *)\.\. code-block:: python\n(?: +:.*\n)*\n(?P<body>(?:(?P=indent) +.*\n|\s*\n)+)", re.M
)


def blocks(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the line number and the code of each block."""
    text = page.read_text(encoding="utf-8") + "\n"
    for match in BLOCK.finditer(text):
        yield text[: match.start("body")].count("\n"), textwrap.dedent(match["body"])


WITH_CODE = [page for page in PAGES if any(blocks(page))]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_snippets_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    # A module of no name that could be imported, so that functions travel to other processes as they are.
    namespace: dict[str, object] = {"__name__": "__main__"}

    for line, code in blocks(page):
        # Compiled as if at its place in the page, so that a traceback names the line.
        compiled = compile("\n" * line + code, str(page), "exec", dont_inherit=True)
        with warnings.catch_warnings():
            exec(compiled, namespace)


def test_there_are_snippets() -> None:
    assert len(WITH_CODE) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_one_sentence_per_line(page: Path) -> None:
    prose = [
        line
        for line in page.read_text(encoding="utf-8").splitlines()
        if re.match(r"[A-Z`*]", line) and not line.startswith(".. ")
    ]

    # A full stop, a space and a capital letter: another sentence begins.
    assert [line for line in prose if re.search(r"[a-z`)]\. (?=[A-Z][a-z]+ [a-z])", line)] == []
