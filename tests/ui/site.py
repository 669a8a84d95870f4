"""The pages of a server as a browser sees them."""

from __future__ import annotations

from typing import Any, Self

from dagflow.testing import InProcessServer

__all__ = ["Site"]


class Site:
    """
    A tab, and what went wrong in it.

    Args:
        server: whose pages these are.
        context: of the browser.
    """

    def __init__(self, server: InProcessServer, context: Any) -> None:
        self.server = server
        self.context = context
        self.faults: list[str] = []
        self.allowed: tuple[str, ...] = ()
        """Parts of what may be said on the console, where a test brings it about."""
        self.page = self.tab()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for page in self.context.pages:
            page.close()

    def tab(self) -> Any:
        """Open another tab."""
        page = self.context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: self._fault(f"error on {page.url}: {error}"))
        page.on("console", lambda message: self._said(page, message))
        page.on("request", lambda request: self._asked(page, request.url))
        return page

    def open(self, path: str, page: Any = None) -> Any:
        """Open a page of the server and wait until it has shown itself."""
        page = page or self.page
        page.goto(self.server.url + path)
        page.wait_for_selector("#page h1")
        return page

    def _said(self, page: Any, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._fault(f"console of {page.url}: {message.text}")

    def _asked(self, page: Any, url: str) -> None:
        if not url.startswith((self.server.url, "data:", "blob:")) and page.url.startswith(self.server.url):
            self._fault(f"{page.url} asked {url}")

    def _fault(self, text: str) -> None:
        if not any(part in text for part in self.allowed):
            self.faults.append(text)
