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
from typing import TYPE_CHECKING, Any, ClassVar

from dagflow.engine.base_state import NOTHING, State, utc
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


class Pending(State):
    """The run has not started."""

    __slots__ = ()
    color = "#7ebdff"
    _pending = True


class Scheduled(Pending):
    """
    The run waits for *start_time*.

    Args:
        start_time: when it may start, default now; a naive date is UTC.
    """

    __slots__ = ("_start",)
    color = "#ffab00"
    _scheduled = True
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
        self._start = utc(self._start)
        return self._start  # type: ignore[no-any-return]

    @start_time.setter
    def start_time(self, value: datetime.datetime | float | None) -> None:
        self._start = value

    def due(self) -> float | None:
        """Return when the run may start in seconds since the epoch, ``None`` for never by itself."""
        start = self._start
        if start is None or isinstance(start, float):
            return start
        moment = utc(start)
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

    __slots__ = ("loop", "loop_kept", "run_count")
    color = "#f66a0a"
    _retrying = True
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
        self.loop_kept: Result | None = None


class _MetaState(State):
    """
    A state about another one.

    Args:
        state: what the run was in; a wrapped state is unwrapped first, so nesting never builds up.
    """

    __slots__ = ("state",)
    _meta_state = True
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
    _submitted = True


class Queued(_MetaState):
    """
    The run waits for a free slot.

    Args:
        start_time: when to ask again, default now; a naive date is UTC.
    """

    __slots__ = ("start_time",)
    color = "#ffea7f"
    _queued = True
    _scheduled = True
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
        self.start_time = utc(time.time() if start_time is None else start_time)


class Running(State):
    """The run is going on."""

    __slots__ = ()
    color = "#3d67ff"
    _running = True


class Cancelling(Running):
    """The run was told to stop."""

    __slots__ = ()
    color = "#E8E8E8"


class Finished(State):
    """The run has ended."""

    __slots__ = ()
    color = "#003ccb"
    _finished = True


class Looped(Finished):
    """
    One round of a loop ended.

    Args:
        loop_count: which round, from 1.
    """

    __slots__ = ("loop_count",)
    color = "#003ccb"
    _looped = True
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
    _successful = True


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
    _cached = True
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
        self._expiration = utc(self._expiration)
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
    _mapped = True
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
        if self._holder is None and self._value is NOTHING and not self._n_map_states:
            return []
        return State.result.fget(self)  # type: ignore[attr-defined]

    @result.setter
    def result(self, value: Any) -> None:
        State.result.fset(self, value)  # type: ignore[attr-defined]

    def carried(self) -> Any:
        """Return the children's values as they came."""
        if self._holder is None and self._value is NOTHING and self.map_states:
            return [None if state is None else state.carried() for state in self.map_states]
        return self.result

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
    _skipped = True


class Cancelled(Finished):
    """The run was stopped before its end; neither successful nor failed."""

    __slots__ = ()
    color = "#bdbdbd"


class Failed(Finished):
    """The run ended badly."""

    __slots__ = ()
    color = "#eb0000"
    _failed = True


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
