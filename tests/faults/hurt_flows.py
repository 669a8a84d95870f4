"""Flows that are hurt. Every body appends its task run, its token and the moment to a file, and says so in its log."""

from __future__ import annotations

__all__ = ["BEGINNING", "FLOW", "LIMIT", "LIMITED", "ON_DASK", "RIGHT", "WIDTH"]

BEGINNING = '''
import datetime, os, time
import dagflow
from dagflow import Flow, Parameter, case, task
from dagflow.tasks.control_flow import merge

PAUSE = float(os.environ.get("BODY_SECONDS", "0.03"))


def note(name):
    """Write down that a body began."""
    line = f"{dagflow.context.task_run_id} {dagflow.context.get('run_token')} {time.time():.6f} {os.getpid()} {name}"
    descriptor = os.open(os.environ["EXECUTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\\n".encode())
    os.close(descriptor)
    dagflow.context.logger.info(line)
'''

RIGHT = 764
"""What :data:`FLOW` computes when it starts with 1."""

FLOW = f"""{BEGINNING}

def work(name):
    note(name)
    time.sleep(PAUSE)


@task
def number(x):
    work("number")
    return x + 1


@task
def double(x):
    work("double")
    return 2 * x


@task
def total(values):
    work("total")
    return sum(values)


@task(max_retries=1, retry_delay=datetime.timedelta(seconds=0.1))
def flaky(x):
    work("flaky")
    if dagflow.context.task_run_count == 1:
        raise ValueError("the first attempt fails")
    return x


@task
def is_large(x):
    work("is_large")
    return x > 100


@task
def branch(x, name):
    work(f"branch {{name}}")
    return (name, x)


with Flow("hurt") as flow:
    start = Parameter("start", default=0)
    one = number(start)
    two = number(one)
    three = number(two)
    summed = total(double.map(list(range(20))))
    tried = flaky(summed)
    large = is_large(tried)
    with case(large, True):
        yes = branch(tried, "large")
    with case(large, False):
        no = branch(tried, "small")
    chosen = merge(yes, no)
    last = total([three, summed, tried])
"""
"""Ten tasks, a map of twenty, a condition, a retry; one body at a time."""

WIDTH = 60
"""How many children the maps of :data:`ON_DASK` have."""

ON_DASK = f"""{BEGINNING}
from dagflow.executors import DaskExecutor


@task
def double(x):
    note("double")
    time.sleep(PAUSE)
    return 2 * x


@task
def more(x):
    note("more")
    time.sleep(PAUSE)
    return x + 1


@task
def total(values):
    note("total")
    return sum(values)


with Flow("on-dask") as flow:
    last = total(more.map(double.map(list(range({WIDTH})))))
flow.executor = DaskExecutor(cluster_kwargs={{"n_workers": 2, "threads_per_worker": 1}})
"""
"""Two maps and a sum on a cluster of its own with two workers."""

LIMIT = 2

LIMITED = f"""{BEGINNING}
from dagflow.executors import LocalDaskExecutor


@task(tags=["scarce"])
def limited(x):
    note("begin")
    time.sleep(0.1)
    note("end")
    return x


@task
def total(values):
    note("total")
    return sum(values)


with Flow("limited") as flow:
    last = total(limited.map(list(range(6))))
flow.executor = LocalDaskExecutor(scheduler="threads", num_workers=4)
"""
"""Bodies of which only a few may run at once, over all runs."""
