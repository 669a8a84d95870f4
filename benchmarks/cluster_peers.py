"""The same work in plain Dask on the same cluster: one key an item, chunks cut by hand, one function for all stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.cluster_flows import noop
from benchmarks.etl import PARTITIONS, aggregate, clean, extract, load, parse


def one_key_each(client: Any, function: Callable[[Any], Any], items: list[Any], stages: int = 1) -> Callable[[], Any]:
    """Return a map of *stages* stages, every item of every stage a key of its own."""

    def run() -> Any:
        values: Any = items
        for _ in range(stages):
            # Dask sends the shortest first or last as it likes; no priorities are given, as nobody does.
            values = client.map(function, values, pure=False)
        return client.gather(values)

    return run


def _chunk(function: Callable[[Any], Any], stages: int, items: list[Any]) -> list[Any]:
    for _ in range(stages):
        items = [function(item) for item in items]
    return items


def chunked(
    client: Any, function: Callable[[Any], Any], items: list[Any], size: int, stages: int = 1
) -> Callable[[], Any]:
    """Return the same with *size* items in a key, all stages in one function."""

    def run() -> Any:
        chunks = [items[start : start + size] for start in range(0, len(items), size)]
        futures = [client.submit(_chunk, function, stages, chunk, pure=False) for chunk in chunks]
        return [value for values in client.gather(futures) for value in values]

    return run


def submitted(client: Any, count: int) -> Callable[[], Any]:
    """Return *count* independent calls, submitted one by one."""
    return lambda: client.gather([client.submit(noop, pure=False) for _ in range(count)])


def delayed(client: Any, count: int) -> Callable[[], Any]:
    """Return *count* independent calls as one graph."""
    import dask

    def run() -> Any:
        step = dask.delayed(noop, pure=False)
        return client.gather(client.compute([step() for _ in range(count)]))

    return run


def etl(client: Any) -> Callable[[], Any]:
    """Return the million-row ETL, stage after stage."""

    def run() -> Any:
        texts = client.map(extract, range(PARTITIONS), pure=False)
        rows = client.map(parse, texts, pure=False)
        kept = client.map(clean, rows, least=0.1, pure=False)
        return client.submit(load, client.map(aggregate, kept, pure=False), pure=False).result()

    return run
