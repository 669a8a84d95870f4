"""
Signs of life of a run, and the look whether it is to be cancelled.

The signs come from a small process of its own, so that a task that keeps the interpreter busy for minutes is not
taken for dead; or from a thread; or from nobody. That process needs nothing but the standard library, and ends with
its parent.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Self

from dagflow.configuration import config
from dagflow.exceptions import ClientError, ObjectNotFoundError, StaleTokenError
from dagflow.utilities.logging import get_logger

__all__ = ["Heart", "signs_of_life"]


class Heart:
    """
    Keeps telling that a run lives, for a ``with`` block.

    Args:
        client: the way to the server.
        flow_run_id: the run.
        token: of this process's hold on it.
        stop: called with ``cancelled`` or ``lost`` and a reason when the server says so.
        enabled: whether signs of life are wanted; looking for cancellation goes on without.
        mode: ``process``, ``thread`` or ``off``; default ``cloud.heartbeat_mode``.
    """

    def __init__(
        self,
        client: Any,
        flow_run_id: str,
        token: int,
        stop: Callable[[str, str], None],
        *,
        enabled: bool = True,
        mode: str | None = None,
    ) -> None:
        self._client = client
        self._flow_run_id = flow_run_id
        self._token = token
        self._stop = stop
        self._mode = (mode or str(config.cloud.heartbeat_mode)) if enabled else "off"
        self._interval = float(config.cloud.heartbeat_interval)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dagflow-heart", daemon=True)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self._mode == "process":
            self._start_process()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join(timeout=5.0)
        if self._process is not None:
            with contextlib.suppress(OSError):
                if self._process.stdin is not None:
                    self._process.stdin.close()
            try:
                self._process.wait(timeout=2.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _start_process(self) -> None:
        from dagflow.backend import pulse

        url = f"{self._client.api_url}/flow_runs/{self._flow_run_id}/heartbeat"
        command = [sys.executable, "-S", "-E", pulse.__file__, url, str(self._token), str(self._interval)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            assert self._process.stdin is not None
            # The key goes through the pipe: a command line is there for everybody to read.
            self._process.stdin.write(f"{self._client.headers.get('Authorization', '')}\n".encode())
            self._process.stdin.flush()
        except OSError as error:
            get_logger("Heart").warning("No process could be started for heartbeats, so a thread gives them: %s", error)
            self._mode = "thread"

    def _work(self) -> None:
        """Look whether the run is to be cancelled, and give signs of life if the thread has to."""
        look = float(config.cloud.check_cancellation_interval)
        path = f"flow_runs/{self._flow_run_id}"
        while not self._end.is_set():
            self._see_to_process()
            try:
                # Not tried again at once: the next look comes soon, and hears sooner that the run is in other hands.
                if self._mode == "thread":
                    body = {"token": self._token}
                    answer = self._client._request("POST", f"{path}/heartbeat", body=body, retries=0)
                else:
                    answer = self._client._request("GET", f"{path}/hold", params={"token": self._token}, retries=0)
                if answer["state"] in ("Cancelling", "Cancelled"):
                    self._stop("cancelled", "The flow run was cancelled.")
            except StaleTokenError as error:
                self._stop("lost", str(error))
            except ObjectNotFoundError:
                self._stop("lost", "The flow run was deleted.")
            except ClientError as error:
                # The server may be away for a while; the reporter decides for how long that is borne.
                get_logger("Heart").debug("No heartbeat: %s", error)
            self._end.wait(min(look, self._interval) if self._mode == "thread" else look)

    def _see_to_process(self) -> None:
        """Give the signs of life here when the process for them is gone, as when memory ran out."""
        if self._mode == "process" and self._process is not None and self._process.poll():
            get_logger("Heart").warning(
                "The process for heartbeats ended with code %s, so a thread gives them.", self._process.returncode
            )
            self._mode = "thread"


def signs_of_life(client: Any, begun: dict[str, Any]) -> Heart:
    """
    Return what tells that a run lives while it is prepared: loading its code, or old results, may take minutes.

    That it is to be cancelled, or in other hands, is heard when it begins.
    """
    run, enabled = begun["flow_run"]["id"], begun["heartbeat_enabled"] and str(config.cloud.heartbeat_mode) != "off"
    return Heart(client, run, begun["run_token"], lambda kind, reason: None, enabled=enabled, mode="thread")
