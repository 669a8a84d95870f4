"""
Tasks as classes: settings in the constructor, data in ``run``.

Expected output:

    ['ada', 'grace']
    ['ada', 'grace', 'mary']
"""

from __future__ import annotations

from typing import Any

from dagflow import Flow, Task
from dagflow.utilities.tasks import defaults_from_attrs


class Query(Task):
    """
    Read names from a table.

    Args:
        limit: how many; may be given again at each call.
        **kwargs: what every task takes, such as ``name`` and ``max_retries``.
    """

    def __init__(self, limit: int = 2, **kwargs: Any) -> None:
        self.limit = limit
        super().__init__(**kwargs)

    @defaults_from_attrs("limit")
    def run(self, limit: int | None = None) -> list[str]:
        """Return the names."""
        return ["ada", "grace", "mary"][:limit]


query = Query(name="people")

with Flow("subclassing") as flow:
    two = query()
    three = query(limit=3)


if __name__ == "__main__":
    state = flow.run()
    print(state.result[two].result)
    print(state.result[three].result)
