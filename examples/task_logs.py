"""
Logs of tasks: a logger of their own, and prints as log records.

Run it to see the lines; their level and form are set in the configuration, section ``logging``.

Expected output:

    done: 3
"""

from __future__ import annotations

import dagflow
from dagflow import Flow, task


@task
def count() -> int:
    """Log through the run's logger."""
    dagflow.context.logger.info("counting in %s", dagflow.context.task_full_name)
    return 3


@task(log_stdout=True)
def talk(number: int) -> int:
    """Print; each line becomes a record."""
    print("it is", number)
    return number


with Flow("logging") as flow:
    said = talk(count())


if __name__ == "__main__":
    state = flow.run()
    print("done:", state.result[said].result)
