"""
The graph under a flow: its containers, and what can be asked of it.

What is derived from the graph is computed on first use and forgotten when the graph changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dagflow.core.annotations import EdgeAnnotation
from dagflow.core.blame import user_location
from dagflow.core.parameter import Parameter
from dagflow.core.slugs import SlugCounter
from dagflow.core.task import Task

if TYPE_CHECKING:
    from dagflow.core.edge import Edge

__all__ = ["TaskGraph"]


class TaskGraph:
    """
    Tasks, edges between them, constants bound to their arguments, and the tasks that decide over success.

    Attributes:
        slugs: the name of each task that is unique in the graph.
        constants: values bound to arguments, ``{task: {argument: value}}``.
    """

    name: str
    slugs: dict[Task, str]
    constants: defaultdict[Task, dict[str, Any]]

    def _start_graph(self) -> None:
        import networkx

        self._graph: Any = networkx.MultiDiGraph()
        self._slugs_taken: set[str] = set()
        self._slug_counter = SlugCounter()
        self._reference_tasks: set[Task] | None = None
        self._helpers: set[Task] = set()
        self._derived: dict[str, Any] = {}

    def _several(self, given: Any, what: str) -> Any:
        """Return what was given where several are expected; a single task or text is a slip worth a word of its own."""
        if given is None:
            return ()
        if isinstance(given, Task | EdgeAnnotation | str | type) or not hasattr(given, "__iter__"):
            raise TypeError(
                f"Flow {self.name!r}: {what} must be a list, found {given!r}{user_location()}. "
                f"Put it in a list: {what}=[...]."
            )
        return given

    @property
    def tasks(self) -> set[Task]:
        """The tasks."""
        return self._once("tasks", lambda: set(self._graph))  # type: ignore[no-any-return]

    @property
    def edges(self) -> set[Edge]:
        """The edges."""
        return self._once("edges", lambda: set(self._ordered_edges()))  # type: ignore[no-any-return]

    def _ordered_edges(self) -> Iterator[Edge]:
        return (edge for _, _, edge in self._graph.edges(data="edge"))

    def _once(self, name: str, compute: Callable[[], Any]) -> Any:
        found = self._derived.get(name)
        if found is None:
            found = self._derived[name] = compute()
        return found

    def _changed(self) -> None:
        if self._derived:
            self._derived = {}

    def _neighbours(self, task: Task, direction: str) -> Any:
        if task not in self.slugs:
            raise ValueError(f"Task {getattr(task, 'name', task)!r} is not in flow {self.name!r}{user_location()}.")
        return getattr(self._graph, direction)[task]

    def edges_to(self, task: Task) -> set[Edge]:
        """Return the edges that end at *task*; ``ValueError`` when it is not in the flow."""
        return {data["edge"] for edges in self._neighbours(task, "pred").values() for data in edges.values()}

    def edges_from(self, task: Task) -> set[Edge]:
        """Return the edges that start at *task*; ``ValueError`` when it is not in the flow."""
        return {data["edge"] for edges in self._neighbours(task, "succ").values() for data in edges.values()}

    def upstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks that *task* waits for; ``ValueError`` when it is not in the flow."""
        return set(self._neighbours(task, "pred"))

    def downstream_tasks(self, task: Task) -> set[Task]:
        """Return the tasks that wait for *task*; ``ValueError`` when it is not in the flow."""
        return set(self._neighbours(task, "succ"))

    def all_upstream_edges(self) -> dict[Task, set[Edge]]:
        """Return for each task the edges that end there."""
        return self._once("upstream", lambda: {task: self.edges_to(task) for task in self._graph})  # type: ignore[no-any-return]

    def all_downstream_edges(self) -> dict[Task, set[Edge]]:
        """Return for each task the edges that start there."""
        return self._once("downstream", lambda: {task: self.edges_from(task) for task in self._graph})  # type: ignore[no-any-return]

    def root_tasks(self) -> set[Task]:
        """Return the tasks that wait for none."""
        return {task for task, edges in self._graph.pred.items() if not edges}

    def terminal_tasks(self) -> set[Task]:
        """Return the tasks that none waits for."""
        return {task for task, edges in self._graph.succ.items() if not edges}

    def parameters(self) -> set[Parameter]:
        """Return the parameters."""
        return self._once("parameters", lambda: {task for task in self._graph if isinstance(task, Parameter)})  # type: ignore[no-any-return]

    def reference_tasks(self) -> set[Task]:
        """
        Return the tasks that decide whether a run succeeded.

        By default those that none waits for; the tasks a resource manager adds are passed over.
        """
        if self._reference_tasks is not None:
            return set(self._reference_tasks)
        helpers = self._helpers
        if not helpers:
            return {task for task, followers in self._graph._succ.items() if not followers}
        return {
            task
            for task, followers in self._graph._succ.items()
            if task not in helpers and all(one in self._cleanups() for one in followers)
        }

    def _cleanups(self) -> set[Task]:
        return self._once(  # type: ignore[no-any-return]
            "cleanups", lambda: {task for task in self._helpers if getattr(task, "is_cleanup", False)}
        )

    def set_reference_tasks(self, tasks: Iterable[Task]) -> None:
        """
        Choose the tasks that decide whether a run succeeded; an empty list restores the default.

        Raises:
            ValueError: for a task that is not in the flow.
        """
        chosen = list(self._several(tasks, "reference_tasks"))
        strangers = [task for task in chosen if task not in self.slugs]
        if strangers:
            raise ValueError(
                f"Reference tasks must be in flow {self.name!r}; {strangers[0]!r} is not{user_location()}. "
                "Add it first; what a call of a task returns is what belongs to the flow."
            )
        self._reference_tasks = set(chosen) or None
        self._changed()

    def get_tasks(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        task_type: type | None = None,
    ) -> list[Task]:
        """Return the tasks that match all the criteria given; *tags* asks for at least those tags."""
        wanted = set(self._several(tags, "tags"))
        return [
            task
            for task in self._graph
            if (name is None or task.name == name)
            and (slug is None or self.slugs[task] == slug)
            and wanted <= task.tags
            and (task_type is None or isinstance(task, task_type))
        ]

    def sorted_tasks(self, root_tasks: Iterable[Task] | None = None) -> tuple[Task, ...]:
        """
        Return the tasks, each after those it waits for; ties keep the order in which tasks were added.

        Args:
            root_tasks: return only these and what is downstream of them.

        Raises:
            CycleError: when tasks wait for each other.
            ValueError: for a root that is not in the flow.
        """
        from dagflow.core.sorting import reachable, topological

        order: tuple[Task, ...] = self._once("sorted", lambda: topological(self._graph, self.name))
        if root_tasks is None:
            return order
        roots = list(self._several(root_tasks, "root_tasks"))
        for root in roots:
            self._neighbours(root, "succ")
        keep = reachable(self._graph, roots)
        return tuple(task for task in order if task in keep)

    def validate(self) -> None:
        """
        Check that the flow is acyclic and that its edges and reference tasks belong to it.

        Raises:
            ValueError: naming what is wrong.
        """
        self.sorted_tasks()
        outside = [task for task in self._reference_tasks or () if task not in self.slugs]
        if outside:
            raise ValueError(f"Reference task {outside[0]!r} is not in flow {self.name!r}.")
        strays = [task for task in self._graph if task not in self.slugs]
        if strays:
            raise ValueError(f"An edge of flow {self.name!r} leads to {strays[0]!r}, which is not in the flow.")
