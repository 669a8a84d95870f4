"""What ``flow.register`` and ``flow.run_agent`` do before and while they talk to a server."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.utilities.context import context

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["complete", "is_being_loaded", "refuse_open_block", "register_flow", "run_agent"]


def register_flow(
    flow: Flow,
    project_name: str | None = None,
    build: bool = True,
    labels: Iterable[str] | None = None,
    set_schedule_active: bool | None = True,
    version_group_id: str | None = None,
    no_url: bool = False,
    idempotency_key: str | None = None,
    **storage_kwargs: Any,
) -> Any:
    """
    Send the metadata of *flow* to the server and return the flow's id there.

    A flow without storage gets the configured one, made with *storage_kwargs*; one without run config a universal one.
    Labels of the storage and *labels* are added to the run config; a flow without result takes that of its storage.

    Args:
        flow: the flow.
        project_name: the project it belongs to.
        build: bring the flow to its storage.
        labels: labels for the run config.
        set_schedule_active: follow the flow's schedule from now on; ``None`` leaves that as it is for the group.
        version_group_id: the group of versions it belongs to; default is that of its name.
        no_url: print nothing.
        idempotency_key: registering again with the same key changes nothing.
        **storage_kwargs: for the default storage.

    Raises:
        ValueError: inside the flow's own block, and for a project that does not exist.
        TypeError: without a project.
        ClientError: when the server cannot be reached, with its URL, or refuses.
    """
    refuse_open_block(flow, "registered", "register(...)")
    if is_being_loaded(flow, "register"):
        return None
    if project_name is None:
        raise TypeError(f"Flow {flow.name!r} needs a project: flow.register(project_name='...').")
    from dagflow.client.client import Client

    with Client() as client:
        # First, so that nothing is touched for a server that is not there; once, because a person is waiting.
        client._request("GET", "health", retries=0)
        complete(flow, labels, storage_kwargs)
        return client.register(
            flow,
            project_name,
            build=build,
            set_schedule_active=set_schedule_active,
            version_group_id=version_group_id,
            no_url=no_url,
            idempotency_key=idempotency_key,
        )


def run_agent(
    flow: Flow,
    show_flow_logs: bool = False,
    log_to_cloud: bool | None = None,
    api_key: str | None = None,
    **options: Any,
) -> None:
    """
    Run an agent in this process that takes runs with the labels of the flow's run config, until it is stopped.

    Args:
        flow: the flow.
        show_flow_logs: what runs print goes to the output of the agent.
        log_to_cloud: whether the log lines of runs go to the server; default is the setting.
        api_key: the key for the server.
        **options: more of :class:`~dagflow.agent.local.LocalAgent`.

    Raises:
        ValueError: inside the flow's own block.
    """
    refuse_open_block(flow, "given an agent", "run_agent()")
    if is_being_loaded(flow, "run_agent"):
        return
    from dagflow.agent.local import LocalAgent

    if flow.run_config is not None:
        options.setdefault("labels", sorted(flow.run_config.labels))
    if log_to_cloud is not None:
        options.setdefault("no_cloud_logs", not log_to_cloud)
    LocalAgent(show_flow_logs=show_flow_logs, api_key=api_key, **options).start()


def refuse_open_block(flow: Flow, done: str, call: str) -> None:
    """Raise ``ValueError`` with both code shapes when *call* stands in the flow's own block."""
    if not (flow._open or context.get("flow") is flow):
        return
    raise ValueError(
        f"Flow {flow.name!r} cannot be {done} inside its own `with` block, while it is still being built.\n"
        f"Do this:\n\n    with Flow({flow.name!r}) as flow:\n        ...\n\n    flow.{call}\n\n"
        f"instead of this:\n\n    with Flow({flow.name!r}) as flow:\n        ...\n        flow.{call}\n"
    )


def is_being_loaded(flow: Flow, call: str) -> bool:
    """Tell whether the script of the flow is only being read; then *call* in it is passed over with a warning."""
    if not context.get("loading_flow"):
        return False
    warnings.warn(
        f"Flow {flow.name!r} is being loaded from its file, so the call of flow.{call}() there is passed over. "
        'Put it under `if __name__ == "__main__":`.',
        stacklevel=4,
    )
    return True


def complete(
    flow: Flow, labels: Iterable[str] | None = None, storage_kwargs: Mapping[str, Any] | None = None
) -> None:
    """Give *flow* what a server must know and what it does not say itself."""
    from dagflow.run_configs import UniversalRun
    from dagflow.storage import get_default_storage_class

    if flow.storage is None:
        flow.storage = get_default_storage_class()(**(storage_kwargs or {}))
    if flow.run_config is None:
        flow.run_config = UniversalRun()
    flow.run_config.labels.update(flow.storage.labels, labels or ())
    if flow.result is None:
        flow.result = flow.storage.result
