from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dagflow import Task
from dagflow.engine.gantt import MOST_LANED_CHILDREN, duration, gantt
from dagflow.engine.state import Failed, Mapped, Pending, Running, Skipped, State, Success, TriggerFailed
from dagflow.engine.timeline import Attempt, Bar, critical_path, lanes, rows_of, ticks

SPACE = "{http://www.w3.org/2000/svg}"
EPOCH = 1_700_000_000.0


def timed(state: State, start: float, end: float | None, *earlier: tuple[float, float, str]) -> State:
    state.run_started, state.run_ended = EPOCH + start, None if end is None else EPOCH + end
    state.earlier_attempts = tuple((EPOCH + a, EPOCH + b, kind) for a, b, kind in earlier)
    return state


def flow_run(states: dict[Task, State], lineage: dict[Task, tuple[Task, ...]] | None = None) -> State:
    state = Success(result=states)
    state._lineage = None if lineage is None else lambda: lineage
    return state


def drawn(state: State) -> ElementTree.Element:
    return ElementTree.fromstring(str(gantt(state)))


def texts(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SPACE}text")]


def rects(root: ElementTree.Element, kind: str) -> list[dict[str, Any]]:
    return [dict(rect.attrib) for rect in root.iter(f"{SPACE}rect") if rect.get("class") == kind]


def titles(root: ElementTree.Element) -> list[str]:
    return [title.text or "" for title in root.iter(f"{SPACE}title")]


def test_each_task_has_a_bar_as_long_as_it_ran_and_its_duration_as_text() -> None:
    quick, slow = Task("quick"), Task("slow")

    root = drawn(flow_run({slow: timed(Success(), 1, 4), quick: timed(Failed("no <luck>"), 0, 1)}))

    short, long = rects(root, "bar")
    assert float(long["width"]) == pytest.approx(3 * float(short["width"]), rel=0.01)
    assert float(long["x"]) == pytest.approx(float(short["x"]) + float(short["width"]), abs=0.2)
    assert (short["fill"], long["fill"]) == (Failed.color, Success.color)
    assert {"quick", "slow", "1 s", "3 s"} <= set(texts(root))
    assert "quick: Failed, 1 s\nno <luck>" in titles(root)


def test_rows_are_in_the_order_of_their_start() -> None:
    a, b, c = Task("a"), Task("b"), Task("c")

    rows = rows_of(flow_run({c: timed(Success(), 2, 3), b: timed(Success(), 1, 5), a: timed(Success(), 0, 1)}))

    assert [row.name for row in rows] == ["a", "b", "c"]


def test_retries_are_inside_the_bar_in_the_colors_of_their_ends() -> None:
    flaky = Task("flaky")

    root = drawn(flow_run({flaky: timed(Success(), 3, 4, (0, 1, "Retrying"), (1.5, 2, "Retrying"))}))

    bars = rects(root, "bar")
    assert [bar["fill"] for bar in bars] == ["#f66a0a", "#f66a0a", Success.color]
    assert len([line for line in root.iter(f"{SPACE}line") if line.get("class") == "wait"]) == 2
    assert "flaky: Retrying, attempt 1 of 3, 1 s" in titles(root)
    assert "4 s" in texts(root)


def test_few_children_stand_in_lanes_one_for_each_that_ran_at_the_same_time() -> None:
    many = Task("many")
    children: list[State | None] = [timed(Success(), i // 2, i // 2 + 1) for i in range(6)]

    root = drawn(flow_run({many: Mapped(map_states=children)}))

    bars = rects(root, "bar")
    assert len(bars) == 6 and len({bar["y"] for bar in bars}) == 2
    assert "3 s · 6 children" in texts(root)
    assert "many: 6 Success, 3 s" in titles(root)


def test_many_children_are_a_density_colored_by_how_they_ended() -> None:
    many = Task("many")
    count = 20 * MOST_LANED_CHILDREN
    children: list[State | None] = [
        timed(Failed() if i % 10 == 0 else Success(), i / 100, i / 100 + 0.1) for i in range(count)
    ]

    root = drawn(flow_run({many: Mapped(map_states=children)}))

    bars = rects(root, "bar")
    assert len(bars) < count
    assert {bar["fill"] for bar in bars} == {Success.color, Failed.color}


def test_the_critical_path_is_marked_from_the_last_task_back_through_whom_it_waited_for() -> None:
    a, b, c, d = (Task(name) for name in "abcd")
    states = {
        a: timed(Success(), 0, 3), b: timed(Success(), 0, 1), c: timed(Success(), 3, 5), d: timed(Success(), 1, 2),
    }  # fmt: skip
    lineage: dict[Task, tuple[Task, ...]] = {c: (a, b), d: (b,)}

    root = drawn(flow_run(states, lineage))

    assert critical_path(rows_of(flow_run(states)), lineage) == [a, c]
    bold = [text.text for text in root.iter(f"{SPACE}text") if text.get("class") == "name bold"]
    assert bold == ["a", "c"]
    assert "critical path" in texts(root)


def test_the_critical_path_looks_through_tasks_that_did_not_run() -> None:
    first, between, last = Task("first"), Task("between"), Task("last")
    states = {first: timed(Success(), 0, 1), between: Success(), last: timed(Success(), 2, 3)}

    path = critical_path(rows_of(flow_run(states)), {last: (between,), between: (first,)})

    assert path == [first, last]


def test_without_lineage_no_path_is_marked() -> None:
    only = Task("only")

    root = drawn(flow_run({only: timed(Success(), 0, 1)}))

    assert not rects(root, "critical")[1:] and "critical path" not in texts(root)


def test_tasks_that_never_ran_are_named_with_their_state_and_constants_are_left_out() -> None:
    states = {
        Task("skipped"): Skipped(), Task("failed"): TriggerFailed(), Task("waiting"): Pending(),
        Task("constant"): Success(result=1), Task("ran"): timed(Success(), 0, 1),
    }  # fmt: skip

    shown = texts(drawn(flow_run(states)))

    assert {"not run: Skipped", "not run: TriggerFailed", "not run: Pending"} <= set(shown)
    assert "constant" not in shown


@pytest.mark.parametrize(
    "states",
    [
        {},
        {Task("a"): Pending()},
        {Task("a"): timed(Success(), 0, 0)},
        {Task("a"): Mapped(map_states=[])},
        {Task("a"): Mapped(n_map_states=3)},
        {Task("a"): Mapped(map_states=[None, Pending()])},
        {Task("a"): timed(Running(), 0, None)},
        {Task("a"): timed(Success(), 5, 1)},
    ],
)
def test_missing_and_odd_timings_still_give_a_chart(states: dict[Task, State]) -> None:
    assert drawn(flow_run(states)).tag == f"{SPACE}svg"


def test_a_run_without_an_end_lasts_as_long_as_anything_is_known_of() -> None:
    cut, other = Task("cut"), Task("other")

    rows = rows_of(flow_run({cut: timed(Running(), 0, None), other: timed(Success(), 1, 4)}))

    assert rows[0].end == EPOCH + 4


def test_the_time_axis_has_round_moments() -> None:
    only = Task("only")

    root = drawn(flow_run({only: timed(Success(), 0, 100)}))

    assert {"0 s", "15 s", "1 min", "1 min 30 s"} <= set(texts(root))
    assert "started 2023-11-14 22:13:20 UTC" in texts(root)


@pytest.mark.parametrize("seconds", [1e-6, 0.003, 0.9, 1, 7, 59, 61, 3_599, 50_000, 90_000, 1e7])
def test_there_are_a_few_ticks_whatever_the_span(seconds: float) -> None:
    found = ticks(seconds)

    assert 2 <= len(found) <= 10
    assert found[0] == 0 and found[-1] <= seconds * (1 + 1e-9)


def test_only_the_slowest_of_very_many_tasks_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dagflow.engine.gantt.MOST_ROWS", 2)
    states = {Task(f"t{i}"): timed(Success(), 0, i + 1) for i in range(5)}

    shown = texts(drawn(flow_run(states)))

    assert [name for name in shown if name.startswith("t")] == ["t3", "t4"]
    assert any("3 quicker tasks not shown" in text for text in shown)


def test_hostile_names_stay_text() -> None:
    task = Task("</svg><script>\x00")

    root = drawn(flow_run({task: timed(Success("</title><script>"), 0, 1)}))

    assert not list(root.iter(f"{SPACE}script"))


def test_lanes_are_reused_when_their_last_bar_has_ended() -> None:
    bars = [Bar(str(i), (Attempt(start, end, "Success"),)) for i, (start, end) in enumerate([(0, 2), (1, 3), (2, 4)])]

    assert [(bar.name, lane) for bar, lane in lanes(bars)] == [("0", 0), ("1", 1), ("2", 0)]


def test_durations_near_a_unit_are_written_in_the_larger_one() -> None:
    assert [duration(s) for s in (0.9999, 59.99, 3_599.9)] == ["1 s", "1 min", "1 h"]


def test_the_chart_is_written_to_a_file(tmp_path: Path) -> None:
    state = flow_run({Task("a"): timed(Success(), 0, 1)})

    svg = state.gantt(str(tmp_path / "run"))

    assert (tmp_path / "run.svg").read_text() == str(svg)


def test_another_format_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'run\.png' should end in '\.svg'"):
        gantt(flow_run({}), tmp_path / "run.png")


def test_the_state_of_a_task_has_no_chart() -> None:
    with pytest.raises(ValueError, match="final state of a flow run"):
        gantt(Success("done", result=3))
