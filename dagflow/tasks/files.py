"""
Files and folders: copy, move, remove, find, pack and unpack.

What the constructor is given is the default; a call may give another value. All return paths.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

from dagflow.core.task import Task
from dagflow.utilities.tasks import defaults_from_attrs

__all__ = ["Copy", "Glob", "Move", "Remove", "Unzip", "Zip"]

_COMPRESSION = {
    "store": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def _needed(task: Task, name: str, value: str | Path | None) -> Path:
    if value is None or value == "":
        raise ValueError(f"{task.name} has no `{name}`: give it to the constructor or when the task is called.")
    return Path(value)


class _FromTo(Task):
    """What goes from one path to another; both may be given now or when the task is called."""

    def __init__(self, source_path: str | Path = "", target_path: str | Path = "", **kwargs: Any) -> None:
        self.source_path = source_path
        self.target_path = target_path
        super().__init__(**kwargs)


class Copy(_FromTo):
    """Copy a file or a whole folder and return the path of the copy."""

    @defaults_from_attrs("source_path", "target_path")
    def run(self, source_path: str | Path = "", target_path: str | Path = "") -> Path:
        """Copy *source_path* to *target_path*, or into it if it is a folder (and the source is a file)."""
        source = _needed(self, "source_path", source_path)
        target = _needed(self, "target_path", target_path)
        return Path(shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target))


class Move(_FromTo):
    """Move a file or folder and return its new path."""

    @defaults_from_attrs("source_path", "target_path")
    def run(self, source_path: str | Path = "", target_path: str | Path = "") -> Path:
        """Move *source_path* to *target_path*, or into it if it is a folder."""
        source = _needed(self, "source_path", source_path)
        return Path(shutil.move(source, _needed(self, "target_path", target_path)))


class Remove(Task):
    """Remove a file, or a folder with all that is in it."""

    def __init__(self, path: str | Path = "", **kwargs: Any) -> None:
        self.path = path
        super().__init__(**kwargs)

    @defaults_from_attrs("path")
    def run(self, path: str | Path = "") -> None:
        """Remove *path*."""
        target = _needed(self, "path", path)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink()


class Glob(Task):
    """Find the paths that match a pattern, in order of their names; `**` looks into folders."""

    def __init__(self, path: str | Path = "", pattern: str = "", **kwargs: Any) -> None:
        self.path = path
        self.pattern = pattern
        super().__init__(**kwargs)

    @defaults_from_attrs("path", "pattern")
    def run(self, path: str | Path = "", pattern: str = "") -> list[Path]:
        """Return what is in *path* and matches *pattern*."""
        _needed(self, "pattern", pattern)
        return sorted(_needed(self, "path", path).glob(pattern))


class Zip(Task):
    """Pack a file, a folder, or a list of them into a zip file and return its path."""

    def __init__(
        self,
        source_path: str | Path | list[str | Path] = "",
        zip_path: str | Path = "",
        compression_method: str = "deflate",
        compression_level: int | None = None,
        remove_source_after_zipping: bool = False,
        **kwargs: Any,
    ) -> None:
        self.source_path = source_path
        self.zip_path = zip_path
        self.compression_method = compression_method
        self.compression_level = compression_level
        self.remove_source_after_zipping = remove_source_after_zipping
        super().__init__(**kwargs)

    @defaults_from_attrs(
        "source_path", "zip_path", "compression_method", "compression_level", "remove_source_after_zipping"
    )
    def run(
        self,
        source_path: str | Path | list[str | Path] = "",
        zip_path: str | Path = "",
        compression_method: str = "deflate",
        compression_level: int | None = None,
        remove_source_after_zipping: bool = False,
    ) -> Path:
        """Pack *source_path* into *zip_path*; names inside are relative to the folder that holds each source."""
        given = source_path if isinstance(source_path, list) else [source_path]
        sources = [_needed(self, "source_path", source) for source in given or [""]]
        target = _needed(self, "zip_path", zip_path)
        if compression_method not in _COMPRESSION:
            raise ValueError(
                f"No compression method {compression_method!r}; expected one of {', '.join(_COMPRESSION)}."
            )
        missing = [str(source) for source in sources if not source.exists()]
        if missing:
            raise FileNotFoundError(f"{self.name} cannot pack what is not there: {', '.join(missing)}.")
        with zipfile.ZipFile(target, "w", _COMPRESSION[compression_method], compresslevel=compression_level) as archive:
            for source in sources:
                _pack(archive, source, target)
        if remove_source_after_zipping:
            for source in sources:
                shutil.rmtree(source) if source.is_dir() else source.unlink()
        return target


def _pack(archive: zipfile.ZipFile, source: Path, target: Path) -> None:
    found = sorted(source.rglob("*")) if source.is_dir() else [source]
    for path in found:
        # The archive may be made inside the folder that it packs.
        if path.resolve() != target.resolve():
            archive.write(path, path.relative_to(source.parent))


class Unzip(Task):
    """Unpack a zip file and return the folder with its content; entries cannot leave that folder."""

    def __init__(
        self,
        zip_path: str | Path = "",
        extract_dir: str | Path = "",
        password: bytes | str | None = None,
        remove_zipfile_after_unzipping: bool = False,
        **kwargs: Any,
    ) -> None:
        self.zip_path = zip_path
        self.extract_dir = extract_dir
        self.password = password
        self.remove_zipfile_after_unzipping = remove_zipfile_after_unzipping
        super().__init__(**kwargs)

    @defaults_from_attrs("zip_path", "extract_dir", "password", "remove_zipfile_after_unzipping")
    def run(
        self,
        zip_path: str | Path = "",
        extract_dir: str | Path = "",
        password: bytes | str | None = None,
        remove_zipfile_after_unzipping: bool = False,
    ) -> Path:
        """Unpack *zip_path* into *extract_dir*, by default the folder of the zip file."""
        source = _needed(self, "zip_path", zip_path)
        target = Path(extract_dir) if extract_dir else source.parent
        with zipfile.ZipFile(source) as archive:
            archive.extractall(target, pwd=password.encode() if isinstance(password, str) else password)
        if remove_zipfile_after_unzipping:
            source.unlink()
        return target
