"""The flows of the demo, as documents: a shop's reports, forecasts and chores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

__all__ = ["FLOWS", "DemoFlow"]

VERSION = "0.1.0"
FUNCTION = "dagflow.core.function_task.FunctionTask"
REGIONS = "north northeast east southeast south southwest west northwest centre coast islands highlands".split()  # noqa: SIM905


@dataclasses.dataclass(frozen=True)
class DemoFlow:
    """
    A flow of the demo.

    Attributes:
        project: it is in.
        name: of the flow.
        tasks: seconds that each takes, by slug.
        edges: such as ``a>b``; ``a>>b`` is mapped.
        versions: how many there are.
        weight: how often it runs, compared with the others.
        fails: the part of its runs that fails.
        children: how many runs a mapped task has.
        cron: when it runs by itself.
        others: further fields of its document.
    """

    project: str
    name: str
    tasks: dict[str, float]
    edges: tuple[str, ...]
    versions: int = 1
    weight: int = 10
    fails: float = 0.1
    children: int = 8
    cron: str | None = None
    parameters: tuple[dict[str, Any], ...] = ()
    labels: tuple[str, ...] = ()
    description: str = ""

    def pairs(self) -> Iterator[tuple[str, str, bool]]:
        """Yield the edges: upstream, downstream, whether mapped."""
        for text in self.edges:
            up, down = text[: text.index(">")], text[text.rindex(">") + 1 :]
            yield up, down, ">>" in text

    @property
    def mapped(self) -> frozenset[str]:
        """The tasks that are mapped."""
        return frozenset(down for _, down, is_mapped in self.pairs() if is_mapped)

    def document(self, version: int) -> dict[str, Any]:
        """Return the description of a version; earlier ones lack the last tasks, and try less often."""
        kept = list(self.tasks)[: len(self.tasks) - (self.versions - version)]
        return {
            "name": self.name,
            "type": "dagflow.core.flow.Flow",
            "schedule": None if self.cron is None else _schedule(self.cron),
            "parameters": [_parameter(**one) for one in self.parameters],
            "tasks": [_task(slug, retries=min(version, 2)) for slug in kept],
            "edges": [_edge(*edge) for edge in self.pairs() if {edge[0], edge[1]} <= set(kept)],
            "reference_tasks": [],
            "run_config": {"type": "UniversalRun", "labels": list(self.labels), "env": {}, "__version__": VERSION},
            "storage": {"type": "Local", "flows": {self.name: f"flows/{self.name}.py"}, "__version__": VERSION},
            "description": self.description,
            "__version__": VERSION,
        }


def _schedule(cron: str) -> dict[str, Any]:
    start = {"dt": "2026-01-01T00:00:00", "tz": "Europe/Berlin"}
    clock = {"type": "CronClock", "cron": cron, "start_date": start, "parameter_defaults": {}, "labels": None}
    return {"type": "Schedule", "clocks": [clock], "__version__": VERSION}


def _parameter(name: str, **others: Any) -> dict[str, Any]:
    required = "default" not in others
    named = {"name": name, "slug": name, "type": "dagflow.core.parameter.Parameter", "tags": [], "required": required}
    return {"default": None, **named, **others, "outputs": "typing.Any", "__version__": VERSION}


def _task(slug: str, retries: int) -> dict[str, Any]:
    fetches = any(word in slug for word in ("fetch", "extract", "download", "upload"))
    return {
        "name": slug,
        "slug": slug,
        "type": FUNCTION,
        "tags": ["db"] if "load" in slug or "store" in slug else [],
        "max_retries": retries if fetches else 0,
        "retry_delay": 30.0 if fetches else None,
        "timeout": None,
        "trigger": {"fn": f"dagflow.triggers.{'all_finished' if slug == 'notify' else 'all_successful'}", "kwargs": {}},
        "skip_on_upstream_skip": True,
        "cache_for": None,
        "cache_key": None,
        "inputs": {},
        "outputs": "typing.Any",
        "auto_generated": False,
        "__version__": VERSION,
    }


def _edge(up: str, down: str, mapped: bool) -> dict[str, Any]:
    ends = {"upstream_task": {"slug": up}, "downstream_task": {"slug": down}}
    return {**ends, "key": up.replace("-", "_"), "mapped": mapped, "flattened": False, "__version__": VERSION}


def _forecast_tasks() -> dict[str, float]:
    per_region = {"features": 20.0, "train": 90.0, "evaluate": 12.0}
    tasks = {"load-sales": 25.0, "load-weather": 14.0}
    tasks |= {f"{what}-{region}": seconds for region in REGIONS for what, seconds in per_region.items()}
    return tasks | {"compare": 6.0, "publish": 10.0, "notify": 1.0}


def _forecast_edges() -> tuple[str, ...]:
    edges = []
    for region in REGIONS:
        edges += [f"load-sales>features-{region}", f"load-weather>features-{region}"]
        edges += [f"features-{region}>train-{region}", f"train-{region}>evaluate-{region}"]
        edges.append(f"evaluate-{region}>compare")
    return (*edges, "compare>publish", "publish>notify")


FLOWS = (
    DemoFlow(
        "Shop",
        "daily-sales",
        {
            "extract-orders": 22.0,
            "extract-customers": 9.0,
            "extract-products": 4.0,
            "clean-orders": 11.0,
            "join": 7.0,
            "aggregate": 5.0,
            "load-warehouse": 31.0,
            "write-report": 3.0,
            "notify": 0.8,
        },
        (
            "extract-orders>clean-orders",
            "clean-orders>join",
            "extract-customers>join",
            "extract-products>join",
            "join>aggregate",
            "join>load-warehouse",
            "aggregate>write-report",
            "load-warehouse>notify",
            "write-report>notify",
        ),
        versions=4,
        weight=20,
        cron="0 */3 * * *",
        parameters=(
            {
                "name": "day",
                "default": None,
                "description": "The day to report on; yesterday without it.",
                "schema": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            },
            {"name": "currency", "default": "EUR", "schema": {"enum": ["EUR", "USD", "GBP"]}},
        ),
        labels=("warehouse",),
        description="# Daily sales\n\nReads the orders of a day and writes the report that everybody gets at nine.",
    ),
    DemoFlow(
        "Shop",
        "price-watch",
        {"list-pages": 2.0, "fetch-page": 3.0, "parse-page": 0.6, "store-prices": 2.5},
        ("list-pages>>fetch-page", "fetch-page>>parse-page", "parse-page>store-prices"),
        versions=2,
        weight=30,
        fails=0.18,
        children=12,
        cron="*/30 * * * *",
        parameters=(
            {"name": "shops", "default": ["a", "b"], "schema": {"type": "array", "items": {"type": "string"}}},
        ),
        description="Looks at the prices of other shops.",
    ),
    DemoFlow(
        "Forecasts",
        "demand-forecast",
        _forecast_tasks(),
        _forecast_edges(),
        versions=3,
        weight=6,
        fails=0.25,
        cron="0 4 * * *",
        parameters=({"name": "weeks", "default": 6, "schema": {"type": "integer", "minimum": 1, "maximum": 52}},),
        labels=("gpu",),
        description="Trains a model for each region and keeps the best.",
    ),
    DemoFlow(
        "Forecasts",
        "weather-import",
        {"list-stations": 1.0, "download": 4.0, "check": 0.4, "store": 6.0},
        ("list-stations>>download", "download>>check", "check>store"),
        versions=2,
        weight=16,
        fails=0.06,
        children=30,
        cron="15 * * * *",
    ),
    DemoFlow(
        "Operations",
        "nightly-backup",
        {"snapshot": 45.0, "verify": 30.0, "upload": 80.0, "clean-up": 4.0},
        ("snapshot>verify", "verify>upload", "upload>clean-up"),
        weight=8,
        fails=0.2,
        cron="30 1 * * *",
        labels=("warehouse",),
    ),
    DemoFlow(
        "Operations",
        "invoices",
        {"collect": 5.0, "render": 12.0, "approve": 1.0, "send": 8.0},
        ("collect>>render", "render>approve", "approve>send"),
        versions=2,
        weight=10,
        fails=0.05,
        children=5,
        parameters=(
            {"name": "month", "description": "Such as 2026-11.", "schema": {"type": "string"}},
            {"name": "dry_run", "default": False, "schema": {"type": "boolean"}},
        ),
        description="Invoices of a month; somebody has to approve them before they are sent.",
    ),
)
"""All flows of the demo."""
