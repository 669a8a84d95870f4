"""
Gathering the flows that ``register`` and ``build`` are about: from scripts, modules and files that ``build`` wrote.

A source that cannot be read is told, and the others are gone on with.
"""

from __future__ import annotations

import glob
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dagflow.cli.talk import Failure, NotFound, say, traceback_of
from dagflow.engine.summary import printable
from dagflow.exceptions import near_match
from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["Collected", "Source", "collect", "expand_paths", "prepared", "select_names"]

FORMAT_VERSION = 1


@dataclass
class Source:
    """Where flows come from, and which: flows that can be built, or documents that were."""

    name: str
    flows: list[Flow] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    variables: dict[str, Flow] = field(default_factory=dict)
    """The flows by the global variables that hold them."""
    script: str | None = None
    """The script that the flows were made by, which storages of scripts keep."""

    @property
    def names(self) -> list[str]:
        """The names of its flows."""
        return [flow.name for flow in self.flows] + [document["name"] for document in self.documents]


@dataclass
class Collected:
    """All sources that could be read, and how many could not."""

    sources: list[Source]
    errors: int = 0


def expand_paths(paths: Iterable[str]) -> list[str]:
    """
    Return the files that *paths* mean: a file itself, the scripts of a folder, the matches of a pattern.

    Raises:
        NotFound: for a path that means nothing.
    """
    found: dict[str, None] = {}
    for path in paths:
        full = os.path.abspath(os.path.expanduser(path))
        if os.path.isdir(full):
            here = sorted(glob.glob(os.path.join(glob.escape(full), "*.py")))
        elif os.path.exists(full):
            here = [full]
        else:
            here = sorted(one for one in glob.glob(full, recursive=True) if os.path.isfile(one))
        if not here:
            raise NotFound(f"Path {path!r} doesn't exist, or there is no script in it.")
        found.update(dict.fromkeys(here))
    return list(found)


def collect(paths: Iterable[str], modules: Iterable[str], files: Iterable[str] = ()) -> Collected:
    """Read all sources, telling of those that cannot be."""
    collected = Collected([])
    readers = [
        *((path, _from_script) for path in paths),
        *((module, _from_module) for module in modules),
        *((file, _from_json) for file in files),
    ]
    for name, read in readers:
        try:
            collected.sources.append(read(name))
        except KeyboardInterrupt:
            raise
        except Failure as error:
            collected.errors += 1
            say(f"    Error loading {printable(name)!r}: {error.format_message()}", style="red")
        except BaseException as error:  # a script may well call sys.exit
            collected.errors += 1
            say(f"    Error loading {printable(name)!r}:", style="red")
            say(traceback_of(error), newline=False)
    return collected


def _from_script(path: str) -> Source:
    from dagflow.core.flow import Flow
    from dagflow.storage import Local
    from dagflow.utilities.scripts import flows_in, load_script

    module = load_script(path)
    flows = list(flows_in(module).values())
    for flow in flows:
        if flow.storage is None:
            flow.storage = Local(path=path, stored_as_script=True)
    variables = {name: value for name, value in vars(module).items() if isinstance(value, Flow)}
    return Source(path, flows, variables=variables, script=path)


def _from_module(name: str) -> Source:
    from dagflow.core.flow import Flow
    from dagflow.storage import Module
    from dagflow.utilities.importtools import import_object
    from dagflow.utilities.scripts import flows_in, import_flow_module

    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    base, colon, attribute = name.partition(":")
    found: Any
    if colon:
        import_flow_module(base)
        found = import_object(name)
    else:
        try:
            found = import_flow_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name) or "." not in name:
                raise
            base, _, attribute = name.rpartition(".")
            found = getattr(import_flow_module(base), attribute)
    flows = [found] if isinstance(found, Flow) else list(flows_in(found).values())
    for flow in flows:
        if flow.storage is None:
            flow.storage = Module(f"{base}:{attribute}" if isinstance(found, Flow) else base)
    return Source(name, flows)


def _from_json(path: str) -> Source:
    from dagflow.utilities.filesystems import read_bytes_from_path

    try:
        found = read_bytes_from_path(path)
    except Exception as error:  # places have many ways to fail, and say why
        raise Failure(f"{path!r} cannot be read: {error}") from error
    try:
        content = json.loads(found)
    except ValueError as error:
        raise Failure(f"{path!r} is not JSON: {error}.") from error
    version = content.get("version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise Failure(
            f"{path!r} has version {version!r}; expected {FORMAT_VERSION}. Make it again with `dagflow build`."
        )
    documents = content.get("flows")
    if not isinstance(documents, list) or not all(isinstance(one, dict) and "name" in one for one in documents):
        raise Failure(f"{path!r} holds no list of flows with names. Make it again with `dagflow build`.")
    return Source(path, documents=documents)


def select_names(collected: Collected, names: Iterable[str]) -> None:
    """
    Keep only the flows called *names*, all of them when there are no names.

    Raises:
        NotFound: listing the names that no source has.
    """
    wanted = set(names)
    if not wanted:
        return
    known = {name for source in collected.sources for name in source.names}
    missing = sorted(wanted - known)
    if missing:
        listed = "\n".join(f"- {printable(name)}{near_match(name, known)}" for name in missing)
        raise NotFound(f"Failed to find the following flows:\n{listed}")
    for source in collected.sources:
        source.flows = [flow for flow in source.flows if flow.name in wanted]
        source.documents = [document for document in source.documents if document["name"] in wanted]


def prepared(source: Source, labels: Iterable[str]) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """
    Yield name, metadata and hash of each flow of *source*, built; metadata are ``None`` for one that cannot be.

    Labels are added and flows put into their storages before anything is hashed, so that hashes are stable, and flows
    that share a storage are built together.
    """
    for document in source.documents:
        _add_labels(document, labels)
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        yield document["name"], document, _sha256(text)
    shared: dict[int, list[Flow]] = {}
    for flow in source.flows:
        shared.setdefault(id(flow.storage), []).append(flow)
    for flows in shared.values():
        with context(local_script_path=source.script):
            hashes = _built(flows, list(labels))
        for flow in flows:
            if hashes is None:
                yield flow.name, None, ""
                continue
            document = flow.serialize()
            # The digests tell that a script has changed, which nothing else in the metadata does.
            digests = json.dumps(document["storage"].get("digests") or {}, sort_keys=True)
            yield flow.name, document, _sha256(hashes[flow.name] + digests)


def _built(flows: list[Flow], labels: list[str]) -> dict[str, str] | None:
    """Build the one storage of *flows*; return their hashes, or ``None`` when it failed, which is told."""
    from dagflow.backend.registration import complete

    storage: Any = flows[0].storage
    say(f"  Building `{type(storage).__name__}` storage...", newline=False)
    try:
        for flow in flows:
            complete(flow, labels)
            if flow.name not in storage:
                storage.add_flow(flow)
        hashes = {flow.name: flow.serialized_hash() for flow in flows}
        built = storage.build()
    except Exception as error:
        say(" Error", style="red")
        say(traceback_of(error), newline=False)
        return None
    for flow in flows:
        flow.storage = built
    say(" Done", style="green")
    return hashes


def _add_labels(document: dict[str, Any], labels: Iterable[str]) -> None:
    extra = set(labels)
    if extra:
        run_config = document.get("run_config") or {"type": "UniversalRun", "env": None, "labels": []}
        document["run_config"] = {**run_config, "labels": sorted({*(run_config.get("labels") or ()), *extra})}


def _sha256(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
