from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dagflow.core.picture import Arrow, Node, Picture
from dagflow.core.svg import svg_of
from dagflow.utilities.drawing import Svg, escaped, shortened, split_color, text_width

SPACE = "{http://www.w3.org/2000/svg}"


def parsed(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(str(svg_of(picture)))


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(element.itertext()) for element in root.iter(f"{SPACE}text")]


def test_nodes_are_ellipses_and_boxes_with_their_labels() -> None:
    root = parsed(Picture((Node("a", "one"), Node("b", "two <map>", "box"))))

    assert len(list(root.iter(f"{SPACE}ellipse"))) == 1
    assert len(list(root.iter(f"{SPACE}rect"))) == 1
    assert texts(root) == ["one", "two <map>"]


def test_arrows_carry_their_label_and_are_dashed_on_demand() -> None:
    root = parsed(Picture((Node("a", "a"), Node("b", "b")), (Arrow("a", "b", "key & lock", dashed=True),)))

    classes = [path.get("class") for path in root.iter(f"{SPACE}path")]
    assert "edge dashed" in classes and "head" in classes
    assert "key & lock" in texts(root)


def test_a_translucent_color_is_written_as_color_and_opacity() -> None:
    root = parsed(Picture((Node("a", "a", color="#28a74580"),)))

    style = next(root.iter(f"{SPACE}ellipse")).get("style")
    assert style == "fill:#28a745;fill-opacity:0.5"


@pytest.mark.parametrize(("color", "ink"), [("#00000080", "light"), ("#28a74580", None), ("#ffdf5d80", None)])
def test_text_is_light_on_dark_fills(color: str, ink: str | None) -> None:
    root = parsed(Picture((Node("a", "a", color=color),)))

    assert next(root.iter(f"{SPACE}text")).get("class") == ink


def test_hostile_names_stay_text() -> None:
    name = "</text><script>alert('1')</script>\x00\x1b\ud800 \"&\ufffe"

    root = parsed(Picture((Node("a", name, title=name),), name=name))

    assert not list(root.iter(f"{SPACE}script"))
    assert texts(root)[0].startswith("</text><script>")


def test_a_long_label_is_shortened_and_whole_in_the_tooltip() -> None:
    root = parsed(Picture((Node("a", "x" * 300),)))

    assert texts(root)[0] == "x" * 43 + "…"
    assert "x" * 300 in [title.text for title in root.iter(f"{SPACE}title")]


def test_the_tip_of_an_arrow_touches_the_outline_of_its_target() -> None:
    root = parsed(Picture((Node("a", "a", "box"), Node("b", "b", "box")), (Arrow("a", "b"),)))

    head = next(p for p in root.iter(f"{SPACE}path") if p.get("class") == "head").get("d") or ""
    tip = float(re.findall(r"[-\d.]+", head)[1])
    box = next(r for r in root.iter(f"{SPACE}rect") if float(r.get("y") or 0) > 10)
    assert tip == pytest.approx(float(box.get("y") or 0), abs=0.2)


def test_an_empty_picture_is_still_a_picture() -> None:
    assert parsed(Picture()).tag == f"{SPACE}svg"


def test_the_picture_follows_the_readers_color_scheme() -> None:
    assert "prefers-color-scheme:dark" in str(svg_of(Picture((Node("a", "a"),))))


def test_an_svg_shows_itself_and_saves_itself(tmp_path: Path) -> None:
    svg = Svg("<svg/>")

    path = svg.save(tmp_path / "deep" / "p.svg")

    assert path.read_text() == svg._repr_svg_() == str(svg) == "<svg/>"
    assert repr(svg) == "<Svg: 6 characters>"


def test_drawing_helpers() -> None:
    assert escaped("<&\"'>") == "&lt;&amp;&quot;&#x27;&gt;"
    assert escaped("a\x00b") == "a\N{REPLACEMENT CHARACTER}b"
    assert shortened("a\n  b", 10) == "a b"
    assert split_color("red") == ("red", 1.0)
    assert text_width("WWW", 12) > text_width("iii", 12)
    assert text_width("日本", 10) > text_width("ab", 10)
