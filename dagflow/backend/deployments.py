"""
Deployments: a registered flow, and under a name how, when and where it is run.

:func:`deploy_flow` is behind ``flow.deploy``; the command ``dagflow deploy`` makes the same requests.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagflow.exceptions import near_match

if TYPE_CHECKING:
    from dagflow.client.client import Client
    from dagflow.core.flow import Flow
    from dagflow.run_configs.base import RunConfig
    from dagflow.schedules.schedules import Schedule

__all__ = [
    "check_parameters",
    "deploy_flow",
    "deployment_settings",
    "existing_deployment",
    "local_timezone",
    "made_schedule",
    "serve_flow",
]


def deploy_flow(
    flow: Flow,
    name: str = "default",
    project_name: str | None = None,
    *,
    cron: str | None = None,
    interval: datetime.timedelta | float | None = None,
    rrule: str | None = None,
    timezone: str | None = None,
    schedule: Schedule | None = None,
    paused: bool = False,
    build: bool = True,
    **settings: Any,
) -> str | None:
    """
    Register *flow*, if anything of it has changed, and set how it is run under *name*; return the deployment's id.

    While the script of the flow is only being read, nothing happens and ``None`` is returned.

    Args:
        flow: the flow.
        name: of the deployment; ``default`` is the settings of the flow itself.
        project_name: the project, which is made if there is none.
        cron: run by a cron expression.
        interval: run every so often; a number is seconds.
        rrule: run by a rule of RFC 5545, such as ``FREQ=DAILY;BYHOUR=9``.
        timezone: in which *cron* and *rrule* are read; default is that of this machine.
        schedule: a whole schedule, instead of these.
        paused: do not follow the schedule yet.
        build: bring the flow to its storage.
        **settings: ``parameters``, ``labels``, ``pool``, ``queue``, ``run_config``, ``tags``, ``overlap_policy``,
            ``description``.

    Raises:
        TypeError: without a project, and for an unknown setting.
        ValueError: for more than one kind of schedule, and for a parameter that the flow does not have.
    """
    from dagflow.backend.registration import complete, is_being_loaded, refuse_open_block
    from dagflow.client.client import Client

    refuse_open_block(flow, "deployed", "deploy(...)")
    if is_being_loaded(flow, "deploy"):
        return None
    if project_name is None:
        raise TypeError(f"Flow {flow.name!r} needs a project: flow.deploy(project_name='...').")
    when = schedule if schedule is not None else made_schedule(cron, interval, rrule, timezone)
    body = deployment_settings(schedule=when, paused=paused, **settings)
    check_parameters(flow, body["parameters"])
    with Client() as client:
        client._request("GET", "health", retries=0)
        client.create_project(project_name)
        complete(flow)
        answer = client._register(flow, project_name, build, None, None, flow.serialized_hash())
        made = client._upsert_deployment(answer["flow_group_id"], name, body)
    return str(made["id"])


def serve_flow(
    flow: Flow,
    name: str,
    project_name: str = "served",
    *,
    limit: int | None = None,
    pause_on_shutdown: bool = True,
    agent_options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> None:
    """
    Deploy *flow* under *name* and run an agent for it in this process, until it is stopped.

    The deployment has a label that no other agent has, so its runs come here and nothing else does.

    Args:
        flow: the flow.
        name: of the deployment.
        project_name: the project, which is made if there is none.
        limit: how many runs there may be at once.
        pause_on_shutdown: stop following the schedule when the agent ends, so that no runs wait for nobody.
        agent_options: more of :class:`~dagflow.agent.local.LocalAgent`.
        **settings: as for :func:`deploy_flow`.

    Raises:
        ValueError: for the name ``default``, whose runs any agent may take.
    """
    from dagflow.backend.registration import is_being_loaded, refuse_open_block
    from dagflow.client.client import Client
    from dagflow.client.deployments import DEFAULT
    from dagflow.utilities.identities import new_id

    refuse_open_block(flow, "served", "serve(...)")
    if is_being_loaded(flow, "serve"):
        return
    if name == DEFAULT:
        raise ValueError(f"The deployment {DEFAULT!r} is the flow itself; serve it under a name of its own.")
    from dagflow.agent.local import LocalAgent

    label = f"serve-{new_id()[-12:]}"
    deployment_id = deploy_flow(flow, name, project_name, labels=[label], **settings)
    with Client() as client:
        try:
            LocalAgent(labels=[label], hostname_label=False, limit=limit, **(agent_options or {})).start()
        finally:
            if pause_on_shutdown:
                deployment = client.get(f"deployments/{deployment_id}")
                client._set_deployment_active(deployment, False)


def deployment_settings(
    *,
    schedule: Schedule | None = None,
    paused: bool = False,
    run_config: RunConfig | Mapping[str, Any] | None = None,
    labels: Iterable[str] | None = None,
    tags: Iterable[str] = (),
    parameters: Mapping[str, Any] | None = None,
    pool: str | None = None,
    queue: str | None = None,
    overlap_policy: str | None = None,
    description: str | None = None,
) -> dict[str, Any]:
    """
    Return the settings of a deployment as the server takes them.

    >>> deployment_settings(tags=["b", "a"], pool="big")["tags"]
    ['a', 'b']
    """
    from dagflow.serialization.schedule import serialize_schedule

    if run_config is not None and not isinstance(run_config, Mapping):
        run_config = run_config.serialize()
    body = {
        "parameters": dict(parameters or {}),
        "labels": None if labels is None else sorted(set(labels)),
        "pool": pool,
        "queue": queue,
        "run_config": run_config,
        "schedule": None if schedule is None else serialize_schedule(schedule),
        "is_schedule_active": schedule is not None and not paused,
        "tags": sorted(set(tags)),
        "description": description,
    }
    return body if overlap_policy is None else {**body, "overlap_policy": overlap_policy}


def check_parameters(flow: Flow, parameters: Mapping[str, Any]) -> None:
    """
    Refuse values for parameters that *flow* does not have: every run of the deployment would be refused.

    Raises:
        ValueError: naming the near match.
    """
    known = sorted(one.name for one in flow.parameters())
    for name in parameters:
        if name not in known:
            raise ValueError(
                f"Flow {flow.name!r} has no parameter {name!r}.{near_match(name, known)} "
                f"Parameters: {', '.join(known) or 'none'}."
            )


def made_schedule(
    cron: str | None = None,
    interval: datetime.timedelta | float | None = None,
    rrule: str | None = None,
    timezone: str | None = None,
) -> Schedule | None:
    """
    Return the schedule that one of *cron*, *interval* and *rrule* describes, ``None`` without any.

    Raises:
        ValueError: for more than one of them, and for an unknown time zone.

    >>> made_schedule(cron="0 9 * * *", timezone="Europe/Paris").clocks[0].start_date.timezone_name
    'Europe/Paris'
    """
    from dagflow.schedules import clocks
    from dagflow.schedules.schedules import Schedule

    given = [name for name, value in (("cron", cron), ("interval", interval), ("rrule", rrule)) if value is not None]
    if not given:
        return None
    if len(given) > 1:
        raise ValueError(f"A schedule is made by one of cron, interval and rrule, found {' and '.join(given)}.")
    start = _start(timezone or local_timezone())
    if cron is not None:
        return Schedule([clocks.CronClock(cron, start_date=start)])
    if interval is not None:
        length = interval if isinstance(interval, datetime.timedelta) else datetime.timedelta(seconds=interval)
        return Schedule([clocks.IntervalClock(length, start_date=start)])
    from dateutil.rrule import rrulestr

    return Schedule([clocks.RRuleClock(rrulestr(str(rrule), dtstart=start), start_date=start)])


def _start(timezone: str) -> Any:
    import pendulum

    try:
        # A fixed day long ago, so that the same words give the same schedule whenever they are read.
        return pendulum.datetime(2019, 1, 1, tz=timezone)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{timezone!r} is not a known time zone; expected a name such as 'Europe/Paris'.") from error


def local_timezone() -> str:
    """Return the name of this machine's time zone."""
    import pendulum

    return pendulum.now().timezone_name or "UTC"


def existing_deployment(client: Client, flow_group_id: str, name: str) -> dict[str, Any] | None:
    """Return the deployment of a flow group by its name, ``None`` when there is none."""
    return next(client._items("deployments", {"flow_group_id": flow_group_id, "name": name}, limit=1), None)
