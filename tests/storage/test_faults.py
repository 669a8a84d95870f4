"""What is missing, damaged, changed or hostile: always a storage error with its cause and a way out."""

from __future__ import annotations

import base64
import importlib
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagflow._version import __version__
from dagflow.core.flow import Flow
from dagflow.core.task import Task
from dagflow.exceptions import FlowStorageError
from dagflow.storage import Local, Module, Storage
from dagflow.storage._digest import digest_of
from dagflow.utilities.storage import flow_to_bytes_pickle


def pickled(tmp_path: Path, change: Callable[[bytes], bytes], again: bool = False) -> Storage:
    """Store a flow and change what was written; *again* as if the change had been registered."""
    storage = Local(directory=str(tmp_path))
    location = Path(storage.add_flow(Flow("etl", tasks=[Task("load")])))
    location.write_bytes(change(location.read_bytes()))
    if again:
        storage.digests["etl"] = digest_of(location.read_bytes())
    return storage


def scripted(tmp_path: Path, text: str) -> Storage:
    path = tmp_path / "flow.py"
    path.write_text(text)
    storage = Local(path=str(path), stored_as_script=True)
    storage.add_flow(Flow("etl"))
    return storage


def gone(tmp_path: Path) -> Storage:
    storage = Local(directory=str(tmp_path))
    os.unlink(storage.add_flow(Flow("etl")))
    return storage


def folder(tmp_path: Path) -> Storage:
    storage = gone(tmp_path)
    os.mkdir(storage.flows["etl"])
    return storage


def flipped(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


def of_python(version: str, body: bytes = b"\x80\x05junk") -> Callable[[bytes], bytes]:
    document = {"flow": base64.b64encode(body).decode(), "versions": {"python": version, "dagflow": __version__}}
    return lambda _: json.dumps(document).encode()


def of_module(name: str) -> bytes:
    # A pickle by hand that needs a module which is not there.
    return f"c{name}\nflow\n.".encode()


def module(name: str) -> Storage:
    storage = Module(name)
    storage.add_flow(Flow("etl"))
    return storage


FAULTS: dict[str, tuple[Callable[[Path], Storage], str]] = {
    "missing file": (gone, r"file not found at .*; storage=Local, labels=.*run it where it was built"),
    "folder in its place": (folder, r"file not found at"),
    "one bit": (
        lambda path: pickled(path, flipped),
        r"not what was registered: expected sha256 \w{12}\.\.\., found \w{12}",
    ),
    "truncated": (lambda path: pickled(path, lambda data: data[:-9]), r"not what was registered.*restore the file"),
    "empty": (lambda path: pickled(path, lambda data: b""), r"not what was registered.*in 0 bytes"),
    "empty, registered so": (lambda path: pickled(path, lambda data: b"", True), r"is empty: 0 bytes"),
    "truncated, registered so": (
        lambda path: pickled(path, lambda data: data[:-9], True),
        r"damaged.*store the flow again",
    ),
    "junk": (lambda path: pickled(path, lambda data: b"\x00junk", True), r"could not be loaded: UnpicklingError"),
    "JSON of something else": (
        lambda path: pickled(path, lambda data: b'{"a": 1}', True),
        r"Expected JSON with the key",
    ),
    "no JSON object": (lambda path: pickled(path, lambda data: b'{"flow": 5}', True), r"damaged"),
    "another Python": (
        lambda path: pickled(path, of_python("2.7.18"), True),
        r"stored with python 2\.7\.18 and is read with .*use the same",
    ),
    "no flow": (
        lambda path: pickled(path, lambda data: b"\x80\x04K\x01.", True),
        r"no flow but a int; store it again",
    ),
    "another flow": (
        lambda path: pickled(path, lambda data: flow_to_bytes_pickle(Flow("other")), True),
        r"called 'other'.*a location of its own",
    ),
    "module missing in a pickle": (
        lambda path: pickled(path, lambda data: of_module("no_such_module"), True),
        r"'no_such_module' is missing here: install it",
    ),
    "module missing": (
        lambda _: module("no_such_module.flows"),
        r"No module named 'no_such_module'.*Install the module",
    ),
    "module without the flow": (lambda _: module("json"), r"There is no flow in module 'json'"),
    "module that is no name": (lambda _: module("..x"), r"'\.\.x'"),
    "attribute missing": (lambda _: module("json:nothing"), r"nothing"),
    "attribute is no flow": (lambda _: module("json:decoder"), r"no flow but a module"),
    "script without the flow": (
        lambda path: scripted(path, "from dagflow import Flow\nflow = Flow('elt')"),
        r"no flow 'etl' in .*found 'elt'.*Did you mean",
    ),
    "script with an error": (lambda path: scripted(path, "1 / 0"), r"ZeroDivisionError: division by zero"),
    "script that is no Python": (lambda path: scripted(path, "def"), r"SyntaxError.*Repair the script"),
    "script for a missing module": (lambda path: scripted(path, "import no_such_module"), r"Install the module"),
    "script with a NUL": (lambda path: scripted(path, "x = 1\x00"), r"SyntaxError|ValueError"),
    "script that exits": (lambda path: scripted(path, "import sys\nsys.exit(3)"), r"sys\.exit\(3\).*__main__"),
    "script without end": (lambda path: scripted(path, "def f(): f()\nf()"), r"RecursionError"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_a_storage_error_that_names_the_flow_and_a_way_out(fault: str, tmp_path: Path) -> None:
    make, words = FAULTS[fault]
    storage = make(tmp_path)

    with pytest.raises(FlowStorageError, match=words) as caught:
        storage.get_flow("etl")

    assert "'etl'" in str(caught.value)


def test_the_cause_is_kept(tmp_path: Path) -> None:
    with pytest.raises(FlowStorageError) as caught:
        scripted(tmp_path, "1 / 0").get_flow("etl")

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("seed", range(20))
def test_damage_anywhere_is_noticed_before_anything_is_opened(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cloudpickle

    random_ = random.Random(seed)

    def damage(data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(random_.choice([1, 3, 50])):
            changed[random_.randrange(len(changed))] ^= 1 << random_.randrange(8)
        return bytes(changed[: random_.choice([len(changed), random_.randrange(len(changed))])])

    storage = pickled(tmp_path, damage)
    opened: list[bytes] = []
    monkeypatch.setattr(cloudpickle, "loads", opened.append)

    with pytest.raises(FlowStorageError, match="not what was registered"):
        storage.get_flow("etl")
    assert opened == []


@pytest.mark.parametrize("location", ["\x00", "a\x00b/c", "x" * 5000, "/proc/self/mem/x", "~nobody-at-all/x", "", "."])
def test_hostile_locations_are_storage_errors(location: str, tmp_path: Path) -> None:
    storage = Local(directory=str(tmp_path))
    storage.flows["etl"] = location

    with pytest.raises(FlowStorageError):
        storage.get_flow("etl")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_storage_error(tmp_path: Path) -> None:
    storage = Local(directory=str(tmp_path))
    os.chmod(storage.add_flow(Flow("etl")), 0)

    with pytest.raises(FlowStorageError, match="Permission"):
        storage.get_flow("etl")


# --- hostile names ---

PIECES = ["../", "..\\", "/", "/etc/", "\x00", "~/", "~root/", "%2e%2e/", "..%2f", "C:\\", "é", "漢字", "\u202e", "a"]
PIECES += [
    "\n",
    "\r",
    " ",
    ".",
    "..",
    "...",
    "-rf",
    "$(touch x)",
    "`x`",
    ";",
    "|",
    "*",
    "?",
    "con",
    "\ud800",
    "ﬁ",
    "‥/",
    "／",
]


def hostile_names(count: int) -> list[str]:
    random_ = random.Random(9)
    names = ["".join(random_.choices(PIECES, k=random_.randint(1, 8))) for _ in range(count - 4)]
    return [*names, "x" * 10_000, "../" * 2_000, "漢" * 3_000, "/" * 300]


def test_no_name_writes_outside_of_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "one" / "two" / "flows"
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    written = 0
    for name in dict.fromkeys(hostile_names(500)):
        storage = Local(directory=str(inside))
        location = storage.add_flow(Flow(name))
        written += 1

        assert Path(location).resolve().is_relative_to(inside)
        assert storage.get_flow(name).name == name

    found = [Path(top) / name for top, _, names in os.walk(tmp_path) for name in names]
    assert written > 400 and len(found) == written and all(one.is_relative_to(inside) for one in found)


def test_a_name_too_long_for_a_file_keeps_its_own_place(tmp_path: Path) -> None:
    storage = Local(directory=str(tmp_path))

    one, other = (storage.add_flow(Flow("x" * 300 + end)) for end in "ab")

    assert Path(one).parent != Path(other).parent
    assert {storage.get_flow("x" * 300 + end).name[-1] for end in "ab"} == {"a", "b"}


def test_an_unknown_name_is_no_storage_error() -> None:
    with pytest.raises(ValueError, match="not contained"):
        Module("json").get_flow("nope")


def test_an_extra_that_is_missing_is_named_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagflow.storage import S3

    monkeypatch.setitem(sys.modules, "s3fs", None)
    # What fsspec has found before in this process it does not import again.
    monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, "s3", raising=False)
    storage: Any = S3("bucket", key="k")
    storage.add_flow(Flow("etl"))

    with pytest.raises(ImportError, match=r"'\.\[s3\]'"):
        storage.get_flow("etl")
