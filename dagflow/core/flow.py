"""
Flows: a thin writer over a networkx multigraph.

Tasks are the nodes, :class:`~dagflow.core.edge.Edge` objects ride on the edges. Building a flow runs nothing and reads
nothing from the outside world. What is derived from the graph is computed on first use and forgotten when the graph
changes. The public names and their meaning are those of Prefect 0.15.
"""

from __future__ import annotations

import itertools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dagflow.configuration import config
from dagflow.core.annotations import EdgeAnnotation
from dagflow.core.binding import is_usable_key
from dagflow.core.blame import user_location
from dagflow.core.conversion import as_task, contains_task
from dagflow.core.edge import Edge
from dagflow.core.front_doors import FrontDoors
from dagflow.core.graph import TaskGraph
from dagflow.core.options import checked_executor, checked_function, checked_handlers, checked_result, checked_schedule
from dagflow.core.parameter import Parameter
from dagflow.core.scope import building
from dagflow.core.task import Task
from dagflow.exceptions import CycleError
from dagflow.utilities.context import Layer, current_layer, pop_layer, push_layer
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    import logging

    from dagflow.engine.state import State

__all__ = ["Flow"]


class Flow(TaskGraph, FrontDoors):
    """
    A graph of tasks with a name.

    Args:
        name: what the flow is called.
        schedule: when :meth:`run` runs it.
        executor: where its tasks run by default.
        environment: inert; Prefect 0.15's predecessor of *run_config* and *executor*.
        run_config: how a backend starts it.
        storage: where its code is kept.
        tasks: tasks to add.
        edges: edges to add, their tasks included.
        reference_tasks: the tasks that decide whether a run succeeded; default those without downstream tasks.
        state_handlers: called as ``handler(flow, old_state, new_state)``.
        on_failure: called as ``on_failure(flow, state)``.
        validate: check *edges* as they are added; default ``config.flows.eager_edge_validation``.
        result: where tasks without a result of their own write.
        terminal_state_handler: called as ``handler(flow, state, reference_task_states)`` with the final state.

    Raises:
        ValueError: without a name, or for a reference task that is not in the flow.
        TypeError: when *state_handlers* is not a list or tuple.

    >>> from dagflow.utilities.tasks import task
    >>> with Flow("sums") as flow:
    ...     total = task(lambda x, y: x + y, name="add")(1, 2)
    >>> flow, flow.slugs[total]
    (<Flow: name="sums">, 'add-1')
    """

    def __init__(
        self,
        name: str,
        schedule: Any = None,
        executor: Any = None,
        environment: Any = None,
        run_config: Any = None,
        storage: Any = None,
        tasks: Iterable[Task] | None = None,
        edges: Iterable[Edge] | None = None,
        reference_tasks: Iterable[Task] | None = None,
        state_handlers: Sequence[Callable[..., State | None]] | None = None,
        on_failure: Callable[..., Any] | None = None,
        validate: bool | None = None,
        result: Any = None,
        terminal_state_handler: Callable[..., State | None] | None = None,
    ) -> None:
        if not name:
            raise ValueError(f"A flow needs a name, found {name!r}{user_location()}. Write Flow('my flow').")
        if not isinstance(name, str):
            raise TypeError(
                f"A flow's name must be text, found {name!r} of type {type(name).__name__}{user_location()}. "
                "Write Flow('my flow', ...)."
            )
        self.name = name
        self.schedule = checked_schedule(schedule)
        self.executor = checked_executor(executor)
        self.environment = environment
        self.run_config = run_config
        self.storage = storage
        self.result = checked_result(result, f"Flow {name!r}")
        self.state_handlers = checked_handlers(state_handlers, on_failure, f"Flow {name!r}")
        self.terminal_state_handler = checked_function(
            terminal_state_handler, f"Flow {name!r}: terminal_state_handler", "handler(flow, state, reference_states)"
        )
        self.slugs: dict[Task, str] = {}
        self.constants: defaultdict[Task, dict[str, Any]] = defaultdict(dict)
        self._is_scratch = False
        self._open: list[Any] = []
        self._made: dict[int, Task] = {}
        self._start_graph()
        for task in self._several(tasks, "tasks"):
            self.add_task(task)
        for edge in self._several(edges, "edges"):
            self._add_given_edge(edge, validate)
        if reference_tasks is not None:
            self.set_reference_tasks(reference_tasks)

    @classmethod
    def _scratch(cls, name: str) -> Flow:
        """Return an empty flow whose edges will be mapped when they are copied elsewhere."""
        flow = Flow(name)
        flow._is_scratch = True
        return flow

    # --- containers ------------------------------------------------------------------------------------------

    @property
    def logger(self) -> logging.Logger:
        """The logger ``dagflow.<name>``."""
        return get_logger(self.name)

    def __iter__(self) -> Iterator[Task]:
        return iter(self.sorted_tasks())

    def __repr__(self) -> str:
        return f'<Flow: name="{self.name}">'

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        assert isinstance(other, Flow)
        return (self.name, self.tasks, self.edges, self.reference_tasks()) == (
            other.name,
            other.tasks,
            other.edges,
            other.reference_tasks(),
        )

    __hash__ = None  # type: ignore[assignment]

    # --- the with block --------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if not self._open:
            self._made = {}
        token = push_layer(Layer(current_layer(), {"flow": self, "case": None, "resource": None}))
        self._open.append(token)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pop_layer(self._open.pop())
        if self._open:
            return
        unused = [task for task in self._made.values() if task not in self.slugs and not task.is_constant]
        self._made = {}
        if kind is None and unused:
            names = ", ".join(repr(task) for task in unused)
            warnings.warn(
                f"Tasks were made in the block of flow {self.name!r} but never added to it: {names}. "
                "Call them, or add them with flow.add_task(...).",
                stacklevel=2,
            )

    def _note_made(self, task: Task) -> None:
        """Remember a task made while the block is open, to warn when it is forgotten."""
        if self._open:
            self._made[id(task)] = task

    def _note_copied(self, task: Task) -> None:
        self._made.pop(id(task), None)
        if task in self.slugs and (self._graph.pred[task] or self._graph.succ[task]):
            warnings.warn(
                f"Task {task.name!r} is copied although it has edges in flow {self.name!r}{user_location()}; the copy "
                "has none of them. Call the task once and use what the call returned.",
                stacklevel=4,
            )

    # --- adding ----------------------------------------------------------------------------------------------

    def add_task(self, task: Task) -> Task:
        """
        Add *task* and return it; adding it again changes nothing.

        Raises:
            TypeError: for anything but a task instance.
            ValueError: when its slug is taken.
        """
        if not isinstance(task, Task):
            raise TypeError(
                f"Flow {self.name!r} takes task instances, found {task!r}{user_location()}."
                + (" Make an instance of the class." if isinstance(task, type) else "")
            )
        if task not in self.slugs:
            self._graph.add_node(task)
            try:
                self._register(task)
            except ValueError:
                self._graph.remove_node(task)
                raise
        return task

    def _register(self, task: Task) -> None:
        """Give a new task its slug and let the open blocks know of it; its node is the caller's to add."""
        slug = task.slug
        if slug is None:
            slug = self._slug_counter.next_for(task, self._slugs_taken)
        elif slug in self._slugs_taken:
            raise ValueError(
                f"Flow {self.name!r} already has a task with the slug {slug!r}{user_location()}. "
                "Slugs and parameter names are unique in a flow: give another one."
            )
        self.slugs[task] = slug
        self._slugs_taken.add(slug)
        if self._derived:
            self._derived = {}
        blocks = building()
        if blocks.case is not None:
            blocks.case.add_task(task, self)
        if blocks.resource is not None:
            blocks.resource.add_task(task, self)

    def add_edge(
        self,
        upstream_task: Any,
        downstream_task: Any,
        key: str | None = None,
        mapped: bool = False,
        flattened: bool = False,
        validate: bool | None = None,
    ) -> Edge:
        """
        Make *downstream_task* wait for *upstream_task*, adding both.

        Args:
            upstream_task: a task or a value; a plain value with a key becomes a constant of the downstream task.
            downstream_task: a task.
            key: the argument that receives the upstream result.
            mapped: map over it.
            flattened: remove one level of nesting first.
            validate: check the key and look for cycles at once.

        Raises:
            ValueError: for a self-edge, a taken or unusable key, a parameter as downstream task, a cycle.
            TypeError: for a key that ``run`` does not take, when validating.
        """
        downstream = as_task(downstream_task, flow=self)
        if isinstance(upstream_task, EdgeAnnotation):
            mapped = upstream_task.annotations.get("mapped", mapped)
            flattened = upstream_task.annotations.get("flattened", flattened)
            upstream_task = upstream_task.value
        self._check_edge(upstream_task, downstream, key, mapped)
        check = config.flows.eager_edge_validation if validate is None else validate
        if check and key is not None:
            self._check_key_is_accepted(downstream, key)
        upstream = upstream_task if isinstance(upstream_task, Task) else as_task(upstream_task, flow=self)
        return self._connect(upstream, downstream, key, mapped, flattened, check)

    def _connect(
        self, upstream: Task, downstream: Task, key: str | None, mapped: bool, flattened: bool, check: bool = False
    ) -> Edge:
        edge = Edge(upstream, downstream, key, mapped, flattened)
        if key is not None and not mapped and not flattened and upstream.is_constant and upstream not in self.slugs:
            self._made.pop(id(upstream), None)
            self.add_task(downstream)
            self.constants[downstream][key] = upstream.value  # type: ignore[attr-defined]
            self._derived = {}
            return edge
        self.add_task(upstream)
        self.add_task(downstream)
        name = (key, mapped, flattened) if mapped or flattened else key
        self._graph.add_edge(upstream, downstream, key=name, edge=edge)
        if self._derived:
            self._derived = {}
        if check:
            self._roll_back_cycle(upstream, downstream, name)
        return edge

    def _connect_plainly(self, upstream: Task, downstream: Task, key: str) -> None:
        """Add a plain edge between a task and a new one whose signature has been asked already."""
        if upstream is downstream:
            raise ValueError(f"Task {downstream.name!r} cannot wait for itself{user_location()}.")
        if upstream not in self.slugs:
            if upstream.is_constant:
                self._connect(upstream, downstream, key, False, False)
                return
            self.add_task(upstream)
        self._graph.add_edge(upstream, downstream, key=key, edge=Edge._made(upstream, downstream, key))

    def _check_edge(self, upstream: Any, downstream: Task, key: str | None, mapped: bool) -> None:
        if mapped and self._is_scratch:
            raise ValueError(
                f"Task {downstream.name!r} is mapped inside a function given to apply_map{user_location()}: the whole "
                "function is mapped already. Call the task plainly."
            )
        if upstream is downstream:
            raise ValueError(f"Task {downstream.name!r} cannot wait for itself{user_location()}.")
        if isinstance(downstream, Parameter):
            raise ValueError(
                f"Parameter {downstream.name!r} cannot have upstream tasks{user_location()}: its value is given when "
                "the flow runs."
            )
        if key is not None:
            if not is_usable_key(key):
                raise ValueError(
                    f"{key!r} cannot name an argument of task {downstream.name!r}{user_location()}: "
                    "use a Python identifier."
                )
            self._check_key_is_free(downstream, key)

    def _check_key_is_free(self, task: Task, key: str) -> None:
        taken = task in self.constants and key in self.constants[task]
        if not taken and task in self.slugs:
            taken = any(
                data["edge"].key == key for bundle in self._graph._pred[task].values() for data in bundle.values()
            )
        if taken:
            raise ValueError(
                f"Argument {key!r} of task {task.name!r} is bound already in flow {self.name!r}{user_location()}. "
                "An argument takes one value."
            )

    def _check_key_is_accepted(self, task: Task, key: str) -> None:
        if not task._binding().accepts(key):
            raise TypeError(
                f"Task {task.name!r} has no argument {key!r}{user_location()}; its run takes "
                f"{task._binding().signature}."
            )

    def _roll_back_cycle(self, upstream: Task, downstream: Task, name: Any) -> None:
        import networkx

        if networkx.has_path(self._graph, downstream, upstream):
            path = [*networkx.shortest_path(self._graph, downstream, upstream), downstream]
            self._graph.remove_edge(upstream, downstream, key=name)
            self._derived = {}
            raise CycleError(self.name, [task.name for task in path])

    def _add_given_edge(self, edge: Edge, validate: bool | None) -> None:
        if not isinstance(edge, Edge):
            raise TypeError(
                f"Flow {self.name!r} takes edges, found {edge!r}{user_location()}. "
                "Use Edge(upstream_task, downstream_task)."
            )
        self.add_edge(
            edge.upstream_task, edge.downstream_task, edge.key, edge.mapped, edge.flattened, validate=validate
        )

    def chain(self, *tasks: Any, validate: bool | None = None) -> list[Edge]:
        """Make each task wait for the one before it; return the edges."""
        return [self.add_edge(one, other, validate=validate) for one, other in itertools.pairwise(tasks)]

    def set_dependencies(
        self,
        task: Any,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
        validate: bool | None = None,
    ) -> None:
        """
        Add *task* with its dependencies.

        Args:
            task: the task; a plain value becomes a ``Constant``.
            upstream_tasks: tasks to wait for.
            downstream_tasks: tasks that wait for it; never mapped.
            keyword_tasks: arguments of ``run``.
            mapped: map over *upstream_tasks* and *keyword_tasks*.
            validate: check keys and cycles at once.
        """
        member = self.add_task(as_task(task, flow=self))
        for one in self._several(upstream_tasks, "upstream_tasks"):
            self.add_edge(one, member, mapped=mapped, validate=validate)
        for one in self._several(downstream_tasks, "downstream_tasks"):
            self.add_edge(member, one, validate=validate)
        if keyword_tasks is not None and not isinstance(keyword_tasks, Mapping):
            raise TypeError(
                f"Flow {self.name!r}: keyword_tasks must be a dict, found {keyword_tasks!r}{user_location()}. "
                "Write keyword_tasks={'x': task}."
            )
        for key, one in (keyword_tasks or {}).items():
            self.add_edge(one, member, key=key, mapped=mapped, validate=validate)

    def _bind(
        self, task: Task, arguments: Mapping[str, Any], upstream_tasks: Iterable[Any] | None, mapped: bool
    ) -> None:
        """Add *task* with its arguments: :meth:`set_dependencies` without the checks a signature has made already."""
        if mapped or upstream_tasks is not None or config.flows.eager_edge_validation or task in self.slugs:
            self.set_dependencies(task, upstream_tasks, keyword_tasks=arguments, mapped=mapped)
            return
        self._register(task)
        try:
            for key, value in arguments.items():
                if isinstance(value, Task):
                    self._connect_plainly(value, task, key)
                elif contains_task(value):
                    self._graph.add_node(task)
                    self.add_edge(value, task, key)
                else:
                    self.constants[task][key] = value
        finally:
            if task not in self._graph:  # an edge brings its ends along
                self._graph.add_node(task)

    # --- editing ---------------------------------------------------------------------------------------------

    def copy(self) -> Flow:
        """Return a copy that shares the tasks and nothing else."""
        from dagflow.core.editing import copy_flow

        return copy_flow(self)

    def replace(self, old: Task, new: Any, validate: bool = True) -> None:
        """
        Put *new* in the place of *old*: edges, constants and references move over.

        Raises:
            ValueError: when *old* is not in the flow.
        """
        from dagflow.core.editing import replace_task

        replace_task(self, old, new, validate)

    def update(
        self,
        flow: Flow,
        merge_parameters: bool = False,
        validate: bool | None = None,
        merge_reference_tasks: bool = False,
    ) -> None:
        """
        Add the tasks, edges and constants of another flow.

        Args:
            flow: the other flow.
            merge_parameters: let its parameters take the place of own ones with the same name.
            validate: check keys and cycles at once.
            merge_reference_tasks: add its reference tasks to the own ones.

        Raises:
            ValueError: for a parameter that both have, unless merged.
        """
        from dagflow.core.editing import update_flow

        update_flow(self, flow, merge_parameters, validate, merge_reference_tasks)

    # --- pickling --------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        if self._open:
            raise TypeError(
                f"Flow {self.name!r} cannot be pickled while its `with` block is open{user_location()}. "
                "Do it after the block."
            )
        from dagflow.core.editing import packed_fields

        return packed_fields(self)

    def __setstate__(self, fields: dict[str, Any]) -> None:
        from dagflow.core.editing import unpack_fields

        unpack_fields(self, fields)
