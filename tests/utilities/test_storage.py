"""Flows in files, scripts and modules."""

from __future__ import annotations

import json
import pickle
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from dagflow.core.flow import Flow
from dagflow.core.task import Task
from dagflow.exceptions import FlowStorageError
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.context import context
from dagflow.utilities.storage import (
    extract_flow_from_file,
    extract_flow_from_module,
    flow_from_bytes_pickle,
    flow_to_bytes_pickle,
    slugify,
)
from dagflow.utilities.tasks import task

SCRIPT = """
from dataclasses import dataclass
from dagflow import Flow, task
from dagflow.utilities.context import context

@dataclass
class Point:
    x: "int"

@task
def load():
    return Point(1)

with Flow("first") as first:
    load()
second = Flow("second")
seen = (__name__, globals().get("__file__"), context.get("loading_flow"), context.get("local_script_path"))
if __name__ == "__main__":
    raise SystemExit("must not run")
"""


@task
def add(x: int) -> int:
    return x + 1


def sums(name: str = "My Sums") -> Flow:
    with Flow(name) as flow:
        add(1)
    return flow


def edited(data: bytes, **versions: str) -> bytes:
    document = json.loads(data)
    document["versions"] |= versions
    return json.dumps(document).encode()


# --- pickles ---


def test_a_flow_is_kept_as_json_around_a_pickle_with_the_versions() -> None:
    document = json.loads(flow_to_bytes_pickle(sums()))

    assert set(document) == {"flow", "versions"}
    assert set(document["versions"]) == {"cloudpickle", "dagflow", "python"}


def test_a_bare_cloudpickle_loads_too() -> None:
    assert flow_from_bytes_pickle(cloudpickle.dumps(sums())).name == "My Sums"


def test_another_dagflow_version_warns() -> None:
    with pytest.warns(UserWarning, match=r"stored by dagflow 0\.0\.1"):
        assert flow_from_bytes_pickle(edited(flow_to_bytes_pickle(sums()), dagflow="0.0.1")).name == "My Sums"


def test_a_failure_to_load_lists_the_versions_that_differ() -> None:
    broken = json.dumps({"flow": b64encode(b"nonsense").decode(), "versions": {"python": "3.2.1"}}).encode()

    with pytest.raises(FlowStorageError, match=r"stored with python 3\.2\.1 and is read with") as caught:
        flow_from_bytes_pickle(broken)

    assert "dagflow" not in str(caught.value).partition("It was stored")[2]


def test_a_missing_module_is_named() -> None:
    data = pickle.dumps(sys.modules["tests.doubles"].HttpDouble).replace(b"tests.doubles", b"tests.doubleX")

    with pytest.raises(FlowStorageError, match=r"tests\.doubleX.* is missing here: install it"):
        flow_from_bytes_pickle(data)


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b'{"flow": 5}', b'{"flow": "%%%"}', b"\x80\x04garbage", b"plain"])
def test_damaged_data_is_a_storage_error(data: bytes) -> None:
    with pytest.raises(FlowStorageError, match=r"damaged|could not be loaded"):
        flow_from_bytes_pickle(data)


def test_something_else_than_a_flow_is_refused() -> None:
    with pytest.raises(FlowStorageError, match="is no flow but a dict"):
        flow_from_bytes_pickle(cloudpickle.dumps({}))


def test_a_flow_saved_under_its_name_is_loaded_by_it(tmp_path: Path) -> None:
    path = sums().save()

    assert path == str(tmp_path / "home" / "flows" / "my-sums.dagflow")
    for given in ("My Sums", "my-sums", "my-sums.dagflow", path):
        assert Flow.load(given).name == "My Sums"


def test_a_relative_path_that_exists_is_taken_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sums().save("here.dagflow") == str(tmp_path / "here.dagflow")

    assert Flow.load("here.dagflow").name == "My Sums"


def test_a_missing_flow_is_named_with_those_that_are_there() -> None:
    sums().save()

    with pytest.raises(FileNotFoundError, match=r"Did you mean 'my-sums'\? Saved there: my-sums\."):
        Flow.load("my-sum")


def test_saving_an_open_flow_leaves_no_file(tmp_path: Path) -> None:
    with Flow("open") as flow:
        flow.add_task(Task("one"))
        with pytest.raises(TypeError, match="while its `with` block is open"):
            flow.save(str(tmp_path / "open.dagflow"))

    assert not list(tmp_path.glob("*.dagflow"))


@pytest.mark.parametrize(
    ("name", "slug"), [("A b--C", "a-b-c"), ("Ünïcode", "unicode"), ("../../etc", "etc"), ("x" * 3, "xxx")]
)
def test_slugs_are_fit_for_file_names(name: str, slug: str) -> None:
    assert slugify(name) == slug


def test_names_that_leave_no_letter_stay_apart() -> None:
    assert slugify("流れ") != slugify("別の") and slugify("流れ").startswith("flow-")


# --- scripts ---


def script(tmp_path: Path, text: str = SCRIPT, name: str = "my flow.py") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_flows_are_found_in_a_script_by_name_or_the_first(tmp_path: Path) -> None:
    path = script(tmp_path)

    assert extract_flow_from_file(path).name == "first"
    assert extract_flow_from_file(path, flow_name="second").name == "second"
    assert extract_flow_from_file(file_contents=SCRIPT).name == "first"


def test_a_script_is_a_real_module_while_and_after_it_runs(tmp_path: Path) -> None:
    path = script(tmp_path)

    flow = extract_flow_from_file(path)
    (load,) = flow.tasks
    module = sys.modules[load.run.__module__]

    assert module.seen == (module.__name__, path, True, path)
    assert module.__name__ != "__main__" and context.get("loading_flow") is None
    assert load.run().x == 1
    # By value: a worker that never saw the script can load it.
    assert b"dagflow_script" in (data := cloudpickle.dumps(load.run()))
    del sys.modules[module.__name__]
    assert pickle.loads(data).x == 1


def test_the_name_of_a_script_module_is_stable_and_its_own(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    paths = [script(tmp_path), script(tmp_path), script(tmp_path / "sub")]

    names = [next(iter(extract_flow_from_file(path).tasks)).run.__module__ for path in paths]

    assert names[0] == names[1] != names[2]


def test_contents_without_a_path_have_no_file() -> None:
    (load,) = extract_flow_from_file(file_contents=SCRIPT).tasks

    assert sys.modules[load.run.__module__].seen[1:] == (None, True, None)


def test_a_script_imports_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "dagflow_test_neighbour.py").write_text("NAME = 'from beside'")
    path = script(tmp_path, "from dagflow_test_neighbour import NAME\nfrom dagflow import Flow\nflow = Flow(NAME)")

    assert extract_flow_from_file(path).name == "from beside"
    assert str(tmp_path) not in sys.path
    del sys.modules["dagflow_test_neighbour"]


def test_a_script_hashes_alike_however_it_is_run(tmp_path: Path) -> None:
    import subprocess

    text = (
        "from dagflow import Flow, Task\nclass Mine(Task): pass\nflow = Flow('f', tasks=[Mine()])\n"
        "if __name__ == '__main__': print(flow.serialized_hash())"
    )
    path = script(tmp_path, text)

    run = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)

    assert extract_flow_from_file(path).serialized_hash() == run.stdout.strip()


def test_an_error_in_a_script_travels_and_leaves_no_module(tmp_path: Path) -> None:
    before = set(sys.modules)

    with pytest.raises(ZeroDivisionError) as caught:
        extract_flow_from_file(script(tmp_path, "x = 1\n1 / 0\n"))

    assert caught.traceback[-1].path.name == "my flow.py"  # type: ignore[union-attr]
    assert {name for name in set(sys.modules) - before if name.startswith("dagflow_script")} == set()


@pytest.mark.parametrize("given", [{}, {"file_path": "x.py", "file_contents": "y"}])
def test_exactly_one_source_is_needed(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="either file_path or file_contents"):
        extract_flow_from_file(**given)


def test_a_wrong_name_lists_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"'secnd' in the script; found 'first', 'second'\. Did you mean 'second'"):
        extract_flow_from_file(file_contents=SCRIPT, flow_name="secnd")
    with pytest.raises(ValueError, match="There is no flow in the script"):
        extract_flow_from_file(file_contents="x = 1")


# --- modules ---


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "dagflow_test_flows.py").write_text(
        SCRIPT + "\nclass Box:\n    flow = second\ndef make():\n    return Flow('made')\nnumber = 5\n"
    )
    (tmp_path / "dagflow_test_single.py").write_text("from dagflow import Flow\nflow = Flow('only')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "dagflow_test_flows", None)  # so that it is forgotten afterwards
    del sys.modules["dagflow_test_flows"]
    return "dagflow_test_flows"


def test_flows_are_found_in_a_module(package: str) -> None:
    assert extract_flow_from_module(package, "second").name == "second"
    assert extract_flow_from_module("dagflow_test_single").name == "only"
    assert extract_flow_from_module(f"{package}:Box.flow").name == "second"
    assert extract_flow_from_module(f"{package}:make", "made").name == "made"


@pytest.mark.parametrize(
    ("suffix", "name", "kind", "words"),
    [
        ("", None, ValueError, "has several flows: 'first', 'second'"),
        ("", "third", ValueError, "no flow 'third'"),
        (":number", None, TypeError, "is no flow but a int"),
        (":second", "first", ValueError, "is the flow 'second', not 'first'"),
        (":nothing", None, AttributeError, "has no 'nothing'"),
    ],
)
def test_a_wrong_choice_in_a_module_is_explained(
    package: str, suffix: str, name: str | None, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        extract_flow_from_module(package + suffix, name)


def test_home_may_change_between_saves(tmp_path: Path) -> None:
    with set_temporary_config({"home_dir": str(tmp_path / "other")}):
        assert sums().save().startswith(str(tmp_path / "other" / "flows"))
