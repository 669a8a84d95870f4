"""What holds for every page, whatever is on it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dagflow.server.ui.pages import HEADERS, PAGES
from dagflow.testing import InProcessServer
from tests.served import registered
from tests.ui.site import Site

SCRIPT = "<img src=x onerror=\"document.title='stolen'\"><script>document.title='stolen'</script>"
"""What people write who hope that a page reads it as HTML."""

LABELS = """
() => [...document.querySelectorAll("button, a[href], input, select, textarea")].filter((element) => {
  const text = element.textContent.trim() || element.getAttribute("aria-label") || element.title ||
    element.labels?.length || element.getAttribute("aria-labelledby") || element.placeholder || element.value;
  return !text && element.offsetParent !== null;
}).map((element) => element.outerHTML.slice(0, 120))
"""

CONTRAST = """
() => {
  const channel = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const numbers = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(one).backgroundColor);
      if (a > 0.9) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const isShown = walker.currentNode.data.trim() && element.offsetParent !== null;
    if (!isShown || element.closest("svg, :disabled, .skip")) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(numbers(style.color)), light(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const text = walker.currentNode.data.trim().slice(0, 40);
    if (ratio < 4.5) found.push(`${ratio.toFixed(1)} ${style.color} ${element.className} ${text}`);
  }
  return [...new Set(found)];
}
"""


def paths(server: InProcessServer) -> dict[str, str]:
    """Return an address of each page, with something on it."""
    flow = registered(server)
    with server.client() as client:
        run = client.create_flow_run(flow_id=flow)
        client.post(f"flow_runs/{run}/begin", {})
        task_run = client.get(f"flow_runs/{run}/task_runs")["items"][0]
        agent = client.register_agent("local", name="one")
        group = client.get(f"flows/{flow}")["flow_group_id"]
    names = {
        "{flow}": group, "{version:int}": "1", "{run}": run, "{task:path}": task_run["task_slug"],
        "{task_run}": task_run["id"], "{agent}": agent,
    }  # fmt: skip
    return {path: re.sub(r"\{.*?\}", lambda match: names[match[0]], path) for path in PAGES}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_show_themselves_without_an_error_and_can_be_read(site: Site, scheme: str, width: int) -> None:
    site.page.emulate_media(color_scheme=scheme)
    site.page.set_viewport_size({"width": width, "height": 900})
    problems: dict[str, Any] = {}
    for address in paths(site.server).values():
        page = site.open(address)
        page.wait_for_timeout(250)
        assert page.inner_text("#page h1").strip() not in ("This page could not be shown", "Not found"), address
        found = page.evaluate(LABELS) + page.evaluate(CONTRAST)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            found.append("wider than the window")
        if found:
            problems[address] = found
    assert problems == {}


def test_pages_are_sent_with_a_strict_policy_and_hold_no_data(server: InProcessServer) -> None:
    import httpx2

    with httpx2.Client(base_url=server.url) as http:
        for address in paths(server).values():
            answer = http.get(address)
            assert answer.status_code == 200, address
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
            assert "etl" not in answer.text and "unsafe" not in answer.headers["Content-Security-Policy"]
            assert not re.search(r"<script(?![^>]*src=)|style=|\son\w+=", answer.text)


def test_pages_weigh_little(site: Site) -> None:
    sizes: dict[str, int] = {}
    heavy = {}

    def weigh(answer: Any) -> None:
        if "/static/" in answer.url:
            sizes[answer.url] = answer.request.sizes()["responseBodySize"]

    site.page.on("response", weigh)
    for address in paths(site.server).values():
        sizes.clear()
        site.open(address)
        site.page.wait_for_timeout(200)
        if sum(sizes.values()) > 150_000:
            heavy[address] = dict(sizes)
    assert heavy == {}


def test_old_addresses_lead_to_the_new_ones(site: Site) -> None:
    there = paths(site.server)
    run, task_run = there["/runs/{run}"].split("/")[-1], there["/task-runs/{task_run}"].split("/")[-1]

    assert site.open(f"/flow-run/{run}?logs").url.startswith(f"{site.server.url}/runs/{run}")
    assert site.open(f"/task-run/{task_run}").url.startswith(f"{site.server.url}/task-runs/{task_run}")


def test_nothing_that_people_write_becomes_part_of_a_page(site: Site) -> None:
    server = site.server
    with server.client() as client:
        project = client.create_project(SCRIPT, SCRIPT)
        flow = registered(server, name=SCRIPT, project=SCRIPT)
        run = client.create_flow_run(flow_id=flow, run_name=SCRIPT, labels=[SCRIPT], context={SCRIPT: SCRIPT})
        begun = client.post(f"flow_runs/{run}/begin", {})
        running = {"state": {"type": "Running", "message": SCRIPT}, "token": begun["run_token"], "reason": SCRIPT}
        client.post("states", {"flow_runs": [{"flow_run_id": run, **running}]})
        line = {"flow_run_id": run, "level": "ERROR", "message": SCRIPT, "name": SCRIPT}
        client.post("logs", {"logs": [line]})
        client.post("kv", {"key": SCRIPT, "value": {SCRIPT: SCRIPT}})
        client.register_agent("local", name=SCRIPT, labels=[SCRIPT])
        client.update_task_tag_limit(SCRIPT, 1)
        task_run = begun["task_runs"][0]
        group = client.get(f"flows/{flow}")["flow_group_id"]
        text = {"markdown": f"[x](javascript:alert(1)) {SCRIPT}"}
        client.post("artifacts", {"task_run_id": task_run["id"], "kind": "markdown", "data": text, "key": "note"})
    tabs = {
        f"/runs/{run}": ("timeline", "graph", "tasks", "logs", "artifacts", "events", "details"),
        f"/flows/{group}": ("overview", "graph", "grid", "runs", "tasks", "versions", "schedules", "settings"),
    }
    addresses = [f"{path}?tab={tab}" for path, names in tabs.items() for tab in names]
    addresses += ["/", "/flows", "/runs", "/queue", "/agents", "/data", "/projects", "/events", "/admin"]
    addresses += ["/search?q=img"]
    addresses += [f"/flows/{group}/run", f"/task-runs/{task_run['id']}", f"/flows?project_id={project}"]

    for address in addresses:
        page = site.open(address)
        page.wait_for_timeout(300)
        assert page.title() != "stolen", address
        assert page.evaluate("document.querySelectorAll('#page img[src=x], #page script').length") == 0, address
        assert page.evaluate("[...document.links].every((one) => /^https?:/.test(one.href))"), address


# --- pages of others -----------------------------------------------------------------------------------------------


STRANGER = """
<body><form id=form method=post action="URL/api/projects"><input name=name value=taken></form>
<script>
const body = JSON.stringify({name: "taken"});
const headers = (type) => ({"Content-Type": type});
const post = (type, more) => fetch("URL/api/projects", {method: "POST", headers: headers(type), body, ...more});
window.done = Promise.allSettled([
  post("text/plain", {mode: "no-cors"}),
  post("application/json", {}),
  fetch("URL/api/projects").then((answer) => answer.text()),
]);
</script>
"""


def test_a_page_of_another_origin_changes_and_reads_nothing(site: Site, elsewhere: Any) -> None:
    url = site.server.url
    stranger = elsewhere(STRANGER.replace("URL", url))
    page = site.context.new_page()
    page.goto(stranger)

    outcomes = page.evaluate("window.done.then((all) => all.map((one) => one.value?.type ?? one.status))")
    page.evaluate("document.getElementById('form').submit()")
    page.wait_for_timeout(300)

    assert outcomes == ["opaque", "rejected", "rejected"]
    with site.server.client() as client:
        assert client.get("projects")["items"] == []


def test_a_name_that_points_here_by_somebody_elses_will_is_refused(server: InProcessServer) -> None:
    import httpx2

    answer = httpx2.get(f"{server.url}/", headers={"Host": "evil.example:4200"})

    assert answer.status_code == 400 and "Host" in answer.text
