"""
What to change in code written for Prefect 2 or 3: constructs that need values before there are any.

The source is read, never run. Within functions under ``@flow`` it follows which names hold what a task returns; names
that are made in other ways are left alone, so a finding is worth a look and nothing found is no promise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from dagflow.core.advice import ATTRIBUTES, FLOW_OPTIONS, ROOT_NAMES, TASK_OPTIONS

__all__ = ["Finding", "findings_in"]

PACKAGES = ("prefect", "dagflow")
"""Whose names are looked at."""


@dataclass(frozen=True, order=True)
class Finding:
    """
    One construct that a static graph cannot have.

    Args:
        line: where it is.
        construct: what was found.
        cure: what to write instead.
    """

    line: int
    construct: str
    cure: str


def findings_in(source: str) -> list[Finding]:
    """
    Return what is to be changed in *source*, by line, and by the alphabet within one.

    Raises:
        SyntaxError: for text that is not Python.

    >>> [one.construct for one in findings_in('''
    ... @task
    ... def f(x): ...
    ... @flow
    ... def main():
    ...     y = f.submit(1)
    ...     if y.result() > 2: print(y)
    ... ''')]
    ['if y.result() > 2', 'print(y)', 'y.result()']
    """
    tree = ast.parse(source)
    tasks = {one.name for one in ast.walk(tree) if isinstance(one, _FUNCTIONS) and _decorator(one, "task")}
    found = set(_imports(tree)) | set(_decorations(tree))
    for one in ast.walk(tree):
        if isinstance(one, _FUNCTIONS) and _decorator(one, "flow"):
            if isinstance(one, ast.AsyncFunctionDef):
                cure = "Write `def`, without await: the body only wires tasks."
                found.add(Finding(one.lineno, f"async def {one.name}", cure))
            found |= set(_Body(tasks).findings(one))
    return sorted(found)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _decorator(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> ast.expr | None:
    for one in function.decorator_list:
        bare = one.func if isinstance(one, ast.Call) else one
        if (isinstance(bare, ast.Name) and bare.id == name) or (isinstance(bare, ast.Attribute) and bare.attr == name):
            return one
    return None


def _imports(tree: ast.AST) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").partition(".")[0] not in PACKAGES:
            continue
        last = (node.module or "").rpartition(".")[2]
        if last in ROOT_NAMES:
            yield Finding(node.lineno, f"from {node.module}", ROOT_NAMES[last])
        for name in (alias.name for alias in node.names):
            if name in ROOT_NAMES:
                yield Finding(node.lineno, f"from {node.module} import {name}", ROOT_NAMES[name])


def _decorations(tree: ast.AST) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not isinstance(node, _FUNCTIONS):
            continue
        for name, options in (("task", TASK_OPTIONS), ("flow", FLOW_OPTIONS)):
            call = _decorator(node, name)
            for keyword in call.keywords if isinstance(call, ast.Call) else ():
                if keyword.arg in options:
                    assert keyword.arg is not None
                    yield Finding(keyword.value.lineno, f"@{name}({keyword.arg}=...)", options[keyword.arg])


class _Body(ast.NodeVisitor):
    """Reads the function of one flow from top to bottom."""

    def __init__(self, tasks: set[str]) -> None:
        self._tasks = tasks
        self._values: set[str] = set()
        self._found: list[Finding] = []

    def findings(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[Finding]:
        arguments = function.args
        self._values = {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        for star in (arguments.vararg, arguments.kwarg):
            if star is not None:
                cure = "Each argument becomes a parameter with a name: take a list or dict."
                self._add(function, f"*{star.arg}", cure)
        for one in function.body:
            self.visit(one)
        return self._found

    def _add(self, node: ast.stmt | ast.expr, construct: str, cure: str) -> None:
        self._found.append(Finding(node.lineno, construct, cure))

    # --- which names hold values of tasks ---------------------------------------------------------------------

    def _is_value(self, node: ast.expr | None) -> bool:
        """Tell whether an expression stands for what a task returns."""
        if isinstance(node, ast.Await):
            return self._is_value(node.value)
        if isinstance(node, ast.Name):
            return node.id in self._values
        if isinstance(node, ast.Call):
            of_value = isinstance(node.func, ast.Attribute) and self._is_value(node.func.value)
            return of_value or self._is_task_call(node)
        if isinstance(node, ast.BinOp):
            return self._is_value(node.left) or self._is_value(node.right)
        if isinstance(node, ast.Compare):
            return self._is_value(node.left) or any(map(self._is_value, node.comparators))
        if isinstance(node, ast.BoolOp):
            return any(map(self._is_value, node.values))
        if isinstance(node, ast.UnaryOp):
            return self._is_value(node.operand)
        return isinstance(node, ast.Subscript | ast.Attribute) and self._is_value(node.value)

    def _is_task_call(self, node: ast.Call) -> bool:
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in ("submit", "map"):
            function = function.value
        return isinstance(function, ast.Name) and function.id in self._tasks

    def visit_Assign(self, node: ast.Assign) -> None:
        """Note names that are given a value of a task, or another one."""
        self.generic_visit(node)
        for target in node.targets:
            for name in (one for one in ast.walk(target) if isinstance(one, ast.Name)):
                (self._values.add if self._is_value(node.value) else self._values.discard)(name.id)

    # --- constructs -------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        """Find futures that are asked, and functions that need a value."""
        function = node.func
        text = ast.unparse(node)
        if isinstance(function, ast.Attribute) and function.attr in ATTRIBUTES and (
            self._is_value(function.value) or function.attr in ("delay", "apply_async", "with_options")
            and isinstance(function.value, ast.Name) and function.value.id in self._tasks
        ):  # fmt: skip
            self._add(node, text, ATTRIBUTES[function.attr])
        elif isinstance(function, ast.Name) and function.id in _BUILTINS and any(map(self._is_value, node.args)):
            self._add(node, text, _BUILTINS[function.id])
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        """Find loops over what a task returns."""
        if self._is_value(node.iter):
            self._add(node, f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}", _LOOP)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        """Find loops that go on while a task says so."""
        if self._is_value(node.test):
            self._add(node, f"while {ast.unparse(node.test)}", "Repeat inside a task, or with the signal LOOP.")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """Find comprehensions over what a task returns."""
        if self._is_value(node.iter):
            self._add(node.iter, f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}", _LOOP)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        """Find branches on what a task returns."""
        if self._is_value(node.test):
            self._add(node, f"if {ast.unparse(node.test)}", "Write `with case(value, True):`, and merge(...) after it.")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Find choices by what a task returns."""
        if self._is_value(node.test):
            self._add(node, ast.unparse(node), "Choose inside a task, or with ifelse(...).")
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        """Find failures of tasks that are caught."""
        inner = [one for part in node.body for one in ast.walk(part) if isinstance(one, ast.Call)]
        if node.handlers and any(self._is_task_call(one) for one in inner):
            cure = "Nothing is raised here: give the later task trigger=any_failed or the like."
            self._add(node, "try around tasks", cure)
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Find text made of what a task returns."""
        if any(isinstance(one, ast.FormattedValue) and self._is_value(one.value) for one in node.values):
            self._add(node, ast.unparse(node), "Make the text inside a task that takes the value.")

    def visit_Await(self, node: ast.Await) -> None:
        """Find awaited tasks."""
        cure = "Leave out await: the call only adds the task; async tasks are run to their end."
        self._add(node, ast.unparse(node), cure)
        self.generic_visit(node)


_LOOP = "Write `task.map(values)`; when the number is known before, loop over plain values."
_BUILTINS = {
    "bool": "Branch with `with case(value, True):`.",
    "enumerate": _LOOP,
    "float": "Convert inside a task that takes the value.",
    "int": "Convert inside a task that takes the value.",
    "len": "Take the length inside a task that takes the value.",
    "list": _LOOP,
    "max": "Compute it inside a task that takes the value.",
    "min": "Compute it inside a task that takes the value.",
    "print": "Print inside a task that takes the value, with log_prints=True.",
    "range": _LOOP,
    "sorted": "Sort inside a task that takes the value.",
    "str": "Make the text inside a task that takes the value.",
    "sum": "Compute it inside a task that takes the value.",
    "wait": ATTRIBUTES["wait"],
    "zip": _LOOP,
}
"""Functions that need a value at once."""
