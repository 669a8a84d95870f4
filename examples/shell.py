"""
Commands of a shell as tasks.

Expected output:

    3
    ['one', 'two', 'three']
    exit code 4: Failed
"""

from __future__ import annotations

from dagflow import Flow
from dagflow.tasks.shell import ShellTask

lines = ShellTask(name="lines", return_all=True)
count = ShellTask(name="count", helper_script="words='one two three'")
broken = ShellTask(name="broken", command="exit 4")

with Flow("shell") as flow:
    all_lines = lines(command="printf 'one\\ntwo\\nthree\\n'")
    number = count(command="echo $words | wc -w | tr -d ' '")
    failed = broken()
    flow.set_reference_tasks([all_lines, number])


if __name__ == "__main__":
    state = flow.run()
    print(state.result[number].result)
    print(state.result[all_lines].result)
    print("exit code 4:", type(state.result[failed]).__name__)
