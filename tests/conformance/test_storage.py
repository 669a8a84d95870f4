"""One suite that every storage which works in this version passes, on a real store each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from dagflow.core.flow import Flow
from dagflow.core.task import Task
from dagflow.exceptions import FlowStorageError
from dagflow.serialization.storage import deserialize_storage
from dagflow.storage import GCS, S3, Azure, Local, Storage
from dagflow.storage._objects import ObjectStorage
from dagflow.utilities.storage import flow_to_bytes_pickle
from tests.conformance import stores

Make = Callable[..., Storage]

# The clients of the vendors warn of their own affairs.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SCRIPT = "from dagflow import Flow, Task\nflow = Flow('etl', tasks=[Task('load')])\nother = Flow('other')"


@pytest.fixture(scope="session")
def s3() -> Iterator[Make]:
    with stores.s3_server() as url:
        yield lambda **kwargs: S3(stores.BUCKET, client_options=stores.s3_settings(url), **kwargs)


@pytest.fixture(scope="session")
def gcs() -> Iterator[Make]:
    with stores.gcs_server() as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", url)
        yield lambda **kwargs: GCS(stores.BUCKET, **kwargs)


@pytest.fixture(scope="session")
def azure() -> Iterator[Make]:
    with stores.azure_server() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)

        def make(key: str | None = None, **kwargs: Any) -> Storage:
            return Azure(stores.BUCKET, blob_name=key, overwrite=True, **kwargs)

        yield make


@pytest.fixture
def local(tmp_path: Path) -> Make:
    def make(key: str | None = None, local_script_path: str | None = None, **kwargs: Any) -> Storage:
        path = local_script_path or (str(tmp_path / key) if key else None)
        return Local(directory=str(tmp_path / "flows"), path=path, **kwargs)

    return make


@pytest.fixture(params=["local", "s3", "gcs", "azure"])
def make(request: pytest.FixtureRequest) -> Make:
    """Make storages of one kind, all in one store."""
    maker: Make = request.getfixturevalue(request.param)
    return maker


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "flow.py"
    path.write_text(SCRIPT)
    return str(path)


def elsewhere(storage: Storage) -> Storage:
    """Return the storage as another machine gets it."""
    return deserialize_storage(json.loads(json.dumps(storage.serialize())))


def test_a_pickled_flow_is_loaded_elsewhere(make: Make) -> None:
    storage = make()
    location = storage.add_flow(Flow("etl", tasks=[Task("load")]))

    built = storage.build()

    assert built.flows == {"etl": location} and "etl" in built
    loaded = elsewhere(built).get_flow("etl")
    assert [task.name for task in loaded.tasks] == ["load"]


def test_two_flows_get_two_locations(make: Make) -> None:
    storage = make()
    locations = {storage.add_flow(Flow(name)) for name in ("one", "two")}

    loaded = [elsewhere(storage.build()).get_flow(name).name for name in ("one", "two")]

    assert len(locations) == 2 and loaded == ["one", "two"]


def test_a_key_is_used_as_it_is(make: Make) -> None:
    storage = make(key="chosen")

    assert storage.add_flow(Flow("etl")).endswith("chosen")
    assert elsewhere(storage.build()).get_flow("etl").name == "etl"


def test_a_script_is_loaded_elsewhere_by_the_name_asked_for(make: Make, script: str) -> None:
    storage = make(stored_as_script=True, local_script_path=script)
    for name in ("etl", "other"):
        storage.add_flow(Flow(name))

    built = elsewhere(storage.build())

    assert [built.get_flow(name).name for name in ("etl", "other")] == ["etl", "other"]


def test_a_script_without_a_place_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="is to be stored as a script"):
        make(stored_as_script=True).add_flow(Flow("etl"))


def test_what_is_gone_is_a_storage_error_that_names_the_place(make: Make) -> None:
    storage = make(key="nowhere/at-all")
    storage.flows["etl"] = "nowhere/at-all"

    with pytest.raises(FlowStorageError, match="nowhere/at-all"):
        storage.get_flow("etl")


def test_names_are_unique_and_known(make: Make) -> None:
    storage = make()
    storage.add_flow(Flow("etl"))

    with pytest.raises(ValueError, match=r"[Nn]ame conflict"):
        storage.add_flow(Flow("etl"))
    with pytest.raises(ValueError, match=r"'elt' is not contained in this Storage.*Did you mean 'etl'"):
        storage.get_flow("elt")
    assert 5 not in storage


def test_a_storage_is_pickled_with_its_locations_but_not_its_flows(make: Make) -> None:
    storage = make()
    storage.add_flow(Flow("etl"))

    again = cloudpickle.loads(cloudpickle.dumps(storage.build()))

    assert again.flows == storage.flows and again.get_flow("etl").name == "etl"


def put(storage: Storage, location: str, data: bytes) -> None:
    """Write to the place of the storage past the storage itself, as somebody else could."""
    if isinstance(storage, ObjectStorage):
        storage._store()._store(location, data)
    else:
        Path(location).write_bytes(data)


def test_a_pickle_that_somebody_replaced_is_never_opened(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = make()
    location = storage.add_flow(Flow("etl"))
    built = elsewhere(storage.build())
    put(storage, location, flow_to_bytes_pickle(Flow("etl", tasks=[Task("evil")])))
    opened: list[bytes] = []
    monkeypatch.setattr(cloudpickle, "loads", opened.append)

    words = r"'etl' at .* is not what was registered: expected sha256 \w{12}\.\.\."
    with pytest.raises(FlowStorageError, match=words) as caught:
        built.get_flow("etl")

    assert opened == [] and location in str(caught.value)


def test_damaged_and_empty_pickles_are_storage_errors_without_a_digest_too(make: Make) -> None:
    storage = make()
    location = storage.add_flow(Flow("etl"))
    storage.build()
    storage.digests.clear()

    for data in (b"", b"\x00junk", b"{}", flow_to_bytes_pickle(Flow("other"))):
        put(storage, location, data)
        with pytest.raises(FlowStorageError, match="'etl'"):
            storage.get_flow("etl")


def test_an_uploaded_script_that_somebody_replaced_is_refused_and_one_of_this_disk_warned_about(
    make: Make, script: str, caplog: pytest.LogCaptureFixture
) -> None:
    storage = make(stored_as_script=True, local_script_path=script)
    location = storage.add_flow(Flow("etl"))
    built = elsewhere(storage.build())
    put(storage, location, f"{SCRIPT}\n# more".encode())

    if isinstance(storage, ObjectStorage):
        with pytest.raises(FlowStorageError, match="is not what was registered"):
            built.get_flow("etl")
    else:
        assert built.get_flow("etl").name == "etl" and "has changed since it was registered" in caplog.text


def test_a_script_that_was_not_uploaded_may_change(make: Make) -> None:
    storage = make(key="scripts_of_others.py", stored_as_script=True)
    location = storage.add_flow(Flow("etl"))
    built = elsewhere(storage.build())
    if not isinstance(storage, ObjectStorage):
        pytest.skip("a local storage is of the script that is there")
    for text in (SCRIPT, f"{SCRIPT}\n# more"):
        put(storage, location, text.encode())
        assert built.get_flow("etl").name == "etl" and built.digests == {}
