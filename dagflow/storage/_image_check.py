"""
The check that runs inside an image while it is built: can the flows in it be loaded there?

It is copied into the image as a script, so it uses what dagflow offers to all, and imports nothing before it is needed.
Its one argument is JSON: ``{"flows": {name: path}, "stored_as_script": bool, "python": [3, 11], "dagflow": "0.1.0"}``.
Differences of versions are warned about; a flow that cannot be loaded ends it with 1, which ends the build.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

__all__ = ["main"]


def main(argument: str) -> int:
    """Check what *argument* describes and return the exit code."""
    about = json.loads(argument)
    _compare("Python", ".".join(map(str, sys.version_info[:2])), ".".join(map(str, about["python"][:2])))
    try:
        from dagflow._version import __version__
    except ImportError as error:
        print(f"Health check failed: dagflow cannot be imported in the image: {error}.")
        return 1
    _compare("dagflow", __version__, about["dagflow"])
    flows = []
    for name, path in about["flows"].items():
        try:
            flows.append(_load(name, path, about["stored_as_script"]))
        except BaseException as error:
            print(f"Health check failed: flow {name!r} at {path} cannot be loaded: {type(error).__name__}: {error}")
            return 1
        print(f"Health check: flow {name!r} can be loaded from {path}.")
    _warn_about_results(flows)
    print("Health check passed.")
    return 0


def _compare(what: str, found: str, expected: str) -> None:
    if found != expected:
        print(f"Health check warning: the image has {what} {found}, the flows were stored with {expected}.")


def _load(name: str, path: str, as_script: bool) -> Any:
    from dagflow.utilities import storage

    if not as_script:
        with open(path, "rb") as file:
            return storage.flow_from_bytes_pickle(file.read())
    if os.path.isfile(path):
        return storage.extract_flow_from_file(file_path=path, flow_name=name)
    return storage.extract_flow_from_module(path, name)


def _warn_about_results(flows: list[Any]) -> None:
    import warnings

    from dagflow.storage._health import warn_about_results

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_about_results(flows)
    for one in caught:
        print(f"Health check warning: {one.message}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
