"""What was stored is what is loaded: the sha256 that is registered with a flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dagflow.core.flow import Flow
from dagflow.core.task import Task
from dagflow.exceptions import FlowStorageError
from dagflow.serialization.storage import deserialize_storage
from dagflow.storage import GitHub, Local, Module, Storage, Webhook, _http
from dagflow.storage._digest import digest_of
from dagflow.utilities.storage import flow_to_bytes_pickle
from tests.doubles import HttpDouble

SCRIPT = "from dagflow import Flow\nflow = Flow('etl')\n"


def elsewhere(storage: Storage) -> Storage:
    """Return the storage as another machine gets it."""
    return deserialize_storage(json.loads(json.dumps(storage.serialize())))


def test_the_digest_of_a_pickle_is_registered_with_it(tmp_path: Path) -> None:
    storage = Local(directory=str(tmp_path))
    location = storage.add_flow(Flow("etl"))

    digests = elsewhere(storage.build()).serialize()["digests"]

    assert digests == {"etl": digest_of(Path(location).read_bytes())} and len(digests["etl"]) == 64


def test_another_pickle_in_its_place_is_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return Path(tmp_path / "exploded").touch, ()

    storage = Local(directory=str(tmp_path / "flows"))
    location = storage.add_flow(Flow("etl"))
    evil = Flow("etl", tasks=[Task("t")])
    evil.bomb = Bomb()  # type: ignore[attr-defined]
    data = flow_to_bytes_pickle(evil)
    Path(location).write_bytes(data)

    with pytest.raises(FlowStorageError) as caught:
        elsewhere(storage).get_flow("etl")

    words = str(caught.value)
    expected, found = storage.digests["etl"][:12], digest_of(data)[:12]
    assert f"expected sha256 {expected}" in words and f"found {found}" in words
    assert "'etl'" in words and location in words and "Register the flow again" in words
    assert not (tmp_path / "exploded").exists()
    # The bomb does go off where nothing is expected, so the check above is what keeps it quiet.
    storage.digests.clear()
    storage.get_flow("etl")
    assert (tmp_path / "exploded").exists()


def test_a_changed_script_runs_and_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    script = tmp_path / "flow.py"
    script.write_text(SCRIPT)
    storage = Local(path=str(script), stored_as_script=True)
    storage.add_flow(Flow("etl"))
    elsewhere(storage).get_flow("etl")
    quiet = list(caplog.messages)
    script.write_text(SCRIPT + "# changed\n")
    loaded = elsewhere(storage).get_flow("etl")

    assert quiet == [] and loaded.name == "etl"
    assert any("has changed since it was registered" in message for message in caplog.messages)


def test_a_webhook_that_answers_something_else_is_refused(api: HttpDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "PAUSE_SECONDS", 0)
    storage = Webhook({"url": f"{api.url}/put"}, "POST", {"url": f"{api.url}/get"}, "GET")
    storage.add_flow(Flow("etl"))
    storage.build()
    sent = json.dumps(api.requests[-1][3]).encode()

    api.answers["/get"] = 200, sent
    assert elsewhere(storage).get_flow("etl").name == "etl"
    api.answers["/get"] = 200, flow_to_bytes_pickle(Flow("etl", tasks=[Task("other")]))
    with pytest.raises(FlowStorageError, match="is not what was registered"):
        elsewhere(storage).get_flow("etl")


def test_what_may_change_by_itself_has_no_digest() -> None:
    for storage in (Module("m"), GitHub("a/b", "f.py"), Local(path="pkg.module", stored_as_script=True)):
        storage.add_flow(Flow("etl"))
        assert storage.build().serialize()["digests"] == {}


def test_documents_of_before_there_were_digests_are_read() -> None:
    document = Module("m").serialize()
    del document["digests"]

    assert deserialize_storage(document).digests == {}


@pytest.mark.parametrize("digests", ["abc", ["abc"], {"etl": 5}, {"etl": None}])
def test_malformed_digests_are_refused(digests: Any) -> None:
    with pytest.raises(ValueError, match="The digests of a storage are"):
        deserialize_storage(Module("m").serialize() | {"digests": digests})


def test_the_hash_of_a_flow_does_not_depend_on_its_pickle(tmp_path: Path) -> None:
    one, other = (Flow("etl", storage=Local(path=str(tmp_path / "etl"))) for _ in range(2))

    first = one.serialized_hash(build=True)
    other.storage.add_flow(other)
    other.storage.digests["etl"] = "another"

    with pytest.warns(UserWarning, match="already"):
        assert first == other.serialized_hash(build=True)
