"""What a client does with flow runs, task runs and their states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dagflow.client.connection import Connection, in_path, iso
from dagflow.client.records import FlowRunInfoResult, TaskRunInfoResult, state_of
from dagflow.configuration import config

if TYPE_CHECKING:
    from dagflow.engine.state import State
    from dagflow.run_configs.base import RunConfig

__all__ = ["RunCalls"]

QUEUE_SECONDS = 30
"""How long a queued run waits when no setting says so."""
CACHED_STATES = 100
"""How many earlier runs are looked at for a cached result."""
TASK_RUNS_PAGE = 1000


class RunCalls(Connection):
    """Making runs, reading and setting their states."""

    # --- flow runs -------------------------------------------------------------------------------------------

    def create_flow_run(
        self,
        flow_id: str | None = None,
        context: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        run_config: RunConfig | Mapping[str, Any] | None = None,
        labels: Iterable[str] | None = None,
        scheduled_start_time: datetime | str | None = None,
        idempotency_key: str | None = None,
        run_name: str | None = None,
        version_group_id: str | None = None,
    ) -> str:
        """
        Make a run and return its id.

        Args:
            flow_id: the version to run.
            context: keys of ``dagflow.context`` in the run.
            parameters: values of parameters; those not given have the defaults of the group, then of the flow.
            run_config: how it is started; default is that of the group, then of the flow.
            labels: what an agent must have to take it; ``[]`` means none, ``None`` the default ones.
            scheduled_start_time: when; default is now.
            idempotency_key: asking again with the same key gives the same run.
            run_name: default is two random words.
            version_group_id: run the live version of this group, when no *flow_id* is given.

        Raises:
            ValueError: without any id, and for parameters that are missing or unknown.
            ClientError: for an archived flow, and when the server refuses otherwise.
        """
        if flow_id is None and version_group_id is None:
            raise ValueError("create_flow_run needs a flow_id or a version_group_id.")
        answer = self._create_flow_run(
            {
                "flow_id": flow_id,
                "version_group_id": None if flow_id else version_group_id,
                "context": context,
                "parameters": parameters,
                "run_config": run_config,
                "labels": labels,
                "scheduled_start_time": scheduled_start_time,
                "idempotency_key": idempotency_key,
                "name": run_name,
            }
        )
        return str(answer["id"])

    def get_runs_in_queue(
        self, labels: Iterable[str] | None = None, before: datetime | str | None = None, limit: int = 25
    ) -> list[str]:
        """
        Return the ids of runs that wait for an agent and are due, oldest first; none is taken.

        Args:
            labels: those of an agent; default is runs for any.
            before: until when a run has to be due; default is now.
            limit: how many at most.
        """
        query: dict[str, Any] = {"before": iso(before), "labels": None if labels is None else list(labels)}
        given = {name: value for name, value in query.items() if value is not None}
        return list(self.get("runs_in_queue", {"limit": limit, **given})["items"])

    def _create_flow_run(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Make a run of a flow, a group or a deployment, and return the whole answer."""
        from dagflow.utilities.identities import new_id

        body = {name: value for name, value in wanted.items() if value is not None}
        if "run_config" in body and not isinstance(body["run_config"], Mapping):
            body["run_config"] = body["run_config"].serialize()
        if "labels" in body:
            body["labels"] = sorted(body["labels"])
        if "scheduled_start_time" in body:
            body["scheduled_start_time"] = iso(body["scheduled_start_time"])
        deployment_id = body.pop("deployment_id", None)
        # Made here, so that asking again after a lost answer finds the run instead of making another.
        body.setdefault("id", new_id())
        path = "flow_runs" if deployment_id is None else f"deployments/{in_path(deployment_id)}/create_run"
        answer: dict[str, Any] = self.post(path, body)
        return answer

    def get_flow_run_info(self, flow_run_id: str) -> FlowRunInfoResult:
        """Return what an engine needs to know of a flow run; children of maps are left out."""
        record = self.get(f"flow_runs/{in_path(flow_run_id)}")
        found = self._items(f"flow_runs/{in_path(flow_run_id)}/task_runs", {"mapped": "false"}, page=TASK_RUNS_PAGE)
        return FlowRunInfoResult.of(record, [TaskRunInfoResult.of(one) for one in found])

    def get_flow_run_state(self, flow_run_id: str) -> State:
        """
        Return the state of a flow run.

        Raises:
            ObjectNotFoundError: when there is no such run.
        """
        return state_of(self.get(f"flow_runs/{in_path(flow_run_id)}"))

    def set_flow_run_state(self, flow_run_id: str, state: State, version: int | None = None) -> State:
        """
        Set the state of a flow run and return the state it has: the one given, or a queued one.

        Raises:
            VersionLockMismatchSignal: when *version* is not the version that the run has.
            ClientError: when the server refuses.
        """
        return self._set_state(f"flow_runs/{in_path(flow_run_id)}/states", state, version)

    def _set_state(self, path: str, state: State, version: int | None, **more: Any) -> State:
        from dagflow.utilities.identities import new_id

        answer = self.post(path, {"state": state.serialize(), "id": new_id(), "version": version, **more})
        if answer.get("status") != "QUEUED":
            return state
        from dagflow.engine.state import Queued

        seconds = float(config.cloud.get("queue_interval", QUEUE_SECONDS))
        return Queued(answer.get("message"), start_time=datetime.now(UTC) + timedelta(seconds=seconds))

    def set_flow_run_name(self, flow_run_id: str, name: str) -> bool:
        """Rename a flow run."""
        return self._rename(f"flow_runs/{in_path(flow_run_id)}/name", name)

    def _rename(self, path: str, name: str) -> bool:
        if not name:
            raise ValueError("The name of a run cannot be empty.")
        self.post(path, {"name": name})
        return True

    def cancel_flow_run(self, flow_run_id: str) -> str:
        """Cancel a flow run and return the name of the state it is in now; one that has finished stays as it is."""
        return str(self.post(f"flow_runs/{in_path(flow_run_id)}/cancel")["state"])

    def restart_flow_run(
        self, flow_run_id: str, from_task_run: str | None = None, reason: str | None = None
    ) -> dict[str, Any]:
        """
        Run what failed and all behind it again, or one task run and all behind it.

        Returns:
            the ``state`` the run is in now, how many task runs were ``reset``, and ``warnings``.

        Raises:
            ConflictError: when the run goes on, or nothing of it failed.
        """
        body = {"from_task_run_id": from_task_run, "reason": reason}
        answer: dict[str, Any] = self.post(
            f"flow_runs/{in_path(flow_run_id)}/restart", {k: v for k, v in body.items() if v is not None}
        )
        return answer

    def approve_flow_run(self, flow_run_id: str, task_run_id: str | None = None, value: Any = None) -> int:
        """
        Let task runs go on that wait for somebody's word.

        Args:
            flow_run_id: the run.
            task_run_id: the one task run; all that are paused without it.
            value: what goes to those that wait for a value, see :class:`dagflow.engine.signals.PAUSE`.

        Returns:
            how many were let go on.

        Raises:
            InvalidRequestError: for a value that is not what one of them waits for.
        """
        body = {"task_run_id": task_run_id, "input": value}
        given = {k: v for k, v in body.items() if v is not None}
        return int(self.post(f"flow_runs/{in_path(flow_run_id)}/approve", given)["approved"])

    def delete_flow_run(self, flow_run_id: str) -> bool:
        """Delete a run with its states and logs."""
        return bool(self.delete(f"flow_runs/{in_path(flow_run_id)}")["deleted"])

    def update_flow_run_heartbeat(self, flow_run_id: str) -> None:
        """Tell that the process of a run lives."""
        self.post(f"flow_runs/{in_path(flow_run_id)}/heartbeat", {})

    # --- task runs -------------------------------------------------------------------------------------------

    def get_task_run_info(self, flow_run_id: str, task_id: str, map_index: int | None = None) -> TaskRunInfoResult:
        """Return what an engine needs to know of a task run, which is made when it is not there yet."""
        body = {"flow_run_id": flow_run_id, "task_id": task_id, "map_index": -1 if map_index is None else map_index}
        return TaskRunInfoResult.of(self.post("task_runs/get_or_create", body))

    def get_task_run_state(self, task_run_id: str) -> State:
        """Return the state of a task run."""
        return state_of(self.get(f"task_runs/{in_path(task_run_id)}"))

    def set_task_run_state(
        self, task_run_id: str, state: State, version: int | None = None, cache_for: timedelta | None = None
    ) -> State:
        """
        Set the state of a task run and return the state it has: the one given, or a queued one.

        *cache_for* is accepted for older scripts; a cached state knows itself when it expires.

        Raises:
            VersionLockMismatchSignal: when *version* is not the version that the run has.
            ClientError: when the server refuses.
        """
        return self._set_state(f"task_runs/{in_path(task_run_id)}/states", state, version)

    def set_task_run_name(self, task_run_id: str, name: str) -> bool:
        """Rename a task run."""
        return self._rename(f"task_runs/{in_path(task_run_id)}/name", name)

    def get_latest_cached_states(
        self, task_id: str, cache_key: str | None, created_after: datetime | None = None
    ) -> list[State]:
        """Return the cached states of earlier runs of a task, or of all tasks with *cache_key*, newest first."""
        params = {
            "task_id": task_id,
            "cache_key": cache_key,
            "created_after": iso(created_after),
            "limit": CACHED_STATES,
        }
        return [state_of(record) for record in self.get("task_runs/cached", params)["items"]]

    # --- logs ------------------------------------------------------------------------------------------------

    def write_run_logs(self, logs: list[dict[str, Any]]) -> None:
        """
        Send log records.

        Raises:
            ValueError: when the server does not acknowledge them.
        """
        answer = self.post("logs", {"logs": [logs] if isinstance(logs, Mapping) else list(logs)})
        if not (isinstance(answer, dict) and answer.get("success")):
            raise ValueError(f"The server did not take the logs: it answered {answer!r}.")
