"""The shape of the house: who imports whom, what loads when, which names there are, and that nothing is forgotten."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import networkx
import pytest

import dagflow

ROOT = Path(__file__).parent.parent

# --- floors ------------------------------------------------------------------------------------------------------

GROUND, SETTINGS, VOCABULARY, MODEL, ENGINE, IO, SERVER, CLIENT, AGENT, ROOF = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9

FLOORS = {
    "dagflow._version": GROUND,
    "dagflow.exceptions": GROUND,
    "dagflow.utilities": GROUND,
    "dagflow.configuration": SETTINGS,
    "dagflow.runtime": SETTINGS,
    "dagflow.utilities.configuration": SETTINGS,
    "dagflow.utilities.context": SETTINGS,
    "dagflow.utilities.debug": SETTINGS,
    "dagflow.utilities.logging": SETTINGS,
    "dagflow.utilities.pickling": SETTINGS,
    "dagflow.utilities.prints": SETTINGS,
    "dagflow.utilities.run_logger": SETTINGS,
    "dagflow.utilities.secrets": SETTINGS,
    "dagflow.engine.aliases": VOCABULARY,
    "dagflow.engine.base_state": VOCABULARY,
    "dagflow.engine.cache_policies": VOCABULARY,
    "dagflow.engine.digests": VOCABULARY,
    "dagflow.engine.carried": VOCABULARY,
    "dagflow.engine.cache_validators": VOCABULARY,
    "dagflow.engine.pickling": VOCABULARY,
    "dagflow.engine.result": VOCABULARY,
    "dagflow.engine.results": VOCABULARY,
    "dagflow.engine.serializers": VOCABULARY,
    "dagflow.engine.signals": VOCABULARY,
    "dagflow.engine.state": VOCABULARY,
    "dagflow.environments": VOCABULARY,
    "dagflow.executors": VOCABULARY,
    "dagflow.run_configs": VOCABULARY,
    "dagflow.schedules": VOCABULARY,
    "dagflow.triggers": VOCABULARY,
    "dagflow.core": MODEL,
    "dagflow.tasks.control_flow": MODEL,
    "dagflow.tasks.core": MODEL,
    "dagflow.utilities.edges": MODEL,
    "dagflow.utilities.tasks": MODEL,
    "dagflow.engine": ENGINE,
    "dagflow.serialization": IO,
    "dagflow.storage": IO,
    "dagflow.tasks": IO,
    "dagflow.utilities.diagnostics": IO,
    "dagflow.utilities.migration": IO,
    "dagflow.utilities.notifications": IO,
    "dagflow.utilities.scripts": IO,
    "dagflow.utilities.storage": IO,
    "dagflow.server": SERVER,
    "dagflow.artifacts": CLIENT,
    "dagflow.concurrency": CLIENT,
    "dagflow.engine.cloud": CLIENT,
    "dagflow.tasks.prefect": CLIENT,
    "dagflow.tasks.dagflow": CLIENT,
    "dagflow.variables": CLIENT,
    "dagflow.backend": CLIENT,
    "dagflow.client": CLIENT,
    "dagflow.agent": AGENT,
    "dagflow.__main__": ROOF,
    "dagflow.cli": ROOF,
    "dagflow.harness": ROOF,
    "dagflow.testing": ROOF,
}
"""The floor of each module; one that is not named lives where its package does."""

FRONT_DOORS = {
    ("dagflow.backend.deployments", "dagflow.agent.local"): "Flow.serve",
    ("dagflow.backend.registration", "dagflow.agent.local"): "Flow.run_agent",
    ("dagflow.core.front_doors", "dagflow.backend.deployments"): "Flow.deploy, Flow.serve",
    ("dagflow.core.front_doors", "dagflow.backend.registration"): "Flow.register, Flow.run_agent",
    ("dagflow.core.front_doors", "dagflow.backend.tracking"): "Flow.run(track=True)",
    ("dagflow.core.front_doors", "dagflow.engine.session"): "Flow.run",
    ("dagflow.core.front_doors", "dagflow.serialization.flow"): "Flow.serialize, Flow.serialized_hash",
    ("dagflow.core.front_doors", "dagflow.utilities.diagnostics"): "Flow.diagnostics",
    ("dagflow.core.front_doors", "dagflow.utilities.storage"): "Flow.save, Flow.load",
    ("dagflow.core.options", "dagflow.utilities.notifications"): "on_failure=",
    ("dagflow.core.task", "dagflow.serialization.task"): "Task.serialize",
    ("dagflow.core.traced", "dagflow.tasks.prefect.flow_run"): "@flow(nested='run')",
    ("dagflow.core.visualize", "dagflow.engine.gantt"): "a state in a notebook",
    ("dagflow.engine.base_state", "dagflow.core.visualize"): "a state in a notebook",
    ("dagflow.engine.base_state", "dagflow.engine.gantt"): "State.gantt",
    ("dagflow.engine.base_state", "dagflow.serialization.state"): "State.serialize, State.deserialize",
    ("dagflow.utilities.secrets", "dagflow.client.client"): "Secret.get, when secrets are kept by a server",
}
"""Methods that users expect on a low object and whose work lives higher: one deferred import each."""


class Import(NamedTuple):
    """One module importing another, at the top or inside a function."""

    importer: str
    imported: str
    deferred: bool


@cache
def sources() -> dict[str, Path]:
    """Return the modules of the package by name."""
    found = {}
    for path in sorted((ROOT / "dagflow").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def floor_of(name: str) -> int:
    while name not in FLOORS:
        name, dot, _ = name.rpartition(".")
        assert dot, "a new top-level module needs a floor in FLOORS"
    return FLOORS[name]


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported_names(node: ast.AST, deferred: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield every module that is imported below *node* when the program runs, and whether only in a function."""
    for child in ast.iter_child_nodes(node):
        if is_for_types_only(child):
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, deferred) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0 and child.module, "imports are absolute in this package"
            for alias in child.names:
                whole = f"{child.module}.{alias.name}"
                yield (whole if whole in sources() else child.module), deferred
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imported_names(child, deferred or inside)


@cache
def imports() -> tuple[Import, ...]:
    """Return all imports in the package, of anything."""
    return tuple(
        Import(name, imported, deferred)
        for name, path in sources().items()
        for imported, deferred in imported_names(ast.parse(path.read_text(encoding="utf-8")))
    )


def own_imports() -> list[Import]:
    return [one for one in imports() if one.imported.partition(".")[0] == "dagflow"]


def test_imports_point_down_the_floors() -> None:
    upward = [
        one
        for one in own_imports()
        if one.importer != "dagflow"
        and floor_of(one.imported) > floor_of(one.importer)
        and not (one.deferred and (one.importer, one.imported) in FRONT_DOORS)
    ]

    assert upward == []


def test_every_front_door_is_one_that_is_used() -> None:
    deferred = {(one.importer, one.imported) for one in own_imports() if one.deferred}

    assert set(FRONT_DOORS) - deferred == set()


def test_every_floor_is_of_a_module_that_exists() -> None:
    assert set(FLOORS) - set(sources()) == set()


def test_nothing_inside_imports_the_root() -> None:
    assert [one for one in own_imports() if one.imported == "dagflow"] == []


def test_executors_know_nothing_of_tasks_states_or_the_engine() -> None:
    # They stand beside the vocabulary: they move callables.
    strangers = [
        one
        for one in own_imports()
        if one.importer.startswith("dagflow.executors")
        and not one.imported.startswith("dagflow.executors")
        and floor_of(one.imported) > SETTINGS
    ]

    assert strangers == []


def test_the_engine_knows_no_executor_but_the_protocol() -> None:
    known = {
        one.imported
        for one in own_imports()
        if one.importer.startswith("dagflow.engine") and one.imported.startswith("dagflow.executors")
    }

    # The default one, and what a worker fetches of a run's shared part.
    assert known <= {"dagflow.executors.base", "dagflow.executors.local", "dagflow.executors.published"}


def test_storages_do_not_know_each_other() -> None:
    places = {name for name in sources() if re.fullmatch(r"dagflow\.storage\.[a-z][a-z0-9]*", name)}
    places.discard("dagflow.storage.base")
    siblings = [one for one in own_imports() if one.importer in places and one.imported in places - {one.importer}]

    assert siblings == []


PURE = ["core.slugs", "core.sorting", "engine.gates", "engine.mapping", "engine.outcome", "engine.plan"] + [
    "engine.progress",
    "engine.settle",
    "schedules.clocks",
    "triggers",
]
EFFECTS = {"asyncio", "concurrent", "io", "logging", "os", "queue", "random", "shutil", "signal", "socket"} | {
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}


@pytest.mark.parametrize("name", PURE)
def test_what_decides_does_no_input_or_output_and_reads_no_clock(name: str) -> None:
    used = {one.imported.partition(".")[0] for one in imports() if one.importer == f"dagflow.{name}"}

    assert used & EFFECTS == set()


def test_modules_do_not_import_each_other_in_circles() -> None:
    graph = networkx.DiGraph(
        (one.importer, one.imported) for one in own_imports() if not one.deferred and one.importer != one.imported
    )

    assert [circle for circle in networkx.strongly_connected_components(graph) if len(circle) > 1] == []


# --- what loads when ---------------------------------------------------------------------------------------------

HEAVY = {"asyncio", "click", "cloudpickle", "dask", "distributed", "fsspec", "graphviz", "networkx", "pendulum"} | {
    "pydantic",
    "rich",
}


def loaded_after(code: str) -> set[str]:
    """Return the heavy modules that a fresh interpreter has loaded after *code*."""
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    return HEAVY & set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import dagflow", set()),
        ("import dagflow; dagflow.config; dagflow.context", set()),
        ("from dagflow import Flow, Parameter, Task, case, flatten, mapped, task, unmapped", set()),
        ("from dagflow.executors import LocalDaskExecutor, LocalExecutor", set()),
        ("from dagflow.engine import signals, state", set()),
        ("from dagflow.server.app import create_app", {"asyncio", "pydantic"}),
        ("from dagflow import Flow, task\nwith Flow('f') as flow:\n    task(lambda x: x, name='t')(1)", {"networkx"}),
    ],
    ids=["the package", "settings", "names", "executors", "states", "the server", "a flow that is built"],
)
def test_an_import_loads_no_more_than_it_needs(code: str, allowed: set[str]) -> None:
    assert loaded_after(code) - allowed == set()


# --- names -------------------------------------------------------------------------------------------------------

NAMES = {
    "dagflow": """Flow Task Parameter task tags apply_map case mapped unmapped flatten resource_manager context config
        Client schedules triggers storage executors engine tasks utilities core environments run_configs serialization
        client backend agent artifacts __version__ flow get_run_logger disable_run_logger task_input_hash runtime
        variables""",
    "dagflow.agent": "Agent",
    "dagflow.agent.docker": "DockerAgent",
    "dagflow.agent.kubernetes": "KubernetesAgent",
    "dagflow.agent.local": "LocalAgent",
    "dagflow.artifacts": "create_link create_markdown delete_artifact update_link update_markdown",
    "dagflow.backend": """FlowRunLog FlowRunView FlowView TaskRunView check_for_compatible_agents delete_key
        get_key_value list_keys set_key_value stream_flow_run_logs watch_flow_run""",
    "dagflow.client": "Client Secret",
    "dagflow.concurrency": "concurrency rate_limit",
    "dagflow.core": "Flow Task Parameter Edge",
    "dagflow.core.edge": "Edge",
    "dagflow.core.parameter": "DateTimeParameter Parameter",
    "dagflow.core.task": "NoDefault Task",
    "dagflow.engine": "FlowRunner TaskRunner signals state",
    "dagflow.engine.cache_validators": """all_inputs all_parameters duration_only never_use partial_inputs_only
        partial_parameters_only""",
    "dagflow.engine.result": "NoResult NoResultType Result ResultNotImplementedError",
    "dagflow.engine.results": """AzureResult ConstantResult GCSResult LocalResult PrefectResult S3Result
        SecretResult""",
    "dagflow.engine.serializers": """CompressedSerializer DateTimeSerializer JSONSerializer PandasSerializer
        PickleSerializer Serializer""",
    "dagflow.engine.signals": """ENDRUN FAIL LOOP PAUSE PrefectStateSignal RETRY SKIP SUCCESS TRIGGERFAIL VALIDATIONFAIL
        signal_from_state""",
    "dagflow.engine.state": """Cached Cancelled Cancelling ClientFailed Failed Finished Looped Mapped Paused Pending
        Queued Resume Retrying Running Scheduled Skipped State Submitted Success TimedOut TriggerFailed
        ValidationFailed""",
    "dagflow.exceptions": """AuthorizationError ClientError FlowStorageError ObjectNotFoundError PrefectException
        PrefectSignal TaskTimeoutSignal VersionLockMismatchSignal""",
    "dagflow.executors": "DaskExecutor Executor LocalDaskExecutor LocalExecutor",
    "dagflow.run_configs": """DockerRun ECSRun KubernetesRun LocalRun RunConfig UniversalRun VertexRun""",
    "dagflow.runtime": "flow_run task_run",
    "dagflow.schedules": "CronSchedule IntervalSchedule RRuleSchedule Schedule adjustments clocks filters",
    "dagflow.schedules.clocks": "ClockEvent CronClock DatesClock IntervalClock RRuleClock",
    "dagflow.storage": """Azure Bitbucket CodeCommit Docker GCS Git GitHub GitLab Local Module S3 Storage Webhook
        get_default_storage_class""",
    "dagflow.tasks.control_flow": "FilterTask case ifelse merge switch",
    "dagflow.tasks.control_flow.case": "case",
    "dagflow.tasks.control_flow.conditional": "CompareValue Merge",
    "dagflow.tasks.control_flow.filter": "FilterTask",
    "dagflow.tasks.core.collections": "Dict List Set Tuple",
    "dagflow.tasks.core.constants": "Constant",
    "dagflow.tasks.core.function": "FunctionTask",
    "dagflow.tasks.core.operators": """Add And Div Equal FloorDiv GetAttr GetItem GreaterThan GreaterThanOrEqual
        LessThan LessThanOrEqual Mod Mul Not NotEqual Or Pow Sub""",
    "dagflow.tasks.core.resource_manager": "ResourceManager resource_manager",
    "dagflow.tasks.prefect": """CancelFlowRun RenameFlowRun StartFlowRun create_flow_run get_task_run_result
        wait_for_flow_run""",
    "dagflow.tasks.secrets": "EnvVarSecret PrefectSecret SecretBase",
    "dagflow.tasks.shell": "ShellTask",
    "dagflow.triggers": """all_failed all_finished all_successful always_run any_failed any_successful manual_only
        not_all_skipped some_failed some_successful""",
    "dagflow.utilities.configuration": "set_temporary_config",
    "dagflow.utilities.debug": "is_serializable raise_on_exception",
    "dagflow.utilities.edges": "EdgeAnnotation flatten mapped unmapped",
    "dagflow.utilities.logging": "get_logger",
    "dagflow.utilities.notifications": "callback_factory gmail_notifier jira_notifier slack_notifier",
    "dagflow.utilities.tasks": "apply_map as_task defaults_from_attrs pause_task tags task",
    "dagflow.variables": "get names set unset",
}
"""The names that scripts written for Prefect 0.15 import, by module."""


@pytest.mark.parametrize("module", NAMES)
def test_names_that_users_import_are_there(module: str) -> None:
    loaded = importlib.import_module(module)

    assert [name for name in NAMES[module].split() if not hasattr(loaded, name)] == []


def test_the_root_offers_exactly_its_names() -> None:
    assert set(dagflow.__all__) >= set(NAMES["dagflow"].split())
    assert [name for name in dagflow.__all__ if not hasattr(dagflow, name)] == []


SCRIPTS = {
    "dagflow.__main__": "runs the command line",
    "dagflow.server.database.migrations.env": "is executed by Alembic, inside a migration only",
}
"""Modules that act when they are imported, and why."""


@pytest.mark.parametrize("name", [name for name in sources() if name not in SCRIPTS])
def test_a_module_explains_itself_and_keeps_what_it_offers(name: str) -> None:
    module = importlib.import_module(name)

    assert (module.__doc__ or "").strip(), "a module says in its docstring what it is for"
    assert [one for one in getattr(module, "__all__", ()) if not hasattr(module, one)] == []


# --- nothing forgotten -------------------------------------------------------------------------------------------

README = (ROOT / "README.rst").read_text(encoding="utf-8")


def test_the_run_in_ci_takes_its_commands_from_the_readme() -> None:
    commands = re.findall(r"^    (\S.*)$", README.partition("Write a flow")[0], re.MULTILINE)

    first = [line for line in commands if re.search(r"python examples/nyc_flights\.py$", line)]
    second = [line for line in commands if re.search(r"python -m pytest$", line)]

    assert (len(first), len(second)) == (1, 1), commands
    assert r"python examples/nyc_flights\.py" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert r"python -m pytest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_no_text_installs_the_package_of_the_same_name_from_pypi() -> None:
    texts = [ROOT / "README.rst", ROOT / "setup.cfg", *(ROOT / "docs").rglob("*.rst"), *sources().values()]

    assert [path for path in texts if re.search(r"pip install ['\"]?dagflow", path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("folder", ["concepts", "howto", "reference"])
def test_every_page_is_in_the_index_of_its_folder(folder: str) -> None:
    index = (ROOT / "docs" / folder / "index.rst").read_text(encoding="utf-8")
    pages = {path.stem for path in (ROOT / "docs" / folder).glob("*.rst")} - {"index"}

    assert [page for page in sorted(pages) if not re.search(rf"^   {page}$", index, re.MULTILINE)] == []


def test_every_subcommand_is_in_the_documents() -> None:
    from dagflow.cli import COMMANDS
    from dagflow.utilities.importtools import import_object

    page = (ROOT / "docs" / "reference" / "command_line.rst").read_text(encoding="utf-8")
    sections = re.split(r"\n(?=.+\n-+\n)", page)
    forgotten = []
    for name, (place, _) in COMMANDS.items():
        text = "".join(one for one in sections if f"``dagflow {name}``" in one.partition("\n")[0])
        inner = getattr(import_object(place), "commands", {})
        forgotten += [f"{name} {one}" for one in inner if not re.search(rf"(?<![\w-]){one}(?![\w-])", text)]

    assert forgotten == []


def test_every_request_the_server_answers_is_in_the_documents() -> None:
    specification = importlib.util.spec_from_file_location("rest_api", ROOT / "docs" / "rest_api.py")
    assert specification is not None and specification.loader is not None
    rest_api = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(rest_api)

    written = rest_api.PAGE.read_text(encoding="utf-8")

    assert written == rest_api.page(), "the page is old; run: python docs/rest_api.py"
    assert len(re.findall(r"^   \* - ``(GET|POST|PATCH|DELETE) /api/", written, re.MULTILINE)) > 90


def test_every_example_is_in_the_documents() -> None:
    page = (ROOT / "docs" / "examples.rst").read_text(encoding="utf-8")

    assert [path.name for path in (ROOT / "examples").glob("*.py") if path.name not in page] == []


def test_every_command_is_in_the_documents() -> None:
    from dagflow.cli import COMMANDS

    page = (ROOT / "docs" / "reference" / "command_line.rst").read_text(encoding="utf-8")

    assert [name for name in COMMANDS if f"dagflow {name}" not in page] == []


def test_the_public_modules_are_in_the_reference() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.rst"))
    # A package stands for what it offers from its modules.
    users = [
        name
        for name in NAMES
        if name not in ("dagflow", "dagflow.client") and "__path__" not in vars(importlib.import_module(name))
    ]

    assert [name for name in users if f".. automodule:: {name}\n" not in pages] == []
