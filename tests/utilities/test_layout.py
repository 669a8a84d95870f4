from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagflow.utilities.layout import Layout, Link, Size, arrange
from dagflow.utilities.layout.layers import components, layered
from dagflow.utilities.layout.order import crossings, ordered

BOX = Size(30, 30, 34)


def arranged(count: int, pairs: list[tuple[int, int]], label: float = 0.0) -> Layout:
    return arrange([BOX] * count, [Link(one, other, label) for one, other in pairs])


def overlap(layout: Layout) -> list[tuple[int, int]]:
    centers = layout.centers
    return [
        (i, j)
        for i, (x, y) in enumerate(centers)
        for j, (u, v) in enumerate(centers[:i])
        if abs(x - u) < BOX.left + BOX.right - 0.01 and abs(y - v) < BOX.height - 0.01
    ]


acyclic_graphs = st.integers(1, 14).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1]), max_size=30)
        if n > 1
        else st.just([]),
    )
)


@settings(max_examples=150, deadline=None)
@given(acyclic_graphs, st.sampled_from([0.0, 25.0]))
def test_every_arrow_runs_down_and_no_two_nodes_overlap(graph: tuple[int, list[tuple[int, int]]], label: float) -> None:
    count, pairs = graph

    layout = arranged(count, pairs, label)

    assert all(layout.centers[a][1] < layout.centers[b][1] for a, b in pairs)
    assert not overlap(layout)
    assert all(x - BOX.left > -0.01 and x + BOX.right <= layout.width + 0.01 for x, _ in layout.centers)
    assert all(0 < y < layout.height for _, y in layout.centers)


@settings(max_examples=60, deadline=None)
@given(acyclic_graphs)
def test_bends_run_from_source_to_target_one_layer_at_a_time(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, pairs = graph

    layout = arranged(count, pairs, 20.0)

    for (source, target), route in zip(pairs, layout.routes, strict=True):
        heights = [layout.centers[source][1], *(y for _, y in route), layout.centers[target][1]]
        assert all(one < other for one, other in pairwise(heights))


def test_the_same_graph_gives_the_same_picture() -> None:
    pairs = [(0, 2), (1, 2), (2, 3), (0, 3), (1, 4)]

    assert arranged(5, pairs) == arranged(5, pairs)


def test_a_chain_is_a_straight_line() -> None:
    layout = arranged(5, [(i, i + 1) for i in range(4)])

    assert len({round(x, 3) for x, _ in layout.centers}) == 1


def test_a_parent_stands_over_the_middle_of_its_children() -> None:
    layout = arranged(4, [(0, 1), (0, 2), (0, 3)])

    parent, *children = (x for x, _ in layout.centers)
    assert parent == pytest.approx(sum(children) / 3)


def test_a_long_arrow_beside_a_chain_is_straight_between_its_ends() -> None:
    layout = arranged(5, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)])

    bends = layout.routes[4]
    assert len(bends) == 3
    assert len({round(x, 3) for x, _ in bends}) == 1


def test_an_unnecessary_crossing_is_removed() -> None:
    links = [Link(0, 3), Link(1, 2)]
    members = list(range(4))
    grid = layered(members, [0, 1], links)

    assert crossings(ordered(grid), grid) == 0


def test_crossings_are_counted_as_pairs_of_segments() -> None:
    grid = layered([0, 1, 2, 3], [0, 1, 2, 3], [Link(0, 2), Link(0, 3), Link(1, 2), Link(1, 3)])

    assert crossings([[0, 1], [2, 3]], grid) == 1


def test_a_constant_stands_right_above_its_consumer() -> None:
    chain, constant = [(0, 1), (1, 2), (2, 3)], (4, 3)

    layout = arranged(5, [*chain, constant])

    assert layout.centers[4][1] == layout.centers[2][1]


def test_a_cycle_is_drawn_with_one_arrow_going_up() -> None:
    pairs = [(0, 1), (1, 2), (2, 0)]

    layout = arranged(3, pairs)

    up = [pair for pair in pairs if layout.centers[pair[0]][1] > layout.centers[pair[1]][1]]
    assert up == [(2, 0)]


def test_parts_that_are_not_connected_stand_side_by_side_and_wrap() -> None:
    layout = arranged(100, [])

    assert not overlap(layout)
    assert layout.width < 15 * 104 and layout.height < 15 * 104
    assert components(3, [Link(0, 2)]) == [([0, 2], [0]), ([1], [])]


def test_a_label_has_a_place_of_its_own_left_and_right_of_which_nothing_stands() -> None:
    layout = arrange([BOX] * 4, [Link(0, 3, 60), Link(1, 3, 60), Link(2, 3, 60)])

    spots = sorted(x for spot in layout.labels if spot for x in spot[:1])
    assert len(spots) == 3
    assert all(later - earlier > 60 for earlier, later in pairwise(spots))


def test_several_arrows_between_the_same_two_nodes_keep_apart_when_they_have_labels() -> None:
    layout = arrange([BOX] * 2, [Link(0, 1, 20), Link(0, 1, 20)])

    assert layout.routes[0] != layout.routes[1]


def test_two_thousand_nodes_and_many_long_arrows_are_laid_out_without_recursion() -> None:
    rng = random.Random(4)
    pairs = [(i, i + 1) for i in range(1_999)] + [(i, rng.randrange(i + 1, 2_000)) for i in range(0, 1_990, 2)]

    layout = arranged(2_000, pairs)

    assert all(layout.centers[a][1] < layout.centers[b][1] for a, b in pairs)


def test_nothing_to_draw_is_an_empty_layout() -> None:
    assert arrange([], []) == Layout([], [], [], 0.0, 0.0)
