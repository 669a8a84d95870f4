"""Signals: how user code ends a run in a state of its choice."""

from __future__ import annotations

import pickle

import pytest

from dagflow.engine import signals, state
from dagflow.engine.signals import PrefectStateSignal

TABLE = {
    signals.FAIL: state.Failed,
    signals.SUCCESS: state.Success,
    signals.SKIP: state.Skipped,
    signals.RETRY: state.Retrying,
    signals.PAUSE: state.Paused,
    signals.LOOP: state.Looped,
    signals.TRIGGERFAIL: state.TriggerFailed,
    signals.VALIDATIONFAIL: state.ValidationFailed,
}


@pytest.mark.parametrize(("signal", "cls"), TABLE.items(), ids=lambda one: one.__name__)
def test_each_signal_makes_its_state_and_escapes_except_exception(
    signal: type[PrefectStateSignal], cls: type[state.State]
) -> None:
    raised = signal("why")

    assert type(raised.state) is cls and raised.state.message == "why"
    assert not isinstance(raised, Exception)
    assert signals.signal_from_state(cls()) is signal


@pytest.mark.parametrize("signal", TABLE, ids=lambda one: one.__name__)
def test_the_signal_itself_is_the_result_unless_one_is_given(signal: type[PrefectStateSignal]) -> None:
    raised = signal("why")

    assert raised.state.result == (repr(raised) if signal is signals.LOOP else raised)
    assert signal("why", result=3).state.result == 3
    assert signal("why", result=None).state.has_result() is False


def test_extra_keywords_go_to_the_state() -> None:
    assert signals.RETRY(run_count=5).state.run_count == 5  # type: ignore[attr-defined]
    assert signals.LOOP(loop_count=9).state.loop_count == 9  # type: ignore[attr-defined]
    assert signals.PAUSE(start_time=None).state.start_time is None  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        signals.SKIP(nonsense=1)


def test_failing_signals_are_a_family() -> None:
    assert issubclass(signals.TRIGGERFAIL, signals.FAIL) and issubclass(signals.VALIDATIONFAIL, signals.FAIL)


@pytest.mark.parametrize("other", [state.Mapped(), state.TimedOut(), state.Cancelled(), state.Pending()])
def test_other_states_have_no_signal(other: state.State) -> None:
    with pytest.raises(ValueError, match=type(other).__name__):
        signals.signal_from_state(other)


@pytest.mark.parametrize("signal", TABLE, ids=lambda one: one.__name__)
def test_signals_pickle_with_their_state(signal: type[PrefectStateSignal]) -> None:
    copy = pickle.loads(pickle.dumps(signal("why")))
    given = pickle.loads(pickle.dumps(signal("why", result=[1])))

    assert type(copy) is signal and type(copy.state) is TABLE[signal] and copy.state.message == "why"
    assert copy.state.result is copy or signal is signals.LOOP
    assert given.state.result == [1]


def test_endrun_carries_a_state() -> None:
    end = signals.ENDRUN(state.Success("done"))

    assert end.state.message == "done" and not isinstance(end, Exception)
    assert pickle.loads(pickle.dumps(end)).state.message == "done"
