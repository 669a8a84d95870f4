"""
Executing one of the server's flow runs in this process.

The run is taken hold of, its flow loaded from the storage that it was registered with, and run. Whatever goes wrong on
the way is the run's end, and its log says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dagflow.backend.heart import signs_of_life
from dagflow.backend.log_shipping import LogShipper
from dagflow.backend.runner import BackendFlowRunner, Terminated, stopping_on_signals
from dagflow.configuration import config
from dagflow.engine.signals import ENDRUN
from dagflow.engine.state import Failed, State
from dagflow.exceptions import FlowStorageError, ObjectNotFoundError
from dagflow.utilities.context import context
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.client.client import Client
    from dagflow.core.flow import Flow

__all__ = ["execute_flow_run", "load_flow"]


def execute_flow_run(flow_run_id: str, client: Client | None = None, token: int | None = None) -> State:
    """
    Execute a flow run and return the state in which it is then.

    Args:
        flow_run_id: the run.
        client: the way to the server.
        token: the one that came with the run, when an agent claimed it.

    Raises:
        ValueError: when there is no such run.
    """
    from dagflow.client.client import Client

    client = client or Client()
    try:
        begun = client.post(f"flow_runs/{flow_run_id}/begin", {"token": token})
    except ObjectNotFoundError as error:
        raise ValueError(f"There is no flow run {flow_run_id} on {client.api_server}.") from error
    if not config.cloud.send_flow_run_logs:
        return _execute(client, begun)
    with LogShipper(client, flow_run_id):
        return _execute(client, begun)


def _execute(client: Client, begun: dict[str, Any]) -> State:
    run = begun["flow_run"]
    logger = get_logger("execution")
    try:
        with stopping_on_signals():
            with signs_of_life(client, begun):
                flow = load_flow(begun["flow"]["storage"], begun["flow"]["name"], client)
            runner = _runner(flow)
            runner.client, runner.begun = client, begun
            with context({**run["context"], "running_with_backend": True}):
                final: State = runner.run(executor=flow.executor)
                return final
    except ENDRUN as end:
        return end.state
    except Terminated:
        logger.warning("The process was told to stop; the run is given back and will be taken up again.")
        raise
    except Exception as error:
        logger.exception("The flow run could not be executed: %s", error)
        runner = BackendFlowRunner(flow=None)  # type: ignore[arg-type]
        runner.client = client
        runner._record_end(run["id"], begun["run_token"], Failed(f"{type(error).__name__}: {error}"))
        raise


def _runner(flow: Flow) -> Any:
    """Return the runner that the settings name, if it is one for a server."""
    from dagflow.engine.defaults import get_default_flow_runner_class

    kind = get_default_flow_runner_class()
    return (kind if issubclass(kind, BackendFlowRunner) else BackendFlowRunner)(flow=flow)


def load_flow(document: dict[str, Any] | None, name: str, client: Client) -> Flow:
    """
    Load a flow from the storage that it was registered with.

    Raises:
        FlowStorageError: which says where it was looked for, and why it could not be loaded.
    """
    from dagflow.serialization.storage import deserialize_storage

    if not document:
        raise FlowStorageError(
            f"Flow {name!r} was registered without storage, so there is no code to run. Register it with one."
        )
    storage = deserialize_storage(document)
    with context(loading_flow=True, secrets={**(context.get("secrets") or {}), **_secrets(storage.secrets)}):
        flow = storage.get_flow(name)
    if flow.result is None:
        # A script makes its flow anew, without what registration gave it.
        flow.result = storage.result
    return flow


def _secrets(names: Iterable[str]) -> dict[str, Any]:
    """Return the secrets that a storage needs, from here or from the server."""
    from dagflow.utilities.secrets import Secret

    return {name: Secret(name).get() for name in names}
