"""
The methods people expect on a flow whose work is done on higher floors: running, drawing, writing, registering.

Each has one deferred import and hands over; the list of them is held by a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.core.flow_settings import FlowSettings

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["FrontDoors"]


class FrontDoors(FlowSettings):
    """What a :class:`~dagflow.core.flow.Flow` offers beside being a graph."""

    @property
    def _flow(self) -> Flow:
        return self  # type: ignore[return-value]

    def check(self) -> Any:
        """
        Look for mistakes without running anything: cycles, missing arguments, type hints that cannot fit.

        Returns:
            a report: a list of findings, true when there is none.
        """
        from dagflow.core.check import check

        return check(self._flow)

    def run(
        self,
        parameters: Mapping[str, Any] | None = None,
        run_on_schedule: bool | None = None,
        runner_cls: type | None = None,
        **kwargs: Any,
    ) -> Any:
        """
        Run the flow here and return its final state; ``state.result[task]`` is each task's state.

        Args:
            parameters: values of parameters; they may be given as keywords too.
            run_on_schedule: wait for each date of the schedule; default ``config.flows.run_on_schedule``.
            runner_cls: another :class:`~dagflow.engine.flow_runner.FlowRunner`.
            **kwargs: parameters by name, and ``executor``, ``context``, ``task_contexts``, ``task_states``, ``state``,
                ``task_runner_state_handlers``, ``flow_run_id``, ``flow_run_name``, ``track``: record the run with the
                server, in the project ``local``, where it can be watched and looked up, while it happens here; default
                ``config.flows.track_local_runs``. Without it no server is talked to.

        Raises:
            ValueError: for a parameter that is missing or unknown, and for a schedule without dates.
            TypeError: for an unknown keyword.
        """
        from dagflow.configuration import config
        from dagflow.engine.session import run_flow

        track = config.flows.track_local_runs
        if "track" in kwargs and all(parameter.name != "track" for parameter in self._flow.parameters()):
            track = kwargs.pop("track")
        if track:
            from dagflow.backend.tracking import tracked

            runner_cls = tracked(self._flow, runner_cls)
        return run_flow(self._flow, parameters, run_on_schedule, runner_cls, kwargs)

    def visualize(self, flow_state: Any = None, filename: str | None = None, format: str | None = None) -> Any:
        """
        Draw the flow; with *flow_state*, coloured by state.

        Args:
            flow_state: what :meth:`run` returned.
            filename: where to write the picture; default is to show it.
            format: such as ``svg``, ``png`` or ``pdf``.

        Returns:
            the ``graphviz.Digraph``.
        """
        from dagflow.core.visualize import visualize

        return visualize(self._flow, flow_state=flow_state, filename=filename, format=format)

    def to_dot(self, flow_state: Any = None) -> Any:
        """Return the picture as a ``graphviz.Digraph``."""
        from dagflow.core.visualize import to_dot

        return to_dot(self._flow, flow_state=flow_state)

    def to_mermaid(self, flow_state: Any = None) -> str:
        """Return the picture in the Mermaid language, which many documentation tools draw."""
        from dagflow.core.visualize import to_mermaid

        return to_mermaid(self._flow, flow_state=flow_state)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from dagflow.core.visualize import mimebundle

        return mimebundle(self._flow)

    def serialize(self, build: bool = False) -> dict[str, Any]:
        """
        Return the flow's metadata as JSON-ready data, checked first; code and constants stay behind.

        Args:
            build: build the storage first.

        Raises:
            ValueError: for an invalid flow, or *build* without storage.
        """
        from dagflow.serialization.flow import serialize_flow

        return serialize_flow(self._flow, build)

    def serialized_hash(self, build: bool = False) -> str:
        """Return a sha256 of the metadata; equal metadata gives an equal hash in every process."""
        from dagflow.serialization.flow import serialized_hash

        return serialized_hash(self._flow, build)

    def save(self, fpath: str | None = None) -> str:
        """
        Write the flow to a file and return its path; default ``<home_dir>/flows/<name>.dagflow``.
        """
        from dagflow.utilities.storage import save_flow

        return save_flow(self._flow, fpath)

    @classmethod
    def load(cls, fpath: str) -> Flow:
        """
        Read a flow that :meth:`save` wrote; *fpath* is a path, or a flow's name under ``<home_dir>/flows``.

        Raises:
            FlowStorageError: when the file cannot be unpickled.
        """
        from dagflow.utilities.storage import load_flow

        return load_flow(fpath)

    def diagnostics(self, include_secret_names: bool = False) -> str:
        """Return facts for a bug report as JSON; values are left out."""
        from dagflow.utilities.diagnostics import diagnostic_info

        return diagnostic_info(self._flow, include_secret_names)

    def register(self, project_name: str | None = None, **kwargs: Any) -> Any:
        """
        Send the flow's metadata to a backend.

        Raises:
            ValueError: inside the flow's own block.
        """
        from dagflow.backend.registration import register_flow

        return register_flow(self._flow, project_name, **kwargs)

    def deploy(self, name: str = "default", project_name: str | None = None, **settings: Any) -> str | None:
        """
        Register the flow and set under *name* how, when and where it is run; return the deployment's id.

        Args:
            name: of the deployment.
            project_name: the project, which is made if there is none.
            **settings: ``cron``, ``interval``, ``rrule``, ``timezone`` or ``schedule``, ``paused``, ``parameters``,
                ``labels``, ``pool``, ``queue``, ``run_config``, ``tags``, ``overlap_policy``, ``description``,
                ``build``.

        Raises:
            ValueError: inside the flow's own block.
        """
        from dagflow.backend.deployments import deploy_flow

        return deploy_flow(self._flow, name, project_name, **settings)

    def serve(self, name: str, project_name: str = "served", **settings: Any) -> None:
        """
        Deploy the flow under *name* and run an agent for it in this process, until it is stopped.

        Args:
            name: of the deployment.
            project_name: the project, which is made if there is none.
            **settings: as for :meth:`deploy`, and ``limit``, ``pause_on_shutdown``.

        Raises:
            ValueError: inside the flow's own block.
        """
        from dagflow.backend.deployments import serve_flow

        serve_flow(self._flow, name, project_name, **settings)

    def run_agent(self, **kwargs: Any) -> Any:
        """
        Run an agent in this process for the flow's run config.

        Raises:
            ValueError: inside the flow's own block.
        """
        from dagflow.backend.registration import run_agent

        return run_agent(self._flow, **kwargs)
