"""The files that pages are made of: they are there, they find each other, and they are shipped."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from dagflow.server.ui.pages import PAGES, STATIC

ROOT = Path(__file__).parents[2]
MODULES = sorted(STATIC.rglob("*.js"))
IMPORT = re.compile(r"""(?:from|import\()\s*["'](\.[^"']+)["']""")


@pytest.mark.parametrize("name", sorted({name for name, _ in PAGES.values()}))
def test_each_page_has_a_module_that_shows_it(name: str) -> None:
    text = (STATIC / "pages" / f"{name}.js").read_text(encoding="utf-8")

    assert re.search(r"^export (async )?function show\(", text, re.MULTILINE)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(STATIC)))
def test_modules_import_only_what_is_there(module: Path) -> None:
    wanted = IMPORT.findall(module.read_text(encoding="utf-8"))

    missing = [name for name in wanted if not (module.parent / name).is_file()]
    assert missing == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(STATIC)))
def test_nothing_that_somebody_wrote_is_read_as_html(module: Path) -> None:
    text = module.read_text(encoding="utf-8")

    assert not re.search(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write)\b", text)


def test_all_files_of_pages_are_shipped() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    patterns = settings["options.package_data"]["dagflow.server.ui"].split()

    shipped = {path for pattern in patterns for path in STATIC.parent.glob(pattern) if path.is_file()}

    assert {path for path in STATIC.rglob("*") if path.is_file()} <= shipped
