"""
Results on disk: written when checkpointing is on, read back instead of running the task again.

Expected output:

    fetching 2024-05-01
    first run: Success
    second run: Cached
    written: ['2024-05-01.json']
"""

from __future__ import annotations

import os
import tempfile

from dagflow import Flow, Parameter, task
from dagflow.engine.results import LocalResult
from dagflow.engine.serializers import JSONSerializer
from dagflow.utilities.configuration import set_temporary_config

folder = tempfile.mkdtemp(prefix="dagflow-example-")


@task(result=LocalResult(dir=folder, serializer=JSONSerializer()), target="{day}.json")
def fetch(day: str) -> dict[str, float]:
    """Fetch the rates of one day."""
    print("fetching", day)
    return {"EUR": 1.0, "USD": 1.07}


with Flow("targets") as flow:
    rates = fetch(Parameter("day", default="2024-05-01"))


if __name__ == "__main__":
    # In a file or the environment it is DAGFLOW__FLOWS__CHECKPOINTING=true.
    with set_temporary_config({"flows.checkpointing": True}):
        print("first run:", type(flow.run().result[rates]).__name__)
        print("second run:", type(flow.run().result[rates]).__name__)
    print("written:", os.listdir(folder))
