"""
The operators of tasks: ``a + b``, ``a > b``, ``a["key"]`` and so on each add a task to the flow.

``==`` and ``!=`` compare identity, as on any object, and ``|`` chains; write ``a.is_equal(b)`` and ``a.or_(b)``
instead. The tasks themselves are in :mod:`dagflow.tasks.core.operators`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagflow.core.flow import Flow
    from dagflow.core.task import Task

__all__ = ["Operators"]


class Operators:
    """What lets a :class:`~dagflow.core.task.Task` stand in an expression."""

    if TYPE_CHECKING:
        # Set below from a table; here for type checkers and editors.
        def __add__(self, other: Any) -> Task: ...
        def __radd__(self, other: Any) -> Task: ...
        def __sub__(self, other: Any) -> Task: ...
        def __rsub__(self, other: Any) -> Task: ...
        def __mul__(self, other: Any) -> Task: ...
        def __rmul__(self, other: Any) -> Task: ...
        def __truediv__(self, other: Any) -> Task: ...
        def __rtruediv__(self, other: Any) -> Task: ...
        def __floordiv__(self, other: Any) -> Task: ...
        def __rfloordiv__(self, other: Any) -> Task: ...
        def __mod__(self, other: Any) -> Task: ...
        def __rmod__(self, other: Any) -> Task: ...
        def __pow__(self, other: Any) -> Task: ...
        def __rpow__(self, other: Any) -> Task: ...
        def __and__(self, other: Any) -> Task: ...
        def __rand__(self, other: Any) -> Task: ...
        def __gt__(self, other: Any) -> Task: ...
        def __ge__(self, other: Any) -> Task: ...
        def __lt__(self, other: Any) -> Task: ...
        def __le__(self, other: Any) -> Task: ...

    def is_equal(self, other: Any) -> Task:
        """Add a task that compares the two results."""
        return _operate("Equal", self, other)

    def is_not_equal(self, other: Any) -> Task:
        """Add a task that compares the two results."""
        return _operate("NotEqual", self, other)

    def not_(self) -> Task:
        """Add a task that negates the result."""
        from dagflow.tasks.core.operators import Not

        return Not().bind(self)

    def or_(self, other: Any) -> Task:
        """Add a task that gives ``x or y``."""
        return _operate("Or", self, other)

    def __getitem__(self: Any, key: Any) -> Task:
        from dagflow.tasks.core.operators import item_of

        return item_of(self, key)

    def __or__(self, other: Any) -> Any:
        flow = _open_flow(self)
        from dagflow.core.conversion import as_task

        after = as_task(other, flow=flow)
        flow.add_edge(self, after)
        return after

    def __ror__(self: Any, other: Any) -> Task:
        flow = _open_flow(self)
        flow.add_edge(other, self)
        return self  # type: ignore[no-any-return]


def _open_flow(task: Any) -> Flow:
    flow: Flow = task._current_flow("chain")
    return flow


def _operator(name: str, reflected: bool = False) -> Callable[[Any, Any], Task]:
    def apply(self: Any, other: Any) -> Task:
        return _operate(name, other, self) if reflected else _operate(name, self, other)

    apply.__doc__ = f"Add a ``{name}`` task."
    return apply


def _operate(name: str, left: Any, right: Any) -> Task:
    from dagflow.tasks.core import operators

    operation: Task = getattr(operators, name)()
    return operation.bind(left, right)


for _method, _name in {
    "add": "Add", "sub": "Sub", "mul": "Mul", "truediv": "Div", "floordiv": "FloorDiv", "mod": "Mod", "pow": "Pow",
    "and": "And",
}.items():  # fmt: skip
    setattr(Operators, f"__{_method}__", _operator(_name))
    setattr(Operators, f"__r{_method}__", _operator(_name, reflected=True))
for _method, _name in {
    "gt": "GreaterThan", "ge": "GreaterThanOrEqual", "lt": "LessThan", "le": "LessThanOrEqual",
}.items():  # fmt: skip
    setattr(Operators, f"__{_method}__", _operator(_name))
