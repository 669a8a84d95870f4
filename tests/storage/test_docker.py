"""Docker storage: the Dockerfile, and the talk with a daemon that answers as the documented interface does."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import threading
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

pytest.importorskip("docker", reason="needs the docker extra")

from dagflow._version import __version__
from dagflow.core.flow import Flow
from dagflow.core.task import Task
from dagflow.exceptions import FlowStorageError
from dagflow.serialization.storage import deserialize_storage
from dagflow.storage import Docker, _image_check
from dagflow.storage._digest import digest_of
from dagflow.storage._image import build_context, default_base_image
from dagflow.utilities.storage import flow_from_bytes_pickle, flow_to_bytes_pickle

# The client of Docker leaves its sockets to the garbage collector when a daemon is not there.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PYTHON = list(sys.version_info[:2])


@dataclass
class Daemon:
    """A Docker daemon that builds nothing."""

    url: str = ""
    calls: list[str] = field(default_factory=list)
    queries: dict[str, dict[str, str]] = field(default_factory=dict)
    context: dict[str, bytes] = field(default_factory=dict)
    built: list[dict[str, Any]] = field(default_factory=lambda: [{"stream": "Step 1/1 : FROM x\n"}])
    pushed: list[dict[str, Any]] = field(default_factory=lambda: [{"status": "Pushed"}])
    images: list[dict[str, str]] = field(default_factory=lambda: [{"Id": "sha256:1"}])
    refuse: str = ""

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if path == "/version":
            return 200, json.dumps({"ApiVersion": "1.41", "MinAPIVersion": "1.12"}).encode()
        _, _, verb = path.removeprefix("/v1.41").partition("/")
        name = f"{method} {unquote(verb)}"
        self.calls.append(name)
        self.queries[name] = query
        if self.refuse and self.refuse in name:
            return 500, json.dumps({"message": "no space left"}).encode()
        if verb == "build":
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                self.context = {one.name: tar.extractfile(one).read() for one in tar if one.isfile()}  # type: ignore[union-attr]
            return 200, b"".join(json.dumps(line).encode() + b"\r\n" for line in self.built)
        if verb.endswith("/push"):
            return 200, b"".join(json.dumps(line).encode() + b"\r\n" for line in self.pushed)
        return 200, json.dumps(self.images if verb == "images/json" else []).encode()

    @property
    def dockerfile(self) -> list[str]:
        return self.context[self.queries["POST build"]["dockerfile"]].decode().splitlines()


@contextmanager
def serving(daemon: Daemon) -> Iterator[Daemon]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, data = daemon.answer(self.command, parts.path, query, self._body())
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in [*data.splitlines(keepends=True), b""]:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

        protocol_version = "HTTP/1.1"
        do_POST = do_DELETE = do_GET

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    daemon.url = f"tcp://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield daemon
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.chdir(tmp_path)
    with serving(Daemon()) as one:
        yield one


def built(daemon: Daemon, *flows: Flow, **settings: Any) -> Docker:
    storage = Docker(**{"base_url": daemon.url, "registry_url": "registry.example:5000", **settings})
    for flow in flows or (Flow("My Flow"),):
        storage.add_flow(flow)
    assert storage.build() is storage
    return storage


# --- the talk ---


def test_an_image_is_built_pushed_and_removed(daemon: Daemon) -> None:
    storage = built(daemon, image_name="flows", image_tag="1")

    assert daemon.calls == [
        "POST build",
        "GET images/json",
        "POST images/registry.example:5000/flows/push",
        "DELETE images/registry.example:5000/flows:1",
    ]
    assert daemon.queries["POST build"]["t"] == storage.name == "registry.example:5000/flows:1"
    assert daemon.queries["POST build"]["pull"] == "True"
    assert daemon.queries["POST images/registry.example:5000/flows/push"]["tag"] == "1"


def test_without_a_registry_it_stays_here_with_a_warning(daemon: Daemon) -> None:
    with pytest.warns(UserWarning, match=r"was not pushed.*no registry_url"):
        storage = built(daemon, registry_url=None, local_image=True)

    assert daemon.calls == ["POST build", "GET images/json"]
    assert daemon.queries["POST build"]["pull"] == "False" and storage.name.startswith("my-flow:")


def test_names_are_made_of_the_flow_and_the_time(daemon: Daemon) -> None:
    one = built(daemon)
    two = built(daemon, Flow("a"), Flow("b"))

    assert one.image_name == "my-flow" and str(one.image_tag).startswith("20")
    assert len(str(two.image_name)) == 36
    again = deserialize_storage(json.loads(json.dumps(one.serialize())))
    assert again.name == one.name and again.flows == {"My Flow": "/opt/dagflow/flows/my-flow.dagflow"}


def test_the_registered_digests_are_those_of_what_is_sent(daemon: Daemon) -> None:
    storage = built(daemon, Flow("a"), Flow("b"))

    sent = {digest_of(data) for name, data in daemon.context.items() if name.startswith("flows/")}
    assert set(storage.digests) == {"a", "b"} and set(storage.digests.values()) == sent


@pytest.mark.parametrize("lines", [[{"stream": "x"}], [{"stream": "boom"}, {"error": "exit status 1"}]])
def test_no_image_points_at_the_health_check(daemon: Daemon, lines: list[dict[str, Any]]) -> None:
    daemon.built = lines
    if len(lines) == 1:
        daemon.images = []

    with pytest.raises(ValueError, match=r"health check failed(.|\n)*ignore_healthchecks(.|\n)*(x|exit status 1)$"):
        built(daemon)
    assert not any("push" in call for call in daemon.calls)


def test_a_push_that_fails_is_told_and_the_image_kept(daemon: Daemon) -> None:
    daemon.pushed = [{"status": "Preparing"}, {"error": "denied: log in first"}]

    with pytest.raises(FlowStorageError, match=r"could not be pushed(.|\n)*denied: log in first"):
        built(daemon)
    assert not any(call.startswith("DELETE") for call in daemon.calls)


@pytest.mark.parametrize(
    ("verb", "error"), [("build", ValueError), ("push", FlowStorageError), ("images/json", FlowStorageError)]
)
def test_a_daemon_that_refuses_is_quoted(daemon: Daemon, verb: str, error: type[Exception]) -> None:
    daemon.refuse = verb

    with pytest.raises(error, match="no space left"):
        built(daemon)


def test_a_daemon_that_is_away_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(FlowStorageError, match=r"cannot be reached at tcp://127\.0\.0\.1:9"):
        built(Daemon(url="tcp://127.0.0.1:9"))


def test_without_the_package_the_extra_is_named(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)

    with pytest.raises(ImportError, match=r"'\.\[docker\]'"):
        built(daemon)


def test_arguments_of_the_build_are_passed_on(daemon: Daemon) -> None:
    built(daemon, build_kwargs={"nocache": True, "labels": {"team": "a"}, "pull": False})

    query = daemon.queries["POST build"]
    assert (query["nocache"], query["pull"], query["labels"]) == ("True", "False", '{"team": "a"}')


# --- the Dockerfile ---


def test_what_changes_seldom_comes_first(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner.txt").write_text("in")
    built(
        daemon,
        base_image="python:3.11",
        env_vars={"A": "x y", "B": 'say "$HOME" \\'},
        python_dependencies=["pandas>=2", "a; touch x"],
        files={str(tmp_path / "data.csv"): "/data/d.csv", str(tmp_path / "folder"): "/data/folder"},
        extra_dockerfile_commands=["RUN echo done"],
    )

    lines = daemon.dockerfile
    assert lines[:4] == [
        "FROM python:3.11",
        'ENV A="x y"',
        r'ENV B="say \"\$HOME\" \\"',
        f'COPY ["dagflow-{__version__}-py3-none-any.whl", "/opt/dagflow/dagflow-{__version__}-py3-none-any.whl"]',
    ]
    assert json.loads(lines[4].removeprefix("RUN "))[0] == "python"
    assert lines[5:10] == [
        'RUN ["python", "-m", "pip", "install", "--no-cache-dir", "pandas>=2", "a; touch x"]',
        'COPY ["flows/0-my-flow.dagflow", "/opt/dagflow/flows/my-flow.dagflow"]',
        'COPY ["files/0/data.csv", "/data/d.csv"]',
        'COPY ["files/1/folder/", "/data/folder"]',
        "RUN echo done",
    ]
    assert lines[10] == 'COPY ["healthcheck.py", "/opt/dagflow/healthcheck.py"]'
    assert json.loads(lines[11].removeprefix("RUN "))[:2] == ["python", "/opt/dagflow/healthcheck.py"]
    assert len(lines) == 12
    assert daemon.context["files/0/data.csv"] == b"1,2" and daemon.context["files/1/folder/inner.txt"] == b"in"


def test_the_flow_in_the_context_is_the_flow(daemon: Daemon) -> None:
    built(daemon, Flow("etl", tasks=[Task("load")]))

    flow = flow_from_bytes_pickle(daemon.context["flows/0-etl.dagflow"])
    assert [one.name for one in flow.tasks] == ["load"]


def test_the_default_base_has_the_python_that_runs_here(daemon: Daemon) -> None:
    built(daemon)

    assert daemon.dockerfile[0] == f"FROM {default_base_image()}" == f"FROM python:{PYTHON[0]}.{PYTHON[1]}-slim"


def test_the_health_check_can_be_left_out(daemon: Daemon) -> None:
    built(daemon, ignore_healthchecks=True)

    assert not any("healthcheck" in line for line in daemon.dockerfile)


def test_a_dockerfile_of_ones_own_keeps_its_context(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("FROM scratch\nCOPY asset.txt /asset.txt\n")
    (tmp_path / "asset.txt").write_text("asset")
    (tmp_path / "secret.txt").write_text("no")
    (tmp_path / ".dockerignore").write_text("secret.txt\n")

    built(daemon, dockerfile="mine")

    assert daemon.dockerfile[:2] == ["FROM scratch", "COPY asset.txt /asset.txt"]
    copied = [json.loads(line[5:])[0] for line in daemon.dockerfile if line.startswith("COPY [")]
    assert len(copied) == 3 and set(copied) <= set(daemon.context)
    assert daemon.context["asset.txt"] == b"asset" and "secret.txt" not in daemon.context
    assert sorted(one.name for one in tmp_path.iterdir()) == [".dockerignore", "asset.txt", "mine", "secret.txt"]


def test_the_same_flow_makes_the_same_lines(daemon: Daemon) -> None:
    built(daemon)
    first, wheel = daemon.dockerfile, daemon.context[f"dagflow-{__version__}-py3-none-any.whl"]
    built(daemon)

    assert daemon.dockerfile == first and daemon.context[f"dagflow-{__version__}-py3-none-any.whl"] == wheel


def test_a_dockerignore_goes_along(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "ignored").write_text("*.tmp\n")

    built(daemon, dockerignore=str(tmp_path / "ignored"))

    assert daemon.context[".dockerignore"] == b"*.tmp\n"


def test_scripts_are_not_pickled(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text("")
    storage = built(
        daemon,
        Flow("etl"),
        stored_as_script=True,
        path="/app/flow.py",
        files={str(tmp_path / "flow.py"): "/app/flow.py"},
    )

    assert storage.digests == {} and not any(name.startswith("flows/") for name in daemon.context)
    assert 'COPY ["files/0/flow.py", "/app/flow.py"]' in daemon.dockerfile


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"env_vars": {"A B": "1"}}, "no name of an environment variable"),
        ({"env_vars": {"A": "1\nRUN x"}}, "more than one line"),
        ({"base_image": "a\nRUN x"}, "more than one line"),
        ({"files": {"/no/such/file": "/x"}}, "no such file or folder"),
        ({"dagflow_version": "0.0.1"}, "Give a base_image that has the other one"),
    ],
)
def test_what_cannot_be_in_an_image_is_refused(daemon: Daemon, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        built(daemon, **settings)
    assert daemon.calls == []


def test_another_version_is_the_business_of_the_base(daemon: Daemon) -> None:
    built(daemon, dagflow_version="0.0.1", base_image="with-dagflow")

    assert daemon.dockerfile[:2] == ["FROM with-dagflow", 'RUN ["python", "-c", "import dagflow"]']


def test_flows_of_one_slug_have_places_of_their_own(daemon: Daemon) -> None:
    storage = built(daemon, Flow("a b"), Flow("a-b"), Flow("A_B"))

    assert len(set(storage.flows.values())) == 3
    with pytest.raises(ValueError, match="holds a single flow"):
        built(daemon, Flow("a"), Flow("b"), path="/one")


def test_a_dockerignore_with_a_dockerfile_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Put the patterns into \.dockerignore"):
        Docker(dockerfile="a", dockerignore="b")


# --- the wheel ---


def test_the_wheel_can_be_imported_and_tells_what_it_needs(daemon: Daemon, tmp_path: Path) -> None:
    built(daemon)
    name = f"dagflow-{__version__}-py3-none-any.whl"
    (tmp_path / name).write_bytes(daemon.context[name])

    with zipfile.ZipFile(tmp_path / name) as wheel:
        wheel.extractall(tmp_path / "unpacked")
    code = "import dagflow, sys; print(dagflow.__file__); from dagflow.storage import Docker"
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'unpacked'); {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "/unpacked/dagflow/" in run.stdout
    with zipfile.ZipFile(tmp_path / name) as wheel:
        info = f"dagflow-{__version__}.dist-info"
        assert wheel.testzip() is None and "dagflow/config.toml" in wheel.namelist()
        metadata = wheel.read(f"{info}/METADATA").decode()
        assert "Requires-Dist: cloudpickle" in metadata and f"Version: {__version__}\n" in metadata
        assert "dagflow = dagflow.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
        recorded = {line.split(",")[0] for line in wheel.read(f"{info}/RECORD").decode().splitlines()}
        assert recorded == set(wheel.namelist())


def test_pip_takes_the_wheel(daemon: Daemon, tmp_path: Path) -> None:
    pytest.importorskip("pip", reason="needs pip")
    built(daemon)
    name = f"dagflow-{__version__}-py3-none-any.whl"
    (tmp_path / name).write_bytes(daemon.context[name])

    words = ["install", "--no-deps", "--no-index", "--no-compile", "--quiet", "--target", str(tmp_path / "into")]
    subprocess.run([sys.executable, "-m", "pip", *words, str(tmp_path / name)], check=True, capture_output=True)

    assert (tmp_path / "into" / "dagflow" / "_version.py").is_file()
    assert (tmp_path / "into" / f"dagflow-{__version__}.dist-info" / "entry_points.txt").is_file()


# --- the check ---


def about(flows: dict[str, str], as_script: bool = False, **more: Any) -> str:
    return json.dumps({"flows": flows, "stored_as_script": as_script, "python": PYTHON, "dagflow": __version__} | more)


def test_the_check_passes_what_can_be_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "etl").write_bytes(flow_to_bytes_pickle(Flow("etl")))
    (tmp_path / "flow.py").write_text("from dagflow import Flow\nflow = Flow('etl')")

    assert _image_check.main(about({"etl": str(tmp_path / "etl")})) == 0
    assert _image_check.main(about({"etl": str(tmp_path / "flow.py")}, as_script=True)) == 0
    assert "warning" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"{}", b"junk"])
def test_the_check_fails_what_cannot(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "etl").write_bytes(content)

    assert _image_check.main(about({"etl": str(tmp_path / "etl")})) == 1
    assert _image_check.main(about({"etl": str(tmp_path / "none")})) == 1
    assert _image_check.main(about({"etl": "no.such.module"}, as_script=True)) == 1
    assert capsys.readouterr().out.count("Health check failed: flow 'etl'") == 3


def test_the_check_warns_of_other_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert _image_check.main(about({}, python=[3, 1], dagflow="0.0.0")) == 0

    said = capsys.readouterr().out
    assert "stored with 3.1." in said and "stored with 0.0.0." in said


def test_the_check_warns_of_missing_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow = Flow("etl", tasks=[Task("slow", cache_for=__import__("datetime").timedelta(1))])
    (tmp_path / "etl").write_bytes(flow_to_bytes_pickle(flow))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _image_check.main(about({"etl": str(tmp_path / "etl")})) == 0
    assert "Health check warning: Task 'slow'" in capsys.readouterr().out


def test_the_check_runs_as_a_script(tmp_path: Path) -> None:
    (tmp_path / "etl").write_bytes(b"junk")

    run = subprocess.run(
        [sys.executable, _image_check.__file__, about({"etl": str(tmp_path / "etl")})], capture_output=True, text=True
    )

    assert run.returncode == 1 and "Health check failed" in run.stdout


# --- loading, as it happens inside the image ---


def test_a_flow_is_loaded_from_its_place(tmp_path: Path) -> None:
    storage = Docker("r", image_name="i", image_tag="t", path=str(tmp_path / "etl.dagflow"))
    storage.add_flow(Flow("etl"))
    with build_context(storage, storage._flows) as context:
        (tmp_path / "etl.dagflow").write_bytes(context.pickles["etl"])
        storage._note_digest("etl", context.pickles["etl"])
    again = deserialize_storage(json.loads(json.dumps(storage.serialize())))

    assert again.get_flow("etl").name == "etl"
    (tmp_path / "etl.dagflow").write_bytes(flow_to_bytes_pickle(Flow("etl", tasks=[Task("evil")])))
    with pytest.raises(FlowStorageError, match="not what was registered"):
        again.get_flow("etl")
    (tmp_path / "etl.dagflow").unlink()
    with pytest.raises(FlowStorageError, match=r"file not found at .*It is in the image i:t"):
        again.get_flow("etl")


def test_a_script_and_a_module_are_loaded_from_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagflow_test_imaged.py").write_text("from dagflow import Flow\nflow = Flow('etl')")
    monkeypatch.syspath_prepend(tmp_path)

    for path in (str(tmp_path / "dagflow_test_imaged.py"), "dagflow_test_imaged"):
        storage = Docker(path=path, stored_as_script=True)
        storage.add_flow(Flow("etl"))
        assert storage.get_flow("etl").name == "etl"
