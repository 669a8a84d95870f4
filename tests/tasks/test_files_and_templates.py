from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from dagflow.tasks.files import Copy, Glob, Move, Remove, Unzip, Zip
from dagflow.tasks.templates import StringFormatter
from dagflow.utilities.context import context


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder `source` with two files, one of them deeper."""
    (tmp_path / "source" / "deep").mkdir(parents=True)
    (tmp_path / "source" / "a.txt").write_text("a")
    (tmp_path / "source" / "deep" / "b.txt").write_text("b")
    return tmp_path


def test_copy_copies_files_and_folders(tree: Path) -> None:
    task = Copy(source_path=str(tree / "source" / "a.txt"), target_path=str(tree / "a2.txt"))

    assert task.run() == tree / "a2.txt"
    assert task.run(source_path=tree / "source", target_path=tree / "other") == tree / "other"
    assert (tree / "other" / "deep" / "b.txt").read_text() == "b"
    assert (tree / "source" / "a.txt").exists()


def test_move_moves_into_a_folder(tree: Path) -> None:
    moved = Move(target_path=tree).run(source_path=tree / "source" / "a.txt")

    assert moved == tree / "a.txt" and moved.read_text() == "a"
    assert not (tree / "source" / "a.txt").exists()


def test_remove_removes_files_folders_and_links_but_not_what_they_point_to(tree: Path) -> None:
    link = tree / "link"
    link.symlink_to(tree / "source")

    Remove(link).run()
    Remove().run(path=tree / "source" / "a.txt")
    Remove().run(path=tree / "source" / "deep")

    assert list(tree.rglob("*")) == [tree / "source"]


def test_glob_finds_in_order(tree: Path) -> None:
    assert Glob(path=tree, pattern="**/*.txt").run() == [
        tree / "source" / "a.txt",
        tree / "source" / "deep" / "b.txt",
    ]
    assert Glob(path=tree, pattern="*").run(pattern="*.none") == []


@pytest.mark.parametrize("method", ["store", "deflate", "bzip2", "lzma"])
def test_what_zip_packs_unzip_unpacks(tree: Path, method: str) -> None:
    packed = Zip(zip_path=tree / "all.zip", compression_method=method).run(source_path=str(tree / "source"))
    unpacked = Unzip().run(zip_path=packed, extract_dir=tree / "out")

    assert unpacked == tree / "out"
    assert (tree / "out" / "source" / "deep" / "b.txt").read_text() == "b"


def test_zip_takes_a_list_leaves_itself_out_and_can_remove_the_sources(tree: Path) -> None:
    sources: Any = [str(tree / "source"), str(tree / "source" / "a.txt")]
    inside = Zip(zip_path=tree / "source" / "all.zip").run(source_path=sources)

    assert zipfile.ZipFile(inside).namelist() == ["source/a.txt", "source/deep/", "source/deep/b.txt", "a.txt"]

    Zip(remove_source_after_zipping=True).run(source_path=tree / "source", zip_path=tree / "b.zip")
    assert not (tree / "source").exists()


def test_unzip_can_remove_the_archive_and_never_leaves_its_folder(tree: Path) -> None:
    with zipfile.ZipFile(tree / "evil.zip", "w") as archive:
        archive.writestr("../../outside.txt", "out")

    Unzip(zip_path=tree / "evil.zip", extract_dir=tree / "x" / "y", remove_zipfile_after_unzipping=True).run()

    assert not (tree / "evil.zip").exists()
    assert list(tree.rglob("outside.txt")) == [tree / "x" / "y" / "outside.txt"]


@pytest.mark.parametrize(
    ("task", "missing"),
    [
        (Copy(), "source_path"),
        (Copy("a"), "target_path"),
        (Move(), "source_path"),
        (Move("a"), "target_path"),
        (Remove(), "path"),
        (Glob(path="a"), "pattern"),
        (Glob(pattern="a"), "path"),
        (Zip(), "source_path"),
        (Zip(source_path=[]), "source_path"),
        (Zip("a"), "zip_path"),
        (Unzip(), "zip_path"),
    ],
)
def test_what_was_not_given_is_named(task: Any, missing: str) -> None:
    with pytest.raises(ValueError, match=f"has no `{missing}`"):
        task.run()


def test_zip_refuses_what_it_cannot_do_before_it_writes(tree: Path) -> None:
    with pytest.raises(ValueError, match=r"'shrink'; expected one of store, deflate"):
        Zip(tree / "source", tree / "x.zip", compression_method="shrink").run()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Zip(tree / "nowhere", tree / "x.zip").run()
    assert not (tree / "x.zip").exists()


def test_templates_are_filled_from_the_context_and_the_call() -> None:
    task = StringFormatter(template="{a} {b} {c.start}")

    with context(a="context", b="context"):
        assert task.run(b="call", c=slice(1, 2)) == "context call 1"
        assert task.run(template="{a}") == "context"
    with pytest.raises(KeyError, match="missing"):
        StringFormatter(template="{missing}").run()
    with pytest.raises(ValueError, match="has no template"):
        StringFormatter().run()
