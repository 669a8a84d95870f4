"""``dagflow migrate check`` and ``dagflow cache clear``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dagflow import flow, task
from dagflow.cli.cache import cache
from dagflow.cli.migrate import migrate
from dagflow.utilities.migration import findings_in

HEAD = """
from prefect import flow, task

@task
def f(x): ...
@flow
def main(n):
    y = f.submit(n)
"""


@pytest.mark.parametrize(
    ("line", "construct", "cure"),
    [
        ("y.result()", "y.result()", "pass it to a task"),
        ("y.wait()", "y.wait()", "wait_for="),
        ("f.delay(1)", "f.delay(1)", "in the background"),
        ("f.with_options(name='x')(1)", "f.with_options(name='x')", "copy"),
        ("for one in y: pass", "for one in y", ".map("),
        ("z = [f(one) for one in f(1)]", "for one in f(1)", ".map("),
        ("if y > 3: pass", "if y > 3", "case("),
        ("if not y: pass", "if not y", "case("),
        ("z = 1 if y else 2", "1 if y else 2", "ifelse"),
        ("while y: pass", "while y", "LOOP"),
        ("len(y)", "len(y)", "in"),
        ("print('got', y)", "print('got', y)", "log_prints"),
        ("z = f'{n}.csv'", "f'{n}.csv'", "inside a task"),
        ("z = y['a']\n    int(z)", "int(z)", "Convert"),
        ("try:\n        f(1)\n    except ValueError: pass", "try around tasks", "trigger="),
    ],
)
def test_a_construct_of_later_versions_is_found_with_its_static_form(line: str, construct: str, cure: str) -> None:
    found = [one for one in findings_in(f"{HEAD}    {line}\n") if one.construct == construct]

    assert len(found) == 1
    assert cure in found[0].cure


@pytest.mark.parametrize(
    "line",
    [
        "for i in range(3): f(i)",
        "z = [f(i) for i in [1, 2]]",
        "y = 3\n    if y: print(y)",
        "f(y, wait_for=[y])",
        "z = y + 1",
        "return y",
        "with case(y, True): f(1)",
        "if DEBUG: print('plain')",
    ],
)
def test_what_a_static_graph_can_have_is_left_alone(line: str) -> None:
    assert findings_in(f"{HEAD}    {line}\n") == []


def test_code_outside_flows_is_left_alone() -> None:
    assert findings_in("@task\ndef f(x):\n    for y in x: print(y)\n\nfuture.result()\n") == []


def test_imports_options_and_signatures_are_looked_at() -> None:
    source = (
        "from prefect import transaction\nfrom prefect.task_runners import X\n"
        "@task(persist_result=True)\ndef t(): ...\n"
        "@flow(task_runner=X())\nasync def main(*items):\n    await t()\n"
    )

    assert [one.construct for one in findings_in(source)] == [
        "from prefect import transaction", "from prefect.task_runners", "@task(persist_result=...)",
        "@flow(task_runner=...)", "*items", "async def main", "await t()",
    ]  # fmt: skip


def test_the_command_lists_findings_and_its_exit_code_tells_of_them(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text(f"{HEAD}    y.result()\n")
    good.write_text(HEAD)
    run = CliRunner().invoke

    told = run(migrate, ["check", str(bad), str(good)])
    as_json = run(migrate, ["check", "--json", str(bad)])
    fine = run(migrate, ["check", str(good)])

    assert (told.exit_code, fine.exit_code) == (1, 0)
    assert f"{bad}:9: y.result()" in told.output
    assert "1 finding in 2 files." in told.output
    assert json.loads(as_json.stdout) == [
        {"path": str(bad), "line": 9, "construct": "y.result()", "cure": findings_in(bad.read_text())[0].cure}
    ]
    assert "0 findings" in fine.output


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def (:")
    run = CliRunner().invoke

    assert run(migrate, ["check", str(tmp_path / "nowhere.py")]).exit_code == 3
    told = run(migrate, ["check", str(broken)])
    assert (told.exit_code, "is not Python" in told.output) == (1, True)


def test_cached_results_are_cleared() -> None:
    @flow
    def kept():
        one = task(lambda: 1, name="one", cache_key_fn=lambda *_: "k1")()
        return one, task(lambda: 1, name="two", cache_key_fn=lambda *_: "k2")()

    kept()
    run = CliRunner().invoke

    assert run(cache, ["clear", "--key", "k1", "--task", "one"]).exit_code == 2
    assert run(cache, ["clear", "--key", "k1"]).stdout == "1\n"
    assert run(cache, ["clear", "--task", "one"]).stdout == "0\n"
    assert run(cache, ["clear"]).stdout == "1\n"
