"""
Resources that are set up before a block of tasks and cleaned up after it, however it ended.

The graph shows it: an *init* task makes the manager, a *setup* task opens the resource, the block's tasks use it, a
*cleanup* task closes it. The shape is that of Prefect 0.15.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dagflow.core.blame import user_location
from dagflow.core.function_task import FunctionTask
from dagflow.core.parameter import Parameter
from dagflow.core.task import Task
from dagflow.utilities.context import Layer, context, current_layer, pop_layer, push_layer

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["ResourceManager", "cleanup_trigger", "resource_manager"]


def cleanup_trigger(upstream_states: Mapping[Any, Any]) -> bool:
    """Go when all upstream tasks have finished; skip when there is nothing to clean up."""
    from dagflow.engine.signals import SKIP, TRIGGERFAIL

    for edge, state in upstream_states.items():
        children = getattr(state, "map_states", None)
        for one in [state] if children is None else [child for child in children if child is not None]:
            if not one.is_finished():
                raise TRIGGERFAIL("Some of the tasks that use the resource were not finished.")
        if edge.key is not None:
            if state.is_skipped():
                raise SKIP("The resource was skipped, so there is nothing to clean up.")
            if not state.is_successful():
                raise SKIP("The resource was not set up, so there is nothing to clean up.")
    return True


class ResourceInitTask(FunctionTask):
    """Makes the manager of a resource."""

    always_reruns = True


class ResourceSetupTask(Task):
    """Opens the resource."""

    always_reruns = True

    def run(self, mgr: Any) -> Any:
        """Return what the manager's ``setup`` returns."""
        return mgr.setup()


class ResourceCleanupTask(Task):
    """Closes the resource."""

    always_reruns = True
    is_cleanup = True

    def run(self, mgr: Any, resource: Any = None) -> None:
        """Call the manager's ``cleanup``."""
        mgr.cleanup(resource)


class _InitSignature:
    """Calls the user's class; an object with the class's own signature, so that arguments become edges by name."""

    def __init__(self, cls: type) -> None:
        import inspect

        self.cls = cls
        self.__name__ = cls.__name__
        self.__signature__ = inspect.signature(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.cls(*args, **kwargs)


class ResourceManager:
    """
    What ``@resource_manager`` makes of a class; call it for a ``with`` block.

    Args:
        resource_class: has ``__init__``, ``cleanup(self, resource)`` and mostly ``setup(self)``.
        name: of the init task; the others are ``name.setup`` and ``name.cleanup``.
        init_task_kwargs: attributes of the init task.
        setup_task_kwargs: attributes of the setup task.
        cleanup_task_kwargs: attributes of the cleanup task.
    """

    def __init__(
        self,
        resource_class: type,
        name: str | None = None,
        init_task_kwargs: Mapping[str, Any] | None = None,
        setup_task_kwargs: Mapping[str, Any] | None = None,
        cleanup_task_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(resource_class, type) or not hasattr(resource_class, "cleanup"):
            raise TypeError(
                f"A resource manager is a class with a method cleanup(self, resource); {resource_class!r} has none"
                f"{user_location()}. Write one, also if there is nothing to do."
            )
        self.resource_class = resource_class
        self.name = name or resource_class.__name__
        self.init_task_kwargs = {"name": self.name, "checkpoint": False, **(init_task_kwargs or {})}
        self.setup_task_kwargs = {"name": f"{self.name}.setup", "checkpoint": False, **(setup_task_kwargs or {})}
        self.cleanup_task_kwargs = {
            "name": f"{self.name}.cleanup",
            "checkpoint": False,
            "skip_on_upstream_skip": False,
            "trigger": cleanup_trigger,
            **(cleanup_task_kwargs or {}),
        }

    def __call__(self, *args: Any, flow: Flow | None = None, **kwargs: Any) -> ResourceContext:
        """
        Add the init and setup tasks and return the block to enter.

        Raises:
            ValueError: when no flow is open.
        """
        flow = flow or context.get("flow")
        if flow is None:
            raise ValueError(
                f"Resource manager {self.name!r} is used outside a flow{user_location()}: "
                "use it inside `with Flow(...)`."
            )
        init = ResourceInitTask(_InitSignature(self.resource_class), **self.init_task_kwargs)
        init.bind(*args, flow=flow, **kwargs)
        setup = None
        if hasattr(self.resource_class, "setup"):
            setup = ResourceSetupTask(**self.setup_task_kwargs).bind(mgr=init, flow=flow)
        return ResourceContext(self, init, setup, flow)


class ResourceContext:
    """The block of tasks that use one resource."""

    def __init__(self, manager: ResourceManager, init: Task, setup: Task | None, flow: Flow) -> None:
        self.init_task = init
        self.setup_task = setup
        self.flow = flow
        self._manager = manager
        self._members: dict[Task, None] = {}

    def add_task(self, task: Task, flow: Flow) -> None:
        """
        Take *task* into the block; parameters and constants stay outside.

        Raises:
            ValueError: when the block belongs to another flow.
        """
        if isinstance(task, Parameter) or task.is_constant:
            return
        if flow is not self.flow:
            raise ValueError(
                f"The block of {self._manager.name!r} belongs to flow {self.flow.name!r}, "
                f"found a task of {flow.name!r}{user_location()}."
            )
        self._members[task] = None

    def __enter__(self) -> Task | None:
        self._outer = context.get("resource")
        self._token = push_layer(Layer(current_layer(), {"resource": self}))
        return self.setup_task

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pop_layer(self._token)
        if kind is None:
            self._close()

    def _close(self) -> None:
        flow, members = self.flow, self._members
        opened = self.setup_task if self.setup_task is not None else self.init_task
        cleanup = ResourceCleanupTask(**self._manager.cleanup_task_kwargs)
        arguments: dict[str, Any] = {"mgr": self.init_task}
        if self.setup_task is not None:
            arguments["resource"] = self.setup_task
        cleanup.bind(flow=flow, **arguments)
        flow._helpers |= {task for task in (self.init_task, self.setup_task, cleanup) if task is not None}
        flow._changed()
        for task in members:
            if not any(one in members or one is opened for one in flow.upstream_tasks(task)):
                task.set_upstream(opened, flow=flow)
            if not any(one in members for one in flow.downstream_tasks(task)):
                cleanup.set_upstream(task, flow=flow)
        if self._outer is not None:
            for task in members:
                self._outer.add_task(task, flow)


def resource_manager(
    resource_class: type | None = None,
    *,
    name: str | None = None,
    init_task_kwargs: Mapping[str, Any] | None = None,
    setup_task_kwargs: Mapping[str, Any] | None = None,
    cleanup_task_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """
    Make a class a resource manager; use it bare or with arguments, which :class:`ResourceManager` describes.

    >>> @resource_manager
    ... class Box:
    ...     def setup(self): return "open"
    ...     def cleanup(self, resource): pass
    >>> type(Box).__name__
    'ResourceManager'
    """

    def decorate(cls: type) -> ResourceManager:
        return ResourceManager(cls, name, init_task_kwargs, setup_task_kwargs, cleanup_task_kwargs)

    return decorate if resource_class is None else decorate(resource_class)
