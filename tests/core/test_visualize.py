from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import graphviz
import pytest
from graphviz.backend import ExecutableNotFound

from dagflow import Flow, Parameter, Task, flatten, task, unmapped
from dagflow.core import depiction, rendering
from dagflow.core import visualize as module
from dagflow.core.picture import Arrow, Node, Picture
from dagflow.core.visualize import mimebundle, mimebundle_of_state, picture_of, to_dot, visualize
from dagflow.engine.state import Failed, Mapped, Pending, Skipped, State, Success

Map = tuple[Flow, Task, Task, Task]


@task
def inc(x: Any, by: Any = 1) -> Any:
    return x + by


@task
def total(xs: Any) -> Any:
    return sum(xs)


def map_of(width: int = 3) -> Map:
    with Flow("map") as flow:
        one = inc.map(list(range(width)))
        two = inc.map(one)
        end = total(two)
    return flow, one, two, end


def children(count: int) -> Mapped:
    return Mapped(map_states=[Success(result=i) for i in range(count)])


def run_of(states: dict[Task, State]) -> State:
    return Success(result=states)


def named(picture: Picture, start: str) -> list[Node]:
    return [node for node in picture.nodes if node.label.startswith(start)]


@pytest.fixture(autouse=True)
def temporary_files_go_with_the_test(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("shown")))


@pytest.fixture
def no_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pygraphviz" else find_spec(name))


# --- what is drawn -----------------------------------------------------------------------------------------------


def test_tasks_are_ellipses_and_maps_are_boxes_with_map_in_their_label() -> None:
    flow, *_ = map_of()

    picture = picture_of(flow)

    assert {(n.label, n.shape) for n in picture.nodes} >= {("inc <map>", "box"), ("total", "ellipse")}
    assert all(node.color is None for node in picture.nodes)


def test_arrows_carry_the_key_and_are_dashed_when_mapped() -> None:
    flow, *_ = map_of()

    picture = picture_of(flow)

    assert sorted((edge.label, edge.dashed) for edge in picture.edges) == [("x", True), ("x", True), ("xs", False)]


def test_constants_of_a_task_are_not_drawn() -> None:
    with Flow("constants") as flow:
        inc(1, by=[2, 3])

    assert [node.label for node in picture_of(flow).nodes] == ["inc"]


def test_a_keyless_dependency_has_no_label() -> None:
    flow = Flow("chain")
    flow.chain(Task("a"), Task("b"))

    assert [edge.label for edge in picture_of(flow).edges] == [""]


def test_with_a_state_nodes_are_filled_half_transparently() -> None:
    with Flow("state") as flow:
        a = inc(1)
        b = inc(a)

    picture = picture_of(flow, run_of({a: Success(), b: Failed("no luck")}))

    assert [node.color for node in picture.nodes] == [Success.color + "80", Failed.color + "80"]
    assert picture.nodes[1].title == "inc: Failed, no luck"


@pytest.mark.parametrize("result", [{}, None, ValueError("cycle"), 3])
def test_a_task_without_a_state_gets_the_neutral_color(result: Any) -> None:
    with Flow("missing") as flow:
        inc(1)

    assert [node.color for node in picture_of(flow, Failed(result=result)).nodes] == ["#00000080"]


def test_a_mapped_task_becomes_a_node_for_each_child_and_maps_of_maps_join_child_to_child() -> None:
    flow, one, two, end = map_of()
    states = {one: children(3), two: Mapped(map_states=[Success(), Failed(), None]), end: Pending()}

    picture = picture_of(flow, run_of(states))

    boxes = named(picture, "inc")
    assert [node.label for node in boxes] == ["inc <map>"] * 6
    assert [node.color for node in boxes[3:]] == [Success.color + "80", Failed.color + "80", "#00000080"]
    assert boxes[4].title == "inc[1]: Failed"
    firsts, seconds = [n.id for n in boxes[:3]], [n.id for n in boxes[3:]]
    assert [e for e in picture.edges if e.source in firsts] == [
        Arrow(a, b, "x", True) for a, b in zip(firsts, seconds, strict=True)
    ]


def test_all_children_lead_to_the_task_that_reduces_them() -> None:
    flow, one, two, end = map_of()

    picture = picture_of(flow, run_of({one: children(3), two: children(3), end: Success()}))

    (sink,) = named(picture, "total")
    assert len([edge for edge in picture.edges if edge.target == sink.id and not edge.dashed]) == 3


def test_a_task_that_did_not_map_leads_to_all_children() -> None:
    with Flow("out") as flow:
        source, extra = Parameter("p"), inc(2)
        mapped = inc.map(source, by=unmapped(extra))

    picture = picture_of(flow, run_of({source: Success(), extra: Success(), mapped: children(4)}))

    assert sorted((e.label, e.dashed) for e in picture.edges) == [("by", False)] * 4 + [("x", True)] * 4


def test_a_flattened_map_joins_each_child_with_the_items_it_made() -> None:
    with Flow("flat") as flow:
        source = inc.map([1, 2])
        flat = inc.map(flatten(source))
    made = Mapped(map_states=[Success(result=[1]), Success(result=[2, 3])])

    picture = picture_of(flow, run_of({source: made, flat: children(3)}))

    up = {node.id for node in picture.nodes[1:3]}
    pairs = [(edge.source[-1], edge.target[-1]) for edge in picture.edges if edge.source in up]
    assert pairs == [("0", "0"), ("1", "1"), ("1", "2")]


def test_a_wide_map_is_one_node_that_counts_its_children() -> None:
    flow, one, two, end = map_of()
    many = Mapped(map_states=[Success()] * 298 + [Failed()] * 2)

    picture = picture_of(flow, run_of({one: many, two: many, end: Skipped()}))

    assert named(picture, "inc")[0].label == "inc [300 children: 298 Success, 2 Failed]"
    assert len(picture.nodes) == len(flow.tasks)


def test_a_map_whose_children_all_take_all_of_another_map_is_folded_before_the_arrows_explode() -> None:
    with Flow("dense") as flow:
        one = inc.map([1])
        two = inc.map([1], by=unmapped(one))

    picture = picture_of(flow, run_of({one: children(100), two: children(100)}))

    assert len(picture.edges) <= depiction.MOST_ARROWS


@pytest.mark.parametrize("state", [Mapped(map_states=[]), Mapped(n_map_states=2)])
def test_a_map_without_known_children_is_drawn(state: Mapped) -> None:
    flow, one, two, end = map_of()

    picture = picture_of(flow, run_of({one: state, two: state, end: Success()}))

    assert len(named(picture, "inc")) == 2 * (state.n_map_states or 1)


def test_a_flow_with_a_cycle_can_be_drawn() -> None:
    a, b = Task("a"), Task("b")
    flow = Flow("cycle")
    flow.chain(a, b)
    flow.add_edge(b, a)

    picture = picture_of(flow)

    assert (len(picture.nodes), len(picture.edges)) == (2, 2)
    assert "image/svg+xml" in mimebundle(flow)


# --- dot ---------------------------------------------------------------------------------------------------------


def test_dot_has_labels_shapes_colors_and_dashes() -> None:
    flow, one, two, end = map_of()

    plain = to_dot(flow).source
    colored = to_dot(flow, run_of({one: children(1), two: children(1), end: Failed()})).source

    assert 'label="inc <map>" shape=box' in plain and "label=total shape=ellipse" in plain
    assert "label=x style=dashed" in plain and "label=xs]" in plain
    assert f'label="inc <map>" color="{Success.color}80"' in colored
    assert f'label=total color="{Failed.color}80"' in colored and "style=filled" in colored


@pytest.mark.parametrize("name", ["<b>bold</b>", "a\\nb", 'say "hi"', "node", "a:b", "ünïcode ☃", "x\ny"])
def test_any_name_survives_the_dot_program(name: str) -> None:
    pytest.importorskip("pygraphviz")
    picture = Picture((Node("t0", name), Node("t1", "b")), (Arrow("t0", "t1", name),))

    content = rendering.with_pygraphviz(picture, "svg")

    assert content is not None and ElementTree.fromstring(content) is not None


# --- where it goes -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_graphviz")
def test_without_graphviz_programs_a_file_is_written_as_svg(tmp_path: Path) -> None:
    flow, *_ = map_of()

    graph = visualize(flow, filename=tmp_path / "new" / "flow")

    assert isinstance(graph, graphviz.Digraph)
    assert os.listdir(tmp_path / "new") == ["flow.svg"]
    assert ElementTree.parse(tmp_path / "new" / "flow.svg").getroot().tag.endswith("svg")


@pytest.mark.usefixtures("no_graphviz")
def test_without_graphviz_programs_other_formats_say_what_to_install(tmp_path: Path) -> None:
    flow, *_ = map_of()

    with pytest.raises(ExecutableNotFound, match=r"\[viz\].*format='svg'"):
        visualize(flow, filename=tmp_path / "flow", format="png")

    assert not os.listdir(tmp_path)


def test_an_unknown_format_is_named() -> None:
    flow, *_ = map_of()

    with pytest.raises(ValueError, match="'docx'"):
        visualize(flow, filename="flow", format="docx")


@pytest.mark.usefixtures("no_graphviz")
@pytest.mark.parametrize(("name", "written"), [("f.svg", "f.svg"), ("v1.2", "v1.2.svg"), ("f.SVG", "f.SVG")])
def test_the_suffix_tells_the_format_and_is_not_doubled(tmp_path: Path, name: str, written: str) -> None:
    flow, *_ = map_of()

    visualize(flow, filename=str(tmp_path / name))

    assert os.listdir(tmp_path) == [written]


def test_pygraphviz_writes_png_where_there_is_no_dot_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygraphviz")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    flow, *_ = map_of()

    visualize(flow, filename=tmp_path / "flow", format="png")

    assert (tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")


def fake_dot(folder: Path, body: str) -> str:
    program = folder / "dot"
    program.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    program.chmod(0o755)
    return str(program)


def test_the_dot_program_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_dot(tmp_path, "assert 'digraph' in sys.stdin.read(); print('drawn as', sys.argv[1])")
    monkeypatch.setattr(shutil, "which", lambda name: program)
    flow, *_ = map_of()

    visualize(flow, filename=tmp_path / "flow")

    assert (tmp_path / "flow.pdf").read_text() == "drawn as -Tpdf\n"


@pytest.mark.parametrize("body", ["sys.exit(1)", "import time; time.sleep(60)"])
def test_a_dot_program_that_fails_or_hangs_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(rendering, "TIME_LIMIT_SECONDS", 0.3)
    program = fake_dot(tmp_path, body)
    monkeypatch.setattr(shutil, "which", lambda name: program)
    picture = Picture((Node("t0", "alone"),))

    content = rendering.rendered(picture, "svg", [rendering.with_dot, rendering.with_own_layout])

    assert b"alone" in content


@pytest.mark.usefixtures("no_graphviz")
def test_without_a_file_name_the_viewer_gets_a_temporary_file() -> None:
    flow, *_ = map_of()
    shown: list[Path] = []

    visualize(flow, viewer=shown.append)

    (path,) = shown
    assert path.suffix == ".svg" and "total" in path.read_text()


@pytest.mark.usefixtures("no_graphviz")
def test_no_viewer_opens_when_nobody_is_there_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr("webbrowser.open", lambda url: pytest.fail("a viewer was opened"))
    flow, *_ = map_of()

    assert isinstance(visualize(flow), graphviz.Digraph)


def test_in_a_notebook_the_graph_is_only_returned_and_shows_itself(
    monkeypatch: pytest.MonkeyPatch, no_graphviz: None
) -> None:
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    flow, *_ = map_of()

    graph: Any = visualize(flow, viewer=lambda path: pytest.fail("a viewer was opened"))

    assert "total" in graph._repr_mimebundle_()["image/svg+xml"]


def test_without_the_graphviz_package_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    monkeypatch.delitem(sys.modules, "dagflow.core.rendering")
    flow, *_ = map_of()

    with pytest.raises(ImportError, match="pip install graphviz"):
        visualize(flow)


# --- notebooks ---------------------------------------------------------------------------------------------------


def test_a_flow_shows_itself_in_a_notebook() -> None:
    flow, *_ = map_of()

    bundle = flow._repr_mimebundle_()

    assert bundle["text/plain"] == '<Flow: name="map">'
    assert "inc &lt;map&gt;" in bundle["image/svg+xml"]


def test_a_flow_too_large_for_a_notebook_shows_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NODES_IN_A_NOTEBOOK", 2)
    flow, *_ = map_of()

    assert list(mimebundle(flow)) == ["text/plain"]


def test_a_flow_runs_state_shows_its_time_chart_and_other_states_their_text() -> None:
    with Flow("one") as flow:
        only = inc(1)
    ran = Success()
    ran.run_started, ran.run_ended = 10.0, 12.0

    assert "2 s" in mimebundle_of_state(run_of({only: ran}))["image/svg+xml"]
    assert mimebundle_of_state(Success("done", result={"a": 1})) == {"text/plain": '<Success: "done">'}
    assert flow.tasks == {only}


def test_a_run_flow_is_drawn_and_charted_with_the_states_it_left() -> None:
    flow, *_ = map_of()
    state = flow.run()

    picture = picture_of(flow, state)
    chart = str(state.gantt())

    assert {node.color for node in picture.nodes} == {Success.color + "80"}
    assert len(named(picture, "inc")) == 6
    assert all(f">{name}<" in chart for name in ("inc", "total", "critical path"))
