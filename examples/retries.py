"""
A task that fails is run again.

``max_retries`` counts the extra attempts. While it waits, others run. A callable delay gives longer and longer waits.

Expected output:

    attempt 1
    attempt 2
    attempt 3
    answered at attempt 3
    waits of 1, 2 and 4 seconds
"""

from __future__ import annotations

from datetime import timedelta

import dagflow
from dagflow import Flow, task
from dagflow.utilities.datetimes import retry_delay


@task(max_retries=3, retry_delay=timedelta(milliseconds=10))
def ask() -> str:
    """Ask a source that answers only the third time."""
    attempt = dagflow.context.task_run_count
    print("attempt", attempt)
    if attempt < 3:
        raise ConnectionError("no answer")
    return f"answered at attempt {attempt}"


with Flow("retries") as flow:
    answer = ask()

# It can be given as Task(retry_delay=backoff).
backoff = retry_delay(timedelta(seconds=1), exponential_backoff=True)


if __name__ == "__main__":
    print(flow.run().result[answer].result)
    first, second, third = (int(backoff(count).total_seconds()) for count in (1, 2, 3))
    print(f"waits of {first}, {second} and {third} seconds")
