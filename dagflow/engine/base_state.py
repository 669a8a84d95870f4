"""
What every state is: its content, its questions, how it compares and travels.

The states themselves are in :mod:`dagflow.engine.state`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from dagflow.engine.aliases import Aliases
from dagflow.engine.carried import Carried, Remote
from dagflow.utilities.context import context as _run_context

if TYPE_CHECKING:
    import pendulum

    from dagflow.engine.result import Result

__all__ = ["NOTHING", "State", "utc"]


class _Nothing:
    """The value of a state that holds no result."""

    __slots__ = ()

    def __reduce__(self) -> str:
        return "NOTHING"


NOTHING: Any = _Nothing()


def utc(moment: datetime.datetime | float | None) -> pendulum.DateTime | None:
    """Return *moment* as a pendulum date; a number is seconds since the epoch, a naive date is UTC."""
    import pendulum

    if moment is None or isinstance(moment, pendulum.DateTime) and moment.tzinfo is not None:
        return moment
    if isinstance(moment, datetime.datetime):
        return pendulum.instance(moment, tz=moment.tzinfo or "UTC")
    return pendulum.from_timestamp(moment)


class State(Aliases):
    """
    What is known about a run.

    Args:
        message: one line for people.
        result: the value the run produced; a :class:`~dagflow.engine.result.Result` is kept as it is, ``None`` means
            that there is no result.
        context: facts about the moment the state was made; tags of the running task are added.
        cached_inputs: results of the inputs, by name.

    Two states are equal when their type, result and public attributes are; message and context do not count.

    >>> from dagflow.engine.state import Failed, Success
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

    # What the predicates answer; a class says here what it is, and its children are that too.
    _pending: ClassVar[bool] = False
    _scheduled: ClassVar[bool] = False
    _retrying: ClassVar[bool] = False
    _queued: ClassVar[bool] = False
    _submitted: ClassVar[bool] = False
    _meta_state: ClassVar[bool] = False
    _running: ClassVar[bool] = False
    _finished: ClassVar[bool] = False
    _successful: ClassVar[bool] = False
    _failed: ClassVar[bool] = False
    _skipped: ClassVar[bool] = False
    _mapped: ClassVar[bool] = False
    _cached: ClassVar[bool] = False
    _looped: ClassVar[bool] = False

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
        value = self._value if self._holder is None else self._holder.value
        if value is NOTHING:
            return None
        if isinstance(value, Carried):
            return self._open(value)
        return value

    @result.setter
    def result(self, value: Any) -> None:
        from dagflow.engine.result import NoResultType, Result

        if isinstance(value, Result | NoResultType):
            self._holder, self._value = value, NOTHING
        else:
            self._holder, self._value = None, value

    def _open(self, carried: Carried) -> Any:
        """Return the value and keep it; one that lies on a worker is not kept here for others to carry around."""
        value = carried.open()
        if type(carried) is not Remote or carried.handle is None:
            if self._holder is None:
                self._value = value
            else:
                self._holder.value = value
        return value

    def carried(self) -> Any:
        """Return the value as it came: still packed, or a reference to a worker, when nobody has looked at it."""
        value = self._value if self._holder is None else self._holder.value
        return None if value is NOTHING else value

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
            reader = holder if result is None else result.expecting(holder)
            self._holder = reader.read(location)
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
        return self._pending

    def is_scheduled(self) -> bool:
        """Tell whether the run waits for its time, or for a slot (Queued)."""
        return self._scheduled

    def is_retrying(self) -> bool:
        """Tell whether the run waits for another attempt."""
        return self._retrying

    def is_queued(self) -> bool:
        """Tell whether the run waits for a slot."""
        return self._queued

    def is_submitted(self) -> bool:
        """Tell whether the run was handed to whoever will execute it."""
        return self._submitted

    def is_meta_state(self) -> bool:
        """Tell whether this state wraps another."""
        return self._meta_state

    def is_running(self) -> bool:
        """Tell whether the run is going on, one that is being cancelled included."""
        return self._running

    def is_finished(self) -> bool:
        """Tell whether the run has ended."""
        return self._finished

    def is_successful(self) -> bool:
        """Tell whether the run ended well; Cached, Mapped and Skipped count."""
        return self._successful

    def is_failed(self) -> bool:
        """Tell whether the run ended badly."""
        return self._failed

    def is_skipped(self) -> bool:
        """Tell whether the run was skipped."""
        return self._skipped

    def is_mapped(self) -> bool:
        """Tell whether the run spread into children."""
        return self._mapped

    def is_cached(self) -> bool:
        """Tell whether the value comes from an earlier run."""
        return self._cached

    def is_looped(self) -> bool:
        """Tell whether the run ended one round of a loop."""
        return self._looped

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
    from dagflow.engine.cache_validators import same_values

    return same_values(one, other)


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
