"""Templates of jobs that lie elsewhere and are read when a run is started."""

from __future__ import annotations

from typing import Any

from dagflow.run_configs.base import scheme_of, template_of

__all__ = ["read_remote_template"]

SECONDS = 30
LARGEST = 1_000_000


def read_remote_template(path: str) -> dict[str, Any]:
    """
    Read a template by its address; ``agent://`` is a file of the machine that the agent is on.

    Raises:
        ValueError: when it is too large or no mapping.
        OSError: when it cannot be read.
    """
    text = _text(path)
    if len(text) > LARGEST:
        raise ValueError(f"The job template {path} has more than {LARGEST} bytes.")
    return template_of(text.decode("utf-8"), "job_template_path")


def _text(path: str) -> bytes:
    scheme = scheme_of(path)
    if scheme == "agent":
        with open(path.removeprefix("agent://"), "rb") as file:
            return file.read(LARGEST + 1)
    if scheme in ("http", "https"):
        import httpx2

        answer = httpx2.get(path, timeout=SECONDS, follow_redirects=True)
        answer.raise_for_status()
        return bytes(answer.content)
    import fsspec

    with fsspec.open(path.replace("gcs://", "gs://", 1), "rb") as file:
        return bytes(file.read(LARGEST + 1))
