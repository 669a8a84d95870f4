"""
Make the pictures of the tour anew, from the demo's database.

    .venv/bin/python docs/tour_pictures.py

It needs Playwright, which is among the ``dev`` extras, and a Chromium (``DAGFLOW_TESTS_CHROMIUM`` names another one).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from dagflow.server.clock import SystemClock
from dagflow.server.database.engine import Database
from dagflow.server.database.upgrade import upgrade
from dagflow.server.demo import fill
from dagflow.testing import InProcessServer

IMAGES = Path(__file__).parent / "images"
WIDE, PHONE = (1280, 860), (390, 844)


def pages(client: Any) -> dict[str, tuple[str, str, tuple[int, int]]]:
    """Return the address, the colours and the size of each picture."""
    failed = client.get("flow_runs", {"state": "Failed", "started": True, "limit": 1})["items"][0]
    groups = {one["name"]: one for one in client.get("flow_groups/overview")["items"]}
    sales, forecast = groups["daily-sales"]["group_id"], groups["demand-forecast"]
    trained = client.get("flow_runs", {"flow_group_id": forecast["group_id"], "started": True, "limit": 1})["items"][0]
    return {
        "home": ("/", "light", WIDE),
        "flows": ("/flows", "light", WIDE),
        "flow": (f"/flows/{sales}", "light", WIDE),
        "grid": (f"/flows/{sales}?tab=grid", "light", WIDE),
        "versions": (f"/flows/{sales}?tab=versions", "light", WIDE),
        "run_form": (f"/flows/{sales}/run", "light", WIDE),
        "runs": ("/runs?order=start", "light", WIDE),
        "timeline": (f"/runs/{failed['id']}", "light", WIDE),
        "graph": (f"/runs/{trained['id']}?tab=graph", "dark", WIDE),
        "logs": (f"/runs/{failed['id']}?tab=logs", "dark", WIDE),
        "queue": ("/queue", "light", WIDE),
        "agents": ("/agents", "light", WIDE),
        "phone": (f"/runs/{failed['id']}", "light", PHONE),
    }


def main() -> None:
    """Fill a temporary database and take all pictures."""
    from playwright.sync_api import sync_playwright

    program = os.environ.get("DAGFLOW_TESTS_CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        url = f"sqlite:///{folder}/demo.db"
        database = Database(url)
        upgrade(database.writer, url)
        fill(database)
        database.close()
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        with InProcessServer(SystemClock(), url, port=True, lost_after=1e9) as server, server.client() as client:
            for name, (path, scheme, (width, height)) in pages(client).items():
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                page.goto(server.url + path)
                page.wait_for_selector("#page h1")
                page.wait_for_timeout(1_500)
                page.screenshot(path=IMAGES / f"ui_{name}.png")
                page.close()
                print(f"images/ui_{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
