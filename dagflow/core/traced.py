"""
``@flow``: a function whose calls of tasks make the graph.

The function runs once, when something of the graph is asked for first, with a parameter in the place of each argument.
It wires tasks and computes nothing: what it returns says which tasks decide about success and what a call returns.

What changes: a flow has no graph until it is traced; afterwards it is a flow like any other.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from dagflow.core.advice import FLOW_ATTRIBUTES, FLOW_OPTIONS
from dagflow.core.blame import user_location
from dagflow.core.flow import Flow
from dagflow.core.flow_settings import checked_settings, hooks_of
from dagflow.core.options import unknown_option
from dagflow.core.parameter import Parameter
from dagflow.core.returned import exchanged, tasks_in, value_of
from dagflow.core.scope import building
from dagflow.core.task import NoDefault, Task
from dagflow.core.tracing import check_flow_function, explained, hints_of
from dagflow.exceptions import FlowError, ParameterError, near_match
from dagflow.utilities.context import Layer, context, current_layer, pop_layer, push_layer

if TYPE_CHECKING:
    from dagflow.engine.state import State

__all__ = ["TracedFlow", "flow"]

_GRAPH = frozenset(
    {"_derived", "_graph", "_helpers", "_reference_tasks", "_slug_counter", "_slugs_taken", "constants", "slugs"}
)
"""What a flow has only when it is traced."""

_SETTINGS = (
    "description", "flow_run_name", "log_prints", "retries", "retry_delay_seconds", "tags", "timeout_seconds",
    "validate_parameters", "version",
)  # fmt: skip
_EVENTS = ("on_cancellation", "on_completion", "on_crashed", "on_failure", "on_running")
_GIVEN = ("executor", "result", "run_config", "schedule", "state_handlers", "storage", "terminal_state_handler")
OPTIONS = frozenset((*_SETTINGS, *_EVENTS, *_GIVEN, "name", "nested", "trace"))
"""What ``@flow`` takes."""


class TracedFlow(Flow):
    """
    A flow made of a function; see :func:`flow`.

    Attributes:
        fn: the function itself; calling it outside a flow block calls its tasks there, which is an error.
    """

    _lazy = False
    _tracing = False
    _returned: Any = None

    def __init__(self, fn: Callable[..., Any], **options: Any) -> None:
        _check_options(options)
        check_flow_function(fn)
        name = options.get("name") or fn.__name__.replace("_", "-")
        owner = f"Flow {name!r}"
        callback, hooks = hooks_of({event: options.get(event) for event in _EVENTS}, owner)
        self._lazy = True
        super().__init__(name, on_failure=callback, **{key: options[key] for key in _GIVEN if key in options})
        for field in _GRAPH & self.__dict__.keys():
            del self.__dict__[field]
        del self._lazy
        settings = checked_settings({key: options[key] for key in _SETTINGS if key in options}, owner)
        self.__dict__.update(settings)
        if hooks:
            self._hooks = hooks
        self.fn = fn
        self.trace = _one_of(options.get("trace") or "once", ("once", "call"), owner, "trace")
        self.nested = _one_of(options.get("nested") or "inline", ("inline", "run"), owner, "nested")
        self.signature = inspect.signature(fn)
        if self.description is None:
            self.description = _first_paragraph(fn)
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            self.__dict__[attribute] = getattr(fn, attribute, None)

    # --- the graph -------------------------------------------------------------------------------------------

    def _start_graph(self) -> None:
        if not self._lazy:
            super()._start_graph()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Trace the function when the graph is asked for first."""
            fields = self.__dict__
            if "fn" in fields and "_graph" not in fields and (name in _GRAPH or hasattr(type(self), name)):
                # The second is a property that failed with an AttributeError of the function: let it fail as it did.
                self._trace()
                return getattr(self, name)
            message = f"{type(self).__name__!r} object has no attribute {name!r}"
            if name in FLOW_ATTRIBUTES:
                message = f"{message}{user_location()}. {FLOW_ATTRIBUTES[name]}"
            raise AttributeError(message, name=name, obj=self)

    def _trace(self) -> None:
        if self.trace == "call":
            raise FlowError(
                f"Flow {self.name!r} is traced at each call, with the values of that call{user_location()}; before, it "
                "has no graph to register, draw or check. Leave out trace='call' for that."
            )
        self._start_graph()
        self.slugs, self.constants = {}, defaultdict(dict)
        try:
            returned = self._traced_into(self, self._parameters())
            references = [task for task in tasks_in(returned) if task in self.slugs]
            self._returned = returned
            if references:
                self.set_reference_tasks(references)
        except BaseException:
            for field in _GRAPH & self.__dict__.keys():
                del self.__dict__[field]
            raise

    def _parameters(self) -> dict[str, Parameter]:
        hints = hints_of(self.fn)
        with context(flow=None, tags=None):  # they belong to none of the blocks around
            return {
                name: Parameter(name, NoDefault if one.default is one.empty else one.default, type=hints.get(name))
                for name, one in self.signature.parameters.items()
            }

    def _traced_into(self, target: Flow, arguments: Mapping[str, Any]) -> Any:
        """Call the function with *target* open; return what it returns."""
        if self._tracing:
            raise FlowError(
                f"Flow {self.name!r} calls itself{user_location()}: its graph would have no end. Repeat inside a task, "
                "or with the signal LOOP."
            )
        bound = inspect.BoundArguments(self.signature, dict(arguments))
        self._tracing = True
        # What is open around the first use of the graph has no part in it.
        token = push_layer(Layer(current_layer(), {"flow": None, "tags": None, "tracing": self.name}))
        try:
            with target:
                for one in arguments.values():
                    if isinstance(one, Parameter):
                        target.add_task(one)
                return self.fn(*bound.args, **bound.kwargs)
        except TypeError as error:
            explained(error, self.fn)
            raise
        finally:
            pop_layer(token)
            del self._tracing

    # --- calling ---------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, return_state: bool = False, wait_for: Any = None, **kwargs: Any) -> Any:
        """
        Run the flow with these arguments and return the value of what its function returns.

        Inside another flow its tasks are copied there instead, and what stands for the returned tasks is returned.

        Args:
            return_state: return the final state of the run, and raise nothing for a failed one.
            wait_for: inside another flow, what to wait for.

        Raises:
            TypeError: for arguments that the function does not take.
            ParameterError: for values that do not fit.
            BaseException: what the task raised that made the run fail.
        """
        values = self._bound(args, kwargs)
        parent = building().flow
        if parent is not None:
            return self._nested_in(parent, values, return_state, wait_for)
        if wait_for:
            raise TypeError(
                f"Flow {self.name!r} is called outside a flow{user_location()}, so there is nothing to wait for. "
                "Leave out wait_for."
            )
        flow, options = self._for_run({"parameters": values})
        state = flow.run(run_on_schedule=False, **options)
        return state if return_state or state is None else value_of(flow, flow._returned, state)

    def run(
        self,
        parameters: Mapping[str, Any] | None = None,
        run_on_schedule: bool | None = None,
        runner_cls: type | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the flow here and return its final state; see :meth:`Flow.run`."""
        if self.trace == "call":
            named = {name: kwargs.pop(name) for name in self.signature.parameters.keys() & kwargs.keys()}
            flow, options = self._for_run({**kwargs, "parameters": {**(parameters or {}), **named}})
            return flow.run(run_on_schedule=run_on_schedule, runner_cls=runner_cls, **options)
        return super().run(parameters, run_on_schedule, runner_cls, **kwargs)

    def register(self, project_name: str | None = None, **kwargs: Any) -> Any:
        """Send the flow's metadata to a backend; see :meth:`Flow.register`."""
        self.slugs  # noqa: B018  (traces: a flow without a graph says so before anybody is asked)
        return super().register(project_name, **kwargs)

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return dict(self.signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            near = next((near_match(name, self.signature.parameters) for name in kwargs
                         if name not in self.signature.parameters), "")  # fmt: skip
            raise TypeError(
                f"Flow {self.name!r} cannot be called like this{user_location()}: {error}. "
                f"It takes {self.signature}.{near}"
            ) from None

    def _for_run(self, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return the flow to run and the options for it; one that is traced at each call is traced here."""
        if self.trace != "call":
            return self, options
        values = self._checked(options.pop("parameters"))
        made = _Call(self.name)
        kept = {key: value for key, value in self.__dict__.items() if key not in _OWN and key not in made.__dict__}
        made.__dict__.update(kept, **{key: self.__dict__[key] for key in _COPIED})
        known = self.signature.parameters
        values = {**{name: one.default for name, one in known.items() if one.default is not one.empty}, **values}
        made._returned = self._traced_into(made, values)
        references = [task for task in tasks_in(made._returned) if task in made.slugs]
        if references:
            made.set_reference_tasks(references)
        keys = {**(options.pop("context", None) or {})}
        keys["parameters"] = {**(keys.get("parameters") or {}), **values}
        return made, {**options, "context": keys}

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values for parameters, those with a type converted."""
        for name in values:
            if name not in self.signature.parameters:
                raise ParameterError(
                    f"Flow {self.name!r} has no parameter {name!r}{user_location()}."
                    f"{near_match(name, self.signature.parameters)}"
                )
        missing = [
            name
            for name, one in self.signature.parameters.items()
            if one.default is one.empty and name not in values
        ]
        if missing:
            raise ParameterError(
                f"Flow {self.name!r} needs a value for {', '.join(map(repr, missing))}{user_location()}."
            )
        plain = {name: value for name, value in values.items() if not isinstance(value, Task)}
        if not self.validate_parameters:
            return dict(values)
        from dagflow.core.typed import converted_values

        return {**values, **converted_values(self.name, self._parameters().values(), plain)}

    # --- inside another flow ---------------------------------------------------------------------------------

    def _nested_in(self, parent: Flow, values: dict[str, Any], return_state: bool, wait_for: Any) -> Any:
        if return_state:
            raise TypeError(
                f"Flow {self.name!r} has no state where it is called inside flow {parent.name!r}{user_location()}: it "
                "runs later. Leave out return_state."
            )
        waits = list(wait_for) if isinstance(wait_for, list | tuple | set) else [] if wait_for is None else [wait_for]
        if self.nested == "run" or self.trace == "call":
            return _RunFlow(self).bind(values=values, upstream_tasks=waits or None, flow=parent)
        if parent is self or self._tracing:
            self._traced_into(parent, {})  # which says that a flow cannot call itself
        from dagflow.core.inlining import inline

        for_all = {name: value for name, value in values.items() if not _holds_task(value)}
        stands = inline(parent, self, {**values, **self._checked_plain(for_all)}, waits)
        return exchanged(self._returned, lambda task: stands.get(task, task))

    def _checked_plain(self, values: dict[str, Any]) -> dict[str, Any]:
        if not self.validate_parameters:
            return {}
        from dagflow.core.typed import converted_values

        return converted_values(self.name, self.parameters(), values)

    # --- checks, copies, pickles -----------------------------------------------------------------------------

    def check(self) -> Any:
        """
        Look for mistakes without running anything, as :meth:`Flow.check` does, and trace the function once more.

        Two tracings that differ mean that the function depends on time, chance or something outside.
        """
        from dagflow.core.check import Finding, Report
        from dagflow.core.tracing import difference

        report = super().check()
        if "fn" not in self.__dict__:
            return report
        again = Flow(self.name)
        self._traced_into(again, self._parameters())
        found = difference(self, again)
        if found is None:
            return report
        said = (
            f"Flow {self.name!r} differs when its function is traced again: {found}. The function must not depend on "
            "time, chance or anything outside; compute such things in a task."
        )
        return Report(self.name, [*report, Finding("tracing", said)])

    def copy(self) -> Flow:
        """Return a copy that shares the tasks and nothing else."""
        if self.trace == "call":
            new = object.__new__(type(self))
            new.__dict__.update(self.__dict__, state_handlers=list(self.state_handlers))
            return new
        self.slugs  # noqa: B018  (traces)
        return super().copy()

    def replace(self, old: Task, new: Any, validate: bool = True) -> None:
        """Put *new* in the place of *old*, in what a call returns too; see :meth:`Flow.replace`."""
        super().replace(old, new, validate)
        self._returned = exchanged(self._returned, lambda task: new if task is old else task)

    def __getstate__(self) -> dict[str, Any]:
        if self.trace == "call":
            return dict(self.__dict__)
        fields = super().__getstate__()
        # The graph is all that a run needs; what the function refers to stays behind.
        fields.pop("fn", None)
        fields["signature"] = self.signature.replace(
            parameters=[one.replace(annotation=one.empty) for one in self.signature.parameters.values()],
            return_annotation=inspect.Signature.empty,
        )
        return fields

    def __setstate__(self, fields: dict[str, Any]) -> None:
        if "packed" in fields:
            super().__setstate__(fields)
        else:
            self.__dict__.update(fields)


class _Call(Flow):
    """What one call of a flow with ``trace="call"`` runs."""

    _returned: Any = None


_OWN = _GRAPH | {"fn", "signature", "trace", "nested"}
_COPIED = ("executor", "result", "state_handlers", "terminal_state_handler")


class _RunFlow(Task):
    """Runs a whole flow as one task: under a server as a run of its own, elsewhere in the process of the task."""

    def __init__(self, child: TracedFlow, **kwargs: Any) -> None:
        self.child = child
        super().__init__(name=child.name, **kwargs)

    def run(self, values: dict[str, Any]) -> Any:
        """Return what a call of the flow returns."""
        # A flow that is traced at each call cannot be registered, so the server has no runs of it.
        if context.get("running_with_backend") and self.child.trace == "once":
            from dagflow.tasks.prefect.flow_run import run_nested

            return run_nested(self.child, values)
        return self.child(**values)


def _check_options(options: Mapping[str, Any]) -> None:
    for name in options:
        if name in FLOW_OPTIONS:
            raise TypeError(f"@flow has no option {name!r}{user_location()}. {FLOW_OPTIONS[name]}")
        if name not in OPTIONS:
            raise unknown_option("@flow", name, OPTIONS)


def _one_of(value: Any, known: tuple[str, ...], owner: str, what: str) -> str:
    if value not in known:
        raise ValueError(f"{owner}: {what} must be {' or '.join(map(repr, known))}, found {value!r}{user_location()}.")
    return str(value)


def _first_paragraph(fn: Callable[..., Any]) -> str | None:
    text = inspect.getdoc(fn) if fn.__doc__ else None
    return " ".join(text.strip().partition("\n\n")[0].split()) or None if text else None


def _holds_task(value: Any) -> bool:
    from dagflow.core.conversion import contains_task

    return contains_task(value)


@overload
def flow(fn: Callable[..., Any]) -> TracedFlow: ...
@overload
def flow(
    *,
    name: str | None = None,
    description: str | None = None,
    version: str | None = None,
    schedule: Any = None,
    storage: Any = None,
    run_config: Any = None,
    executor: Any = None,
    result: Any = None,
    state_handlers: Any = None,
    terminal_state_handler: Callable[..., State | None] | None = None,
    retries: int = 0,
    retry_delay_seconds: Any = None,
    timeout_seconds: float | None = None,
    log_prints: bool | None = None,
    validate_parameters: bool = True,
    flow_run_name: str | Callable[..., str] | None = None,
    tags: Iterable[str] | None = None,
    nested: Literal["inline", "run"] = "inline",
    trace: Literal["once", "call"] = "once",
    on_running: Any = None,
    on_completion: Any = None,
    on_failure: Any = None,
    on_cancellation: Any = None,
    on_crashed: Any = None,
) -> Callable[[Callable[..., Any]], TracedFlow]: ...
def flow(fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """
    Make a flow of a function that calls tasks; use it bare or with arguments.

    The function is called once, with a ``Parameter`` for each argument, when the graph is asked for first. What it
    returns (a task, or a list, tuple or dict with tasks) are the reference tasks, and the value of a call.

    Args:
        fn: the function.
        name: default is the function's name with ``-`` for ``_``.
        description: default is the first paragraph of the docstring.
        nested: what a call inside another flow does: ``"inline"`` copies the tasks, ``"run"`` makes one task of it.
            Under a server that waits for a run of its own, and the flow must be registered in the same project.
        trace: ``"call"`` calls the function at each run with the actual values; such a flow has no graph before.
        on_failure: a hook ``hook(flow, flow_run, state)`` or a list of them, as the other events; a function of two
            arguments is called as ``on_failure(flow, state)``, as in ``Flow(on_failure=...)``.
        **options: as for :class:`~dagflow.core.flow.Flow` and :class:`~dagflow.core.flow_settings.FlowSettings`.

    Raises:
        TypeError, ValueError: for functions and options that cannot be.

    >>> from dagflow.utilities.tasks import task
    >>> @task
    ... def add(x, y):
    ...     return x + y
    >>> @flow
    ... def add_twice(x: int, y: int = 1):
    ...     return add(add(x, y), y)
    >>> add_twice.name, sorted(add_twice.slugs.values())
    ('add-twice', ['add-1', 'add-2', 'x', 'y'])
    """
    if fn is None:
        return lambda function: flow(function, **options)
    return TracedFlow(fn, **options)
