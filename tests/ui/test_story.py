"""From an empty database to a failed run that was restarted, as somebody clicks it together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagflow.testing import InProcessServer
from tests.served import registered
from tests.server.processes import environment
from tests.ui.site import Site

SCRIPT = '''
import os

from dagflow import Flow, Parameter, task


@task
def extract(rows):
    return list(range(rows))


@task
def load(numbers):
    if os.path.exists("blocked"):
        raise OSError("The warehouse does not answer.")
    return sum(numbers)


with Flow("orders") as flow:
    load(extract(Parameter("rows", default=3)))
'''
WAIT = 60_000


@pytest.fixture
def shell(server: InProcessServer, tmp_path: Path) -> Iterator[Any]:
    """Give a function that does what somebody types, in a folder with a script; commands may stay."""
    (tmp_path / "orders.py").write_text(SCRIPT)
    variables = environment(tmp_path / "home", **{"cloud.api": server.url, "cloud.heartbeat_interval": "1"})
    staying: list[subprocess.Popen[bytes]] = []

    def type_in(*words: str, stays: bool = False) -> None:
        command = [sys.executable, "-m", "dagflow", *words]
        if stays:
            staying.append(
                subprocess.Popen(
                    command, cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        else:
            subprocess.run(command, cwd=tmp_path, env=variables, check=True, capture_output=True)

    yield type_in
    for process in staying:
        process.terminate()
        process.wait(20)


def test_from_an_empty_database_to_a_restarted_failure(site: Site, shell: Any, tmp_path: Path) -> None:
    page = site.open("/")
    page.click("a:text-is('First steps')")
    page.wait_for_selector("h1:text-is('First steps')")
    shell("create", "project", "shop")
    shell("register", "--project", "shop", "-p", "orders.py")
    shell("agent", "local", "start", stays=True)
    page.wait_for_selector("a:text-is('Run it')", timeout=WAIT)
    page.wait_for_selector("li.done:has-text('Start an agent')", timeout=WAIT)

    page.click("a:text-is('orders')")
    page.click("a.primary:text-is('Run …')")
    (tmp_path / "blocked").touch()
    page.fill("#parameter-rows", "4")
    page.get_by_label("Name of the run").fill("first-try")
    page.click("button[type=submit]:text-is('Run')")

    page.wait_for_selector("h1:text-is('first-try')")
    page.wait_for_selector(".head .state-Failed", timeout=WAIT)
    page.click("role=tab[name='Logs']")
    page.wait_for_selector("text=The warehouse does not answer.")

    (tmp_path / "blocked").unlink()
    page.click("button:text-is('Restart')")
    page.wait_for_selector("dialog >> text=will run again")
    assert page.locator("dialog .again li").all_inner_texts() != []
    page.click("dialog button[type=submit]")
    page.wait_for_selector(".head .state-Success", timeout=WAIT)
    with site.server.client() as client:
        run = client.get("flow_runs", {"name": "first-try"})["items"][0]
        assert (run["state"], run["parameters"]) == ("Success", {"rows": 4})


def made_run(server: InProcessServer) -> str:
    with server.client() as client:
        return str(client.create_flow_run(flow_id=registered(server), run_name="watched"))


def test_a_state_set_in_one_tab_is_not_undone_from_another(site: Site) -> None:
    run = made_run(site.server)
    page = site.open(f"/runs/{run}")
    page.wait_for_selector(".head .state-Scheduled")
    # The page must not hear of it before the button is pressed.
    page.route("**/api/events*", lambda route: route.abort())
    site.allowed = ("ERR_FAILED", "net::")
    page.click("button:text-is('Set state')")
    with site.server.client() as client:
        client.post(f"flow_runs/{run}/states", {"state": {"type": "Cancelled", "message": "By somebody else."}})
    page.select_option("dialog select[name=state]", "Failed")
    page.click("dialog button[type=submit]")

    page.wait_for_selector("text=The run has moved on")
    assert "Cancelled" in page.inner_text("dialog") and "Scheduled" in page.inner_text("dialog")
    page.click("dialog button:text-is('Reload')")
    page.wait_for_selector(".head .state-Cancelled")


def test_what_happens_shows_by_itself_and_a_server_that_is_away_is_told(site: Site) -> None:
    run = made_run(site.server)
    page = site.open(f"/runs/{run}")
    page.wait_for_selector(".head .state-Scheduled")
    with site.server.client() as client:
        client.post(f"flow_runs/{run}/states", {"state": {"type": "Cancelled", "message": "Enough."}})
    page.wait_for_selector(".head .state-Cancelled")

    site.allowed = ("ERR_INTERNET_DISCONNECTED", "Failed to fetch", "network error", "net::", "ERR_")
    site.context.set_offline(True)
    page.wait_for_selector("#banner:not([hidden]) >> text=The server does not answer", timeout=WAIT)
    site.context.set_offline(False)
    page.wait_for_selector("#banner[hidden]", state="attached", timeout=WAIT)


def test_a_run_is_found_and_cancelled_by_keyboard_alone(site: Site) -> None:
    run = made_run(site.server)
    page = site.open("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("watched")
    page.wait_for_selector("dialog .found a")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{run}")
    page.wait_for_selector(".head .state-Scheduled")
    page.locator("button:text-is('Cancel')").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    for _ in range(6):
        if page.evaluate("document.activeElement.matches('dialog [type=submit]')"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".head .state-Cancelled")


def test_a_run_form_says_at_the_field_what_does_not_fit(site: Site) -> None:
    from tests.server.calls import flow_document

    document = flow_document(name="typed", tasks=["work"], edges=[], parameters={"weeks": 4})
    document["parameters"][0]["schema"] = {"type": "integer", "minimum": 1, "maximum": 52}
    with site.server.client() as client:
        client.create_project("shop")
        answer = client.post("flows/register", {"flow": document, "project_name": "shop"})
    page = site.open(f"/flows/{answer['id']}/run")
    page.fill("#parameter-weeks", "99")
    assert page.is_disabled("button[type=submit]:text-is('Run')")
    assert page.inner_text("#parameter-weeks ~ .problem") == "This is to be at most 52."
    page.fill("#parameter-weeks", "12")
    page.click("button[type=submit]:text-is('Run')")
    page.wait_for_url("**/runs/*")
    with site.server.client() as client:
        assert client.get("flow_runs")["items"][0]["parameters"] == {"weeks": 12}


def test_a_server_that_needs_a_key_asks_for_it(browser: Any) -> None:
    from dagflow.server.clock import SystemClock

    with InProcessServer(clock=SystemClock(), port=True, require_key=True) as server:
        from dagflow.server.store import keys

        made = server.backend.database.write(lambda tx: keys.create_key(tx, "me", "admin", None))
        context = browser.new_context()
        with Site(server, context) as site:
            site.allowed = ("401",)
            page = site.open("/flows")
            page.wait_for_url("**/login?next=*")
            page.fill("#key", "df_wrong")
            page.click("button[type=submit]")
            page.wait_for_selector("text=This server needs an API key")
            page.fill("#key", made["key"])
            page.click("button[type=submit]")
            page.wait_for_url("**/flows")
            page.wait_for_selector("h1:text-is('Flows')")
            assert site.faults == []
        context.close()
