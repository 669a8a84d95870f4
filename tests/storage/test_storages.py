"""What storages check, say and serialize without reaching any place."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import dagflow.storage
from dagflow.core.flow import Flow
from dagflow.engine.results import LocalResult, S3Result
from dagflow.exceptions import FlowStorageError
from dagflow.serialization.storage import deserialize_storage
from dagflow.storage import (
    GCS,
    S3,
    Azure,
    Bitbucket,
    CodeCommit,
    Docker,
    Git,
    GitHub,
    GitLab,
    Local,
    Module,
    Storage,
    Webhook,
    get_default_storage_class,
)
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.tasks import task

HOOK: tuple[Any, ...] = ({"url": "http://x"}, "POST", {"url": "http://x"}, "GET")

FIELDS: list[tuple[Storage, set[str]]] = [
    (Local(path="a.py", stored_as_script=True), {"directory", "path", "stored_as_script"}),
    (Module("pkg.flows"), {"module"}),
    (S3("b", key="k", client_options={"endpoint_url": "u"}), {"bucket", "key", "stored_as_script", "client_options"}),
    (GCS("b", project="p"), {"bucket", "key", "project", "stored_as_script"}),
    (
        Azure("c", connection_string_secret="S", blob_name="b"),
        {"container", "connection_string_secret", "blob_name", "stored_as_script"},
    ),
    (
        Docker("r", image_name="n", image_tag="t"),
        {"registry_url", "image_name", "image_tag", "path", "stored_as_script", "version"},
    ),
    (
        Git("f.py", repo="a/b", tag="v1", clone_depth=3, format_access_token=False),
        {"flow_path", "repo", "repo_host", "flow_name", "git_token_secret_name", "git_token_username", "branch_name"}
        | {"git_clone_url_secret_name", "tag", "commit", "clone_depth", "use_ssh", "format_access_token"},
    ),
    (GitHub("a/b", "f.py", ref="main"), {"repo", "path", "ref", "access_token_secret", "base_url"}),
    (GitLab("a/b", path="f.py", host="h"), {"repo", "host", "path", "ref", "access_token_secret"}),
    (
        Bitbucket("p", "r", workspace="w", path="f.py"),
        {"project", "repo", "workspace", "host", "path", "ref", "access_token_secret", "cloud_username_secret"}
        | {"cloud_app_password_secret"},
    ),
    (CodeCommit("r", path="f.py", commit="c"), {"repo", "path", "commit", "client_options"}),
    (
        Webhook(*HOOK),
        {"build_request_kwargs", "build_request_http_method", "get_flow_request_kwargs", "get_flow_request_http_method"}
        | {"stored_as_script"},
    ),
]


@pytest.mark.parametrize(("storage", "fields"), FIELDS, ids=lambda value: type(value).__name__)
def test_a_storage_serializes_just_its_settings_and_comes_back(storage: Storage, fields: set[str]) -> None:
    storage.flows["etl"] = "here"
    storage.secrets.append("TOKEN")

    document = json.loads(json.dumps(storage.serialize()))
    again = deserialize_storage(document)

    assert set(document) == {"type", "flows", "digests", "secrets", "__version__"} | fields
    assert type(again) is type(storage) and again.serialize() == document


def test_every_storage_is_tested_here() -> None:
    offered = {name for name in dagflow.storage.__all__ if name[0].isupper()} - {"Storage"}

    assert {type(storage).__name__ for storage, _ in FIELDS} == offered


def test_reading_a_local_storage_leaves_the_disk_alone(tmp_path: Path) -> None:
    document = Local(directory=str(tmp_path / "new")).serialize() | {"directory": str(tmp_path / "other")}

    storage = deserialize_storage(document)

    assert storage.directory == str(tmp_path / "other") and not any(tmp_path.iterdir())  # type: ignore[attr-defined]


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(ValueError, match=r"Unknown storage type 'Locl'.*Did you mean 'Local'"):
        deserialize_storage({"type": "Locl"})


def test_making_storages_imports_no_client() -> None:
    code = (
        "import sys\nfrom dagflow.storage import *\nfrom dagflow import storage\n"
        "storage.S3('b'), storage.GCS('b'), storage.Azure('c'), storage.Docker(), storage.GitHub('r', 'p')\n"
        "storage.Git('f', repo='a/b'), storage.CodeCommit('r'), storage.Bitbucket('p', 'r')\n"
        "extras = ('fsspec', 's3fs', 'gcsfs', 'adlfs', 'httpx2', 'docker', 'dulwich', 'botocore')\n"
        "print([name for name in extras if name in sys.modules])"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


# --- labels, results, defaults ---


def test_local_storage_brings_the_name_of_the_machine_unless_told_not_to() -> None:
    import socket

    host = socket.gethostname()

    assert Local(labels=["a", host]).labels == ["a", host]
    assert Local(labels=["a", "a"], add_default_labels=False).labels == ["a"]
    with set_temporary_config({"flows.defaults.storage.add_default_labels": False}):
        assert Local().labels == []
    assert S3("b", labels=["x"]).labels == ["x"]


def test_each_storage_has_the_default_result_of_its_place(tmp_path: Path) -> None:
    assert Local(directory=str(tmp_path / "d")).result == LocalResult(str(tmp_path / "d"), validate_dir=False)
    assert S3("b").result == S3Result("b")
    own = S3Result("other")
    assert S3("b", result=own).result is own
    assert Module("m").result is None and GitHub("r", "p").result is None


def test_results_of_local_storage_keep_out_of_the_flows_folder(tmp_path: Path) -> None:
    result: Any = Local().result

    assert result.dir == str(tmp_path / "home" / "results") and not (tmp_path / "home").exists()


def test_the_default_storage_is_configured_by_name() -> None:
    assert get_default_storage_class() is Local
    with set_temporary_config({"flows.defaults.storage.default_class": "dagflow.storage.Module"}):
        assert get_default_storage_class() is Module
    with (
        set_temporary_config({"flows.defaults.storage.default_class": "no.such.Storage"}),
        pytest.warns(UserWarning, match="cannot be imported"),
    ):
        assert get_default_storage_class() is Local


# --- wrong arguments ---


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: Git("f.py", repo="a/b", tag="x", commit="y"), ValueError, "found tag and commit"),
        (lambda: Git("f.py"), ValueError, "needs repo"),
        (lambda: Bitbucket("p", "r", workspace="w", access_token_secret="s"), ValueError, "found both"),
        (lambda: Docker(base_image="a", dockerfile="b"), ValueError, "found both"),
        (lambda: Docker(files={"a/b": "/c"}), ValueError, "absolute paths; found 'a/b'"),
        (lambda: Docker(image_name="a").name, ValueError, "both are needed"),
        (lambda: Webhook({}, "DELETE", {}, "GET"), RuntimeError, "'DELETE'; expected one of GET, PATCH, POST, PUT"),
        (lambda: Local(labels="night"), TypeError, "found the string 'night'"),
        (lambda: GitLab("a/b").add_flow(Flow("etl")), ValueError, "needs the path of its script"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        make()


def test_the_dependencies_given_to_docker_are_copied() -> None:
    given = ["pandas"]

    Docker(python_dependencies=given).python_dependencies.append("more")

    assert given == ["pandas"]


# --- local and module ---


def test_a_missing_file_is_said_to_be_missing_with_the_labels(tmp_path: Path) -> None:
    storage = Local(path=str(tmp_path / "gone.py"), stored_as_script=True, labels=["night"], add_default_labels=False)
    storage.add_flow(Flow("etl"))

    with pytest.raises(FlowStorageError, match=r"file not found at .*gone\.py; storage=Local, labels=\['night'\]"):
        storage.get_flow("etl")


def test_a_module_path_in_local_storage_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagflow_test_stored.py").write_text("from dagflow import Flow\nflow = Flow('etl')")
    monkeypatch.syspath_prepend(tmp_path)
    for storage in (Local(path="dagflow_test_stored", stored_as_script=True), Module("dagflow_test_stored")):
        assert storage.add_flow(Flow("etl")) == "dagflow_test_stored"
        assert storage.build().get_flow("etl").name == "etl"


def test_the_pickle_is_written_when_the_flow_is_added(tmp_path: Path) -> None:
    location = Local(directory=str(tmp_path)).add_flow(Flow("My Flow"))

    assert Path(location).is_file() and Path(location).parent == tmp_path / "my-flow"


def test_registering_builds_the_storage_once(tmp_path: Path) -> None:
    flow = Flow("etl", storage=Local(directory=str(tmp_path)))

    document = flow.serialize(build=True)

    assert list(document["storage"]["flows"]) == ["etl"]
    with pytest.warns(UserWarning, match="is in its storage already"):
        flow.serialize(build=True)


def test_the_hash_does_not_depend_on_the_time_of_building() -> None:
    one, other = (Flow("etl", storage=Local()) for _ in range(2))

    assert one.serialized_hash() == other.serialized_hash()


# --- health ---


@task(max_retries=1, retry_delay=timedelta(0))
def flaky(x: Any) -> None:
    """Fail at times."""


@task(cache_for=timedelta(days=1))
def slow() -> None:
    """Take time."""


@task
def load() -> int:
    return 1


def warnings_of(flow: Flow) -> list[str]:
    storage = Module("m")
    storage.add_flow(flow)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        storage.build()
    return [str(one.message) for one in caught]


def test_retries_and_caches_without_results_are_warned_about() -> None:
    with Flow("unhealthy") as flow:
        flaky(load())
        slow()

    found = warnings_of(flow)

    assert len(found) == 2
    assert any("'flaky'" in one and "has retries" in one and "no result on load" in one for one in found)
    assert any("'slow'" in one and "caches its result" in one and "no result on slow" in one for one in found)


def test_what_is_healthy_is_silent(tmp_path: Path) -> None:
    result = LocalResult(str(tmp_path))
    with Flow("with a result", result=result) as one:
        flaky(load())
    with Flow("without data") as two:
        flaky(3, upstream_tasks=[load()])
        slow(task_args={"result": result})

    assert warnings_of(one) == [] and warnings_of(two) == []
