"""Flows as scripts on Bitbucket, the cloud and the server."""

from __future__ import annotations

from typing import Any

from dagflow.exceptions import FlowStorageError
from dagflow.storage._repository import first_secret
from dagflow.storage._rest import Api, RestStorage, quoted, with_scheme

__all__ = ["Bitbucket"]

CLOUD_API = "https://api.bitbucket.org"
CLOUD_PAGES = "https://bitbucket.org"
"""What people see in their browser, and give as host; the interface is elsewhere."""


class Bitbucket(RestStorage):
    """
    Fetch a script from a Bitbucket repository.

    Args:
        project: the project's key.
        repo: the repository.
        workspace: the workspace on Bitbucket Cloud; without it the repository is on a server of your own.
        host: that server, such as ``https://bitbucket.example``.
        path: the script in the repository.
        ref: a branch, tag or commit.
        access_token_secret: the secret that holds a token for the server, default the secret or environment variable
            ``BITBUCKET_ACCESS_TOKEN``; not together with *workspace*.
        cloud_username_secret: the secret that holds the user's name in the cloud, default ``BITBUCKET_CLOUD_USERNAME``.
        cloud_app_password_secret: the secret that holds an app password in the cloud, default
            ``BITBUCKET_CLOUD_APP_PASSWORD``.
        **kwargs: as for :class:`~dagflow.storage.base.Storage`.

    Raises:
        ValueError: for a workspace together with an access token.

    >>> Bitbucket("PRO", "flows", path="flow.py").path
    'flow.py'
    """

    _fields = (
        "project",
        "repo",
        "workspace",
        "host",
        "path",
        "ref",
        "access_token_secret",
        "cloud_username_secret",
        "cloud_app_password_secret",
    )

    def __init__(
        self,
        project: str,
        repo: str,
        workspace: str | None = None,
        host: str | None = None,
        path: str | None = None,
        ref: str | None = None,
        access_token_secret: str | None = None,
        cloud_username_secret: str | None = None,
        cloud_app_password_secret: str | None = None,
        **kwargs: Any,
    ) -> None:
        if workspace and access_token_secret:
            raise ValueError(
                "Bitbucket storage takes workspace, for the cloud, or access_token_secret, for a server; found both. "
                "The cloud takes cloud_username_secret and cloud_app_password_secret."
            )
        super().__init__(stored_as_script=True, **kwargs)
        self.project = project
        self.repo = repo
        self.workspace = workspace
        self.host = host
        self.path = path
        self.ref = ref
        self.access_token_secret = access_token_secret
        self.cloud_username_secret = cloud_username_secret
        self.cloud_app_password_secret = cloud_app_password_secret

    def _repository(self) -> str:
        return f"{self.workspace or self.project}/{self.repo}"

    def _fetch(self, path: str, ref: str | None) -> tuple[str, bytes]:
        return self._fetch_from_cloud(path, ref) if self.workspace else self._fetch_from_server(path, ref)

    # --- cloud -----------------------------------------------------------------------------------------------

    def _fetch_from_cloud(self, path: str, ref: str | None) -> tuple[str, bytes]:
        api, home = self._cloud(), f"/repositories/{quoted(self.workspace or '')}/{quoted(self.repo)}"
        about = api.document(home, (404,))
        if about is None:
            raise self._no_repository()
        ref = ref or (about.get("mainbranch") or {}).get("name")
        sha = None if ref is None else _cloud_commit(api, home, ref)
        if sha is None:
            raise self._no_ref(ref)
        file = api.ask(f"{home}/src/{quoted(sha)}/{quoted(path, '/')}", (404,))
        # A folder is answered with a list of what is in it.
        if file is None or file.headers.get("Content-Type", "").startswith("application/json"):
            raise self._no_file(path, sha)
        return sha, file.content

    def _cloud(self) -> Api:
        host = with_scheme(self.host or CLOUD_API)
        user = first_secret(self.cloud_username_secret, "BITBUCKET_CLOUD_USERNAME")
        password = first_secret(self.cloud_app_password_secret, "BITBUCKET_CLOUD_APP_PASSWORD")
        if bool(user) != bool(password):
            lacking = "BITBUCKET_CLOUD_APP_PASSWORD" if user else "BITBUCKET_CLOUD_USERNAME"
            raise FlowStorageError(
                f"Bitbucket Cloud takes a user's name and an app password together; found one of them. Set {lacking}, "
                "or give cloud_username_secret and cloud_app_password_secret."
            )
        auth = (user, password) if user and password else None
        return Api("Bitbucket", f"{CLOUD_API if host == CLOUD_PAGES else host}/2.0", auth=auth)

    # --- server ----------------------------------------------------------------------------------------------

    def _fetch_from_server(self, path: str, ref: str | None) -> tuple[str, bytes]:
        api, home = self._server(), f"/projects/{quoted(self.project)}/repos/{quoted(self.repo)}"
        if api.document(home, (404,)) is None:
            raise self._no_repository()
        # Asked this way because the name of a branch may hold slashes, which the address of one commit does not take.
        until = {} if ref is None else {"until": ref}
        commits = api.document(f"{home}/commits", (400, 404), params={**until, "limit": 1})
        if commits is None or not commits.get("values"):
            raise self._no_ref(ref)
        sha = str(commits["values"][0]["id"])
        file = api.ask(f"{home}/raw/{quoted(path, '/')}", (404,), params={"at": sha})
        if file is None:
            raise self._no_file(path, sha)
        return sha, file.content

    def _server(self) -> Api:
        if not self.host:
            raise FlowStorageError(
                "Bitbucket storage needs workspace, for the cloud, or host, for a server of your own; found neither."
            )
        token = first_secret(self.access_token_secret, "BITBUCKET_ACCESS_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return Api("Bitbucket", f"{with_scheme(self.host)}/rest/api/1.0", headers)


def _cloud_commit(api: Api, home: str, ref: str) -> str | None:
    """Return the commit that *ref* means: a branch, else a tag, else a commit; ``None`` when it is none of them."""
    for kind in ("branches", "tags"):
        found = api.document(f"{home}/refs/{kind}/{quoted(ref)}", (404,))
        if found is not None:
            return str(found["target"]["hash"])
    found = api.document(f"{home}/commit/{quoted(ref)}", (400, 404))
    return None if found is None else str(found["hash"])
