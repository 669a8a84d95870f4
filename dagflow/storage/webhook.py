"""Flows behind an HTTP interface of the user's own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagflow.storage._http import sent
from dagflow.storage._script import flow_to_bytes_pickle, read_script
from dagflow.storage.base import Storage

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["Webhook"]

METHODS = ("GET", "PATCH", "POST", "PUT")

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Webhook(Storage):
    """
    Send a flow with one request and get it with another; one flow for each object.

    Texts in the request arguments may hold ``${NAME}``. Names are looked up in the environment and then among the
    secrets when a request is sent, so their values are never stored.

    Args:
        build_request_kwargs: keyword arguments of the request that sends, ``url`` among them; the body is added.
        build_request_http_method: its method.
        get_flow_request_kwargs: keyword arguments of the request that gets.
        get_flow_request_http_method: its method.
        stored_as_script: send the script rather than a pickle.
        flow_script_path: that script.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    Raises:
        RuntimeError: for another method than GET, PATCH, POST and PUT.

    >>> hook = Webhook({"url": "https://x/${ID}"}, "POST", {"url": "https://x/${ID}"}, "GET")
    >>> hook.get_flow_request_http_method
    'GET'
    """

    _fields = (
        "build_request_kwargs",
        "build_request_http_method",
        "get_flow_request_kwargs",
        "get_flow_request_http_method",
        "stored_as_script",
    )

    def __init__(
        self,
        build_request_kwargs: Mapping[str, Any],
        build_request_http_method: str,
        get_flow_request_kwargs: Mapping[str, Any],
        get_flow_request_http_method: str,
        stored_as_script: bool = False,
        flow_script_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        for name, method in (
            ("build_request_http_method", build_request_http_method),
            ("get_flow_request_http_method", get_flow_request_http_method),
        ):
            if method not in METHODS:
                raise RuntimeError(f"{name} is {method!r}; expected one of {', '.join(METHODS)}.")
        super().__init__(stored_as_script=stored_as_script, **kwargs)
        self.build_request_kwargs = dict(build_request_kwargs)
        self.build_request_http_method = build_request_http_method
        self.get_flow_request_kwargs = dict(get_flow_request_kwargs)
        self.get_flow_request_http_method = get_flow_request_http_method
        self.flow_script_path = flow_script_path
        self._build_responses: dict[str, Any] = {}

    def add_flow(self, flow: Flow) -> str:
        """Record *flow* in the place of any other, and return its name."""
        self.flows = {flow.name: flow.name}
        self._flows = {flow.name: flow}
        self.digests = {}
        return flow.name

    def _build(self) -> None:
        for name, flow in self._flows.items():
            request = _filled(self.build_request_kwargs)
            if "data" in request:
                import warnings

                warnings.warn(
                    "build_request_kwargs holds 'data', which is replaced by the flow; leave it out.", stacklevel=3
                )
                del request["data"]
            data = request["content"] = self._data_of(flow)
            self._note_digest(name, data)
            self._build_responses[name] = sent(
                self.build_request_http_method, request, f"Webhook storage, sending flow {name!r}"
            )

    def _data_of(self, flow: Flow) -> bytes:
        if not self.stored_as_script:
            return flow_to_bytes_pickle(flow)
        if not self.flow_script_path or not os.path.isfile(os.path.expanduser(self.flow_script_path)):
            raise ValueError(
                f"Flow {flow.name!r} is to be sent as a script, but flow_script_path is {self.flow_script_path!r}, "
                "which is no file; give the path of the script."
            )
        return read_script(self.flow_script_path)

    def _load(self, flow_name: str, location: str) -> Flow:
        request = _filled(self.get_flow_request_kwargs)
        response = sent(self.get_flow_request_http_method, request, f"Webhook storage, getting flow {flow_name!r}")
        return self._open(response.content, flow_name, "its webhook")


def _filled(value: Any) -> Any:
    """Return *value* with every ``${NAME}`` in its texts, nested ones too, replaced."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value_of(found.group(1)), value)
    if isinstance(value, Mapping):
        return {key: _filled(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(item) for item in value]
    return value


def _value_of(name: str) -> str:
    if name in os.environ:
        return os.environ[name]
    from dagflow.utilities.secrets import Secret

    try:
        return str(Secret(name).get())
    except (ValueError, KeyError) as error:
        raise RuntimeError(
            f"Webhook storage refers to ${{{name}}}, but there is neither an environment variable nor a secret of that "
            "name. Set one of them where the flow is built and where it runs."
        ) from error
