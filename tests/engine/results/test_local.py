from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dagflow.engine.result import ResultCorruptError
from dagflow.engine.results import LocalResult
from dagflow.engine.serializers import JSONSerializer
from dagflow.utilities.configuration import set_temporary_config


def test_the_directory_is_made_absolute_and_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = LocalResult(dir="a/b")

    assert result.dir == str(tmp_path / "a" / "b")
    assert os.path.isdir(result.dir)


def test_the_directory_may_be_left_unchecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = LocalResult(dir="a/b", validate_dir=False)

    assert result.dir == "a/b"
    assert not os.path.exists("a")


def test_a_tilde_is_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert LocalResult(dir="~/kept").dir == str(tmp_path / "kept")


@pytest.mark.parametrize("inside", [None, "", "flows", "results/deep"])
def test_directories_inside_the_home_of_dagflow_become_its_results(tmp_path: Path, inside: str | None) -> None:
    with set_temporary_config({"home_dir": str(tmp_path / "home")}):
        chosen = None if inside is None else str(tmp_path / "home" / inside)

        assert LocalResult(dir=chosen).dir == str(tmp_path / "home" / "results")


def test_a_neighbour_of_the_home_of_dagflow_is_left_alone(tmp_path: Path) -> None:
    with set_temporary_config({"home_dir": str(tmp_path / "home")}):
        assert LocalResult(dir=str(tmp_path / "home-2")).dir == str(tmp_path / "home-2")


def test_the_location_of_what_was_written_is_the_full_path(tmp_path: Path) -> None:
    written = LocalResult(dir=str(tmp_path), location="deep/{x}.pkl").write(1, x="a")

    assert written.location == str(tmp_path / "deep" / "a.pkl")
    assert LocalResult(dir=str(tmp_path)).read("deep/a.pkl").value == 1


def test_only_the_result_is_left_in_the_directory(tmp_path: Path) -> None:
    LocalResult(dir=str(tmp_path), location="own").write(1)
    LocalResult(dir=str(tmp_path), location="own").write(2)

    assert os.listdir(tmp_path) == ["own"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = LocalResult(dir=str(tmp_path), location="own")
    result.write("old")

    def full_disk(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        result.write("new")

    assert os.listdir(tmp_path) == ["own"]
    assert result.read("own").value == "old"


def test_new_files_get_the_permissions_that_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        written = LocalResult(dir=str(tmp_path), location="own").write(1)
    finally:
        os.umask(before)

    assert os.stat(str(written.location)).st_mode & 0o777 == 0o640


HOSTILE = ["../out", "a/../../out", "/etc/passwd", "..", ".", "x/../..", "//etc/passwd", "~root/x/../../../out"]


@pytest.mark.parametrize("template", ["{x}", "{x}.pkl", "sub/{x}"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_inputs_cannot_lead_out_of_the_directory(tmp_path: Path, template: str, hostile: str) -> None:
    base = tmp_path / "deep" / "store"
    result = LocalResult(dir=str(base), location=template)

    try:
        written = result.write("value", x=hostile)
    except ValueError as error:
        assert "outside" in str(error)
    else:
        assert Path(str(written.location)).resolve().is_relative_to(base)

    everything = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(base) for path in everything)


def test_looking_for_a_target_cannot_lead_out_either(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"outside .* name another one with LocalResult\(dir=...\)"):
        LocalResult(dir=str(tmp_path)).exists("{x}", x="/etc/passwd")


def test_an_absolute_template_is_the_users_own_choice(tmp_path: Path) -> None:
    result = LocalResult(dir=str(tmp_path / "store"), location=str(tmp_path / "else" / "{x}.pkl"))

    assert result.write(1, x="a").location == str(tmp_path / "else" / "a.pkl")
    with pytest.raises(ValueError, match="outside"):
        result.write(1, x="../b")


def test_a_function_may_choose_an_absolute_location(tmp_path: Path) -> None:
    chosen = str(tmp_path / "else.pkl")

    written = LocalResult(dir=str(tmp_path / "store"), location=lambda **kwargs: chosen).write(1)

    assert written.location == chosen


def test_text_from_other_tools_is_read_without_a_checksum(tmp_path: Path) -> None:
    (tmp_path / "by-hand.json").write_text('{"a": [1]}')

    assert LocalResult(dir=str(tmp_path), serializer=JSONSerializer()).read("by-hand.json").value == {"a": [1]}


@pytest.mark.parametrize("content", [b"", b"\x80\x05", b"{half"])
def test_files_that_make_no_sense_are_corrupt_and_the_remedy_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    serializers: list[dict[str, Any]] = [{}, {"serializer": JSONSerializer()}]

    for kwargs in serializers:
        with pytest.raises(ResultCorruptError, match=r"bad.*Delete it to let the task run again"):
            LocalResult(dir=str(tmp_path), **kwargs).read("bad")
