"""CodeCommit storage, with AWS's own client, against a server that answers as the documented interface does."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import pytest

pytest.importorskip("botocore", reason="needs the s3 extra")

from dagflow.core.flow import Flow
from dagflow.exceptions import FlowStorageError
from dagflow.storage import CodeCommit
from dagflow.utilities.context import context
from tests.doubles import HttpDouble

SCRIPT = b"from dagflow import Flow\nflow = Flow('etl')\n"
FOUND = {"commitId": "a" * 40, "fileContent": base64.b64encode(SCRIPT).decode(), "filePath": "flows/etl.py"}


def storage_at(api: HttpDouble, **settings: Any) -> CodeCommit:
    options = {"endpoint_url": api.url, "region_name": "eu-west-1", **settings.pop("options", {})}
    storage = CodeCommit("flows", **{"path": "flows/etl.py", "client_options": options, **settings})
    storage.add_flow(Flow("etl"))
    return storage


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")


@pytest.mark.parametrize("commit", [None, "main", "feature/x", "b" * 40])
def test_a_file_is_fetched(api: HttpDouble, commit: str | None) -> None:
    api.answers["/"] = 200, FOUND

    assert storage_at(api, commit=commit).get_flow("etl").name == "etl"

    method, _, headers, body = api.requests[-1]
    assert (method, headers["x-amz-target"]) == ("POST", "CodeCommit_20150413.GetFile")
    assert body == {
        "repositoryName": "flows",
        "filePath": "flows/etl.py",
        **({"commitSpecifier": commit} if commit else {}),
    }
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDENV/")
    assert "/eu-west-1/codecommit/aws4_request" in headers["authorization"]


def test_the_secret_comes_before_the_environment(api: HttpDouble) -> None:
    api.answers["/"] = 200, FOUND

    with context(secrets={"AWS_CREDENTIALS": {"ACCESS_KEY": "AKIDSECRET", "SECRET_ACCESS_KEY": "x"}}):
        storage_at(api).get_flow("etl")

    assert "Credential=AKIDSECRET/" in api.requests[-1][2]["authorization"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("RepositoryDoesNotExistException", "no such repository"),
        ("FileDoesNotExistException", "no such file"),
        ("CommitDoesNotExistException", "no such commit"),
        ("InvalidCommitException", "no such branch, tag or commit"),
        ("AccessDeniedException", "AccessDenied"),
    ],
)
def test_what_is_missing_is_named(api: HttpDouble, code: str, words: str) -> None:
    api.answers["/"] = 400, {"__type": code, "message": "refused"}

    with pytest.raises(FlowStorageError, match=f"'flows/etl.py' of 'flows' at main: .*{words}"):
        storage_at(api, commit="main").get_flow("etl")


def test_no_credentials_or_region_are_storage_errors(api: HttpDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)

    for options in ({}, {"region_name": None}):
        with pytest.raises(FlowStorageError, match="'etl'"):
            storage_at(api, options=options).get_flow("etl")


def test_hostile_names_are_refused_before_anything_is_sent(api: HttpDouble) -> None:
    for settings in ({"path": "../x"}, {"commit": "a..b"}, {"commit": "-x"}, {"commit": "a\nb"}):
        with pytest.raises(FlowStorageError):
            storage_at(api, **settings).get_flow("etl")

    assert api.requests == []


def test_the_options_are_serialized_and_no_credentials(api: HttpDouble) -> None:
    document = json.dumps(storage_at(api).serialize())

    assert "canary" not in document and "eu-west-1" in document


def test_without_botocore_the_extra_is_named(api: HttpDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("botocore.config", "botocore.session"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(ImportError, match=r"'\.\[s3\]'"):
        storage_at(api).get_flow("etl")
