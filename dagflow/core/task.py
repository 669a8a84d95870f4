"""
Tasks: the nodes of a flow.

A task describes work; it does nothing until a run calls its ``run``. Calling a task inside ``with Flow(...)`` copies
it, adds the copy to the flow and binds the arguments as edges. Constructor, copying, binding, mapping and operators
behave as in Prefect 0.15.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from dagflow.core.advice import ATTRIBUTES, TASK_OPTIONS
from dagflow.core.annotations import EdgeAnnotation, unmapped
from dagflow.core.binding import Binding, check_run
from dagflow.core.blame import user_location
from dagflow.core.hooks import checked_hooks, is_callback
from dagflow.core.no_value import NoValue
from dagflow.core.operator_methods import Operators
from dagflow.core.options import (
    checked_function,
    checked_handlers,
    checked_nout,
    checked_resources,
    checked_retries,
    checked_retry_on,
    checked_tags,
    checked_target,
    checked_template,
    checked_text,
    checked_timeout,
    checked_validator,
    unknown_option,
)
from dagflow.core.scope import building, is_tracing
from dagflow.core.words import EXTRAS, WORDS, in_old_words
from dagflow.engine.cache_validators import never_use
from dagflow.exceptions import near_match
from dagflow.triggers import all_successful
from dagflow.utilities.context import context
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    import datetime
    import logging
    from inspect import Signature

    from dagflow.core.flow import Flow
    from dagflow.core.hooks import Hooks
    from dagflow.engine.result import Result
    from dagflow.engine.state import State

__all__ = ["DEFAULTS", "OPTIONS", "NoDefault", "Task"]

T = TypeVar("T", bound="Task")


class _LoggerOf:
    """The logger of a task, unless the task was given another one; not a property, so that subclasses may set it."""

    def __get__(self, task: Task | None, kind: type) -> Any:
        return self if task is None else get_logger(task.name)


class _FunctionOf:
    """The ``run`` of a task, unless a subclass sets something else of that name."""

    def __get__(self, task: Task | None, kind: type) -> Any:
        return self if task is None else task.run


class _SignatureOf:
    """What ``inspect.signature(task)`` shows; the class itself keeps the signature of its constructor."""

    def __get__(self, task: Task | None, kind: type) -> Signature:
        from dagflow.core.signature import calling_signature, constructor_signature

        if task is None:
            return constructor_signature(kind)

        return calling_signature(task._binding().signature)


class _NoDefault:
    """The type of :data:`NoDefault`."""

    def __repr__(self) -> str:
        return "<no default>"

    def __reduce__(self) -> str:
        return "NoDefault"


NoDefault: Any = _NoDefault()
"""Says that there is no default value, where ``None`` would be one."""

# What a task does not change stays on the class: instances are small, and so are copies and pickles of them.
DEFAULTS: dict[str, Any] = {
    "name": None,
    "slug": None,
    "tags": frozenset(),
    "max_retries": 0,
    "retry_delay": None,
    "retry_on": None,
    "resources": None,
    "timeout": None,
    "trigger": all_successful,
    "skip_on_upstream_skip": True,
    "cache_for": None,
    "cache_validator": never_use,
    "cache_key": None,
    "checkpoint": None,
    "state_handlers": (),
    "log_stdout": False,
    "result": None,
    "target": None,
    "task_run_name": None,
    "nout": None,
    "auto_generated": False,
}


class Task(Operators, NoValue):
    """
    A unit of work.

    Subclass it and write ``run``, or decorate a function with :func:`~dagflow.utilities.tasks.task`.

    Args:
        name: default is the class name.
        slug: a name unique in the flow; made from the name and tags when not given.
        tags: words to find the task by; those of enclosing ``with tags(...)`` blocks are added.
        max_retries: attempts after the first one; ``0`` overrides a configured default.
        retry_delay: how long to wait before another attempt: a timedelta, a list with one for each attempt, or a
            function of the run count.
        timeout: seconds, or a timedelta, after which an attempt ends in ``TimedOut``; ``0`` means no limit.
        trigger: decides from the upstream states whether the task runs; default
            :func:`~dagflow.triggers.all_successful`.
        skip_on_upstream_skip: skip when an upstream task was skipped.
        cache_for: how long a result may be reused.
        cache_validator: decides whether a cached result fits; default ``duration_only`` when ``cache_for`` is given.
        cache_key: tasks with the same key share cached results; default the name.
        checkpoint: ``False`` opts out of writing results.
        state_handlers: called as ``handler(task, old_state, new_state)`` on every change of state.
        on_failure: called as ``on_failure(task, state)`` for every failing attempt.
        log_stdout: log what ``run`` prints.
        result: where results are written.
        target: a location; when it exists its content is taken instead of running.
        task_run_name: a template or function that names each run.
        nout: number of items in the returned tuple, so that the task can be unpacked.
        retry_on: exception types to retry on; default all.
        resources: what a run takes of the worker it is on, such as ``{"GPU": 1}``; for workers of a Dask cluster.
        **words: settings in the words of Prefect 2 and 3: ``retries``, ``retry_delay_seconds``,
            ``retry_jitter_factor``, ``retry_condition_fn``, ``timeout_seconds``, ``log_prints``, ``cache_key_fn``,
            ``cache_policy``, ``cache_expiration``, ``refresh_cache``, ``on_running``, ``on_completion``,
            ``on_cancellation``, ``on_crashed``, ``description``, ``version``.

    Raises:
        TypeError: for tags given as a string, a timeout or handlers of the wrong type.
        ValueError: for retries without a delay and a delay without retries.
    """

    name: str
    slug: str | None
    tags: set[str]
    max_retries: int
    retry_delay: datetime.timedelta | list[Any] | Callable[[int], datetime.timedelta] | None
    retry_on: tuple[type[BaseException], ...] | None
    resources: dict[str, float] | None
    timeout: int | None
    trigger: Callable[..., bool]
    skip_on_upstream_skip: bool
    cache_for: datetime.timedelta | None
    cache_validator: Callable[..., bool]
    cache_key: str | None
    checkpoint: bool | None
    state_handlers: list[Callable[..., State | None]]
    log_stdout: bool
    result: Result | None
    target: str | Callable[..., str] | None
    task_run_name: str | Callable[..., str] | None
    nout: int | None
    auto_generated: bool
    cache_expiration: datetime.timedelta | None
    cache_policy: Any
    description: str | None
    log_prints: bool | None
    refresh_cache: bool | None
    retry_condition_fn: Callable[..., bool] | None
    retry_jitter_factor: float | None
    version: str | None
    _hooks: Hooks

    is_constant: ClassVar[bool] = False
    """Whether the task only stands for a value; the engine takes the value and runs nothing."""
    always_reruns: ClassVar[bool] = False
    """Whether the task runs also in a restart that knows its finished state."""
    is_cleanup: ClassVar[bool] = False
    """Whether the task closes a resource; what it waits for may be a reference task."""

    if not TYPE_CHECKING:  # a type checker would take every attribute of a task as known

        def __getattr__(self, name: str) -> Any:
            """Say what is wrong when a subclass forgot ``super().__init__()``; reached for missing attributes only."""
            if name in _OWN:
                raise AttributeError(
                    f"{type(self).__name__} has no {name!r} yet: its __init__ has to call super().__init__(**kwargs)"
                    f"{user_location()}."
                )
            message = f"{type(self).__name__!r} object has no attribute {name!r}"
            if not name.startswith("_"):
                near = near_match(name, [one for one in dir(self) if not one.startswith("_")])
                hint = "What the task returns is known only when it runs: use it inside a task, or GetAttr()."
                advice = ATTRIBUTES.get(name)
                message = f"{message}{user_location()}.{' ' + advice if advice else near or ' ' + hint}"
            raise AttributeError(message, name=name, obj=self)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "run" in cls.__dict__:
            check_run(_as_method(cls.__dict__["run"], cls), f"{cls.__name__}.run")
        cls._class_binding = None

    _class_binding: Binding | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if cls.__init__ is Task.__init__ and not kwargs.keys() <= OPTIONS:
            wrong = next(name for name in kwargs if name not in OPTIONS)
            raise unknown_option(cls.__name__, wrong, OPTIONS)
        given = [value for value in (*args, *kwargs.values()) if isinstance(value, Task)]
        if given:
            warnings.warn(
                f"{cls.__name__} was constructed with the task {given[0].name!r} as an argument{user_location()}. "
                "Constructor arguments are fixed when the flow is built; pass results of tasks when you call the task.",
                stacklevel=2,
            )
        return super().__new__(cls)

    def __init__(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        max_retries: int | None = None,
        retry_delay: Any = None,
        timeout: int | datetime.timedelta | None = None,
        trigger: Callable[..., bool] | None = None,
        skip_on_upstream_skip: bool = True,
        cache_for: datetime.timedelta | None = None,
        cache_validator: Callable[..., bool] | None = None,
        cache_key: str | None = None,
        checkpoint: bool | None = None,
        state_handlers: Sequence[Callable[..., State | None]] | None = None,
        on_failure: Callable[..., Any] | None = None,
        log_stdout: bool = False,
        result: Result | None = None,
        target: str | Callable[..., str] | None = None,
        task_run_name: str | Callable[..., str] | None = None,
        nout: int | None = None,
        retry_on: type[BaseException] | Iterable[type[BaseException]] | None = None,
        resources: Mapping[str, float] | None = None,
        **words: Any,
    ) -> None:
        self._warn_about_collisions()
        extras: dict[str, Any] = {}
        if words or (on_failure is not None and not is_callback(on_failure)):
            old = {
                "max_retries": max_retries, "retry_delay": retry_delay, "timeout": timeout, "cache_for": cache_for,
                "cache_validator": cache_validator,
            }  # fmt: skip
            changes, extras = in_old_words(words, old, name or type(self).__name__, OPTIONS)
            max_retries = changes.get("max_retries", max_retries)
            retry_delay = changes.get("retry_delay", retry_delay)
            timeout = changes.get("timeout", timeout)
            if on_failure is not None and not is_callback(on_failure):
                owner = f"Task {(name or type(self).__name__)!r}"
                extras["_hooks"] = extras.get("_hooks", ()) + checked_hooks({"on_failure": on_failure}, owner)
                on_failure = None
        self.name = checked_text(name, "A task's name") if name is not None else type(self).__name__
        self.slug = checked_text(slug, f"Task {self.name!r}: slug") if slug is not None else None
        self.tags = checked_tags(tags, self.name)
        self.max_retries, self.retry_delay = checked_retries(max_retries, retry_delay, self.name)
        self.retry_on = checked_retry_on(retry_on, self.name)
        self.resources = checked_resources(resources, self.name) if resources is not None else None
        self.timeout = checked_timeout(timeout, self.name)
        self.trigger = (
            all_successful
            if trigger is None
            else checked_function(trigger, f"Task {self.name!r}: trigger", "one of dagflow.triggers")
        )
        self.skip_on_upstream_skip = skip_on_upstream_skip
        self.cache_for = cache_for
        self.cache_validator = checked_validator(cache_for, cache_validator, self.name)
        self.cache_key = cache_key
        self.checkpoint = checkpoint
        self.state_handlers = checked_handlers(state_handlers, on_failure, f"Task {self.name!r}")
        self.log_stdout = log_stdout
        self.result, self.target = checked_target(result, target, self.name)
        self.task_run_name = (
            None if task_run_name is None else checked_template(task_run_name, f"Task {self.name!r}: task_run_name")
        )
        self.nout = self._inferred_nout() if nout is None else checked_nout(nout, self.name)
        self.auto_generated = False
        if extras:
            self.__dict__.update(extras)
        _leave_to_the_class(self)
        _announce_made(self)

    def _warn_about_collisions(self) -> None:
        own, kind = self.__dict__, type(self)
        above = kind.__mro__[: kind.__mro__.index(Task)]
        taken = [name for name in DEFAULTS if name in own or any(name in vars(cls) for cls in above)]
        if taken:
            warnings.warn(
                f"{kind.__name__} sets {', '.join(map(repr, taken))} before Task.__init__ is called, which "
                f"overwrites it{user_location()}. Pass it to super().__init__(...), or choose another name.",
                stacklevel=3,
            )

    # --- work ------------------------------------------------------------------------------------------------

    if TYPE_CHECKING:
        # What a type checker takes any signature of a subclass as an override of.
        def run(self, *args: Any, **kwargs: Any) -> Any: ...
    else:

        def run(self) -> Any:
            """Do the work; override it. Arguments are bound by name."""
            return None

    fn: Callable[..., Any] = _FunctionOf()  # type: ignore[assignment]
    """The code itself: calling it runs it, inside a flow block too."""

    logger: logging.Logger = _LoggerOf()  # type: ignore[assignment]
    """The logger ``dagflow.<name>``."""

    def _binding(self) -> Binding:
        binding = self.__dict__.get("_run_binding")
        if binding is not None:
            return binding  # type: ignore[no-any-return]
        if "run" in self.__dict__:
            self.__dict__["_run_binding"] = found = Binding(self.run)
            return found
        cls = type(self)
        if cls._class_binding is None:
            cls._class_binding = Binding(self.run)
        return cls._class_binding

    def inputs(self) -> dict[str, dict[str, Any]]:
        """
        Describe the arguments of ``run``: ``{name: {"type", "default", "required"}}``.

        >>> from dagflow.utilities.tasks import task
        >>> task(lambda x, y=1: x).inputs()["y"]["default"]
        1
        """
        described = {}
        hints = _hints(self.run)
        for name, parameter in self._binding().signature.parameters.items():
            missing = parameter.default is parameter.empty
            described[name] = {
                "type": hints.get(name, Any if parameter.annotation is parameter.empty else parameter.annotation),
                "required": missing,
                "default": None if missing else parameter.default,
            }
        return described

    def outputs(self) -> Any:
        """Return what ``run`` says it returns, ``Any`` when it does not say."""
        hints = _hints(self.run)
        annotation = self._binding().signature.return_annotation
        return hints.get("return", Any if annotation is self._binding().signature.empty else annotation)

    def _inferred_nout(self) -> int | None:
        return _tuple_length(self._binding().signature.return_annotation)

    __signature__ = _SignatureOf()

    # --- copying and binding ---------------------------------------------------------------------------------

    def copy(self, **task_args: Any) -> Self:
        """
        Return a shallow copy with some attributes changed; tags are added to, not replaced.

        Raises:
            AttributeError: for a name that is not an attribute.
        """
        blocks = building()
        flow = blocks.flow
        if flow is not None:
            flow._note_copied(self)
        new = object.__new__(type(self))
        fields = self.__dict__.copy()
        fields["tags"] = self.tags | blocks.tags if blocks.tags else set(self.tags)
        fields["state_handlers"] = self.state_handlers.copy()
        if self.slug is not None:
            fields["slug"] = f"{self.slug}-copy"
        new.__dict__ = fields
        if task_args:
            new._change(task_args)
        if flow is not None:
            flow._note_made(new)
        return new

    def _copy_with(self, task_args: Mapping[str, Any]) -> Self:
        if not isinstance(task_args, Mapping):
            raise TypeError(
                f"Task {self.name!r}: task_args must be a dict, found {task_args!r}{user_location()}. "
                "Write task_args={'name': ...}."
            )
        return self.copy(**task_args)

    def _change(self, changes: dict[str, Any]) -> None:
        if not WORDS.isdisjoint(changes):
            changes = self._in_old_words(changes)
        for name, value in changes.items():
            if not hasattr(self, name):
                raise AttributeError(
                    f"Task {self.name!r} has no attribute {name!r}, so task_args cannot set it"
                    f"{user_location()}.{near_match(name, [one for one in self.__dict__ if one[0] != '_'])}"
                )
            setattr(self, name, self.tags | checked_tags(value, self.name) if name == "tags" else value)
        if "name" in changes:
            checked_text(self.name, "A task's name")
        if "slug" in changes:
            checked_text(self.slug, f"Task {self.name!r}: slug")
        if "trigger" in changes:
            checked_function(self.trigger, f"Task {self.name!r}: trigger", "one of dagflow.triggers")
        if changes.get("nout") is not None:
            checked_nout(self.nout, self.name)
        if "timeout" in changes:
            self.timeout = checked_timeout(self.timeout, self.name)
        if "state_handlers" in changes:
            self.state_handlers = checked_handlers(self.state_handlers, None, f"Task {self.name!r}")
        if "max_retries" in changes or "retry_delay" in changes:
            self.max_retries, self.retry_delay = checked_retries(self.max_retries, self.retry_delay, self.name)
        if "target" in changes or "result" in changes:
            self.result, self.target = checked_target(self.result, self.target, self.name)
        if ("cache_for" in changes or "cache_validator" in changes) and "cache_validator" not in changes:
            self.cache_validator = checked_validator(self.cache_for, None, self.name)

    def _in_old_words(self, changes: dict[str, Any]) -> dict[str, Any]:
        words = {name: changes.pop(name) for name in WORDS & changes.keys()}
        given = {"max_retries": self.max_retries, "cache_for": self.cache_for, **changes}
        translated, extras = in_old_words(words, given if "retries" not in words else changes, self.name, OPTIONS)
        return {**changes, **translated, **extras}

    def __call__(
        self,
        *args: Any,
        mapped: bool = False,
        task_args: Mapping[str, Any] | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> Self:
        """
        Add a copy of this task to the flow, its arguments bound as edges.

        Args:
            mapped: make one child run for each item of the arguments.
            task_args: attributes to change on the copy.
            upstream_tasks: tasks to wait for without taking their results.
            flow: default is the flow whose ``with`` block is open.

        Raises:
            ValueError: when no flow is open; call ``.run(...)`` to run the code itself.
            TypeError: for arguments that ``run`` does not take.
        """
        flow = self._current_flow("call", flow)
        if "wait_for" in kwargs:
            upstream_tasks = self._waits_for(kwargs, upstream_tasks, mapped)
        bound = self._bound(args, kwargs)
        new = self._copy_with(task_args) if task_args else self.copy()
        flow._bind(new, bound, upstream_tasks, mapped)
        return new

    def submit(self, *args: Any, **kwargs: Any) -> Task:
        """Add a copy of this task to the flow: the same as calling it."""
        return self(*args, **kwargs)

    def _waits_for(
        self, kwargs: dict[str, Any], upstream_tasks: Iterable[Any] | None, mapped: bool
    ) -> Iterable[Any] | None:
        """Take ``wait_for`` from the arguments, unless it is one of ``run``; return all tasks to wait for."""
        binding = self._binding()
        if "wait_for" in binding.signature.parameters or (binding.accepts_any and not is_tracing()):
            return upstream_tasks
        given = kwargs.pop("wait_for")
        listed = list(given) if isinstance(given, list | tuple | set | frozenset) else [] if given is None else [given]
        # Children of a map wait for the whole of each; upstream_tasks would be mapped over.
        return [*(upstream_tasks or ()), *(unmapped(one) if mapped else one for one in listed)]

    def bind(
        self,
        *args: Any,
        mapped: bool = False,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> Self:
        """Bind arguments to this very task, which is added to the flow, and return it."""
        flow = self._current_flow("bind", flow)
        bound = self._bound(args, kwargs)
        scope = context.get("tags")
        if scope:
            self.tags |= scope
        flow._bind(self, bound, upstream_tasks, mapped)
        return self

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._binding().bind(args, kwargs)
        except TypeError as error:
            raise TypeError(
                f"Task {self.name!r} cannot be called like this{user_location()}: {error}. "
                f"Its run takes {self._binding().signature}.{self._nearest(kwargs)}"
            ) from None

    def _nearest(self, kwargs: Mapping[str, Any]) -> str:
        """Return a hint for the first argument that ``run`` does not take."""
        advice = next((TASK_OPTIONS[name] for name in kwargs if name in TASK_OPTIONS), None)
        if advice is not None:
            return f" {advice}"
        known = list(self._binding().signature.parameters)
        return next((near_match(name, known) for name in kwargs if name not in known), "")

    def _current_flow(self, verb: str, flow: Flow | None = None) -> Flow:
        """Return *flow* when given, else the one whose block is open."""
        if flow is not None:
            if not hasattr(flow, "add_task"):
                raise TypeError(f"Task {self.name!r}: flow= takes a Flow, found {flow!r}{user_location()}.")
            return flow
        flow = building().flow
        if flow is None:
            raise ValueError(
                f"Cannot {verb} task {self.name!r} outside a flow{user_location()}. Inside `with Flow(...):` a call "
                f"adds the task to the flow; to run its code now, write `{self.name}.run(...)`, which is also "
                f"`{self.name}.fn(...)`."
            )
        return flow

    def map(
        self,
        *args: Any,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        task_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """
        Add a copy that runs once for each item of its arguments; wrap one in ``unmapped`` to hand it over whole.

        Raises:
            TypeError: for an argument that cannot be indexed.
        """
        for value in (*args, *(value for name, value in kwargs.items() if name != "wait_for")):
            if not isinstance(value, EdgeAnnotation) and not hasattr(value, "__getitem__"):
                raise TypeError(
                    f"Task {self.name!r} cannot map over {value!r} of type {type(value).__name__}{user_location()}: "
                    "it cannot be indexed. Give it a list, or wrap the value in unmapped(...)."
                )
        flow = self._current_flow("map", flow)
        if "wait_for" in kwargs:
            upstream_tasks = self._waits_for(kwargs, upstream_tasks, mapped=True)
        bound = self._bound(args, kwargs)
        new = self._copy_with(task_args) if task_args else self.copy()
        if "nout" not in (task_args or {}):
            new.nout = None
        flow._bind(new, bound, upstream_tasks, mapped=True)
        return new

    def pipe(self, task: Task, **kwargs: Any) -> Task:
        """
        Call *task* with this one as its first argument: ``a.pipe(b, y=1)`` is ``b(a, y=1)``.
        """
        return task(self, **kwargs)

    def set_upstream(self, task: Any, flow: Flow | None = None, key: str | None = None, mapped: bool = False) -> Self:
        """Make this task wait for *task*, taking its result as *key* when given."""
        keyed = {"keyword_tasks": {key: task}} if key is not None else {"upstream_tasks": [task]}
        return self.set_dependencies(flow, mapped=mapped, **keyed)

    def set_downstream(self, task: Any, flow: Flow | None = None, key: str | None = None, mapped: bool = False) -> Self:
        """Make *task* wait for this one, taking its result as *key* when given."""
        flow = self._current_flow("set a dependency of", flow)
        keyed: dict[str, Any] = {"keyword_tasks": {key: self}} if key is not None else {"upstream_tasks": [self]}
        flow.set_dependencies(task, mapped=mapped, **keyed)
        return self

    def set_dependencies(
        self,
        flow: Flow | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
        validate: bool | None = None,
    ) -> Self:
        """Set dependencies of this task in *flow* and return the task; see :meth:`Flow.set_dependencies`."""
        flow = self._current_flow("set a dependency of", flow)
        flow.set_dependencies(
            self,
            upstream_tasks=upstream_tasks,
            downstream_tasks=downstream_tasks,
            keyword_tasks=keyword_tasks,
            mapped=mapped,
            validate=validate,
        )
        return self

    # --- protocol --------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<Task: {self.name}>"

    def __iter__(self) -> Iterator[Task]:
        if self.nout is None:
            raise TypeError(
                f"Task {self.name!r} cannot be iterated{user_location()}: how many items it returns is known only "
                "when it runs. Use `other.map(task)`, or say how many with `nout=` or a return annotation such as "
                "`tuple[int, str]`."
            )
        return (self[index] for index in range(self.nout))

    def __getstate__(self) -> dict[str, Any]:
        fields = {name: value for name, value in self.__dict__.items() if name != "_run_binding"}
        for name in ("tags", "state_handlers"):
            if name in fields and not fields[name]:
                del fields[name]
        return fields

    def __setstate__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(tags=set(), state_handlers=[])
        self.__dict__.update(fields)

    def serialize(self) -> dict[str, Any]:
        """Return the task's metadata as JSON-ready data."""
        from dagflow.serialization.task import serialize_task

        return serialize_task(self)


_OWN = ("name", "tags", "state_handlers")
"""What every task has for itself."""

for _name, _default in DEFAULTS.items():
    if _name not in _OWN:
        setattr(Task, _name, staticmethod(_default) if callable(_default) else _default)


def _leave_to_the_class(task: Task) -> None:
    """Drop from *task* what its class says anyway."""
    fields, kind = task.__dict__, type(task)
    for name, default in DEFAULTS.items():
        if name not in _OWN and fields.get(name, task) is default and getattr(kind, name) is default:
            del fields[name]


for _name, _default in EXTRAS.items():
    setattr(Task, _name, _default)

OPTIONS = frozenset(DEFAULTS) - {"auto_generated"} | {"on_failure"} | WORDS
"""What the constructor takes."""


# --- helpers ---------------------------------------------------------------------------------------------------


def _as_method(function: Any, cls: type) -> Callable[..., Any]:
    if isinstance(function, staticmethod | classmethod):
        return function.__get__(None, cls)
    bound: Callable[..., Any] = (
        function.__get__(object.__new__(cls), cls) if hasattr(function, "__get__") else function
    )
    return bound


def _announce_made(task: Task) -> None:
    flow = context.get("flow")
    if flow is not None:
        flow._note_made(task)


def _tuple_length(annotation: Any) -> int | None:
    """Return the length of a fixed-length tuple annotation."""
    from typing import get_args, get_origin

    if isinstance(annotation, str) or get_origin(annotation) is not tuple:
        return None
    items = get_args(annotation)
    if items == ((),):
        return 0
    if not items:
        return 0 if annotation is not tuple and str(annotation) in ("typing.Tuple[()]", "tuple[()]") else None
    return None if Ellipsis in items else len(items)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    from typing import get_type_hints

    try:
        return get_type_hints(function)
    except Exception:  # an annotation that cannot be resolved describes nothing
        return {}
