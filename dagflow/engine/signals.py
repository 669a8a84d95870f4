"""
Signals: how user code ends a task run in a state of its choice.

They derive from ``BaseException``, so that ``except Exception`` in a task never swallows one. The engine itself never
raises them to steer; they are for tasks, triggers and state handlers. Names and meanings are those of Prefect 0.15.

>>> SKIP("nothing to do").state
<Skipped: "nothing to do">
"""

from __future__ import annotations

from typing import Any

from dagflow.engine import state as _states
from dagflow.engine.state import State
from dagflow.exceptions import PrefectSignal

__all__ = [
    "ENDRUN",
    "FAIL",
    "LOOP",
    "PAUSE",
    "RETRY",
    "SKIP",
    "SUCCESS",
    "TRIGGERFAIL",
    "VALIDATIONFAIL",
    "PrefectStateSignal",
    "signal_from_state",
]

_UNSET: Any = object()


class ENDRUN(PrefectSignal):
    """
    End a run in the given state.

    Args:
        state: the final state.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        super().__init__(f"The run ended in {state!r}.")

    def __reduce__(self) -> Any:
        return type(self), (self.state,)


class PrefectStateSignal(PrefectSignal):
    """
    Base of the signals that carry a state.

    Args:
        message: goes into the state.
        **kwargs: go to the state's constructor; without ``result`` the signal itself becomes the result.

    Raises:
        TypeError: for a keyword that the state does not take.
    """

    _state_cls: type[State] = State

    def __init__(self, message: str | None = None, *args: Any, result: Any = _UNSET, **kwargs: Any) -> None:
        super().__init__(message, *args)
        value = self._default_result() if result is _UNSET else result
        self.state: State = self._state_cls(message, value, *args, **kwargs)

    def _default_result(self) -> Any:
        return self

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.args, _fields_without_self(self))


def _fields_without_self(signal: PrefectStateSignal) -> dict[str, Any]:
    """Return the state's fields; the signal held as its own result is left out, it would never end."""
    fields = State.__getstate__(signal.state) if signal.state.result is not signal else _without_result(signal)
    return fields


def _without_result(signal: PrefectStateSignal) -> dict[str, Any]:
    kept, signal.state.result = signal.state.result, None
    try:
        fields = State.__getstate__(signal.state)
    finally:
        signal.state.result = kept
    fields["_value"] = _SELF
    fields["_holder"] = None
    return fields


_SELF = "__the signal itself__"


def _rebuild(cls: type[PrefectStateSignal], args: tuple[Any, ...], fields: dict[str, Any]) -> PrefectStateSignal:
    signal = cls.__new__(cls, *args)
    signal.args = args
    signal.state = cls._state_cls.__new__(cls._state_cls)
    signal.state.__setstate__(fields)
    if fields["_value"] == _SELF:
        signal.state._value = signal
    return signal


class FAIL(PrefectStateSignal):
    """End in ``Failed``; retries apply."""

    _state_cls = _states.Failed


class TRIGGERFAIL(FAIL):
    """End in ``TriggerFailed``."""

    _state_cls = _states.TriggerFailed


class VALIDATIONFAIL(FAIL):
    """End in ``ValidationFailed``."""

    _state_cls = _states.ValidationFailed


class SUCCESS(PrefectStateSignal):
    """End in ``Success`` at once."""

    _state_cls = _states.Success


class RETRY(PrefectStateSignal):
    """Try again, whatever ``max_retries`` says; at ``start_time``, default now."""

    _state_cls = _states.Retrying


class SKIP(PrefectStateSignal):
    """End in ``Skipped``."""

    _state_cls = _states.Skipped


class PAUSE(PrefectStateSignal):
    """
    Wait for somebody's word, or for ``start_time`` when one is given.

    Args:
        message: goes into the state.
        wait_for_input: a type, such as a pydantic model or a dataclass: whoever lets the run go on under a server gives
            a value of it, which the next attempt finds, as JSON, in ``context.resume_input``.
        **kwargs: as for other signals.

    >>> PAUSE("How many?", wait_for_input=int).state.context["input_schema"]
    {'type': 'integer'}
    """

    _state_cls = _states.Paused

    def __init__(self, message: str | None = None, *args: Any, wait_for_input: Any = None, **kwargs: Any) -> None:
        if wait_for_input is not None:
            from pydantic import TypeAdapter

            schema = TypeAdapter(wait_for_input).json_schema()
            kwargs["context"] = {**(kwargs.get("context") or {}), "input_schema": schema}
        super().__init__(message, *args, **kwargs)


class LOOP(PrefectStateSignal):
    """Run the task once more; ``result`` is what the next round finds as ``context.task_loop_result``."""

    _state_cls = _states.Looped

    def _default_result(self) -> Any:
        return repr(self)


def signal_from_state(state: State) -> type[PrefectStateSignal]:
    """
    Return the signal class for exactly the type of *state*.

    Raises:
        ValueError: for a type that has no signal.
    """
    for cls in (FAIL, TRIGGERFAIL, VALIDATIONFAIL, SUCCESS, RETRY, SKIP, PAUSE, LOOP):
        if cls._state_cls is type(state):
            return cls
    raise ValueError(f"No signal makes a state of type {type(state).__name__}.")
