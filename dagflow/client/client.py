"""
The client: requests to the REST API of a server, and its answers as Python values or errors.

>>> Client("http://127.0.0.1:4200").api_url
'http://127.0.0.1:4200/api'
"""

from __future__ import annotations

from dagflow.client.deployments import DeploymentCalls
from dagflow.client.flows import FlowCalls
from dagflow.client.library import LibraryCalls
from dagflow.client.runs import RunCalls

__all__ = ["Client"]


class Client(FlowCalls, RunCalls, DeploymentCalls, LibraryCalls):
    """
    A connection to one server; building it sends nothing.

    What is not given comes from ``cloud.api`` and ``cloud.api_key`` of the configuration; without a key there, from
    what ``dagflow auth login`` kept for this server. Use it in a ``with`` block, or call :meth:`close`, to give the
    connections back. It may be used by several threads at once.

    A request that fails for a reason that may pass is sent again, up to six times; what must not happen twice carries
    an identity made here, so that it does not.

    Args:
        api_server: the address of the server.
        api_key: the key to show it.
        tenant_id: accepted for older scripts; a server has one tenant.
    """
