"""
A flow whose tasks run other registered flows: one run for each region, then what they found, added up.

A child is made once, whatever happens to its parent: the key under which it is asked for is the id of the task run.

Expected output:

    regions: Success
      total of north: 60
      total of south: 600
    the whole: 660
"""

from __future__ import annotations

from register_and_run import backend

from dagflow import Client, Flow, Parameter, task, unmapped
from dagflow.backend import FlowRunView, watch_flow_run
from dagflow.tasks.prefect import create_flow_run, get_task_run_result, wait_for_flow_run

SALES = {"north": [10, 20, 30], "south": [100, 200, 300]}


@task
def total(region: str) -> int:
    """Add up the sales of a region."""
    return sum(SALES[region])


@task
def parameters_for(region: str) -> dict[str, str]:
    """Return the parameters of one child."""
    return {"region": region}


@task
def add(numbers: list[int]) -> int:
    """Add up what the children found."""
    return sum(numbers)


with Flow("region") as child:
    total(Parameter("region"))

with Flow("regions") as parent:
    regions = Parameter("regions", default=["north", "south"])
    runs = create_flow_run.map(
        flow_name=unmapped("region"), project_name=unmapped("examples"), parameters=parameters_for.map(regions)
    )
    ended = wait_for_flow_run.map(runs, raise_final_state=unmapped(True))
    found = get_task_run_result.map(runs, task_slug=unmapped("total-1"), upstream_tasks=[ended])
    whole = add(found)


if __name__ == "__main__":
    with backend():
        client = Client()
        client.create_project("examples")
        child.register("examples", no_url=True)
        parent_id = parent.register("examples", no_url=True)

        run_id = client.create_flow_run(flow_id=parent_id)
        for _ in watch_flow_run(run_id, stream_logs=False):
            pass  # an agent runs the parent and both children
        run = FlowRunView.from_flow_run_id(run_id)
        print(f"{parent.name}: {type(run.state).__name__}")
        for region, number in zip(SALES, run.get_task_run("get_task_run_result-1").get_result(), strict=True):
            print(f"  total of {region}: {number}")
        print("the whole:", run.get_task_run("add-1").get_result())
