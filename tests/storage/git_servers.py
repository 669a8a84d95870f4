"""Real git servers on this machine: a repository over HTTP, by dulwich and by git itself."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

WHO = "Tester <tester@example.com>"
App = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass
class GitServer:
    """Where the repository is, and what was asked."""

    url: str = ""
    credentials: str | None = None
    """``user:password`` that must be given."""
    seen: list[str] = field(default_factory=list)
    """The credentials of each request, an empty text for none."""

    def address(self, credentials: str = "") -> str:
        scheme, rest = self.url.split("://")
        return f"{scheme}://{credentials}{'@' if credentials else ''}{rest}"


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = False


def _guarded(app: App, server: GitServer) -> App:
    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        kind, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        credentials = base64.b64decode(given).decode() if kind == "Basic" else ""
        server.seen.append(credentials)
        if server.credentials is not None and credentials != server.credentials:
            start_response("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="git"')])
            return [b""]
        return app(environ, start_response)

    return guarded


def dulwich_app(root: Path) -> App:
    """Return dulwich's own server."""
    from dulwich.repo import Repo
    from dulwich.server import DictBackend
    from dulwich.web import make_wsgi_chain

    app: App = make_wsgi_chain(DictBackend({"/flows.git": Repo(str(root / "flows.git"))}))
    return app


def git_app(root: Path) -> App:
    """Return what git itself brings for web servers; it hands out any commit by its id, as the big hosts do."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        variables = {key: value for key, value in environ.items() if isinstance(value, str)}
        variables |= {"GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": ""}
        if "HTTP_GIT_PROTOCOL" in environ:
            variables["GIT_PROTOCOL"] = environ["HTTP_GIT_PROTOCOL"]
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "-c", "uploadpack.allowAnySHA1InWant=true", "http-backend"],
            input=body,
            env={**os.environ, **variables},
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        start_response(status, [pair for pair in headers if pair[0] != "Status"])
        return [content]

    return app


@contextmanager
def git_server(app: App) -> Iterator[GitServer]:
    """Serve the repository ``flows.git`` on a free port."""
    server = GitServer()
    http = make_server("127.0.0.1", 0, _guarded(app, server), server_class=_Server, handler_class=_Handler)
    server.url = f"http://127.0.0.1:{http.server_port}/flows.git"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def make_repository(root: Path, history: list[dict[str, str]]) -> list[str]:
    """
    Make ``flows.git`` with a commit for each of *history*, and return their ids.

    The last is on ``main``, the first is tagged ``v1`` and ``v1-annotated``, the second is the branch ``feature/old``.
    """
    from dulwich import porcelain

    work = root / "flows.git"
    work.mkdir(parents=True)
    repo = porcelain.init(str(work))
    commits = []
    for files in history:
        for name, text in files.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text)
            porcelain.add(repo, [str(work / name)])
        commits.append(porcelain.commit(repo, message=b"change", author=WHO.encode(), committer=WHO.encode()))
    repo.refs[b"refs/heads/main"] = commits[-1]
    repo.refs.set_symbolic_ref(b"HEAD", b"refs/heads/main")
    del repo.refs[b"refs/heads/master"]
    repo.refs[b"refs/heads/feature/old"] = commits[1]
    repo.refs[b"refs/tags/v1"] = commits[0]
    porcelain.tag_create(
        repo, b"v1-annotated", message=b"one", annotated=True, objectish=commits[0], author=WHO.encode(), sign=False
    )
    repo.close()
    return [commit.decode() for commit in commits]
