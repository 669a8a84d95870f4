"""
Map, then reduce: a task that is not mapped takes the list of all the children's results.

Expected output:

    {'the': 3, 'quick': 1, 'dog': 2}
"""

from __future__ import annotations

from collections import Counter

from dagflow import Flow, Parameter, task


@task
def count(line: str) -> Counter[str]:
    """Count the words of one line."""
    return Counter(line.lower().split())


@task
def total(counts: list[Counter[str]]) -> Counter[str]:
    """Add up the counts of all lines."""
    return sum(counts, Counter())


@task
def chosen(counts: Counter[str], words: list[str]) -> dict[str, int]:
    """Look some words up."""
    return {word: counts[word] for word in words}


with Flow("word count") as flow:
    lines = Parameter("lines", default=["The quick fox", "The lazy dog", "the other dog"])
    found = chosen(total(count.map(lines)), ["the", "quick", "dog"])


if __name__ == "__main__":
    print(flow.run().result[found].result)
