"""What a DaskExecutor makes of its arguments; real clusters are in test_dask_clusters.py."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import pytest

from dagflow.core.flow import Flow
from dagflow.executors import DaskExecutor
from dagflow.executors.dask import resources_in
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.tasks import task


class Cluster:
    """Stands for a cluster class of somebody else."""

    def __init__(self, **kwargs: Any) -> None:
        self.kwargs = kwargs


@pytest.mark.parametrize("more", [{"cluster_kwargs": {}}, {"cluster_class": Cluster}, {"cluster_class": "a.B"}])
def test_an_address_and_how_to_start_a_cluster_exclude_each_other(more: Any) -> None:
    with pytest.raises(ValueError, match=r"tcp://127.0.0.1:1.*Give either"):
        DaskExecutor(address="tcp://127.0.0.1:1", **more)
    with (
        set_temporary_config({"engine.executor.dask.address": "tcp://10.0.0.1:2"}),
        pytest.raises(ValueError, match=r"tcp://10.0.0.1:2.*engine.executor.dask.address"),
    ):
        DaskExecutor(**more)


def test_the_address_comes_from_the_configuration_when_not_given() -> None:
    with set_temporary_config({"engine.executor.dask.address": "tcp://10.0.0.1:2"}):
        assert DaskExecutor().address == "tcp://10.0.0.1:2"
        assert DaskExecutor(address="tcp://10.0.0.1:3").address == "tcp://10.0.0.1:3"
    assert DaskExecutor().address is None, "an empty setting is none"


def test_the_cluster_class_is_a_callable_or_a_dotted_name() -> None:
    from distributed import LocalCluster, SpecCluster

    assert DaskExecutor().cluster_class is LocalCluster
    assert DaskExecutor(cluster_class="distributed.SpecCluster").cluster_class is SpecCluster
    assert DaskExecutor(cluster_class=Cluster, cluster_kwargs={"x": 1}).cluster_kwargs == {"x": 1}
    with set_temporary_config({"engine.executor.dask.cluster_class": "distributed.SpecCluster"}):
        assert DaskExecutor().cluster_class is SpecCluster


def test_a_cluster_of_our_own_is_quiet_unless_debugged() -> None:
    assert DaskExecutor().cluster_kwargs == {"silence_logs": logging.CRITICAL}
    assert DaskExecutor(debug=True).cluster_kwargs == {"silence_logs": logging.WARNING}
    assert DaskExecutor(cluster_kwargs={"silence_logs": 7}, debug=True).cluster_kwargs == {"silence_logs": 7}
    with set_temporary_config({"debug": True}):
        assert DaskExecutor().debug and not DaskExecutor(debug=False).debug


def test_dicts_are_copied() -> None:
    cluster: dict[str, Any] = {"n_workers": 1}
    adapt = {"minimum": 1}
    client = {"timeout": 3}

    made = DaskExecutor(cluster_kwargs=cluster, adapt_kwargs=adapt, client_kwargs=client)
    for given in (cluster, adapt, client):
        given.clear()

    assert made.cluster_kwargs["n_workers"] == 1 and made.adapt_kwargs == {"minimum": 1}
    assert made.client_kwargs == {"set_as_default": False, "timeout": 3}


def test_adapt_kwargs_for_a_cluster_that_is_not_ours_are_named_as_useless(caplog: pytest.LogCaptureFixture) -> None:
    DaskExecutor(address="tcp://127.0.0.1:1", adapt_kwargs={"minimum": 1})

    assert "adapt_kwargs are for clusters that DaskExecutor starts" in caplog.text


def test_it_does_nothing_outside_start() -> None:
    executor = DaskExecutor(address="tcp://127.0.0.1:1")

    with pytest.raises(ValueError, match=r"inside `with executor\.start"):
        executor.submit(int)
    with pytest.raises(ValueError, match=r"inside `with executor\.start"):
        executor.as_completed([])


def test_it_pickles_and_shows_itself() -> None:
    executor = DaskExecutor(address="tcp://127.0.0.1:1", client_kwargs={"timeout": 2})

    copy = pickle.loads(pickle.dumps(executor))

    assert (copy.address, copy.client_kwargs) == (executor.address, executor.client_kwargs)
    assert repr(copy) == "<Executor: DaskExecutor>"


def test_there_is_no_report_when_none_was_asked_for(caplog: pytest.LogCaptureFixture, tmp_path: Any) -> None:
    assert DaskExecutor().performance_report == ""
    assert "without performance_report_path" in caplog.text
    assert DaskExecutor(performance_report_path=str(tmp_path / "none.html")).performance_report == ""
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("tags", "meant"),
    [
        ([], {}),
        (["daily"], {}),
        (["dask-resource:GPU=1"], {"GPU": 1.0}),
        (["DASK-RESOURCE:GPU=0.5", "Dask-Resource:memory=2e9"], {"GPU": 0.5, "memory": 2e9}),
    ],
)
def test_tags_ask_for_resources(tags: list[str], meant: dict[str, float]) -> None:
    assert resources_in(tags) == meant


@pytest.mark.parametrize(
    "tag", ["dask-resource", "dask-resource:", "dask-resource:GPU", "dask-resource:GPU=", "dask-resource:=1"]
)
def test_a_malformed_resource_tag_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="NAME=NUMBER"):
        resources_in([tag])


def test_work_is_named_after_its_task() -> None:
    executor = DaskExecutor(address="tcp://127.0.0.1:1")

    plain = executor._key({"task_name": "load", "task_index": None}, "0" * 12)
    child = executor._key({"task_name": "load", "task_index": 3}, "0" * 12)

    assert plain.split("-")[0] == "load" and child.split("-")[:2] == ["load", "3"]
    assert len(plain.split("-")[1]) == len(child.split("-")[2]) == 32, "what follows is a uuid"
    assert plain != executor._key({"task_name": "load"}, "0" * 12)


def test_workers_follow_the_latest_of_several_drivers_and_go_back_to_their_own_settings() -> None:
    from types import SimpleNamespace

    from dagflow.configuration import config
    from dagflow.executors.dask_plugins import SettingsPlugin

    one, other = SimpleNamespace(id="w1"), SimpleNamespace(id="w2")
    before = config.to_dict()
    first = SettingsPlugin("a", "elsewhere", {**before, "mine": {"n": 1}})
    second = SettingsPlugin("b", "elsewhere", {**before, "mine": {"n": 2}})

    seen = []
    for plugin, worker, step in [
        (first, one, "setup"), (first, other, "setup"), (second, one, "setup"), (first, one, "teardown"),
        (first, other, "teardown"), (second, one, "teardown"),
    ]:  # fmt: skip
        getattr(plugin, step)(worker)
        seen.append(config.get("mine", {}).get("n"))

    assert seen == [1, 1, 2, 2, 2, None] and config.to_dict() == before


def test_importing_the_executors_imports_no_dask() -> None:
    import subprocess
    import sys

    code = "import sys, dagflow.executors; from dagflow.executors import DaskExecutor; " \
        "DaskExecutor(address='tcp://127.0.0.1:1'); print('distributed' in sys.modules)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (["GPU"], TypeError, "must be a dict"),
        ({"GPU": "one"}, TypeError, "a number for each word"),
        ({1: 1}, TypeError, "a number for each word"),
        ({"GPU": True}, TypeError, "a number for each word"),
        ({"GPU": 0}, ValueError, "above zero"),
    ],
)
def test_resources_of_a_task_are_checked(given: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        task(lambda: 1, name="t", resources=given)


def test_resources_are_copied_with_the_task() -> None:
    one = task(lambda: 1, name="t", resources={"GPU": 1})
    with Flow("f"):
        two = one()

    assert two.resources == {"GPU": 1.0} and task(lambda: 1, name="u").resources is None
