"""Git storage against real git servers, over HTTP with and without passwords, and files."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dulwich", reason="needs the git extra")

from dagflow.core.flow import Flow
from dagflow.exceptions import FlowStorageError
from dagflow.serialization.storage import deserialize_storage
from dagflow.storage import Git, _git
from dagflow.storage._git import parse_remote
from dagflow.utilities.context import context
from tests.storage.git_servers import GitServer, dulwich_app, git_app, git_server, make_repository

# After a refusal dulwich leaves its connection to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

TOKEN = "t0ken-canary"


def script(version: int) -> str:
    return (
        "from dagflow import Flow, task\n"
        f"import beside\n"
        "@task\n"
        "def read():\n"
        "    import lazy_neighbour\n"
        "    return beside.VERSION, lazy_neighbour.WORD\n"
        f"with Flow('etl-{version}') as flow:\n"
        "    read()\n"
        f"other = Flow('other')\n"
    )


HISTORY = [
    {"flows/etl.py": script(n), "flows/beside.py": f"VERSION = {n}", "flows/lazy_neighbour.py": "WORD = 'lazy'"}
    for n in range(4)
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("git")


@pytest.fixture(scope="module")
def commits(root: Path) -> list[str]:
    return make_repository(root, HISTORY)


@pytest.fixture(params=[dulwich_app, git_app], ids=["dulwich", "git"])
def server(request: pytest.FixtureRequest, root: Path, commits: list[str]) -> Iterator[GitServer]:
    with git_server(request.param(root)) as one:
        yield one


@pytest.fixture(autouse=True)
def _path_and_modules() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before
    for name in ("beside", "lazy_neighbour"):
        sys.modules.pop(name, None)


def storage_for(name: str, **settings: Any) -> Git:
    storage = Git("flows/etl.py", git_clone_url_secret_name="URL", **settings)
    storage.add_flow(Flow(name))
    return deserialize_storage(json.loads(json.dumps(storage.build().serialize())))  # type: ignore[return-value]


def loaded(server: GitServer, name: str, credentials: str = "", **settings: Any) -> Flow:
    with context(secrets={"URL": server.address(credentials)}):
        return storage_for(name, **settings).get_flow(name)


def test_the_default_branch_is_cloned(server: GitServer) -> None:
    assert loaded(server, "etl-3").name == "etl-3"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"branch_name": "main"}, "etl-3"),
        ({"branch_name": "feature/old"}, "etl-1"),
        ({"tag": "v1"}, "etl-0"),
        ({"tag": "v1-annotated"}, "etl-0"),
        ({"branch_name": "main", "clone_depth": 3}, "etl-3"),
    ],
)
def test_branches_and_tags_are_checked_out(server: GitServer, settings: dict[str, Any], name: str) -> None:
    assert loaded(server, name, **settings).name == name


@pytest.mark.parametrize("number", [0, 2, 3])
@pytest.mark.parametrize("length", [40, 10])
def test_a_commit_is_checked_out_at_any_depth(server: GitServer, commits: list[str], number: int, length: int) -> None:
    # Numbers 0 and 2 are not at the tip of main; 2 is at the tip of nothing.
    assert loaded(server, f"etl-{number}", commit=commits[number][:length]).name == f"etl-{number}"


def test_a_file_url_is_cloned(root: Path, commits: list[str]) -> None:
    with context(secrets={"URL": (root / "flows.git").as_uri()}):
        assert storage_for("etl-2", commit=commits[2]).get_flow("etl-2").name == "etl-2"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("url", ["git@there.example:{path}", "ssh://git@there.example:2222{path}"])
def test_an_ssh_url_is_cloned(
    url: str, root: Path, commits: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In the place of ssh, a program that runs here what it is told to run there.
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))

    with context(secrets={"URL": url.format(path=root / "flows.git")}):
        flow = storage_for("etl-2", commit=commits[2]).get_flow("etl-2")

    said = (tmp_path / "log").read_text()
    assert flow.name == "etl-2" and "git@there.example git-upload-pack" in said
    assert ("-p 2222" in said) == ("2222" in url)


def test_the_flow_asked_for_is_returned(server: GitServer) -> None:
    assert loaded(server, "other").name == "other"
    with pytest.raises(FlowStorageError, match=r"no flow 'etl-9' in .*found 'etl-3', 'other'"):
        loaded(server, "etl-9")


def test_what_lies_beside_the_script_can_be_imported_while_it_runs(server: GitServer) -> None:
    state = loaded(server, "etl-3").run()

    assert state.is_successful() and [one.result for one in state.result.values()] == [(3, "lazy")]


def test_the_clone_is_gone_when_the_process_has_ended(root: Path, commits: list[str], tmp_path: Path) -> None:
    code = (
        "import os, sys, tempfile\n"
        "from dagflow.storage import Git\n"
        "storage = Git('flows/etl.py', git_clone_url_secret_name='URL')\n"
        "storage.flows['etl-3'] = 'flows/etl.py'\n"
        "storage.get_flow('etl-3')\n"
        "print(len(os.listdir(tempfile.gettempdir())))\n"
    )
    url = (root / "flows.git").as_uri()
    environment = {**os.environ, "TMPDIR": str(tmp_path), "DAGFLOW__CONTEXT__SECRETS__URL": url}

    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert run.stdout.split()[-1] == "1" and list(tmp_path.iterdir()) == []


# --- credentials ---


def test_a_token_is_sent_and_never_shown(server: GitServer, caplog: pytest.LogCaptureFixture) -> None:
    server.credentials = f"me:{TOKEN}"
    caplog.set_level(logging.DEBUG)
    flow = loaded(server, "etl-3", f"me:{TOKEN}")
    with pytest.raises(FlowStorageError, match="other credentials") as caught:
        loaded(server, "etl-3", f"me:{TOKEN}-wrong")

    import traceback

    said = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert flow.name == "etl-3" and server.seen[0] == f"me:{TOKEN}"
    assert TOKEN not in said and server.url in said


def test_a_token_alone_is_the_user(server: GitServer) -> None:
    server.credentials = f"{TOKEN}:"

    assert loaded(server, "etl-3", TOKEN).name == "etl-3"


@pytest.mark.parametrize(
    ("settings", "secret", "url"),
    [
        ({}, None, "https://github.com/me/flows.git"),
        ({"repo_host": "git.example"}, None, "https://git.example/me/flows.git"),
        ({"git_token_secret_name": "T"}, "abc", "https://me:abc@github.com/me/flows.git"),
        (
            {"git_token_secret_name": "T"},
            "12345678901234567890",
            "https://me:12345678901234567890@github.com/me/flows.git",
        ),
        ({"git_token_secret_name": "T"}, "1e5", "https://me:1e5@github.com/me/flows.git"),
        ({"git_token_secret_name": "T"}, "a@b/c", "https://me:a%40b%2Fc@github.com/me/flows.git"),
        ({"git_token_secret_name": "T", "git_token_username": "ann"}, "abc", "https://ann:abc@github.com/me/flows.git"),
        ({"git_token_secret_name": "T", "format_access_token": False}, "abc", "https://abc@github.com/me/flows.git"),
        ({"git_token_secret_name": "T", "format_access_token": False}, "u:p", "https://u:p@github.com/me/flows.git"),
        ({"use_ssh": True, "repo_host": "git.example"}, None, "git@git.example:me/flows.git"),
        ({"use_ssh": True, "repo_host": "git.example:2222"}, None, "ssh://git@git.example:2222/me/flows.git"),
        ({"repo": "me/flows.git"}, None, "https://github.com/me/flows.git"),
        ({"repo": "group/sub/flows"}, None, "https://github.com/group/sub/flows.git"),
    ],
)
def test_the_address_is_made_of_its_parts(settings: dict[str, Any], secret: str | None, url: str) -> None:
    with context(secrets={"T": secret}):
        assert Git("f.py", **{"repo": "me/flows", **settings}).clone_url() == url


def test_the_address_of_a_secret_is_taken_as_it_is() -> None:
    with context(secrets={"URL": "https://x:y@host/a?b=c"}):
        assert Git("f.py", git_clone_url_secret_name="URL").clone_url() == "https://x:y@host/a?b=c"


def test_a_secret_that_is_not_there_is_named() -> None:
    storage = Git("f.py", repo="a/b", git_token_secret_name="NO_SUCH")
    storage.add_flow(Flow("etl"))

    with pytest.raises(FlowStorageError, match="NO_SUCH"):
        storage.get_flow("etl")


def test_only_what_was_given_is_said_to_be_overridden() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Git("f.py", git_clone_url_secret_name="URL", branch_name="main", clone_depth=2)
    with pytest.warns(UserWarning, match=r"so repo, use_ssh will be passed over"):
        Git("f.py", git_clone_url_secret_name="URL", repo="a/b", use_ssh=True)


@pytest.mark.parametrize("depth", [0, -1, True, "1", None])
def test_a_depth_must_be_a_number_of_commits(depth: Any) -> None:
    with pytest.raises(ValueError, match="clone_depth of 1 or more"):
        Git("f.py", repo="a/b", clone_depth=depth)


def test_another_flow_than_the_one_named_is_refused() -> None:
    with pytest.raises(ValueError, match="made with flow_name='etl'"):
        Git("f.py", repo="a/b", flow_name="etl").add_flow(Flow("elt"))


# --- what is not there ---


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"branch_name": "mian"}, r"no branch 'mian'.*Did you mean 'main'.*feature/old, main"),
        ({"tag": "v9"}, r"no tag 'v9'.*v1, v1-annotated"),
        ({"commit": "0" * 40}, "no commit '0000"),
        ({"commit": "nothex"}, "no commit 'nothex'"),
    ],
)
def test_a_missing_ref_is_named_with_those_there_are(server: GitServer, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(FlowStorageError, match=words):
        loaded(server, "etl-3", **settings)


def test_a_missing_repository_file_and_host_are_told_apart(server: GitServer) -> None:
    def raises(words: str) -> Any:
        return pytest.raises(FlowStorageError, match=words)

    gone = server.url.replace("flows.git", "nope.git")
    with context(secrets={"URL": gone}), raises(r"nope\.git cannot be fetched: there is no such repository"):
        storage_for("etl-3").get_flow("etl-3")
    with context(secrets={"URL": server.url}):
        storage = Git("flows/nope.py", git_clone_url_secret_name="URL")
        storage.add_flow(Flow("etl-3"))
        with raises(r"there is no file flows/nope\.py of http"):
            storage.get_flow("etl-3")
    with context(secrets={"URL": "http://127.0.0.1:9/flows.git"}), raises("Check that the host can be reached"):
        storage_for("etl-3").get_flow("etl-3")


def test_without_dulwich_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dulwich", None)

    with context(secrets={"URL": "http://127.0.0.1:9/x"}), pytest.raises(ImportError, match=r"'\.\[git\]'"):
        storage_for("etl").get_flow("etl")


# --- hostile ---


HOSTILE_URLS = [
    "ext::sh -c touch% /tmp/x",
    "-oProxyCommand=touch x:repo",
    "--upload-pack=touch x",
    "ssh://-oProxyCommand=touch/x",
    "ssh://-oProxyCommand=touch@host/x",
    "ssh://%2DoProxyCommand@host/x",
    "git@-oProxyCommand=x:repo",
    "http://host/x\r\nX-Evil: 1",
    "git://host/x\nhost=other",
    "file://host/x y",
    "/etc/passwd",
    "fd::17",
    "http://",
    "https://host:port/x",
    "http://[::1/x",
    "",
]


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_addresses_start_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: started.append(args))

    with context(secrets={"URL": url}), pytest.raises(FlowStorageError):
        storage_for("etl").get_flow("etl")

    assert started == []


WORDS = ["$(touch x)", "`touch x`", "; touch x", "| touch x", "&& touch x", "--upload-pack=touch", "-oProxyCommand=x"]
WORDS += ["'; touch x; '", '"; touch x; "', "\n touch x", "\r\nHost: x", "\x00", "../../etc/passwd", "a/../../b"]


@pytest.mark.parametrize("name", ["branch_name", "tag", "commit", "repo", "repo_host", "flow_path"])
@pytest.mark.parametrize("ssh", [False, True])
def test_hostile_names_reach_no_shell(name: str, ssh: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is started, if anything, is ssh with a host that is none of its options."""
    started: list[list[Any]] = []

    class NoProcess:
        def __init__(self, args: list[Any], **kwargs: Any) -> None:
            assert not kwargs.get("shell")
            started.append(args)
            raise OSError("no process here")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", NoProcess)
    monkeypatch.setattr(_git, "_client", _git._client if ssh else _no_network)
    for word in [f"{before}{word}" for word in WORDS for before in ("", "a/", "a")]:
        storage = Git(**{"flow_path": "f.py", "repo": "a/b", "repo_host": "127.0.0.1", "use_ssh": ssh, name: word})
        storage.add_flow(Flow("etl"))
        with pytest.raises(FlowStorageError):
            storage.get_flow("etl")

    assert list(tmp_path.iterdir()) == []
    assert bool(started) == (ssh and name != "repo_host")
    for args in started:
        command = args[-1].decode()
        assert args[0] == "ssh" and args[-2] == "git@127.0.0.1"
        assert command.startswith("git-upload-pack '") and command.endswith("'")


def _no_network(remote: Any) -> Any:
    raise OSError("no network here")


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/../x", "flows/../../x", "link.py", "a\x00b", "flows"])
def test_a_script_outside_the_clone_is_not_run(path: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()")
    make_repository(tmp_path, [{"flows/etl.py": "1"}, {"flows/etl.py": "2"}])
    from dulwich import porcelain

    work = tmp_path / "flows.git"
    (work / "link.py").symlink_to(outside)
    porcelain.add(str(work), [str(work / "link.py")])
    porcelain.commit(str(work), message=b"link", author=b"A <a@b>", committer=b"A <a@b>")
    with context(secrets={"URL": work.as_uri()}):
        storage = Git(path, git_clone_url_secret_name="URL")
        storage.add_flow(Flow("etl"))
        with pytest.raises(FlowStorageError):
            storage.get_flow("etl")

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:t0@h/x.git", "https://h/x.git"),
        ("https://h:8443/x.git?private_token=t0#t0", "https://h:8443/x.git"),
        ("git@h:me/x.git", "git@h:me/x.git"),
        ("h:me/x.git", "h:me/x.git"),
        ("ssh://git@h:22/x", "ssh://git@h:22/x"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("file:///tmp/x", "file:///tmp/x"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert parse_remote(url).url == shown and "t0" not in repr(parse_remote(url))
