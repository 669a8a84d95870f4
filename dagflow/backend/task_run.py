"""What a server knows of a task run, as it was when it was asked; its result is read from where it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.backend._ask import asked, asked_list, only
from dagflow.client.connection import in_path
from dagflow.client.records import state_of

if TYPE_CHECKING:
    from dagflow.engine.result import Result
    from dagflow.engine.state import State

__all__ = ["TaskRunView"]

NOT_LOADED: Any = object()


class TaskRunView:
    """
    A task run, or one child of a map.

    Make one with :meth:`from_task_run_id` or :meth:`from_task_slug`; both raise ``ValueError``, with the question that
    was asked, when there is not exactly one such run. Two views are equal when id and state are.
    """

    def __init__(
        self,
        task_run_id: str,
        task_id: str,
        task_slug: str,
        name: str | None,
        state: State,
        map_index: int,
        flow_run_id: str,
    ) -> None:
        self.task_run_id = task_run_id
        self.task_id = task_id
        self.task_slug = task_slug
        self.name = name
        self.state = state
        self.map_index = map_index
        self.flow_run_id = flow_run_id
        self._value: Any = NOT_LOADED

    @classmethod
    def from_task_run_id(cls, task_run_id: str) -> TaskRunView:
        """Return the run with this id."""
        if not isinstance(task_run_id, str):
            raise TypeError(f"task_run_id must be a str, found {task_run_id!r} of type {type(task_run_id).__name__}.")
        return cls.of(asked(f"task_runs/{in_path(task_run_id)}"))

    @classmethod
    def from_task_slug(cls, task_slug: str, flow_run_id: str, map_index: int = -1) -> TaskRunView:
        """Return the run of the task with this slug in a flow run."""
        path = f"flow_runs/{in_path(flow_run_id)}/task_runs"
        params: dict[str, Any] = {"task_slug": task_slug, "map_index": map_index}
        return cls.of(only(asked_list(path, **params), path, **params))

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> TaskRunView:
        """Read a record of the server."""
        return cls(
            task_run_id=record["id"],
            task_id=record["task_id"],
            task_slug=record.get("task_slug") or "",
            name=record.get("name"),
            state=state_of(record),
            map_index=record["map_index"],
            flow_run_id=record["flow_run_id"],
        )

    def get_result(self) -> Any:
        """
        Return the value, read once; that of a mapped task is the list of its children's values.

        Raises:
            ValueError: when the run, or one of the children, has not finished, or its value was not kept.
            TypeError: when the run has no result.
        """
        if not self.state.is_finished():
            raise ValueError(f"{self._called} has not finished: it is {type(self.state).__name__}.")
        if self._value is NOT_LOADED:
            self._value = self._children_values() if self.state.is_mapped() else self._read()
        return self._value

    def iter_mapped(self) -> Iterator[TaskRunView]:
        """
        Yield the children of a map, in its order.

        Raises:
            TypeError: when this is not a mapped task's run.
        """
        if not self.state.is_mapped():
            raise TypeError(f"{self._called} is not mapped: it is {type(self.state).__name__}.")
        for record in asked_list(f"task_runs/{in_path(self.task_run_id)}/mapped"):
            yield TaskRunView.of(record)

    @property
    def _called(self) -> str:
        index = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"Task run {self.task_slug}{index} ({self.task_run_id})"

    def _children_values(self) -> list[Any]:
        children = list(self.iter_mapped())
        unfinished = [child for child in children if not child.state.is_finished()]
        if unfinished:
            raise ValueError(
                f"{self._called} has {len(unfinished)} of {len(children)} children that have not finished, such as "
                f"{unfinished[0]._called}, which is {type(unfinished[0].state).__name__}."
            )
        return [child.get_result() for child in children]

    def _read(self) -> Any:
        result = self.state._result
        if _is_nothing(result):
            raise TypeError(f"{self._called} has no result: it is {self.state!r}.")
        if result.location is None:
            raise ValueError(
                f"{self._called} has a result of type {type(result).__name__} without a location, so its value was not "
                "kept. Give the task or the flow a result, and switch checkpointing on."
            )
        reader = self._custom(result) or result
        try:
            return reader.read(result.location).value
        except Exception as error:
            raise ValueError(
                f"The result of {self._called} cannot be read from {result.location!r} with {type(reader).__name__}: "
                f"{error}"
            ) from error

    def _custom(self, result: Result) -> Result | None:
        """Return a result of the user's own class, which the server knows by name only; ``None`` for ours."""
        from dagflow.engine.result import Result

        if type(result) is not Result:
            return None
        document = asked(f"task_runs/{in_path(self.task_run_id)}")["serialized_state"].get("_result") or {}
        name = document.get("class")
        if document.get("type") != "CustomResult" or not name:
            raise TypeError(f"{self._called} has a result of a type that cannot be read: {document.get('type')}.")
        from dagflow.utilities.importtools import import_object

        try:
            made = import_object(name)()
        except Exception as error:
            raise TypeError(
                f"The result of {self._called} is a {name}, which cannot be made here: {error}. Its class must be "
                "importable and take no arguments."
            ) from error
        if not isinstance(made, Result):
            raise TypeError(f"The result of {self._called} names {name}, which is no class of results.")
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskRunView):
            return NotImplemented
        return (self.task_run_id, self.state) == (other.task_run_id, other.state)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"TaskRunView(task_run_id={self.task_run_id!r}, task_slug={self.task_slug!r}, "
            f"map_index={self.map_index}, state={self.state!r})"
        )


def _is_nothing(result: Any) -> bool:
    from dagflow.engine.result import NoResultType

    return isinstance(result, NoResultType)
