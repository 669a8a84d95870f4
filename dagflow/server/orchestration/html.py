"""
What tasks show, as HTML that does no harm: no scripts, no styles, nothing from elsewhere, links to the web only.

Pure; a long text takes a while, so it is not for the thread that answers requests.
"""

from __future__ import annotations

import html
from typing import Any

from dagflow.server.errors import Invalid

__all__ = ["html_of"]

TAGS = frozenset(
    """
    a abbr b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li ol p pre s span strong sub sup table
    tbody td tfoot th thead tr ul
    """.split()  # noqa: SIM905
)
"""What may be in the HTML; images are not, because a page would fetch them from wherever the text says."""

ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}


def html_of(kind: str, data: Any) -> str:
    """
    Return an artifact as HTML.

    Raises:
        Invalid: for a kind that is shown in another way.

    >>> html_of("markdown", {"markdown": "# Rows <script>alert(1)</script>"})
    '<h1>Rows &lt;script&gt;alert(1)&lt;/script&gt;</h1>\\n'
    """
    value = data.get(kind) if isinstance(data, dict) else data
    if kind not in ("markdown", "link"):
        raise Invalid(f"An artifact of the kind {kind!r} is shown from its data, not as HTML.")
    text = value if isinstance(value, str) else ""
    if kind == "link":
        address = html.escape(text)
        return _cleaned(f'<a href="{address}">{address}</a>')
    return _cleaned(_from_markdown(text))


def _from_markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    made: str = reader.render(text)
    return made


def _cleaned(text: str) -> str:
    import nh3

    return nh3.clean(
        text,
        tags=set(TAGS),
        attributes=ATTRIBUTES,
        url_schemes={"http", "https"},
        url_relative="deny",
        link_rel="noopener noreferrer",
    )
