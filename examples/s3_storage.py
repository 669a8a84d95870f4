"""
A flow and its results in S3: any agent that may read the bucket can run it, on whatever machine.

The bucket is one of a server on this machine (the package ``moto``), so nothing needs an account. With the real S3
leave out everything that sets an endpoint or a key.

Expected output:

    labels an agent must have: none
    in the bucket: flows/sums
    Entered state <Success>: ...
    results in the bucket: 1
    read from there: 6
"""

from __future__ import annotations

import os

import boto3
from moto.server import ThreadedMotoServer
from register_and_run import backend

from dagflow import Client, Flow, Parameter, task
from dagflow.backend import FlowRunView, watch_flow_run
from dagflow.engine.results import S3Result
from dagflow.storage import S3


@task(checkpoint=True)
def add(numbers: list[int]) -> int:
    """Add up."""
    return sum(numbers)


with Flow("sums", storage=S3("bucket", key="flows/sums"), result=S3Result("bucket")) as flow:
    total = add(Parameter("numbers", default=[1, 2, 3]))


def keys(prefix: str) -> list[str]:
    """Return what is in the bucket."""
    found = boto3.client("s3").list_objects_v2(Bucket="bucket", Prefix=prefix)
    return [one["Key"] for one in found.get("Contents", ())]


def main() -> None:
    """Register the flow, let an agent run it, and read its result."""
    client = Client()
    client.create_project("examples")
    flow_id = flow.register("examples", no_url=True)
    print("labels an agent must have:", ", ".join(flow.run_config.labels) or "none")
    print("in the bucket:", *keys("flows/"))

    run_id = client.create_flow_run(flow_id=flow_id)
    for line in watch_flow_run(run_id, stream_logs=False):
        if "Success" in line.message:
            print(line.message)
    print("results in the bucket:", len(keys("")) - len(keys("flows/")))
    print("read from there:", FlowRunView.from_flow_run_id(run_id).get_task_run("add-1").get_result())


if __name__ == "__main__":
    os.environ |= {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "mine", "AWS_DEFAULT_REGION": "us-east-1"}
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    os.environ["AWS_ENDPOINT_URL"] = "http://{}:{}".format(*server.get_host_and_port())
    try:
        boto3.client("s3").create_bucket(Bucket="bucket")
        # A flow that asks for no label is taken by agents that have none, not even the name of their machine.
        with backend("--no-hostname-label"):
            main()
    finally:
        server.stop()
