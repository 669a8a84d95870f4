"""GitHub, GitLab and Bitbucket storage against servers that answer as the documented interfaces do."""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from dagflow.core.flow import Flow
from dagflow.exceptions import FlowStorageError
from dagflow.serialization.storage import deserialize_storage
from dagflow.storage import Bitbucket, GitHub, GitLab, Storage, _http
from dagflow.utilities.context import context

SHA = {"main": "a" * 40, "feature/new": "b" * 40, "v1": "c" * 40}
REFS = {**SHA, **{sha: sha for sha in SHA.values()}}
TOKEN = "t0ken-canary"

Answer = tuple[int, Any]


def script(sha: str) -> bytes:
    return f"from dagflow import Flow, Parameter\nflow = Flow('etl', tasks=[Parameter({sha[:4]!r})])\n".encode()


def file_at(sha: str, path: str) -> bytes | None:
    return script(sha) if path == "flows/my etl.py" else None


@dataclass
class Host:
    """A server with one repository, `me/flows`, and what was asked of it."""

    answer: Callable[[str, dict[str, str]], Answer]
    url: str = ""
    authorization: str | None = None
    busy: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answers to give first."""
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


# --- the interfaces ---


def github(path: str, query: dict[str, str]) -> Answer:
    prefix = "/repos/me/flows"
    if not path.startswith(prefix):
        return 404, {"message": "Not Found"}
    rest = path.removeprefix(prefix)
    if rest == "":
        return 200, {"full_name": "me/flows", "default_branch": "main"}
    if rest.startswith("/commits/"):
        sha = REFS.get(unquote(rest.removeprefix("/commits/")))
        return (200, {"sha": sha}) if sha else (422, {"message": "No commit found for SHA"})
    name = unquote(rest.removeprefix("/contents/"))
    if name == "flows":
        return 200, [{"type": "file", "path": "flows/my etl.py"}]
    data = file_at(query["ref"], name)
    return (200, data) if data else (404, {"message": "Not Found"})


def gitlab(path: str, query: dict[str, str]) -> Answer:
    prefix = "/api/v4/projects/me%2Fflows"
    if not path.startswith(prefix):
        return 404, {"message": "404 Project Not Found"}
    rest = path.removeprefix(prefix)
    if rest == "":
        return 200, {"id": 7, "default_branch": "main"}
    if rest.startswith("/repository/commits/"):
        name = rest.removeprefix("/repository/commits/")
        sha = REFS.get(unquote(name)) if "/" not in name else None
        return (200, {"id": sha}) if sha else (404, {"message": "404 Commit Not Found"})
    found = re.fullmatch(r"/repository/files/([^/]+)/raw", rest)
    data = found and file_at(query["ref"], unquote(found[1]))
    return (200, data) if data else (404, {"message": "404 File Not Found"})


def bitbucket_cloud(path: str, query: dict[str, str]) -> Answer:
    prefix = "/2.0/repositories/me/flows"
    if not path.startswith(prefix):
        return 404, {"type": "error", "error": {"message": "Repository not found"}}
    rest = path.removeprefix(prefix)
    if rest == "":
        return 200, {"full_name": "me/flows", "mainbranch": {"name": "main", "type": "branch"}}
    for start, names in (("/refs/branches/", ("main", "feature/new")), ("/refs/tags/", ("v1",))):
        if rest.startswith(start):
            name = unquote(rest.removeprefix(start))
            return (200, {"target": {"hash": SHA[name]}}) if name in names else (404, {"type": "error"})
    if rest.startswith("/commit/"):
        sha = rest.removeprefix("/commit/")
        return (200, {"hash": sha}) if sha in SHA.values() else (404, {"type": "error"})
    sha, _, name = rest.removeprefix("/src/").partition("/")
    if unquote(name) == "flows":
        return 200, {"values": []}
    data = file_at(sha, unquote(name))
    return (200, data) if data else (404, {"type": "error"})


def bitbucket_server(path: str, query: dict[str, str]) -> Answer:
    prefix = "/rest/api/1.0/projects/me/repos/flows"
    if not path.startswith(prefix):
        return 404, {"errors": [{"message": "Repository me/x does not exist."}]}
    rest = path.removeprefix(prefix)
    if rest == "":
        return 200, {"slug": "flows"}
    if rest == "/commits":
        sha = REFS.get(query.get("until", "main"))
        return (200, {"values": [{"id": sha}]}) if sha else (404, {"errors": [{"message": "no such commit"}]})
    data = file_at(query["at"], unquote(rest.removeprefix("/raw/")))
    return (200, data) if data else (404, {"errors": [{"message": "no such file"}]})


@contextmanager
def serving(host: Host) -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            host.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, content, headers = self._answer()
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            kind = "text/plain" if isinstance(content, bytes) else "application/json; charset=utf-8"
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), "Content-Type": kind, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def _answer(self) -> tuple[int, Any, dict[str, str]]:
            if host.busy:
                status, headers = host.busy.pop(0)
                return status, {}, headers
            if host.authorization is not None and self.headers.get("Authorization") != host.authorization:
                return 401, {"message": "Bad credentials"}, {}
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            return *host.answer(parts.path, query), {}

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Kind:
    """A storage, and the server it talks to."""

    answer: Callable[[str, dict[str, str]], Answer]
    make: Callable[..., Storage]
    authorization: str
    secrets: dict[str, str]
    naming: dict[str, str]
    """The settings that name these secrets."""


def _github(url: str, repo: str = "flows", **settings: Any) -> Storage:
    return GitHub(f"me/{repo}", settings.pop("path", "flows/my etl.py"), base_url=url, **settings)


def _gitlab(url: str, repo: str = "flows", **settings: Any) -> Storage:
    return GitLab(f"me/{repo}", host=url, **{"path": "flows/my etl.py", **settings})


def _cloud(url: str, repo: str = "flows", **settings: Any) -> Storage:
    return Bitbucket("PRO", repo, workspace="me", host=url, **{"path": "flows/my etl.py", **settings})


def _server(url: str, repo: str = "flows", **settings: Any) -> Storage:
    return Bitbucket("me", repo, host=url, **{"path": "flows/my etl.py", **settings})


BASIC = f"Basic {base64.b64encode(f'ann:{TOKEN}'.encode()).decode()}"
CLOUD_SECRETS = {"BITBUCKET_CLOUD_USERNAME": "ann", "BITBUCKET_CLOUD_APP_PASSWORD": TOKEN}
CLOUD_NAMES = {"cloud_username_secret": "BITBUCKET_CLOUD_USERNAME"}
CLOUD_NAMES |= {"cloud_app_password_secret": "BITBUCKET_CLOUD_APP_PASSWORD"}
BEARER = f"Bearer {TOKEN}"

KINDS = {
    "GitHub": Kind(
        github, _github, BEARER, {"GITHUB_ACCESS_TOKEN": TOKEN}, {"access_token_secret": "GITHUB_ACCESS_TOKEN"}
    ),
    "GitLab": Kind(
        gitlab, _gitlab, BEARER, {"GITLAB_ACCESS_TOKEN": TOKEN}, {"access_token_secret": "GITLAB_ACCESS_TOKEN"}
    ),
    "Bitbucket Cloud": Kind(bitbucket_cloud, _cloud, BASIC, CLOUD_SECRETS, CLOUD_NAMES),
    "Bitbucket Server": Kind(
        bitbucket_server,
        _server,
        BEARER,
        {"BITBUCKET_ACCESS_TOKEN": TOKEN},
        {"access_token_secret": "BITBUCKET_ACCESS_TOKEN"},
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def host(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(_http, "PAUSE_SECONDS", 0)
    for one in KINDS.values():
        for name in one.secrets:
            monkeypatch.delenv(name, raising=False)
    with serving(Host(kind.answer)) as host:
        yield host


def loaded(storage: Storage) -> Flow:
    storage.add_flow(Flow("etl"))
    return deserialize_storage(json.loads(json.dumps(storage.build().serialize()))).get_flow("etl")


def commit_of(flow: Flow) -> str:
    return next(task.name for task in flow.tasks) * 10


@pytest.mark.parametrize("ref", [None, *REFS])
def test_the_file_of_a_ref_is_fetched(kind: Kind, host: Host, ref: str | None) -> None:
    flow = loaded(kind.make(host.url, ref=ref))

    assert flow.name == "etl" and commit_of(flow) == REFS[ref or "main"]


def test_the_commit_is_logged(kind: Kind, host: Host, caplog: pytest.LogCaptureFixture) -> None:
    loaded(kind.make(host.url, ref="v1"))

    assert f"at commit {SHA['v1']}" in caplog.text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"repo": "nope"}, r"no repository 'me/nope'"),
        ({"ref": "nope"}, r"no branch, tag or commit 'nope'"),
        ({"path": "nope.py"}, r"no file 'nope\.py' at commit aaaaaaaaaaaa"),
        ({"path": "flows"}, r"no file 'flows' at commit"),
    ],
)
def test_missing_repositories_refs_and_files_are_told_apart(
    kind: Kind, host: Host, settings: dict[str, str], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(FlowStorageError, match=words):
        loaded(kind.make(host.url, **settings))

    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1 and re.search(words, errors[0])


# --- credentials ---


@pytest.mark.parametrize("where", ["named", "secret", "environment"])
def test_credentials_are_found_and_sent(kind: Kind, host: Host, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host.authorization = kind.authorization
    settings = kind.naming if where == "named" else {}
    if where == "environment":
        for name, value in kind.secrets.items():
            monkeypatch.setenv(name, value)

    with context(secrets={} if where == "environment" else kind.secrets):
        assert loaded(kind.make(host.url, **settings)).name == "etl"


def test_nothing_is_sent_without_credentials(kind: Kind, host: Host) -> None:
    loaded(kind.make(host.url))

    assert not any("authorization" in headers for headers in host.headers)


def test_wrong_credentials_are_named_and_not_shown(kind: Kind, host: Host) -> None:
    host.authorization = "Bearer another"

    with (
        context(secrets=kind.secrets),
        pytest.raises(FlowStorageError, match=r"answered 401.*Check the token") as caught,
    ):
        loaded(kind.make(host.url))
    assert TOKEN not in str(caught.value)


def test_half_of_the_clouds_credentials_is_refused() -> None:
    wanted = pytest.raises(FlowStorageError, match="Set BITBUCKET_CLOUD_APP_PASSWORD")
    with context(secrets={"BITBUCKET_CLOUD_USERNAME": "ann"}), wanted:
        loaded(_cloud("http://127.0.0.1:9"))


def test_bitbucket_wants_a_workspace_or_a_host() -> None:
    with pytest.raises(FlowStorageError, match="found neither"):
        loaded(Bitbucket("me", "flows", path="f.py"))


def test_credentials_do_not_follow_to_another_host(kind: Kind, host: Host) -> None:
    with serving(Host(kind.answer)) as other, context(secrets=kind.secrets):
        host.busy = [(302, {"Location": f"{other.url}/elsewhere"})]
        with pytest.raises(FlowStorageError):
            loaded(kind.make(host.url))

        assert other.headers and TOKEN not in str(other.headers) and BASIC not in str(other.headers)


# --- servers that are busy, odd or away ---


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(kind: Kind, host: Host, status: int) -> None:
    host.busy = [(status, {"Retry-After": "0"})] * 3

    assert loaded(kind.make(host.url)).name == "etl"


def test_a_busy_server_is_not_asked_for_ever(kind: Kind, host: Host) -> None:
    host.busy = [(429, {"Retry-After": "never"})] * 9

    with pytest.raises(FlowStorageError, match=r"answered 429.*try again later"):
        loaded(kind.make(host.url))
    assert len(host.asked) == 4


def test_a_server_that_forbids_for_a_while_is_asked_again(kind: Kind, host: Host) -> None:
    host.busy = [(403, {"Retry-After": "0"})]
    assert loaded(kind.make(host.url)).name == "etl"

    host.busy = [(403, {})]
    with pytest.raises(FlowStorageError, match=r"answered 403.*may read there"):
        loaded(kind.make(host.url))


def test_a_server_of_something_else_is_a_storage_error(kind: Kind, host: Host) -> None:
    for content in (b"<html>hello</html>", [1], {}):
        host.answer = lambda path, query, content=content: (200, content)  # type: ignore[misc]
        with pytest.raises(FlowStorageError):
            loaded(kind.make(host.url))


def test_a_server_that_is_away_is_a_storage_error(kind: Kind, host: Host) -> None:
    with pytest.raises(FlowStorageError, match="the server cannot be reached"):
        loaded(kind.make("http://127.0.0.1:9"))


# --- hostile names ---

HOSTILE = ["../../../user", "..", "a/../../b", "\x00", "a\r\nX-Evil: 1", "main..", "-x", ""]


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("name", ["ref", "path"])
def test_hostile_names_stay_in_the_repository(kind: Kind, host: Host, name: str, word: str) -> None:
    storage = kind.make(host.url, **{name: word})
    storage.flows["etl"] = storage.path if name == "path" else "flows/my etl.py"  # type: ignore[attr-defined]

    with pytest.raises(FlowStorageError):
        storage.get_flow("etl")

    assert all("flows" in path and "/.." not in path for path in host.asked)
    assert not any("x-evil" in headers for headers in host.headers)
