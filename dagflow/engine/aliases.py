"""Questions to a state in the words of Prefect 2 and 3; there are no states behind them that dagflow does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

__all__ = ["INFRASTRUCTURE", "Aliases"]

INFRASTRUCTURE = "infrastructure"
"""The ``reason`` in the context of a failed state when the run was lost, not wrong."""


class Aliases:
    """What a :class:`~dagflow.engine.state.State` answers besides its own predicates."""

    __slots__ = ()

    if TYPE_CHECKING:
        _context: dict[str, Any] | None
        _failed: ClassVar[bool]
        _finished: ClassVar[bool]
        _retrying: ClassVar[bool]
        _scheduled: ClassVar[bool]
        _successful: ClassVar[bool]

        def carried(self) -> Any: ...

    def is_completed(self) -> bool:
        """Tell whether the run ended well: the same as ``is_successful``."""
        return self._successful

    def is_final(self) -> bool:
        """Tell whether the run has ended: the same as ``is_finished``."""
        return self._finished

    def is_awaiting_retry(self) -> bool:
        """Tell whether the run waits for another attempt: the same as ``is_retrying``."""
        return self._retrying

    def is_cancelled(self) -> bool:
        """Tell whether the run was cancelled."""
        return type(self).__name__ == "Cancelled"

    def is_cancelling(self) -> bool:
        """Tell whether the run is being cancelled."""
        return type(self).__name__ == "Cancelling"

    def is_paused(self) -> bool:
        """Tell whether the run waits for somebody's word."""
        return type(self).__name__ == "Paused"

    def is_crashed(self) -> bool:
        """Tell whether the run failed because its process, worker or cluster was lost, not because of its code."""
        if not self._failed:
            return False
        if self._context and self._context.get("reason") == INFRASTRUCTURE:
            return True
        from dagflow.exceptions import ClusterError, ValueLostError, WorkerLostError

        return isinstance(self.carried(), ClusterError | ValueLostError | WorkerLostError)

    def is_late(self) -> bool:
        """Tell whether the run is marked as one that should have started by now; who schedules runs marks them."""
        return self._scheduled and bool((self._context or {}).get("late"))
