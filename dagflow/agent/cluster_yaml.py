"""The YAML that installs an agent in a Kubernetes cluster."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from dagflow.configuration import config

__all__ = ["deployment_yaml"]

NAME = "dagflow-agent"


def deployment_yaml(
    api: str | None = None,
    key: str | None = None,
    namespace: str = "default",
    labels: Iterable[str] = (),
    env_vars: Mapping[str, str] | None = None,
    image: str | None = None,
    image_pull_policy: str | None = None,
    image_pull_secrets: Iterable[str] | None = None,
    service_account_name: str | None = None,
    mem_request: str | None = None,
    mem_limit: str | None = None,
    cpu_request: str | None = None,
    cpu_limit: str | None = None,
    rbac: bool = False,
) -> str:
    """
    Return documents for ``kubectl apply``: the agent, with *rbac* also what lets it make and watch jobs.

    Raises:
        ValueError: when no image is named, here or by ``cloud.agent.default_image``.
    """
    import yaml  # type: ignore[import-untyped,unused-ignore]

    image = image or str(config.cloud.agent.default_image or "")
    if not image:
        raise ValueError("Name an image that has dagflow in it, with --image or by cloud.agent.default_image.")
    account = service_account_name or (NAME if rbac else None)
    secrets = list(image_pull_secrets or ())
    variables = {
        "DAGFLOW__CLOUD__API": api or str(config.cloud.api),
        "DAGFLOW__CLOUD__API_KEY": key or "",
        "NAMESPACE": namespace,
        "IMAGE_PULL_SECRETS": ",".join(secrets),
        "SERVICE_ACCOUNT_NAME": account or "",
        **(env_vars or {}),
    }
    resources = _resources(mem_request, mem_limit, cpu_request, cpu_limit)
    container: dict[str, Any] = {
        "name": "agent",
        "image": image,
        "command": ["/bin/sh", "-c"],
        "args": [_command(labels)],
        "env": [{"name": name, "value": value} for name, value in variables.items() if value],
        "livenessProbe": {
            "httpGet": {"path": "/api/health", "port": 8080},
            "initialDelaySeconds": 40,
            "periodSeconds": 40,
        },
    }
    if image_pull_policy:
        container["imagePullPolicy"] = image_pull_policy
    if resources:
        container["resources"] = resources
    pod: dict[str, Any] = {"containers": [container]}
    if account:
        pod["serviceAccountName"] = account
    if secrets:
        pod["imagePullSecrets"] = [{"name": secret} for secret in secrets]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {"app": NAME}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": pod},
        },
    }
    documents = [deployment, *(_rbac(namespace, str(account)) if rbac else ())]
    return str(yaml.safe_dump_all(documents, sort_keys=False))


def _command(labels: Iterable[str]) -> str:
    options = [part for label in sorted(set(labels)) for part in ("--label", label)]
    return shlex.join(["dagflow", "agent", "kubernetes", "start", "--agent-address", "http://0.0.0.0:8080", *options])


def _resources(
    mem_request: str | None, mem_limit: str | None, cpu_request: str | None, cpu_limit: str | None
) -> dict[str, dict[str, str]]:
    table = {
        "requests": {"memory": mem_request, "cpu": cpu_request},
        "limits": {"memory": mem_limit, "cpu": cpu_limit},
    }
    given = {kind: {name: value for name, value in values.items() if value} for kind, values in table.items()}
    return {kind: values for kind, values in given.items() if values}


def _rbac(namespace: str, account: str) -> list[dict[str, Any]]:
    place = {"name": NAME, "namespace": namespace}
    rules = [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get", "list", "watch", "delete"]},
        {"apiGroups": [""], "resources": ["pods", "pods/log", "events"], "verbs": ["get", "list", "watch"]},
    ]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": place, "rules": rules}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": place,
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
    }
    service_account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": account, "namespace": namespace},
    }
    return [service_account, role, binding]
