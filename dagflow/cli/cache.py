"""``dagflow cache``: the results that tasks share by a cache key."""

from __future__ import annotations

import click

from dagflow.cli.talk import say

__all__ = ["cache"]


@click.group()
def cache() -> None:
    """Look after the results that tasks share by a cache key."""


@cache.command()
@click.option("--key", help="Only the result with this key.")
@click.option("--task", "task_name", help="Only results of tasks with this name, or dotted name of a function.")
def clear(key: str | None, task_name: str | None) -> None:
    """Remove results from the cache of this user; all of them when nothing is said."""
    if key is not None and task_name is not None:
        raise click.UsageError("Give --key or --task, not both.")
    from dagflow.engine.key_cache import cache_file
    from dagflow.engine.key_cache import clear as remove

    count = remove(key, task_name)
    click.echo(count)
    say(f"Removed {count} result{'s' * (count != 1)} from {cache_file()}.")
