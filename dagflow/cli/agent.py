"""``dagflow agent`` and ``dagflow worker``: start what claims runs and starts them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from dagflow.cli.talk import Failure
from dagflow.engine.summary import printable
from dagflow.exceptions import PrefectException

__all__ = ["agent", "worker"]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
KINDS = {"process": "local", "docker": "docker", "kubernetes": "kubernetes"}
"""The kind of agent that serves pools of a type."""

_COMMON = (
    click.option("--key", "-k", help="The API key."),
    click.option("--api", "-a", metavar="URL", help="The address of the server."),
    click.option("--agent-config-id", help="The configuration on the server that groups agents."),
    click.option("--name", "-n", help="What the agent is called."),
    click.option("--label", "-l", "labels", multiple=True, help="A run is taken if the agent has all its labels."),
    click.option("--env", "-e", "env", multiple=True, metavar="K=V", help="A variable for each run."),
    click.option("--max-polls", type=click.IntRange(1), help="End after asking this often."),
    click.option("--agent-address", metavar="URL", help="Answer /api/health there."),
    click.option("--no-cloud-logs", is_flag=True, default=None, help="Keep the logs of runs off the server."),
    click.option("--log-level", type=click.Choice(LEVELS, case_sensitive=False), help="Of the agent and its runs."),
    click.option("--limit", type=click.IntRange(1), help="How many runs at once."),
    click.option("--pool", help="Take runs of this pool, and no others."),
    click.option("--queue", "queues", multiple=True, help="Only of this queue of the pool."),
)


def _common(command: Any) -> Any:
    for option in reversed(_COMMON):
        command = option(command)
    return command


def _variables(pairs: tuple[str, ...]) -> dict[str, str] | None:
    """Read ``K=V`` pairs; the first equals sign splits."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--env takes NAME=VALUE, found {pair!r}.")
        found[name] = value
    return found or None


@contextlib.contextmanager
def _settings(key: str | None, api: str | None, log_level: str | None) -> Iterator[None]:
    from dagflow.utilities.configuration import set_temporary_config
    from dagflow.utilities.logging import get_logger

    given = {"cloud.api_key": key, "cloud.api": api, "logging.level": log_level and log_level.upper()}
    with set_temporary_config({name: value for name, value in given.items() if value is not None}):
        if log_level:
            get_logger().setLevel(log_level.upper())
        yield


def _run(
    make: Callable[..., Any],
    *,
    key: str | None,
    api: str | None,
    log_level: str | None,
    labels: tuple[str, ...],
    env: tuple[str, ...],
    **options: Any,
) -> None:
    """Make an agent and let it work until it is told to stop."""
    if options.get("queues") and not options.get("pool"):
        raise click.UsageError("--queue names a queue of a pool; name the pool with --pool.")
    variables = _variables(env)
    with _settings(key, api, log_level):
        try:
            agent = make(labels=sorted(set(labels)) or None, env_vars=variables, **options)
            agent.start()
        except PrefectException:
            # Those have exit codes of their own.
            raise
        except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
            raise Failure(printable(str(error))) from error


def _class(kind: str) -> Any:
    from dagflow.utilities.importtools import import_object

    names = {"local": "LocalAgent", "docker": "DockerAgent", "kubernetes": "KubernetesAgent"}
    return import_object(f"dagflow.agent.{kind}:{names[kind]}")


@click.group()
def agent() -> None:
    """Start agents, which take runs from the server and start them where they belong."""


# --- local -----------------------------------------------------------------------------------------------------


@agent.group()
def local() -> None:
    """Run flows as processes of this machine."""


@local.command("start")
@_common
@click.option("--import-path", "-p", "import_paths", multiple=True, help="A folder with modules that flows import.")
@click.option("--show-flow-logs", "-f", is_flag=True, help="Show what runs print.")
@click.option("--hostname-label/--no-hostname-label", default=True, help="Have the machine's name as a label.")
def start_local(**options: Any) -> None:
    """Start an agent that runs flows as processes of this machine."""
    _run(_class("local"), **options)


@local.command("install")
@click.option("--label", "-l", "labels", multiple=True, help="A label of the agent.")
@click.option("--env", "-e", "env", multiple=True, metavar="K=V", help="A variable for each run.")
@click.option("--import-path", "-p", "import_paths", multiple=True, help="A folder with modules that flows import.")
@click.option("--show-flow-logs", "-f", is_flag=True, help="Show what runs print.")
@click.option("--name", "-n", help="What the agent is called.")
@click.option("--limit", type=click.IntRange(1), help="How many runs at once.")
@click.option("--pool", help="Take runs of this pool, and no others.")
@click.option("--systemd", is_flag=True, help="A unit for systemd instead of a file for supervisord.")
def install_local(env: tuple[str, ...], systemd: bool, **options: Any) -> None:
    """Print a file that makes a supervisor keep a local agent running."""
    from dagflow.agent.units import supervisor_configuration, systemd_unit

    text = (systemd_unit if systemd else supervisor_configuration)(env_vars=_variables(env), **options)
    click.echo(text, nl=False)


# --- docker ----------------------------------------------------------------------------------------------------


@agent.group()
def docker() -> None:
    """Run flows in containers of this machine."""


@docker.command("start")
@_common
@click.option("--base-url", "-b", help="The Docker server.")
@click.option("--no-pull", is_flag=True, default=None, help="Pull no images.")
@click.option("--show-flow-logs", "-f", is_flag=True, help="Show what runs print.")
@click.option("--volume", "volumes", multiple=True, metavar="HOST:CONTAINER[:MODE]", help="A volume for each run.")
@click.option("--network", "networks", multiple=True, help="A network that each run joins.")
@click.option("--docker-client-timeout", type=click.IntRange(1), help="Seconds the Docker server has for an answer.")
def start_docker(volumes: tuple[str, ...], networks: tuple[str, ...], **options: Any) -> None:
    """Start an agent that runs flows in containers of this machine."""
    _run(_class("docker"), volumes=list(volumes) or None, networks=list(networks) or None, **options)


# --- kubernetes ------------------------------------------------------------------------------------------------


@agent.group()
def kubernetes() -> None:
    """Run flows as jobs of a Kubernetes cluster."""


@kubernetes.command("start")
@_common
@click.option("--namespace", help="Where jobs are made.")
@click.option("--job-template", "job_template_path", help="A file with the job to start from.")
@click.option("--service-account-name", help="The account of the pods.")
@click.option("--image-pull-secrets", metavar="A,B", help="Names of secrets for pulling images.")
@click.option("--disable-job-deletion", is_flag=True, help="Leave finished jobs in the cluster.")
def start_kubernetes(image_pull_secrets: str | None, disable_job_deletion: bool, **options: Any) -> None:
    """Start an agent that runs flows as jobs of a Kubernetes cluster."""
    secrets = _names(image_pull_secrets)
    _run(
        _class("kubernetes"),
        image_pull_secrets=secrets,
        delete_finished_jobs=False if disable_job_deletion else None,
        **options,
    )


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] if text else None


@kubernetes.command("install")
@click.option("--api", "-a", metavar="URL", help="The address of the server, as the cluster sees it.")
@click.option("--key", "-k", help="The API key.")
@click.option("--label", "-l", "labels", multiple=True, help="A label of the agent.")
@click.option("--env", "-e", "env", multiple=True, metavar="K=V", help="A variable for each run.")
@click.option("--namespace", default="default", show_default=True, help="Where the agent and its jobs live.")
@click.option("--image", help="The image of the agent; it has dagflow in it.")
@click.option("--image-pull-policy", help="Always, IfNotPresent or Never.")
@click.option("--image-pull-secrets", metavar="A,B", help="Names of secrets for pulling images.")
@click.option("--service-account-name", help="The account of the agent and of its jobs.")
@click.option("--mem-request", help="Such as 100Mi.")
@click.option("--mem-limit", help="Such as 128Mi.")
@click.option("--cpu-request", help="Such as 100m.")
@click.option("--cpu-limit", help="Such as 100m.")
@click.option("--rbac", is_flag=True, help="Also what lets the agent make and watch jobs.")
def install_kubernetes(env: tuple[str, ...], image_pull_secrets: str | None, **options: Any) -> None:
    """Print YAML that installs an agent in a Kubernetes cluster."""
    from dagflow.agent.cluster_yaml import deployment_yaml

    try:
        text = deployment_yaml(env_vars=_variables(env), image_pull_secrets=_names(image_pull_secrets), **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(text, nl=False)


# --- worker ----------------------------------------------------------------------------------------------------


@click.group()
def worker() -> None:
    """Start workers: agents that serve a pool."""


@worker.command("start")
@click.option("--pool", required=True, help="The pool.")
@click.option("--name", "-n", help="What the worker is called.")
@click.option("--limit", type=click.IntRange(1), help="How many runs at once.")
@click.option("--queue", "queues", multiple=True, help="Only of this queue of the pool.")
@click.option("--create", is_flag=True, help="Make the pool if it does not exist.")
@click.option(
    "--type", "kind", type=click.Choice(list(KINDS)), help="The type of the pool; default is the one that it has."
)
@click.option("--key", "-k", help="The API key.")
@click.option("--api", "-a", metavar="URL", help="The address of the server.")
@click.option("--label", "-l", "labels", multiple=True, help="A further label.")
@click.option("--env", "-e", "env", multiple=True, metavar="K=V", help="A variable for each run.")
@click.option("--max-polls", type=click.IntRange(1), help="End after asking this often.")
@click.option("--agent-address", metavar="URL", help="Answer /api/health there.")
@click.option("--show-flow-logs", "-f", is_flag=True, help="Show what runs print.")
@click.option("--log-level", type=click.Choice(LEVELS, case_sensitive=False), help="Of the worker and its runs.")
def start_worker(
    pool: str,
    create: bool,
    kind: str | None,
    key: str | None,
    api: str | None,
    log_level: str | None,
    show_flow_logs: bool,
    **options: Any,
) -> None:
    """Serve a pool with the kind of agent that it is for."""
    from dagflow.agent.pool import pool_named
    from dagflow.cli.connection import connected

    with _settings(key, api, log_level):
        with connected() as client:
            found = pool_named(client, pool, (kind or "process") if create else None)["type"]
        if kind not in (None, found):
            raise Failure(f"Pool {printable(pool)} is of type {found}, not {kind}. Leave --type out.")
        more: dict[str, Any] = {} if found == "kubernetes" else {"show_flow_logs": show_flow_logs}
        _run(_class(KINDS[found]), key=None, api=None, log_level=None, pool=pool, **more, **options)
