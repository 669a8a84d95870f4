"""
A result that is used again for a while, if the inputs are the same.

Caches are kept in memory, for all runs in one process. See ``targets_and_results.py`` for results that stay on disk.

Expected output:

    working on 1
    working on 2
    first run: [2, 4] ['Cached', 'Cached']
    second run: [2, 4] ['Cached', 'Cached']
    working on 3
    other inputs: [4, 6]
"""

from __future__ import annotations

from datetime import timedelta

from dagflow import Flow, Parameter, task
from dagflow.engine.cache_validators import all_inputs


@task(cache_for=timedelta(hours=1), cache_validator=all_inputs)
def double(x: int) -> int:
    """Work hard."""
    print("working on", x)
    return x * 2


with Flow("caching") as flow:
    doubled = double.map(Parameter("numbers", default=[1, 2]))


if __name__ == "__main__":
    for title in ("first run", "second run"):
        state = flow.run().result[doubled]
        print(f"{title}: {state.result}", [type(child).__name__ for child in state.map_states])
    print("other inputs:", flow.run(numbers=[2, 3]).result[doubled].result)
