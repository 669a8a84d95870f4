"""A real engine that builds images, and a base image made of the Python that runs here: nothing is downloaded."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_SECONDS = 20
NOT_NEEDED = {
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "lib2to3",
    "turtledemo",
    "ensurepip",
    "__pycache__",
    "site-packages",
}


@contextmanager
def podman(folder: Path) -> Iterator[str]:
    """Run podman's service, which speaks Docker's protocol, and yield its address."""
    program = shutil.which("podman")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs podman, and to be root: apt-get install podman")
    socket = folder / "podman.sock"
    places = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
    process = subprocess.Popen(
        [
            program,
            *places,
            "--cgroup-manager",
            "cgroupfs",
            "system",
            "service",
            "--time=0",
            socket.as_uri().replace("file", "unix"),
        ],
        # Without containers of its own: these need rights which a build machine may not have.
        env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"podman's service did not start (exit: {process.poll()})")
            # Waiting for a foreign process to listen: there is no event to wait for.
            time.sleep(0.05)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)
        # Each layer is a whole copy here; too much to leave to pytest, which keeps its folders for a while.
        shutil.rmtree(folder / "root", ignore_errors=True)
        shutil.rmtree(folder / "run", ignore_errors=True)


def make_base(path: Path) -> None:
    """Write the root of an image with this Python, and what dagflow needs but not dagflow itself, as a tar file."""
    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        binaries = {python}
        binaries |= _add_tree(tar, library, library)
        site = library / "site-packages"
        for file, target in _needed_files(site):
            tar.add(file, str(target))
            binaries |= {file} if file.suffix == ".so" else set()
        tar.add(python, str(python))
        for one in sorted(_libraries(binaries)):
            tar.add(one.resolve(), str(one))
        _add_link(tar, "usr/bin/python", str(python))
        for folder in ("tmp", "etc", "opt"):
            _add_folder(tar, folder)


def _add_tree(tar: tarfile.TarFile, source: Path, target: Path) -> set[Path]:
    found = set()
    for folder, folders, names in os.walk(source):
        folders[:] = [one for one in folders if one not in NOT_NEEDED and not one.startswith("config-")]
        for name in names:
            file = Path(folder) / name
            tar.add(file, str(target / file.relative_to(source)))
            found |= {file} if file.suffix == ".so" else set()
    return found


def _needed_files(site: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the files of all that dagflow requires, and of pip, with their places below *site*."""
    wanted, seen = ["pip", *_required("dagflow")], set()
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted += _required(name)
        for one in found.files or ():
            file = Path(str(found.locate_file(one)))
            if ".." not in one.parts and not {"tests", "__pycache__"} & set(one.parts) and file.is_file():
                yield file, site / one


def _required(name: str) -> list[str]:
    lines = importlib.metadata.requires(name) or []
    return [re.split(r"[ ;<>=!~\[(]", one, maxsplit=1)[0] for one in lines if "extra ==" not in one]


def _libraries(binaries: set[Path]) -> set[Path]:
    """Return the shared libraries that the files need, the loader among them."""
    said = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True).stdout
    return {Path(one) for one in re.findall(r"(/\S+) \(0x", said)}


def _add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    tar.addfile(link)


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
    tar.addfile(folder)
