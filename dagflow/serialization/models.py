"""
The shapes of documents, for reading them.

Unknown fields are passed over. This module is the only one of the package that needs pydantic at import, so others
import it inside functions.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

__all__ = [
    "ClockDocument",
    "EdgeDocument",
    "FlowDocument",
    "FunctionReference",
    "ParameterDocument",
    "ResultDocument",
    "RunConfigDocument",
    "ScheduleDocument",
    "StateDocument",
    "StorageDocument",
    "TaskDocument",
]


MOST_SECONDS = 1e10
"""The longest delay, some 300 years: a moment that far off can still be written as a date."""

Delay = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


class Document(BaseModel):
    """What all documents have: the version that wrote them, and no objection to fields of later versions."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    version: str | None = Field(default=None, alias="__version__")


class OpenDocument(Document):
    """A document whose further fields depend on its type."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    type: str


class FunctionReference(Document):
    """A function by its dotted name."""

    fn: str
    kwargs: dict[str, Any] = {}


class ResultDocument(OpenDocument):
    """Where a result is kept; further fields are the store's settings."""

    location: str | None = None


class StateDocument(OpenDocument):
    """A state; further fields depend on its type."""

    message: str | None = None
    context: dict[str, Any] | None = None
    cached_inputs: dict[str, ResultDocument] | None = None
    result: ResultDocument | None = Field(default=None, alias="_result")
    start_time: AwareDatetime | None = None
    run_count: int | None = None
    loop_count: int | None = None
    n_map_states: int | None = Field(default=None, ge=0)
    state: StateDocument | None = None
    cached_parameters: dict[str, Any] | None = None
    cached_result_expiration: AwareDatetime | None = None
    hashed_inputs: dict[str, str] | None = None


class Zoned(BaseModel):
    """A moment with the name of its time zone."""

    dt: str
    tz: str | None = None


class ClockDocument(OpenDocument):
    """A clock; further fields depend on its type."""

    start_date: Zoned | None = None
    end_date: Zoned | None = None
    parameter_defaults: dict[str, Any] | None = None
    labels: list[str] | None = None


class ScheduleDocument(Document):
    """A schedule."""

    clocks: list[ClockDocument]
    filters: list[FunctionReference] = []
    or_filters: list[FunctionReference] = []
    not_filters: list[FunctionReference] = []
    adjustments: list[FunctionReference] = []


class StorageDocument(OpenDocument):
    """A storage; further fields are its settings."""

    flows: dict[str, str] = {}
    secrets: list[str] = []


def _with_sound_labels(run_config: dict[str, Any]) -> dict[str, Any]:
    labels, env = run_config.get("labels"), run_config.get("env")
    if labels is not None and not (isinstance(labels, list) and all(isinstance(one, str) for one in labels)):
        raise ValueError(f"The labels of a run config are a list of texts, found {labels!r}")
    if env is not None and not isinstance(env, dict):
        raise ValueError(f"The env of a run config is an object with environment variables, found {env!r}")
    return run_config


RunConfigDocument = Annotated[dict[str, Any], AfterValidator(_with_sound_labels)]
"""A run config; what runs and agents are matched by is sound, its further fields are the business of agents."""


class SlugReference(BaseModel):
    """A task by its slug."""

    slug: str


class TaskDocument(Document):
    """What is known of a task without its code."""

    name: str
    slug: str
    type: str | None = None
    tags: list[str] = Field(default_factory=list)  # a default of [] would be copied deeply for each task
    max_retries: Count = 0
    retry_delay: Delay | list[Delay] | None = None
    timeout: int | None = None
    trigger: FunctionReference | None = None
    skip_on_upstream_skip: bool = True
    cache_for: float | None = None
    cache_key: str | None = None
    cache_validator: FunctionReference | None = None
    inputs: dict[str, Any] | None = None
    outputs: str | None = None
    auto_generated: bool = False


class ParameterDocument(Document):
    """A parameter of a flow."""

    name: str
    slug: str
    type: str | None = None
    tags: list[str] = []
    required: bool
    default: Any = None
    value_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    outputs: str | None = None


class EdgeDocument(Document):
    """A dependency between two tasks."""

    upstream_task: SlugReference
    downstream_task: SlugReference
    key: str | None = None
    mapped: bool = False
    flattened: bool = False


class FlowDocument(Document):
    """What is known of a flow without its code."""

    name: str = Field(min_length=1)
    type: str | None = None
    schedule: ScheduleDocument | None = None
    parameters: list[ParameterDocument] = []
    tasks: list[TaskDocument] = []
    edges: list[EdgeDocument] = []
    reference_tasks: list[SlugReference] = []
    environment: dict[str, Any] | None = None
    run_config: RunConfigDocument | None = None
    storage: dict[str, Any] | None = None
