"""
Secrets: looked up when a task runs, never part of the flow, never written with results.

Expected output:

    signed in with s3cr...
    from the environment: 8080
"""

from __future__ import annotations

import os

import dagflow
from dagflow import Flow, task
from dagflow.tasks.secrets import EnvVarSecret, PrefectSecret


@task
def sign_in(token: str) -> str:
    """Use the secret."""
    return f"signed in with {token[:4]}..."


@task
def show(port: int) -> str:
    """Use the other one."""
    return f"from the environment: {port}"


with Flow("secrets") as flow:
    session = sign_in(PrefectSecret("API_TOKEN"))
    port = show(EnvVarSecret("EXAMPLE_PORT", cast=int, raise_if_missing=True))


if __name__ == "__main__":
    os.environ["EXAMPLE_PORT"] = "8080"
    # In the environment it is DAGFLOW__CONTEXT__SECRETS__API_TOKEN.
    with dagflow.context(secrets={"API_TOKEN": "s3cret-value"}):
        state = flow.run()
    print(state.result[session].result)
    print(state.result[port].result)
