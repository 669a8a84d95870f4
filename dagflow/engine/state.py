"""
States: what is known about one run of a task or a flow.

A state is a small record. It is made, handed on and read; nothing alters it once it has been handed on. Results are
kept as plain values and wrapped in a :class:`~dagflow.engine.result.Result` only when somebody asks for the wrapper,
times as plain numbers until somebody asks for a date, so that a run of 100,000 children stays small.

::

    State
      Pending     Scheduled     Paused, Resume, Retrying
      _MetaState  ClientFailed, Submitted, Queued
      Running     Cancelling
      Finished    Looped, Success (Cached, Mapped, Skipped), Cancelled,
                  Failed (TimedOut, TriggerFailed, ValidationFailed)

The hierarchy, attributes and colours are those of Prefect 0.15.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dagflow.utilities.context import context as _run_context

if TYPE_CHECKING:
    import pendulum

    from dagflow.engine.result import Result

__all__ = [
    "Cached",
    "Cancelled",
    "Cancelling",
    "ClientFailed",
    "Failed",
    "Finished",
    "Looped",
    "Mapped",
    "Paused",
    "Pending",
    "Queued",
    "Resume",
    "Retrying",
    "Running",
    "Scheduled",
    "Skipped",
    "State",
    "Submitted",
    "Success",
    "TimedOut",
    "TriggerFailed",
    "ValidationFailed",
]


class _Nothing:
    """The value of a state that holds no result."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "NOTHING"


NOTHING: Any = _Nothing()


class Packed:
    """A value still in the bytes it travelled in; opened when somebody looks at it."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self) -> Any:
        """Return the value."""
        import pickle

        return pickle.loads(self.data)


def _utc(moment: datetime.datetime | float | None) -> pendulum.DateTime | None:
    """Return *moment* as a pendulum date; a number is seconds since the epoch, a naive date is UTC."""
    import pendulum

    if moment is None or isinstance(moment, pendulum.DateTime) and moment.tzinfo is not None:
        return moment
    if isinstance(moment, datetime.datetime):
        return pendulum.instance(moment, tz=moment.tzinfo or "UTC")
    return pendulum.from_timestamp(moment)


class State:
    """
    What is known about a run.

    Args:
        message: one line for people.
        result: the value the run produced; a :class:`~dagflow.engine.result.Result` is kept as it is, ``None`` means
            that there is no result.
        context: facts about the moment the state was made; tags of the running task are added.
        cached_inputs: results of the inputs, by name.

    Two states are equal when their type, result and public attributes are; message and context do not count.

    >>> Success("done", result=1) == Success("also done", result=1)
    True
    >>> Failed("no luck")
    <Failed: "no luck">
    """

    __slots__ = (
        "_cached_inputs",
        "_context",
        "_holder",
        "_lineage",
        "_value",
        "earlier_attempts",
        "message",
        "run_ended",
        "run_started",
    )
    color: ClassVar[str] = "#696969"
    _compared: ClassVar[tuple[str, ...]] = ("cached_inputs",)

    _cached_inputs: dict[str, Any] | None
    _context: dict[str, Any] | None
    _holder: Any
    _lineage: Any

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        *,
        context: dict[str, Any] | None = None,
        cached_inputs: dict[str, Any] | None = None,
    ) -> None:
        self.message = message
        self._cached_inputs = cached_inputs
        self._lineage = None
        self.run_started: float | None = None
        self.run_ended: float | None = None
        self.earlier_attempts: tuple[tuple[float, float, str], ...] = ()
        self._holder = None
        self._value: Any = NOTHING
        if result is not None:
            self.result = result
        self._context = dict(context) if context else None
        tags = _run_context.get("task_tags")
        if tags:
            self.context["tags"] = sorted(tags)

    @classmethod
    def _made(cls, message: str | None, value: Any) -> Any:
        """Make a state the quick way: no look at the context, the value taken as it is."""
        state = cls.__new__(cls)
        state.message = message
        state._value = value
        state._holder = state._context = state._cached_inputs = state._lineage = None
        state.run_started = state.run_ended = None
        state.earlier_attempts = ()
        return state

    # --- content ---------------------------------------------------------------------------------------------

    @property
    def context(self) -> dict[str, Any]:
        """Facts about the moment the state was made, such as ``tags`` and ``task_run_count``."""
        if self._context is None:
            self._context = {}
        return self._context

    @context.setter
    def context(self, value: dict[str, Any]) -> None:
        self._context = value

    @property
    def cached_inputs(self) -> dict[str, Any]:
        """Results of the inputs, by name."""
        if self._cached_inputs is None:
            self._cached_inputs = {}
        return self._cached_inputs

    @cached_inputs.setter
    def cached_inputs(self, value: dict[str, Any] | None) -> None:
        self._cached_inputs = value

    @property
    def result(self) -> Any:
        """The plain value of the run, ``None`` when there is none."""
        if self._holder is not None:
            return self._holder.value
        value = self._value
        if value is NOTHING:
            return None
        if type(value) is Packed:
            value = self._value = value.open()
        return value

    @result.setter
    def result(self, value: Any) -> None:
        from dagflow.engine.result import NoResultType, Result

        if isinstance(value, Result | NoResultType):
            self._holder, self._value = value, NOTHING
        else:
            self._holder, self._value = None, value

    def carried(self) -> Any:
        """Return the value as it came: still packed when nobody has looked at it."""
        return self._value if type(self._value) is Packed and self._holder is None else self.result

    @property
    def _result(self) -> Result:
        """The :class:`~dagflow.engine.result.Result` that holds the value, ``NoResult`` when there is none."""
        if self._holder is None:
            from dagflow.engine.result import NoResult, Result

            self._holder = NoResult if self._value is NOTHING else Result(self.result)
            self._value = NOTHING
        return self._holder  # type: ignore[no-any-return]

    @_result.setter
    def _result(self, value: Any) -> None:
        self.result = value

    def has_result(self) -> bool:
        """Tell whether the run produced a value, ``None`` included."""
        if self._holder is not None:
            from dagflow.engine.result import NoResult

            return self._holder is not NoResult
        return self._value is not NOTHING

    def load_result(self, result: Result | None = None) -> State:
        """
        Read the value from its stored location when it is not in memory; return this state.

        Args:
            result: the store to read with; the state's own when not given.
        """
        holder = self._result
        location = getattr(holder, "location", None)
        if location is not None and holder.value is None:
            self._holder = (result or holder).read(location)
        return self

    def load_cached_results(self, results: Mapping[str, Result] | None = None) -> State:
        """Read the values of ``cached_inputs`` that are not in memory; return this state."""
        for key, holder in self.cached_inputs.items():
            if getattr(holder, "location", None) is not None and holder.value is None:
                self.cached_inputs[key] = ((results or {}).get(key) or holder).read(holder.location)
        return self

    # --- questions -------------------------------------------------------------------------------------------

    def is_pending(self) -> bool:
        """Tell whether the run has still to start, scheduled runs included."""
        return isinstance(self, Pending)

    def is_scheduled(self) -> bool:
        """Tell whether the run waits for its time, or for a slot (Queued)."""
        return isinstance(self, Scheduled | Queued)

    def is_retrying(self) -> bool:
        """Tell whether the run waits for another attempt."""
        return isinstance(self, Retrying)

    def is_queued(self) -> bool:
        """Tell whether the run waits for a slot."""
        return isinstance(self, Queued)

    def is_submitted(self) -> bool:
        """Tell whether the run was handed to whoever will execute it."""
        return isinstance(self, Submitted)

    def is_meta_state(self) -> bool:
        """Tell whether this state wraps another."""
        return isinstance(self, _MetaState)

    def is_running(self) -> bool:
        """Tell whether the run is going on, one that is being cancelled included."""
        return isinstance(self, Running)

    def is_finished(self) -> bool:
        """Tell whether the run has ended."""
        return isinstance(self, Finished)

    def is_successful(self) -> bool:
        """Tell whether the run ended well; Cached, Mapped and Skipped count."""
        return isinstance(self, Success)

    def is_failed(self) -> bool:
        """Tell whether the run ended badly."""
        return isinstance(self, Failed)

    def is_skipped(self) -> bool:
        """Tell whether the run was skipped."""
        return isinstance(self, Skipped)

    def is_mapped(self) -> bool:
        """Tell whether the run spread into children."""
        return isinstance(self, Mapped)

    def is_cached(self) -> bool:
        """Tell whether the value comes from an earlier run."""
        return isinstance(self, Cached)

    def is_looped(self) -> bool:
        """Tell whether the run ended one round of a loop."""
        return isinstance(self, Looped)

    @classmethod
    def children(cls, include_self: bool = False, names_only: bool = False) -> list[Any]:
        """Return the state classes below this one, as classes or as names."""
        found: list[type[State]] = [cls] if include_self else []
        for child in cls.__subclasses__():
            found += child.children(include_self=True)
        return _as_listed(found, names_only)

    @classmethod
    def parents(cls, include_self: bool = False, names_only: bool = False) -> list[Any]:
        """Return the state classes above this one, nearest first."""
        above = [one for one in cls.__mro__ if issubclass(one, State) and (include_self or one is not cls)]
        return _as_listed(above, names_only)

    # --- pictures and wire -----------------------------------------------------------------------------------

    def lineage(self) -> dict[Any, tuple[Any, ...]]:
        """Return each task's upstream tasks; known on the final state of a flow run, empty elsewhere."""
        return self._lineage() if self._lineage is not None else {}

    def gantt(self, filename: str | None = None) -> Any:
        """
        Draw when each task of a flow run ran, as SVG.

        Args:
            filename: where to write the picture as well.
        """
        from dagflow.engine.gantt import gantt

        return gantt(self, filename=filename)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from dagflow.core.visualize import mimebundle_of_state

        return mimebundle_of_state(self)

    def serialize(self) -> dict[str, Any]:
        """
        Return the state as JSON-ready data; values stay behind, only their location travels.

        Raises:
            ValueError: for the abstract ``State`` and for states that have no wire form.
        """
        from dagflow.serialization.state import serialize_state

        return serialize_state(self)

    @staticmethod
    def deserialize(data: Mapping[str, Any]) -> State:
        """
        Make a state from what :meth:`serialize` returned.

        Raises:
            ValueError: for an unknown type or a malformed document.
        """
        from dagflow.serialization.state import deserialize_state

        return deserialize_state(data)

    # --- protocol --------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f'<{type(self).__name__}: "{self.message}">' if self.message else f"<{type(self).__name__}>"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        assert isinstance(other, State)
        if self.has_result() != other.has_result() or not _same(self.result, other.result):
            return False
        return all(_same(getattr(self, name), getattr(other, name)) for name in self._compared)

    def __hash__(self) -> int:
        return id(self)

    def __getstate__(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for cls in type(self).__mro__ for name in getattr(cls, "__slots__", ())}
        fields.update(getattr(self, "__dict__", {}))
        fields["_lineage"] = None
        value = self._value if self._holder is None else self._holder.value  # looked at as it is: never unpacked here
        if isinstance(value, BaseException):
            fields["_value"], fields["_holder"] = _picklable_error(value), None
        return fields

    def __setstate__(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)


def _same(one: Any, other: Any) -> bool:
    return one is other or bool(one == other)


def _as_listed(classes: list[type[State]], names_only: bool) -> list[Any]:
    public = [cls for cls in dict.fromkeys(classes) if not cls.__name__.startswith("_")]
    return [cls.__name__ for cls in public] if names_only else public


def _picklable_error(error: BaseException) -> Any:
    """Return *error*, or a sentence about it when it would not survive a round trip."""
    import cloudpickle

    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception as reason:
        return f"The exception could not be pickled ({reason!r}): {error!r}"
    return error


class Pending(State):
    """The run has not started."""

    __slots__ = ()
    color = "#7ebdff"


class Scheduled(Pending):
    """
    The run waits for *start_time*.

    Args:
        start_time: when it may start, default now; a naive date is UTC.
    """

    __slots__ = ("_start",)
    color = "#ffab00"
    _compared: ClassVar[tuple[str, ...]] = ("cached_inputs", "start_time")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        start_time: datetime.datetime | float | None = None,
        context: dict[str, Any] | None = None,
        cached_inputs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, result, context=context, cached_inputs=cached_inputs)
        self._start: Any = start_time if start_time is not None else self._default_start()
        count = _run_context.get("task_run_count")
        if count is not None:
            self.context["task_run_count"] = count

    @staticmethod
    def _default_start() -> float | None:
        import time

        return time.time()

    @property
    def start_time(self) -> pendulum.DateTime | None:
        """When the run may start; ``None`` means that it waits until somebody says so."""
        self._start = _utc(self._start)
        return self._start  # type: ignore[no-any-return]

    @start_time.setter
    def start_time(self, value: datetime.datetime | float | None) -> None:
        self._start = value

    def due(self) -> float | None:
        """Return when the run may start in seconds since the epoch, ``None`` for never by itself."""
        start = self._start
        if start is None or isinstance(start, float):
            return start
        moment = _utc(start)
        return moment.timestamp() if moment is not None else None


class Paused(Scheduled):
    """The run waits for somebody's word, or for *start_time* when one is given."""

    __slots__ = ()
    color = "#99a8e8"

    @staticmethod
    def _default_start() -> float | None:
        return None


class Resume(Scheduled):
    """A paused run was told to go on."""

    __slots__ = ()
    color = "#f58c0c"


class Retrying(Scheduled):
    """
    The run failed and will be tried again at *start_time*.

    Args:
        run_count: how many attempts were made.
    """

    __slots__ = ("loop", "run_count")
    color = "#f66a0a"
    _compared = ("cached_inputs", "start_time", "run_count")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        start_time: datetime.datetime | float | None = None,
        context: dict[str, Any] | None = None,
        cached_inputs: dict[str, Any] | None = None,
        run_count: int | None = None,
    ) -> None:
        super().__init__(message, result, start_time, context, cached_inputs)
        self.run_count: int = run_count if run_count is not None else (_run_context.get("task_run_count") or 1)
        self.loop: tuple[int, Any] | None = None


class _MetaState(State):
    """
    A state about another one.

    Args:
        state: what the run was in; a wrapped state is unwrapped first, so nesting never builds up.
    """

    __slots__ = ("state",)
    _compared: ClassVar[tuple[str, ...]] = ("cached_inputs", "state")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        state: State | None = None,
        context: dict[str, Any] | None = None,
        cached_inputs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, result, context=context, cached_inputs=cached_inputs)
        self.state: State | None = unwrapped(state)


def unwrapped(state: State | None) -> State | None:
    """Return what the meta states around *state* wrap."""
    while isinstance(state, _MetaState):
        state = state.state
    return state


class ClientFailed(_MetaState):
    """The new state could not be recorded."""

    __slots__ = ()
    color = "#eb0000"


class Submitted(_MetaState):
    """The run was handed to whoever will execute it."""

    __slots__ = ()
    color = "#ffdf5d"


class Queued(_MetaState):
    """
    The run waits for a free slot.

    Args:
        start_time: when to ask again, default now; a naive date is UTC.
    """

    __slots__ = ("start_time",)
    color = "#ffea7f"
    _compared = ("cached_inputs", "state", "start_time")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        state: State | None = None,
        start_time: datetime.datetime | float | None = None,
        context: dict[str, Any] | None = None,
        cached_inputs: dict[str, Any] | None = None,
    ) -> None:
        import time

        super().__init__(message, result, state, context, cached_inputs)
        self.start_time = _utc(time.time() if start_time is None else start_time)


class Running(State):
    """The run is going on."""

    __slots__ = ()
    color = "#3d67ff"


class Cancelling(Running):
    """The run was told to stop."""

    __slots__ = ()
    color = "#E8E8E8"


class Finished(State):
    """The run has ended."""

    __slots__ = ()
    color = "#003ccb"


class Looped(Finished):
    """
    One round of a loop ended.

    Args:
        loop_count: which round, from 1.
    """

    __slots__ = ("loop_count",)
    color = "#003ccb"
    _compared = ("cached_inputs", "loop_count")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        loop_count: int | None = None,
        context: dict[str, Any] | None = None,
        cached_inputs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, result, context=context, cached_inputs=cached_inputs)
        self.loop_count: int = loop_count if loop_count is not None else (_run_context.get("task_loop_count") or 1)


class Success(Finished):
    """The run ended well."""

    __slots__ = ()
    color = "#28a745"


class Cached(Success):
    """
    The value comes from an earlier run.

    Args:
        cached_parameters: the flow's parameters then.
        cached_result_expiration: until when the value may be used; ``None`` means for ever.
        hashed_inputs: a stable token for each input.
    """

    __slots__ = ("_expiration", "cached_parameters", "hashed_inputs", "map_index")
    color = "#34d058"
    _compared = ("cached_inputs", "cached_parameters", "cached_result_expiration", "hashed_inputs")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        cached_inputs: dict[str, Any] | None = None,
        cached_parameters: dict[str, Any] | None = None,
        cached_result_expiration: datetime.datetime | None = None,
        context: dict[str, Any] | None = None,
        hashed_inputs: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, result, context=context, cached_inputs=cached_inputs)
        self.cached_parameters = cached_parameters
        self._expiration: Any = cached_result_expiration
        self.hashed_inputs = hashed_inputs
        self.map_index: int | None = None

    @property
    def cached_result_expiration(self) -> pendulum.DateTime | None:
        """Until when the value may be used; ``None`` means for ever."""
        self._expiration = _utc(self._expiration)
        return self._expiration  # type: ignore[no-any-return]

    @cached_result_expiration.setter
    def cached_result_expiration(self, value: datetime.datetime | None) -> None:
        self._expiration = value


class Mapped(Success):
    """
    The run spread into children; their states are what counts.

    Args:
        map_states: the children's states in order; ``None`` for one that is not known.
        n_map_states: their number, when the states themselves are not at hand.
    """

    __slots__ = ("_n_map_states", "map_states")
    color = "#003ccb"
    _compared = ("cached_inputs", "map_states", "n_map_states")

    def __init__(
        self,
        message: str | None = None,
        result: Any = None,
        map_states: list[State | None] | None = None,
        context: dict[str, Any] | None = None,
        cached_inputs: dict[str, Any] | None = None,
        n_map_states: int | None = None,
    ) -> None:
        super().__init__(message, result, context=context, cached_inputs=cached_inputs)
        self.map_states: list[State | None] = map_states or []
        self._n_map_states = n_map_states

    @property
    def n_map_states(self) -> int:
        """The number of children."""
        return len(self.map_states) if self._n_map_states is None else self._n_map_states

    @property
    def result(self) -> Any:
        """The children's values in order, unless a value of its own was given."""
        if self._holder is None and self._value is NOTHING and self.map_states:
            return [None if state is None else state.result for state in self.map_states]
        if self._holder is None and self._value is NOTHING and self._n_map_states is None:
            return []
        return State.result.fget(self)  # type: ignore[attr-defined]

    @result.setter
    def result(self, value: Any) -> None:
        State.result.fset(self, value)  # type: ignore[attr-defined]

    def load_result(self, result: Result | None = None) -> State:
        """Read the value of every child that is not in memory; return this state."""
        for state in self.map_states:
            if state is not None:
                state.load_result(result)
        return self


class Skipped(Success):
    """The run was not needed."""

    __slots__ = ()
    color = "#62757f"


class Cancelled(Finished):
    """The run was stopped before its end; neither successful nor failed."""

    __slots__ = ()
    color = "#bdbdbd"


class Failed(Finished):
    """The run ended badly."""

    __slots__ = ()
    color = "#eb0000"


class TimedOut(Failed):
    """The run took longer than it may."""

    __slots__ = ()
    color = "#ff4e33"


class TriggerFailed(Failed):
    """The trigger said no."""

    __slots__ = ()
    color = "#ff5131"


class ValidationFailed(Failed):
    """The result did not pass a check."""

    __slots__ = ()
    color = "#ff5131"
