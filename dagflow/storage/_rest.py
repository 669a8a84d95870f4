"""Fetching one file of a repository over the REST interfaces of the places that host repositories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dagflow.exceptions import FlowStorageError
from dagflow.storage._http import sent
from dagflow.storage._repository import RepositoryStorage, checked_path, checked_ref

if TYPE_CHECKING:
    from dagflow.core.flow import Flow

__all__ = ["Api", "RestStorage", "quoted", "with_scheme"]

NOT_THERE = (400, 404, 422)
"""How hosts say that there is no such ref or file: some call a ref that they cannot read a bad request."""


class Api:
    """
    A host that answers about one repository.

    Args:
        kind: the storage, for messages.
        url: where its interface begins.
        headers: sent with every request.
        auth: name and password, for hosts that want them.
    """

    def __init__(
        self,
        kind: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self.url = url.rstrip("/")
        self.headers = dict(headers or {})
        self.auth = auth

    def ask(self, path: str, missing: tuple[int, ...] = NOT_THERE, **request: Any) -> Any:
        """Return the answer about *path*, ``None`` when its status is among *missing*."""
        headers = {**self.headers, **request.pop("headers", {})}
        if self.auth is not None:
            request["auth"] = self.auth
        response = sent("GET", {"url": f"{self.url}{path}", "headers": headers, **request}, self.kind, missing)
        return None if response.status_code in missing else response

    def document(self, path: str, missing: tuple[int, ...] = NOT_THERE, **request: Any) -> dict[str, Any] | None:
        """Return the JSON object about *path*, ``None`` when its status is among *missing*."""
        response = self.ask(path, missing, **request)
        if response is None:
            return None
        try:
            found = response.json()
        except ValueError as error:
            raise self._odd(path) from error
        if not isinstance(found, dict):
            raise self._odd(path)
        return found

    def _odd(self, path: str) -> FlowStorageError:
        return FlowStorageError(
            f"{self.kind}: what answers at {self.url}{path} does not speak as {self.kind} does. Check the host."
        )


class RestStorage(RepositoryStorage):
    """Base of the storages that fetch a script over HTTP: find the commit first, then the file in it."""

    ref: str | None

    def _load(self, flow_name: str, location: str) -> Flow:
        path = checked_path(location)
        ref = None if self.ref is None else checked_ref(self.ref)
        try:
            commit, data = self._fetch(path, ref)
        except FlowStorageError as error:
            self.logger.error("Flow %r cannot be fetched: %s", flow_name, error)
            raise FlowStorageError(f"Flow {flow_name!r} cannot be fetched: {error}") from error
        self.logger.info("Flow %r: %s of %s at commit %s.", flow_name, path, self._repository(), commit)
        return self._open(data, flow_name, f"{path} of {self._repository()} at {commit[:12]}")

    def _fetch(self, path: str, ref: str | None) -> tuple[str, bytes]:
        """
        Return the commit that *ref* means, ``None`` the newest of the default branch, and the file in it.

        Raises:
            FlowStorageError: which says whether the repository, the ref or the file is missing.
        """
        raise NotImplementedError

    def _repository(self) -> str:
        """Return what the repository is called in messages."""
        raise NotImplementedError

    def _no_repository(self) -> FlowStorageError:
        return FlowStorageError(
            f"{type(self).__name__} has no repository {self._repository()!r}, or shows it to nobody without the right "
            "token. Check the name and the token."
        )

    def _no_ref(self, ref: str | None) -> FlowStorageError:
        which = "no commit yet" if ref is None else f"no branch, tag or commit {ref!r}"
        return FlowStorageError(f"The repository {self._repository()!r} has {which}. Check ref.")

    def _no_file(self, path: str, commit: str) -> FlowStorageError:
        return FlowStorageError(
            f"The repository {self._repository()!r} has no file {path!r} at commit {commit[:12]}. Check path and ref."
        )


def quoted(text: str, keep: str = "") -> str:
    """Return *text* as a part of a URL, slashes and all."""
    return quote(text, safe=keep)


def with_scheme(host: str) -> str:
    """
    Return *host* as the beginning of a URL.

    >>> with_scheme("git.example"), with_scheme("http://localhost:1/")
    ('https://git.example', 'http://localhost:1')
    """
    return (host if host.startswith(("http://", "https://")) else f"https://{host}").rstrip("/")
