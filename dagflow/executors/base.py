"""The executor port: how callables are carried to where they run. Executors know nothing of tasks or states."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import logging

__all__ = ["Executor", "resolve_nested"]


class Executor:
    """
    Carries callables to where they run.

    An implementation guarantees:

    1. ``submit`` may be called only between entering and leaving ``start()``;
    2. a callable is called once for each ``submit``, never assumed pure;
    3. ``wait`` may be called twice on one future and gives the same answer;
    4. futures among the arguments of a later ``submit``, nested or not, arrive as their values;
    5. it pickles before, during and after ``start()``, without what belongs to the run.

    Three methods are enough, as in Prefect 0.15; the others have defaults built on them.
    """

    immediate: ClassVar[bool] = False
    """Whether ``submit`` calls at once, in this thread, and returns the value itself."""

    remote: ClassVar[bool] = False
    """Whether callables run in another process, so that what they need must be sent there."""

    tracks: ClassVar[bool] = False
    """Whether ``as_completed`` knows by itself what is under way, and need not be told."""

    resends: ClassVar[bool] = False
    """Whether a run that went down with its worker is to be sent again, because it need not have been the cause."""

    batch_seconds: ClassVar[float] = 0.02
    """Seconds of work that make a batch of small runs worth carrying: some forty times what carrying one costs."""

    outpost: ClassVar[Any] = None
    """What remote runs may use on their workers, see :class:`dagflow.engine.posted.Outpost`; ``None`` for nothing."""

    @property
    def hands_back(self) -> bool:
        """Whether runs behind a slow one come back, so that runs of unknown length can travel together."""
        return self.outpost is not None

    @property
    def logger(self) -> logging.Logger:
        """The logger named after the class."""
        from dagflow.utilities.logging import get_logger

        return get_logger(type(self).__name__)

    @contextlib.contextmanager
    def start(self) -> Iterator[None]:
        """Hold what running needs; nothing, by default."""
        yield

    def submit(
        self, fn: Callable[..., Any], *args: Any, extra_context: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """
        Arrange for ``fn(*args, **kwargs)`` and return a future.

        Args:
            extra_context: ``task_name``, ``task_tags`` and ``task_index`` for dashboards; the engine adds
                ``task_resources``, ``priority``, and ``tells`` for a call that returns nothing.
        """
        raise NotImplementedError

    def wait(self, futures: Any) -> Any:
        """Return the values of *futures*, in whatever nesting of lists, tuples, sets and dicts they come."""
        raise NotImplementedError

    def as_completed(self, futures: Collection[Any], timeout: float | None = None) -> list[Any]:
        """
        Return those of *futures* that are done, waiting until there is one or *timeout* seconds have passed.

        Where there is an outpost, the messages it sent are among them, as bytes. The default waits for the first one,
        which is right if not quick.
        """
        first = next(iter(futures), None)
        if first is None:
            return []
        with contextlib.suppress(Exception):
            self.wait(first)
        return [first]

    def publish(self, key: str, value: Any) -> None:
        """Make *value* known under *key* to all workers, those to come included; remote executors only."""
        raise NotImplementedError

    def kept(self, key: str) -> Any:
        """Return a future for a value that a worker keeps; executors with an outpost only."""
        raise NotImplementedError

    def is_lost(self, future: Any) -> bool:
        """Tell whether a value that a worker kept is gone."""
        return False

    def cancel(self, futures: Collection[Any]) -> None:
        """Drop what has not begun to run; by default nothing is dropped."""

    @property
    def parallelism(self) -> int:
        """How many callables run at once."""
        return 1

    def __repr__(self) -> str:
        return f"<Executor: {type(self).__name__}>"


def resolve_nested(futures: Any, resolve: Callable[[Any], Any]) -> Any:
    """Apply *resolve* to the leaves of nested lists, tuples, sets and dicts."""
    if isinstance(futures, dict):
        return {resolve_nested(key, resolve): resolve_nested(value, resolve) for key, value in futures.items()}
    if type(futures) in (list, tuple, set):
        return type(futures)(resolve_nested(item, resolve) for item in futures)
    return resolve(futures)
