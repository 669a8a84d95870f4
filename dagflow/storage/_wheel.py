"""
The running dagflow as a wheel, to be installed in images.

An image gets the very code that stored its flows: not what some index offers under the same name, and also when this
code was never released.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from collections.abc import Iterator

from dagflow._version import __version__

__all__ = ["write_wheel"]

NEVER_CHANGES = (1980, 1, 1, 0, 0, 0)
"""A date for all files, so that the same code makes the same wheel and the layer of an image is used again."""

WHEEL = "Wheel-Version: 1.0\nGenerator: dagflow\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: str) -> str:
    """
    Write the wheel to *folder* and return its file name.

    Raises:
        ValueError: when nothing tells what dagflow needs, because it was never installed.
    """
    name = f"dagflow-{__version__}-py3-none-any.whl"
    info = f"dagflow-{__version__}.dist-info"
    metadata, entry_points = _metadata()
    files = dict(_sources())
    files |= {f"{info}/METADATA": metadata, f"{info}/WHEEL": WHEEL.encode(), f"{info}/entry_points.txt": entry_points}
    record = "".join(f"{path},sha256={_hash(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    with zipfile.ZipFile(os.path.join(folder, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, NEVER_CHANGES)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            wheel.writestr(entry, data)
    return name


def _metadata() -> tuple[bytes, bytes]:
    """Return what dagflow needs and which commands it brings, as the texts of a wheel."""
    from importlib import metadata

    try:
        found = metadata.distribution("dagflow")
    except metadata.PackageNotFoundError as error:
        raise ValueError(
            "An image gets the dagflow that runs here, but dagflow is not installed here, so what it needs is not "
            "known. Run pip install . in its checkout, or give a base_image that has it."
        ) from error
    lines = ["Metadata-Version: 2.1", "Name: dagflow", f"Version: {__version__}"]
    lines += [f"Provides-Extra: {one}" for one in found.metadata.get_all("Provides-Extra") or ()]
    lines += [f"Requires-Dist: {one}" for one in found.requires or ()]
    commands = [f"{one.name} = {one.value}" for one in found.entry_points if one.group == "console_scripts"]
    return "\n".join([*lines, ""]).encode(), "\n".join(["[console_scripts]", *commands, ""]).encode()


def _sources() -> Iterator[tuple[str, bytes]]:
    import dagflow.storage

    package = os.path.dirname(os.path.dirname(os.path.abspath(dagflow.storage.__file__)))
    for folder, folders, names in os.walk(package):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        for name in sorted(names):
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                yield os.path.relpath(path, os.path.dirname(package)).replace(os.sep, "/"), file.read()


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
