"""The same flows on genuine Prefect 0.15; run by an interpreter that has it, prints seconds per thing as JSON."""

import json
import logging
import time

import prefect
from prefect import Flow, task

logging.getLogger("prefect").setLevel(logging.CRITICAL)


@task
def work(x=None, y=None):
    return 1


@task
def same(x):
    return x


def layered(count, width=50):
    with Flow("layered") as flow:
        layer = [work() for _ in range(width)]
        for _ in range(count // width - 1):
            layer = [work(layer[i], layer[(i + 1) % width]) for i in range(width)]
    return flow


def cpu(call):
    begin = time.process_time()
    call()
    return time.process_time() - begin


flow = layered(1000)
with Flow("mapped") as mapped:
    same.map(list(range(1000)))
with Flow("one") as one:
    work()
one.run()
print(
    json.dumps(
        {
            "version": prefect.__version__,
            "task": cpu(flow.run) / 1000,
            "child": cpu(mapped.run) / 1000,
            "one": cpu(one.run),
            "build": cpu(lambda: layered(1000).sorted_tasks()) / 1000,
        }
    )
)
