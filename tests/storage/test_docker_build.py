"""Docker storage with a real engine: an image is built, and the flow in it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("docker", reason="needs the docker extra")

import docker

from dagflow.core.flow import Flow
from dagflow.storage import Docker
from dagflow.utilities.tasks import task
from tests.storage.images import make_base, podman

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the base image is made of this machine's Linux"),
    pytest.mark.filterwarnings("ignore:The image .* was not pushed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.timeout(300),
]


class Engine(NamedTuple):
    """Where the engine is, and a base image that it has."""

    url: str
    base: str


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("podman")
    with podman(folder) as url:
        make_base(folder / "base.tar")
        client = docker.APIClient(base_url=url, version="auto", timeout=120)
        client.import_image_from_file(str(folder / "base.tar"), repository="localhost/dagflow-base", tag="latest")
        (folder / "base.tar").unlink()
        client.close()
        yield Engine(url, "localhost/dagflow-base:latest")


@task
def add(x: int) -> int:
    return x + 1


def storage_on(engine: Engine, **settings: Any) -> Docker:
    return Docker(
        base_url=engine.url, base_image=engine.base, local_image=True, image_name="localhost/flows", **settings
    )


def test_an_image_is_built_and_its_flow_checked_in_it(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with Flow("My Flow") as flow:
        add(1)
    storage = storage_on(engine, image_tag="good", env_vars={"GREETING": 'say "$x"'})
    storage.add_flow(flow)

    storage.build()

    assert "Health check: flow 'My Flow' can be loaded from /opt/dagflow/flows/my-flow.dagflow." in caplog.text
    assert "Health check passed." in caplog.text and "Health check warning" not in caplog.text
    client = docker.APIClient(base_url=engine.url, version="auto")
    assert 'GREETING=say "$x"' in client.inspect_image(storage.name)["Config"]["Env"]
    client.close()


def test_a_flow_that_cannot_be_loaded_in_the_image_ends_the_build(engine: Engine, tmp_path: Path) -> None:
    storage = storage_on(engine, image_tag="bad", path="no_such_module.flows", stored_as_script=True)
    storage.add_flow(Flow("etl"))

    with pytest.raises(
        ValueError, match=r"There is no image localhost/flows:bad(.|\n)*No module named 'no_such_module'"
    ):
        storage.build()
