"""Jobs of Kubernetes as data: how one is made for a run, and what the pods of one say. Nothing here asks a cluster."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dagflow.agent.claimed import ClaimedRun
from dagflow.agent.containers import image_of

__all__ = ["COMMAND", "LABEL", "identifier_of", "image_for", "job_name", "job_of", "pull_problem", "why_it_failed"]

LABEL = "dagflow.io/"
COMMAND = ["dagflow", "execute", "flow-run"]
PULL_PROBLEMS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
EMPTY: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {"template": {"spec": {"containers": [{"name": "flow"}]}}},
}
"""The job that is filled in when there is no template."""


def identifier_of(run: ClaimedRun) -> str:
    """
    Return what tells the job for *run* from others.

    It follows from the run and its token, so that a second try after a lost answer makes no second job.
    """
    return uuid.uuid5(uuid.UUID(run.id), str(run.token)).hex[:8]


def job_name(run: ClaimedRun) -> str:
    """Return the name of the job for *run*."""
    return f"dagflow-job-{identifier_of(run)}"


def image_for(run: ClaimedRun, run_config: Any, template: Mapping[str, Any] | None) -> str:
    """
    Return the image for a run.

    Raises:
        ValueError: when nobody names one.
    """
    containers = _pod(template or {}).get("containers") or [{}]
    return image_of(run, run_config.image, containers[0].get("image"))


def job_of(
    run: ClaimedRun,
    run_config: Any,
    identifier: str,
    image: str,
    env: Mapping[str, str],
    *,
    template: Mapping[str, Any] | None = None,
    service_account_name: str | None = None,
    image_pull_secrets: Iterable[str] | None = None,
    volumes: Iterable[Mapping[str, Any]] = (),
    volume_mounts: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """
    Return the job for *run*.

    Args:
        run: the run.
        run_config: a ``KubernetesRun``.
        identifier: tells the job from others.
        image: of the first container, which is the flow's.
        env: its environment; names that only the template sets stay.
        template: what to fill in, default the run config's or an empty one.
        service_account_name: the agent's, where neither run config nor template has one.
        image_pull_secrets: likewise.
        volumes: to add to the pod.
        volume_mounts: to add to the flow's container.
    """
    own = run_config.job_template
    job: dict[str, Any] = copy.deepcopy(dict(own or template or EMPTY))
    job.setdefault("apiVersion", "batch/v1")
    job.setdefault("kind", "Job")
    pod_template = job.setdefault("spec", {}).setdefault("template", {})
    pod = pod_template.setdefault("spec", {})
    _label(job, pod_template, run, identifier)
    pod.setdefault("restartPolicy", "Never")
    job["spec"].setdefault("backoffLimit", 0)
    _choose(pod, "serviceAccountName", run_config.service_account_name, own, service_account_name)
    _choose(pod, "imagePullSecrets", _named(run_config.image_pull_secrets), own, _named(image_pull_secrets))
    containers = pod.setdefault("containers", [])
    if not containers:
        containers.append({})
    _fill_container(containers[0], run_config, image, env)
    _extend(pod, "volumes", volumes)
    _extend(containers[0], "volumeMounts", volume_mounts)
    return job


def _pod(job: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = ((job.get("spec") or {}).get("template") or {}).get("spec") or {}
    return found


def _label(job: dict[str, Any], pod_template: dict[str, Any], run: ClaimedRun, identifier: str) -> None:
    job.setdefault("metadata", {})["name"] = f"dagflow-job-{identifier}"
    labels = {
        f"{LABEL}identifier": identifier,
        f"{LABEL}flow_run_id": run.id,
        f"{LABEL}flow_id": run.flow_id,
        f"{LABEL}run_token": str(run.token),
    }
    for place in (job, pod_template):
        place.setdefault("metadata", {}).setdefault("labels", {}).update(labels)


def _choose(pod: dict[str, Any], name: str, of_run: Any, has_own_template: Any, of_agent: Any) -> None:
    """Set a field by the run config; else leave what its template says; else take the agent's."""
    if of_run:
        pod[name] = of_run
    elif of_agent and not (has_own_template and name in pod):
        pod[name] = of_agent


def _named(names: Iterable[str] | None) -> list[dict[str, str]] | None:
    return [{"name": name} for name in names] if names else None


def _extend(place: dict[str, Any], name: str, more: Iterable[Mapping[str, Any]]) -> None:
    added = [dict(one) for one in more]
    if added:
        place[name] = [*(place.get(name) or []), *added]


def _fill_container(container: dict[str, Any], run_config: Any, image: str, env: Mapping[str, str]) -> None:
    container.setdefault("name", "flow")
    container["image"] = image
    container["args"] = list(COMMAND)
    if run_config.image_pull_policy:
        container["imagePullPolicy"] = run_config.image_pull_policy
    kept = [one for one in container.get("env") or [] if one.get("name") not in env]
    container["env"] = [{"name": name, "value": value} for name, value in env.items()] + kept
    resources = container.setdefault("resources", {})
    for kind in ("limits", "requests"):
        for resource in ("cpu", "memory"):
            value = getattr(run_config, f"{resource}_{kind[:-1]}")
            if value:
                resources.setdefault(kind, {})[resource] = value
    if not resources:
        del container["resources"]


# --- what pods say -------------------------------------------------------------------------------------------


def _statuses(pod: Any) -> Iterator[Any]:
    status = pod.status
    yield from (status and status.init_container_statuses) or ()
    yield from (status and status.container_statuses) or ()


def pull_problem(pod: Any) -> str | None:
    """Return why an image of *pod* cannot be pulled, ``None`` when none is missing."""
    for container in _statuses(pod):
        waiting = container.state and container.state.waiting
        if waiting and waiting.reason in PULL_PROBLEMS:
            return (
                f"The image {container.image!r} of container {container.name!r} cannot be pulled ({waiting.reason}): "
                f"{waiting.message or 'the cluster says no more'}"
            )
    return None


def why_it_failed(pod: Any) -> str:
    """Return in words how the containers of a failed pod ended."""
    lines = [f"Pod {pod.metadata.name} failed."]
    if pod.status.message or pod.status.reason:
        lines.append(f"{pod.status.reason or ''} {pod.status.message or ''}".strip())
    for container in _statuses(pod):
        ended = container.state and container.state.terminated
        if ended:
            why = f" ({ended.reason})" if ended.reason else ""
            lines.append(f"Container {container.name!r} ended with exit code {ended.exit_code}{why}.")
    return " ".join(lines)
