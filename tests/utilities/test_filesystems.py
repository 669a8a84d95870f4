"""Reading files wherever they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import fsspec
import httpx2
import pytest

from dagflow.utilities.filesystems import ParsedPath, parse_path, read_bytes_from_path
from tests.doubles import HttpDouble


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("/a/b.txt", ("file", "", "/a/b.txt")),
        ("a/b.txt", ("file", "", "a/b.txt")),
        ("C:\\a\\b.txt", ("file", "", "C:\\a\\b.txt")),
        ("file:///a/b.txt", ("file", "", "/a/b.txt")),
        ("agent:///a/b.txt", ("agent", "", "/a/b.txt")),
        ("s3://bucket/a/b.txt", ("s3", "bucket", "/a/b.txt")),
        ("HTTPS://host:1/a?b=c#d", ("https", "host:1", "/a?b=c#d")),
    ],
)
def test_a_path_is_split(path: str, parsed: tuple[str, str, str]) -> None:
    assert parse_path(path) == ParsedPath(*parsed)


@pytest.mark.parametrize("prefix", ["", "file://", "agent://"])
def test_local_files_are_read(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "odd name#1?.txt").write_bytes(b"content")

    assert read_bytes_from_path(f"{prefix}{tmp_path}/odd name#1?.txt") == b"content"


def test_web_pages_are_read(api: HttpDouble) -> None:
    api.answers = {"/x?y=1": (200, b"content"), "/gone": (404, b"")}

    assert read_bytes_from_path(f"{api.url}/x?y=1") == b"content"
    with pytest.raises(httpx2.HTTPStatusError):
        read_bytes_from_path(f"{api.url}/gone")


@pytest.mark.parametrize("scheme", ["s3", "gcs"])
def test_object_stores_are_read_through_their_library(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsspec, "filesystem", lambda kind: SimpleNamespace(cat_file=lambda at: f"{kind} {at}".encode()))

    assert read_bytes_from_path(f"{scheme}://bucket/key") == f"{scheme} bucket/key".encode()


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(kind: str) -> None:
        raise ImportError("Install s3fs")

    monkeypatch.setattr(fsspec, "filesystem", missing)

    with pytest.raises(ImportError, match="needs the extra 's3' of dagflow"):
        read_bytes_from_path("s3://bucket/key")


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme 'ftp'"):
        read_bytes_from_path("ftp://host/x")
