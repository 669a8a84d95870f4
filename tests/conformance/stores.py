"""Real stores on this machine for the conformance suites: S3, Google Cloud Storage and Azure by local stand-ins."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BUCKET = "results"
# The account and key that every Azurite answers to; they are public and open nothing else.
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
START_SECONDS = 30
INSTALL_SECONDS = 100


@contextmanager
def s3_server() -> Iterator[str]:
    """Run moto's S3 with one bucket and yield its URL."""
    pytest.importorskip("s3fs", reason="needs the s3 extra")
    pytest.importorskip("flask", reason="needs moto[server] from the dev extra")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        _make_s3_bucket(url)
        yield url
    finally:
        server.stop()


def s3_settings(url: str) -> dict[str, str]:
    """Return what boto3 needs to reach the server."""
    return {
        "endpoint_url": url,
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "region_name": "us-east-1",
    }


def _make_s3_bucket(url: str) -> None:
    boto3 = pytest.importorskip("boto3", reason="needs moto[server] from the dev extra")
    boto3.client("s3", **s3_settings(url)).create_bucket(Bucket=BUCKET)


@contextmanager
def gcs_server() -> Iterator[str]:
    """Run a Google Cloud Storage emulator with one bucket and yield its URL."""
    pytest.importorskip("gcsfs", reason="needs the gcs extra")
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="needs gcp-storage-emulator (dev extra)")
    port = free_port()
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket=BUCKET)
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


@contextmanager
def azure_server() -> Iterator[str]:
    """Run Azurite with one container and yield its connection string."""
    pytest.importorskip("adlfs", reason="needs the azure extra")
    program = azurite_program()
    port = free_port()
    process = subprocess.Popen(
        [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
        + ["--skipApiVersionCheck", "--inMemoryPersistence", "--disableTelemetry"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_port(port, process)
        connection = (
            f"DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};"
            f"BlobEndpoint=http://127.0.0.1:{port}/{AZURITE_ACCOUNT};"
        )
        _make_azure_container(connection)
        yield connection
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def _make_azure_container(connection: str) -> None:
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient.from_connection_string(connection) as service:
        service.create_container(BUCKET)


def azurite_program() -> str:
    """Return the path of `azurite-blob`, installed with npm into a cache folder if need be."""
    found = shutil.which("azurite-blob")
    if found:
        return found
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dagflow-tests"
    program = cache / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("Azure's emulator (azurite) is not installed, and there is no npm to install it with")
        cache.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(cache), "azurite"]
        try:
            subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"Azure's emulator (azurite) is not installed, and npm could not install it: {error}")
    return str(program)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        # Waiting for a foreign process to listen: there is no event to wait for.
        time.sleep(0.05)
    raise RuntimeError(f"azurite did not listen on port {port} within {START_SECONDS} s (exit: {process.poll()})")
