"""The results that need no store: Prefect, constant, secret; and those whose store is far away, before it is asked."""

from __future__ import annotations

import builtins
import datetime
from typing import Any

import cloudpickle
import pytest

from dagflow.engine import results
from dagflow.engine.results import AzureResult, ConstantResult, GCSResult, PrefectResult, S3Result, SecretResult
from dagflow.engine.serializers import DateTimeSerializer, JSONSerializer, PickleSerializer
from dagflow.utilities.context import context


def test_the_location_of_a_prefect_result_is_its_value() -> None:
    recipe = PrefectResult()

    written = recipe.write({"a": 1})

    assert (written.value, written.location) == ({"a": 1}, '{"a": 1}')
    assert (recipe.value, recipe.location) == (None, None)
    assert recipe.read('{"a": 1}') == written


@pytest.mark.parametrize(("location", "there"), [("1", True), ('"{x}"', True), ("{x}", False), ("", False)])
def test_a_prefect_result_exists_if_its_location_parses(location: str, there: bool) -> None:
    assert PrefectResult().exists(location, x=1) is there


def test_a_prefect_result_can_hold_a_date() -> None:
    result = PrefectResult(serializer=DateTimeSerializer())
    moment = datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC)

    assert result.read(str(result.write(moment).location)).value == moment


def test_a_prefect_result_takes_only_text_serializers() -> None:
    assert PrefectResult().serializer == JSONSerializer()
    with pytest.raises(TypeError, match="JSONSerializer or a DateTimeSerializer"):
        PrefectResult(serializer=PickleSerializer())


def test_a_prefect_result_cannot_hold_what_json_cannot() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        PrefectResult().write(object())


def test_a_constant_is_always_there_and_never_written() -> None:
    constant = ConstantResult(value=5)

    assert constant.read("anywhere") is constant
    assert constant.exists("anywhere")
    with pytest.raises(ValueError, match="cannot be written"):
        constant.write(6)
    with pytest.raises(ValueError, match="no serializer"):
        ConstantResult(value=5, serializer=JSONSerializer())


class FakeSecret:
    name = "the secret"

    def run(self, name: str) -> str:
        if name != self.name:
            raise ValueError("no such secret")
        return "hush"


def a_secret() -> Any:
    return FakeSecret()


def test_a_secret_is_asked_again_and_never_written_or_shown() -> None:
    secret: Any = SecretResult(a_secret())

    assert secret.location == "the secret"
    assert secret.read("the secret").value == "hush"
    assert "hush" not in repr(secret.read("the secret"))
    assert secret.exists("the secret") and not secret.exists("other")
    with pytest.raises(ValueError, match="never stored"):
        secret.write("hush")
    with pytest.raises(ValueError, match="no serializer"):
        SecretResult(a_secret(), serializer=JSONSerializer())


FAR = [
    (S3Result("b", location="x"), "s3fs", "s3"),
    (GCSResult("b", location="x"), "gcsfs", "gcs"),
    (AzureResult("b", connection_string="c", location="x"), "adlfs", "azure"),
]


@pytest.mark.parametrize(("result", "package", "extra"), FAR)
def test_a_missing_client_library_names_the_extra(
    result: Any, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_as_usual = builtins.__import__

    def without_package(name: str, *args: Any) -> Any:
        if name.split(".")[0] in (package, "fsspec"):
            raise ImportError(f"No module named {name}")
        return import_as_usual(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_package)
    with pytest.raises(ImportError, match=rf"{package}.*pip install '\.\[{extra}\]'"):
        result.read("x")


@pytest.mark.parametrize("result", [far[0] for far in FAR])
def test_settings_survive_pickling_and_clients_do_not(result: Any) -> None:
    result.copy()._client = (0, object())

    assert cloudpickle.loads(cloudpickle.dumps(result)) == result
    assert cloudpickle.loads(cloudpickle.dumps(result))._client is None


def test_s3_takes_the_names_of_boto3_and_the_secret_of_the_context() -> None:
    given = S3Result("b", boto3_kwargs={"aws_access_key_id": "k", "endpoint_url": "u", "region_name": "r"})
    with context(secrets={"AWS_CREDENTIALS": {"ACCESS_KEY": "a", "SECRET_ACCESS_KEY": "s"}}):
        secret = S3Result("b")._options()

    assert given._options() == {"key": "k", "endpoint_url": "u", "client_kwargs": {"region_name": "r"}}
    assert secret == {"key": "a", "secret": "s", "token": None, "client_kwargs": {}}


def test_azure_says_where_it_looked_for_a_connection_string(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)

    with pytest.raises(ValueError, match="AZURE_STORAGE_CONNECTION_STRING"):
        AzureResult("c")._options()

    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "from the environment")
    assert AzureResult("c")._options() == {"connection_string": "from the environment"}


def test_a_gcs_result_without_a_bucket_says_so_when_used() -> None:
    with pytest.raises(ValueError, match="bucket"):
        GCSResult()._path("x")


def test_unknown_kinds_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="NoSuchResult"):
        results.NoSuchResult  # noqa: B018
    assert set(results.__all__) <= set(dir(results))
