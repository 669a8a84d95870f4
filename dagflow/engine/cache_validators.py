"""When a cached result may be used again."""
from __future__ import annotations

from typing import Any


def never_use(state: Any, inputs: Any, parameters: Any) -> bool:
    """Never."""
    return False


def duration_only(state: Any, inputs: Any, parameters: Any) -> bool:
    """Until it expires."""
    import pendulum

    return state.cached_result_expiration is None or state.cached_result_expiration > pendulum.now("utc")
