"""An agent that runs flows as jobs of a Kubernetes cluster; needs the ``kubernetes`` extra."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from dagflow.agent.agent import Agent
from dagflow.agent.claimed import ClaimedRun
from dagflow.agent.environment import pod_environment
from dagflow.agent.jobs import LABEL, identifier_of, image_for, job_name, job_of, pull_problem, why_it_failed
from dagflow.agent.templates import read_remote_template
from dagflow.exceptions import ObjectNotFoundError
from dagflow.run_configs import KubernetesRun
from dagflow.run_configs.base import read_template

__all__ = ["KubernetesAgent"]

PAGE = 20
"""Jobs that the cluster is asked for at a time."""


class KubernetesAgent(Agent):
    """
    Run each flow run as a job.

    Args:
        agent_config_id: the configuration on the server that groups agents.
        name: default ``config.cloud.agent.name``.
        labels: what runs may ask for.
        env_vars: variables for the environment of each run.
        max_polls: end after asking this often.
        agent_address: where ``/api/health`` is answered.
        no_cloud_logs: the log lines of runs do not go to the server.
        namespace: where jobs are made; default ``NAMESPACE``, or ``default``.
        service_account_name: of pods; default ``SERVICE_ACCOUNT_NAME``.
        image_pull_secrets: names of secrets; default ``IMAGE_PULL_SECRETS``, parted by commas.
        job_template_path: a file with the job to fill in.
        volume_mounts: to add to the flow's container.
        volumes: to add to the pod.
        delete_finished_jobs: default ``DELETE_FINISHED_JOBS``, or true.
        **options: ``limit``, ``pool``, ``queues``, ``flow_ids``, ``api_key``.

    Raises:
        ImportError: without the ``kubernetes`` extra.
        RuntimeError: when no cluster is configured.
    """

    kind = "KubernetesAgent"
    pool_type = "kubernetes"
    run_config_class = KubernetesRun
    keeps_hold = True

    def __init__(
        self,
        agent_config_id: str | None = None,
        name: str | None = None,
        labels: Iterable[str] | None = None,
        env_vars: Any = None,
        max_polls: int | None = None,
        agent_address: str | None = None,
        no_cloud_logs: bool | None = None,
        namespace: str | None = None,
        service_account_name: str | None = None,
        image_pull_secrets: Iterable[str] | None = None,
        job_template_path: str | None = None,
        volume_mounts: Iterable[Mapping[str, Any]] | None = None,
        volumes: Iterable[Mapping[str, Any]] | None = None,
        delete_finished_jobs: bool | None = None,
        *,
        _api_client: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(agent_config_id, name, labels, env_vars, max_polls, agent_address, no_cloud_logs, **options)
        self.namespace = namespace or os.environ.get("NAMESPACE") or "default"
        self.service_account_name = service_account_name or os.environ.get("SERVICE_ACCOUNT_NAME") or None
        secrets = (
            os.environ.get("IMAGE_PULL_SECRETS", "").split(",") if image_pull_secrets is None else image_pull_secrets
        )
        self.image_pull_secrets = [secret.strip() for secret in secrets if secret.strip()]
        self.job_template = None if job_template_path is None else _template(job_template_path)
        self.volume_mounts = list(volume_mounts or ())
        self.volumes = list(volumes or ())
        if delete_finished_jobs is None:
            delete_finished_jobs = os.environ.get("DELETE_FINISHED_JOBS", "true").strip().lower() not in ("false", "0")
        self.delete_finished_jobs = delete_finished_jobs
        api_client = _api_client or _cluster()
        from kubernetes import client  # type: ignore[import-untyped,unused-ignore]

        self.batch, self.core = client.BatchV1Api(api_client), client.CoreV1Api(api_client)
        self._seen_events: set[str] = set()
        self._told_ends: set[str] = set()

    # --- starting --------------------------------------------------------------------------------------------

    def deploy_flow(self, run: ClaimedRun) -> str:
        """
        Make a job for *run*; a job that is there already is the one that an earlier try made.

        Raises:
            TypeError: for a run config of another kind.
            ValueError: without an image.
        """
        from kubernetes.client.exceptions import ApiException  # type: ignore[import-untyped,unused-ignore]

        run_config = self.run_config_of(run)
        if run_config.job_template is None and run_config.job_template_path:
            run_config.job_template = read_remote_template(run_config.job_template_path)
        template = run_config.job_template or self.job_template
        image = image_for(run, run_config, template)
        job = job_of(
            run,
            run_config,
            identifier_of(run),
            image,
            pod_environment(self.told(), run, image, run_config.env),
            template=self.job_template,
            service_account_name=self.service_account_name,
            image_pull_secrets=self.image_pull_secrets,
            volumes=self.volumes,
            volume_mounts=self.volume_mounts,
        )
        try:
            self.batch.create_namespaced_job(namespace=self.namespace, body=cast(Any, job))
        except ApiException as error:
            if error.status != 409:
                raise
        return f"Job: {job['metadata']['name']}"

    # --- watching --------------------------------------------------------------------------------------------

    def heartbeat(self) -> None:
        """Look at the jobs: tell of what failed, delete what has finished."""
        before = self.hand.started_runs()
        names = set()
        for job in self._jobs():
            names.add(job.metadata.name)
            self._guarded(self._manage, job)
        self._told_ends &= names
        for run in before:
            if run in self.hand and job_name(run) not in names:
                self.ends.tell(run, f"Job {job_name(run)} is not in the cluster any more.")

    def _jobs(self) -> Iterator[Any]:
        more: str | None = None
        while True:
            page = self.batch.list_namespaced_job(
                namespace=self.namespace, label_selector=f"{LABEL}identifier", limit=PAGE, _continue=more
            )
            yield from page.items
            more = page.metadata._continue if page.metadata else None
            if not more:
                return

    def _manage(self, job: Any) -> None:
        labels = job.metadata.labels or {}
        name, run_id = job.metadata.name, labels.get(f"{LABEL}flow_run_id")
        if not run_id:
            self.logger.warning("Job %s has no label %sflow_run_id and is left alone.", name, LABEL)
            return
        run = self._run_of(run_id, labels)
        if run is None:
            return
        ended = bool(job.status.succeeded or job.status.failed)
        if name not in self._told_ends:
            pods = self.core.list_namespaced_pod(
                namespace=self.namespace, label_selector=f"{LABEL}identifier={labels[f'{LABEL}identifier']}"
            ).items
            self._look_at(run, job, pods, ended)
        if ended and self.delete_finished_jobs:
            self._delete(name)

    def _run_of(self, run_id: str, labels: Mapping[str, str]) -> ClaimedRun | None:
        """Return the run of a job, which an earlier agent may have made; ``None`` if the server does not know it."""
        token = int(labels.get(f"{LABEL}run_token") or 0)
        for run in self.hand.runs():
            if run.key == (run_id, token):
                return run
        try:
            record = self.client.get(f"flow_runs/{run_id}")
        except ObjectNotFoundError:
            return None
        return ClaimedRun(record, {"id": record["flow_id"], "name": record.get("flow_name")}, token)

    def _look_at(self, run: ClaimedRun, job: Any, pods: list[Any], ended: bool) -> None:
        name = job.metadata.name
        for pod in pods:
            if problem := pull_problem(pod):
                self._fail(run, problem)
                self._told_ends.add(name)
                self._delete(name)
                return
            if pod.status.phase == "Pending":
                self._tell_events(run, pod)
        waiting = not pods or any(pod.status.phase == "Pending" for pod in pods)
        if not ended and waiting:
            # Nothing of the run executes yet; a cluster may need minutes to find room for it.
            self._guarded(self.keep_alive, run)
        if ended:
            failed = [pod for pod in pods if pod.status.phase == "Failed"]
            reason = " ".join(map(why_it_failed, failed)) or f"Job {name} ended before the run was finished."
            self._told_ends.add(name)
            self.ends.tell(run, reason)

    def _fail(self, run: ClaimedRun, problem: str) -> None:
        from dagflow.agent.ends import is_finished

        record = self.client.get(f"flow_runs/{run.id}")
        if record["run_token"] == run.token and not is_finished(record["state"]):
            self.log_to_run(run, problem, "ERROR")
            self.set_state(run, "Failed", problem)
        self.hand.drop(run)

    def _tell_events(self, run: ClaimedRun, pod: Any) -> None:
        """Write what the cluster says of a pod that waits into the log of its run, each once."""
        events = self.core.list_namespaced_event(
            namespace=self.namespace, field_selector=f"involvedObject.uid={pod.metadata.uid}"
        )
        for event in events.items:
            key = f"{event.metadata.uid}:{event.count}"
            if key not in self._seen_events:
                self._seen_events.add(key)
                text = f"Event {event.reason!r} of pod {pod.metadata.name}: {event.message}"
                self.log_to_run(run, text, "DEBUG")

    def _delete(self, name: str) -> None:
        from kubernetes import client
        from kubernetes.client.exceptions import ApiException

        options = client.V1DeleteOptions(propagation_policy="Foreground")
        try:
            self.batch.delete_namespaced_job(name=name, namespace=self.namespace, body=options)
        except ApiException as error:
            if error.status != 404:
                raise

    def kill(self, run: ClaimedRun) -> None:
        """Delete the job of *run* and its pods."""
        self._delete(job_name(run))
        self.ends.tell(run, "its job was deleted.")


def _template(path: str) -> dict[str, Any]:
    return read_template(path, "job_template_path") or read_remote_template(path)


def _cluster() -> Any:
    """
    Return the way to the cluster: that of the pod we are in, else that of ``kubectl``.

    Raises:
        ImportError: without the extra.
        RuntimeError: when there is neither.
    """
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise ImportError(
            "The agent for Kubernetes needs the `kubernetes` extra; install it with `pip install '.[kubernetes]'`."
        ) from error
    try:
        config.load_incluster_config()  # type: ignore[no-untyped-call,unused-ignore]
    except config.ConfigException:
        try:
            config.load_kube_config()  # type: ignore[no-untyped-call,unused-ignore]
        except (config.ConfigException, OSError) as error:
            raise RuntimeError(
                f"No Kubernetes cluster is configured: {error}. Start the agent in a pod of the cluster, or where "
                "`kubectl` works."
            ) from error
    return client.ApiClient()
