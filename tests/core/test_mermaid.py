from __future__ import annotations

import pytest

from dagflow import Flow, flow, task
from dagflow.core.picture import Arrow, Node, Picture
from dagflow.core.visualize import mermaid_of
from dagflow.engine.state import Failed, Success


@task
def load(x: int) -> int:
    return x


def test_a_flow_is_written_as_a_flowchart() -> None:
    with Flow("m") as flow:
        load.map(load([1, 2]))

    assert flow.to_mermaid().splitlines() == [
        "flowchart TD",
        '    t0(["load"])',
        '    t1["load #lt;map#gt;"]',
        '    t0 -. "x" .-> t1',
    ]


def test_states_are_colors() -> None:
    with Flow("m") as flow:
        one = load(1)
        two = load(one)

    lines = flow.to_mermaid(Failed(result={one: Success(), two: Failed()})).splitlines()

    assert lines[-2:] == ["    style t0 fill:#28a74580", "    style t1 fill:#eb000080"]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ('a "b"', "a #34;b#34;"),
        ("a\n[b] `c`;", "a [b] #96;c#96;#59;"),
        ("#1 & <2>", "#35;1 #amp; #lt;2#gt;"),
        ("", " "),
    ],
)
def test_any_name_stays_inside_its_quotes(name: str, written: str) -> None:
    text = mermaid_of(Picture((Node("a", name), Node("b", "b")), (Arrow("a", "b", name or "k"),)))

    assert f'    a(["{written}"])' in text.splitlines()
    assert text.count("\n") == 3


def test_a_flow_inside_another_is_a_group() -> None:
    @flow
    def child(x):  # type: ignore[no-untyped-def]
        return load(x)

    @flow
    def middle(x):  # type: ignore[no-untyped-def]
        return child(load(x))

    @flow
    def parent(x):  # type: ignore[no-untyped-def]
        return middle(x)

    assert parent.to_mermaid().splitlines() == [
        "flowchart TD",
        '    t0(["x"])',
        '    subgraph group_t1["middle"]',
        '        t1(["load"])',
        '        subgraph group_t2["child"]',
        '            t2(["load"])',
        "        end",
        "    end",
        '    t0 -- "x" --> t1',
        '    t1 -- "x" --> t2',
    ]
    source = parent.to_dot().source
    assert "subgraph cluster_middle" in source
    assert 'subgraph "cluster_middle/child"' in source
