"""A run as a task of Amazon's ECS."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from dagflow.run_configs.base import RunConfig, read_template, template_of

__all__ = ["ECSRun"]


class ECSRun(RunConfig):
    """
    Start the run as an ECS task.

    Args:
        task_definition: the definition as a mapping or as YAML text.
        task_definition_path: a file with it; a local one is read right away, a remote one by the agent.
        task_definition_arn: one that is registered already.
        image: the image; not together with *task_definition_arn*.
        env: environment variables for the container.
        cpu: such as ``1024`` or ``"1 vcpu"``.
        memory: such as ``4096`` or ``"4 GB"``.
        task_role_arn: the role of the task.
        execution_role_arn: the role that starts it.
        run_task_kwargs: further arguments of ECS's *run task* call.
        labels: an agent takes the run only if it has all of these.

    Raises:
        ValueError: for more than one definition, and for an image together with an arn.
    """

    _fields = (
        "env",
        "task_definition",
        "task_definition_path",
        "task_definition_arn",
        "image",
        "cpu",
        "memory",
        "task_role_arn",
        "execution_role_arn",
        "run_task_kwargs",
    )

    def __init__(
        self,
        *,
        task_definition: str | Mapping[str, Any] | None = None,
        task_definition_path: str | os.PathLike[str] | None = None,
        task_definition_arn: str | None = None,
        image: str | None = None,
        env: Mapping[str, str] | None = None,
        cpu: int | str | None = None,
        memory: int | str | None = None,
        task_role_arn: str | None = None,
        execution_role_arn: str | None = None,
        run_task_kwargs: Mapping[str, Any] | None = None,
        labels: Iterable[str] | None = None,
    ) -> None:
        super().__init__(env, labels)
        given = {
            "task_definition": task_definition,
            "task_definition_path": task_definition_path,
            "task_definition_arn": task_definition_arn,
        }
        names = [name for name, value in given.items() if value is not None]
        if len(names) > 1:
            raise ValueError(f"ECSRun takes one task definition, found {' and '.join(names)}; leave one out.")
        if task_definition_arn is not None and image is not None:
            raise ValueError("ECSRun takes no image with task_definition_arn: the registered definition names its own.")
        self.task_definition = None if task_definition is None else template_of(task_definition, "task_definition")
        self.task_definition_path: str | None = None
        if task_definition_path is not None:
            self.task_definition = read_template(task_definition_path, "task_definition_path")
            self.task_definition_path = os.fspath(task_definition_path) if self.task_definition is None else None
        self.task_definition_arn = task_definition_arn
        self.image = image
        self.cpu = None if cpu is None else str(cpu)
        self.memory = None if memory is None else str(memory)
        self.task_role_arn = task_role_arn
        self.execution_role_arn = execution_role_arn
        self.run_task_kwargs = None if run_task_kwargs is None else dict(run_task_kwargs)
