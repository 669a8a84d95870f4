"""
The context of an image: a folder with a Dockerfile and everything it copies.

What changes seldom comes first, so a changed flow rebuilds the last layers only. Whatever a user names gets into the
Dockerfile as JSON, never as a part of a shell's command line.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagflow._version import __version__
from dagflow.storage._script import flow_to_bytes_pickle
from dagflow.storage._wheel import write_wheel

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.storage.docker import Docker

__all__ = ["Context", "build_context", "default_base_image", "dockerfile_text"]

FOLDER = ".dagflow-image"
"""Name of the folder inside the working directory, which is the context of a user's own Dockerfile."""

CHECK = "healthcheck.py"


@dataclass(frozen=True)
class Context:
    """What Docker is given."""

    path: str
    """The folder that is sent."""
    dockerfile: str
    """The Dockerfile, relative to it."""
    pickles: Mapping[str, bytes]
    """What the flows are stored as in the image, by their names; empty for scripts."""


def default_base_image() -> str:
    """
    Return an official image with the Python that runs here.

    >>> default_base_image().startswith("python:3.")
    True
    """
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


@contextmanager
def build_context(storage: Docker, flows: Mapping[str, Flow]) -> Iterator[Context]:
    """
    Make the folder, and remove it afterwards.

    Raises:
        ValueError: for what cannot be put into an image.
    """
    own = storage.dockerfile is not None
    folder = _folder_here() if own else tempfile.mkdtemp(prefix="dagflow-image-")
    try:
        prefix = f"{os.path.basename(folder)}/" if own else ""
        pickles = {} if storage.stored_as_script else {name: flow_to_bytes_pickle(one) for name, one in flows.items()}
        text = dockerfile_text(storage, prefix, _filled(storage, folder, pickles), bool(pickles))
        with open(os.path.join(folder, "Dockerfile"), "w", encoding="utf-8") as file:
            file.write(text)
        yield Context(os.getcwd() if own else folder, f"{prefix}Dockerfile", pickles)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder_here() -> str:
    try:
        # One name where possible, because Docker uses a layer again only for the same line.
        os.mkdir(FOLDER)
        return os.path.abspath(FOLDER)
    except FileExistsError:
        return tempfile.mkdtemp(prefix=f"{FOLDER}-", dir=os.getcwd())


def _filled(storage: Docker, folder: str, pickles: Mapping[str, bytes]) -> dict[str, str]:
    """Put wheel, flows, files and check into *folder*, and return where in the image each goes."""
    from dagflow.storage import _image_check

    copied: dict[str, str] = {}
    if _brings_dagflow(storage):
        copied["wheel"] = write_wheel(folder)
    os.mkdir(os.path.join(folder, "flows"))
    for number, (name, data) in enumerate(pickles.items()):
        place = f"flows/{number}-{os.path.basename(storage.flows[name])}"
        with open(os.path.join(folder, place), "wb") as file:
            file.write(data)
        copied[place] = storage.flows[name]
    for number, (source, target) in enumerate(storage.files.items()):
        copied[_copy(source, folder, number)] = target
    shutil.copyfile(_image_check.__file__, os.path.join(folder, CHECK))
    if storage.dockerignore is not None:
        shutil.copyfile(os.path.expanduser(storage.dockerignore), os.path.join(folder, ".dockerignore"))
    return copied


def _brings_dagflow(storage: Docker) -> bool:
    """Tell whether the image gets the dagflow of this machine, unless it has one."""
    if storage.dagflow_version == __version__:
        return True
    if storage.base_image is None and storage.dockerfile is None:
        raise ValueError(
            f"Docker storage has dagflow_version={storage.dagflow_version!r}, but what can be put into an image is the "
            f"version that runs here, {__version__}. Give a base_image that has the other one."
        )
    return False


def _copy(source: str, folder: str, number: int) -> str:
    place = f"files/{number}/{os.path.basename(source.rstrip('/'))}"
    target = os.path.join(folder, place)
    os.makedirs(os.path.dirname(target))
    if os.path.isdir(source):
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(f"{FOLDER}*"))
        return f"{place}/"
    if not os.path.isfile(source):
        raise ValueError(f"Docker storage is to copy {source!r} into the image, but there is no such file or folder.")
    shutil.copyfile(source, target)
    return place


# --- text ----------------------------------------------------------------------------------------------------


def dockerfile_text(storage: Docker, prefix: str, copied: Mapping[str, str], pickled: bool) -> str:
    """
    Return the Dockerfile.

    Args:
        storage: what the image is to be.
        prefix: what comes before the names of what is copied.
        copied: by their names in the context, where flows and files go; under ``wheel`` the wheel's own name.
        pickled: the flows are pickles, which are among what is copied.
    """
    wheel = copied.get("wheel")
    flows = {place: target for place, target in copied.items() if place.startswith("flows/")}
    files = {place: target for place, target in copied.items() if place.startswith("files/")}
    lines = [
        *_base(storage),
        *_environment(storage.env_vars),
        *_dagflow(prefix, wheel, storage.dagflow_directory),
        *_dependencies(storage.python_dependencies),
        *(_copied(prefix + place, target) for place, target in flows.items()),
        *(_copied(prefix + place, target) for place, target in files.items()),
        *storage.extra_dockerfile_commands,
    ]
    if not storage.ignore_healthchecks:
        lines += _check(storage, prefix)
    return "\n".join([*lines, ""])


def _base(storage: Docker) -> list[str]:
    if storage.dockerfile is None:
        return [f"FROM {_one_line(storage.base_image or default_base_image())}"]
    with open(os.path.expanduser(storage.dockerfile), encoding="utf-8") as file:
        return file.read().splitlines()


def _environment(variables: Mapping[str, str]) -> list[str]:
    wrong = [name for name in variables if not re.fullmatch(r"[A-Za-z_]\w*", name)]
    if wrong:
        raise ValueError(f"env_vars has {wrong[0]!r}, which is no name of an environment variable.")
    return [f"ENV {name}={_quoted(_one_line(str(value)))}" for name, value in variables.items()]


def _quoted(value: str) -> str:
    """
    Return *value* as Docker reads it, with nothing in it replaced.

    >>> print(_quoted('a "b" $c'))
    "a \\"b\\" \\$c"
    """
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'


def _one_line(text: str) -> str:
    if re.search(r"[\x00\r\n]", text):
        raise ValueError(f"{text!r} cannot stand in a Dockerfile: it has more than one line.")
    return text


def _dagflow(prefix: str, wheel: str | None, directory: str) -> list[str]:
    if wheel is None:
        return [_run("python", "-c", "import dagflow")]
    target = f"{directory}/{wheel}"
    code = (
        "import importlib.util as u, subprocess as s, sys; "
        "sys.exit(0 if u.find_spec('dagflow') else "
        "s.call([sys.executable, '-m', 'pip', 'install', '--no-cache-dir', sys.argv[1]]))"
    )
    return [_copied(prefix + wheel, target), _run("python", "-c", code, target)]


def _dependencies(packages: list[str]) -> list[str]:
    return [_run("python", "-m", "pip", "install", "--no-cache-dir", *packages)] if packages else []


def _check(storage: Docker, prefix: str) -> list[str]:
    about = {
        "flows": dict(storage.flows),
        "stored_as_script": storage.stored_as_script,
        "python": list(sys.version_info[:2]),
        "dagflow": storage.dagflow_version,
    }
    target = f"{storage.dagflow_directory}/{CHECK}"
    return [_copied(prefix + CHECK, target), _run("python", target, json.dumps(about))]


def _copied(source: str, target: str) -> str:
    return f"COPY {json.dumps([source, target])}"


def _run(*words: str) -> str:
    return f"RUN {json.dumps(list(words))}"
