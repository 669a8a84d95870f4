"""
What our SVG pictures share: the picture object, safe text, and a guess at how wide text is.

>>> escaped("a < b")
'a &lt; b'
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

__all__ = ["FONT", "Svg", "escaped", "number", "shortened", "split_color", "text_width"]

FONT = "Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif"
"""Faces present nearly everywhere; all are about as wide as :func:`text_width` thinks."""

_NARROW = frozenset("iljtfrI.,:;'|!()[]{} -/\\\"`")
_WIDE = frozenset("mwMW@%—…<>+=~")


class Svg:
    """
    A finished picture: shows itself in notebooks, converts to text, saves itself.

    >>> str(Svg("<svg/>"))
    '<svg/>'
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Svg: {len(self.text)} characters>"

    def _repr_svg_(self) -> str:
        return self.text

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to *path* and return it as a :class:`~pathlib.Path`; folders are made as needed."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.text, encoding="utf-8")
        return target


def escaped(text: object) -> str:
    """
    Return *text* fit for XML content and attributes.

    Characters that XML cannot hold at all (controls, lone surrogates) become ``\\N{REPLACEMENT CHARACTER}``.
    """
    whole = "".join(c if _fits_xml(c) else "\N{REPLACEMENT CHARACTER}" for c in str(text))
    return escape(whole, quote=True)


def _fits_xml(character: str) -> bool:
    code = ord(character)
    return code >= 0x20 and not 0xD800 <= code <= 0xDFFF and code not in (0xFFFE, 0xFFFF) or character in "\t\n\r"


def shortened(text: str, most: int) -> str:
    """
    Return *text* on one line and in at most *most* characters.

    >>> shortened("one two three", 8)
    'one two…'
    """
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def text_width(text: str, size: float) -> float:
    """Guess how many pixels *text* takes in a sans-serif face of the given *size*, a little on the safe side."""
    units = 0.0
    for c in text:
        if c in _NARROW:
            units += 0.36
        elif c in _WIDE:
            units += 0.92
        elif ord(c) >= 0x1100:
            units += 1.05
        else:
            units += 0.68 if c.isupper() else 0.58
    return units * size


def number(value: float) -> str:
    """
    Write a coordinate briefly.

    >>> number(3.0), number(2.345)
    ('3', '2.3')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def split_color(color: str) -> tuple[str, float]:
    """
    Return ``#rrggbb`` and the opacity of a colour that may carry an alpha part.

    Old SVG readers know no eight-digit colours, so the parts are written apart.

    >>> split_color("#28a74580")
    ('#28a745', 0.5)
    """
    if len(color) == 9 and color.startswith("#"):
        return color[:7], round(int(color[7:], 16) / 255, 2)
    return color, 1.0
