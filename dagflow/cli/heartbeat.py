"""``dagflow heartbeat``: signs of life of a run, for whoever executes one without the engine."""

from __future__ import annotations

import time

import click

__all__ = ["heartbeat"]


@click.group()
def heartbeat() -> None:
    """Give signs of life."""


@heartbeat.command("flow-run")
@click.option("-i", "--id", "flow_run_id", required=True, help="The flow run.")
@click.option("-n", "--num", type=int, help="How many signs to give; default until interrupted.")
def flow_run(flow_run_id: str, num: int | None) -> None:
    """Give signs of life of a flow run."""
    from dagflow.client.client import Client
    from dagflow.configuration import config

    given = 0
    with Client() as client:
        while True:
            client.update_flow_run_heartbeat(flow_run_id)
            given += 1
            if num is not None and given >= num:
                return
            time.sleep(float(config.cloud.heartbeat_interval))
