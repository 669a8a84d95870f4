"""
Fetching one commit of a git repository and writing its files out, with dulwich.

No git is started, and neither hooks nor filters nor credential helpers are run, so neither names nor files of a
repository can make anything happen here: the one process there ever is is ``ssh``, for addresses that ask for it. What
is fetched is as little as the server allows: the one commit, with as much history as is wanted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from dagflow.exceptions import FlowStorageError, near_match

__all__ = ["Remote", "Wanted", "check_out", "parse_remote"]

SCHEMES = ("https", "http", "ssh", "git+ssh", "git", "file")
TIMEOUT_SECONDS = 30.0
"""For a server to answer; not for the whole of a big repository."""
SSH_COMMAND = "ssh -o BatchMode=yes -o ConnectTimeout=10"
"""Nobody is there to type a password, so ssh must not ask for one."""

_HOST = r"[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
_SHORT = re.compile(rf"(?:(?P<user>{_USER})@)?(?P<host>{_HOST}):(?P<path>[^:-].*)")
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Remote:
    """Where a repository is; what must not be seen is kept apart from what may be."""

    url: str
    """Without user and password; fit for messages."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def masked(self, text: str) -> str:
        """
        Return *text* without the credentials.

        >>> Remote("https://x", "ann", "t0ken").masked("refused: t0ken")
        'refused: ***'
        """
        for secret in (self.password, self.username if self.password is None else None):
            if secret and self.url.startswith("http"):
                text = text.replace(secret, "***")
        return text


@dataclass(frozen=True)
class Wanted:
    """Which commit: that of a branch, of a tag, the commit itself, or where the server's HEAD is."""

    kind: str = "HEAD"
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}" if self.name else "the default branch"


def parse_remote(url: str) -> Remote:
    """
    Take the address of a repository apart.

    Raises:
        FlowStorageError: for what is no address, in words that do not repeat it: there may be a token in it.

    >>> parse_remote("https://ann:t0ken@git.example/me/flows.git")
    Remote(url='https://git.example/me/flows.git', username='ann')
    >>> parse_remote("git@git.example:me/flows.git").url
    'git@git.example:me/flows.git'
    """
    if re.search(r"[\x00-\x20\x7f]", url):
        raise FlowStorageError("The address of the git repository has spaces or control characters in it.")
    if "://" not in url:
        if _SHORT.fullmatch(url):
            return Remote(url)
        raise _no_address("it has no scheme, and is not of the form user@host:path")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _no_address(str(error)) from None
    if parts.scheme not in SCHEMES:
        raise _no_address(f"its scheme is {parts.scheme!r}")
    if parts.scheme != "file" and not re.fullmatch(_HOST, f"[{host}]" if ":" in host else host):
        raise _no_address("there is no valid host in it")
    if parts.username and "ssh" in parts.scheme and not re.fullmatch(_USER, unquote(parts.username)):
        raise _no_address("the user in it is not a valid one for ssh")
    return _remote_of(parts, host, port)


def _remote_of(parts: Any, host: str, port: int | None) -> Remote:
    place = f"[{host}]" if ":" in host else host
    if port is not None:
        place = f"{place}:{port}"
    if "ssh" in parts.scheme and parts.username:
        place = f"{parts.username}@{place}"
    # What follows a question mark says nothing to git; it may be a token.
    url = urlunsplit((parts.scheme, place, parts.path, "", ""))
    if not parts.scheme.startswith("http"):
        return Remote(url)
    user = unquote(parts.username) if parts.username else None
    return Remote(url, user, unquote(parts.password) if parts.password else None)


def _no_address(why: str) -> FlowStorageError:
    return FlowStorageError(
        f"The address of the git repository cannot be used: {why}. Expected one that starts with "
        f"{', '.join(f'{one}://' for one in SCHEMES)}, or user@host:path."
    )


# --- fetching ------------------------------------------------------------------------------------------------


def check_out(remote: Remote, wanted: Wanted, depth: int | None, folder: str) -> str:
    """
    Write the files of the wanted commit to *folder*, which is there and empty, and return the commit's id.

    Raises:
        ImportError: without dulwich.
        FlowStorageError: when the repository cannot be reached or read, or has no such commit.
    """
    try:
        import dulwich  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Git storage needs dulwich, which is not installed: run pip install '.[git]' in the checkout of dagflow."
        ) from error
    from dulwich.repo import Repo

    with Repo.init(folder) as repo:
        try:
            commit = _fetched(remote, wanted, depth, repo)
        except FlowStorageError:
            raise
        except Exception as error:
            raise _explained(remote, error) from _harmless(remote, error)
        _write_files(repo, commit, folder)
    return commit.decode()


def _fetched(remote: Remote, wanted: Wanted, depth: int | None, repo: Any) -> bytes:
    """Fetch the commit into *repo* and return its id."""
    if wanted.kind != "commit":
        return _fetched_ref(remote, wanted, depth, repo)
    if _FULL_ID.fullmatch(wanted.name):
        commit = wanted.name.encode()
        try:
            _fetch(remote, repo, lambda _: [commit], depth)
        except Exception as error:
            # Not every server hands out a commit by its id. It may be part of what it does hand out.
            if _is_refused(error):
                raise
        if commit in repo.object_store:
            return commit
    _fetch(remote, repo, lambda refs: list(refs.values()), None)
    return _commit_called(remote, wanted, repo)


def _fetched_ref(remote: Remote, wanted: Wanted, depth: int | None, repo: Any) -> bytes:
    name = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(wanted.kind, "HEAD") + wanted.name
    refs = _fetch(remote, repo, lambda refs: [refs[name.encode()]] if name.encode() in refs else [], depth)
    found = refs.get(name.encode())
    if found is None:
        raise _no_ref(remote, wanted, name, refs)
    return _peeled(repo, found)


def _no_ref(remote: Remote, wanted: Wanted, name: str, refs: Mapping[bytes, Any]) -> FlowStorageError:
    if not wanted.name:
        return FlowStorageError(f"The git repository {remote.url} has no commit yet, or no default branch.")
    prefix = name.removesuffix(wanted.name)
    there = sorted(
        one.decode("utf-8", "replace").removeprefix(prefix) for one in refs if one.startswith(prefix.encode())
    )
    return FlowStorageError(
        f"The git repository {remote.url} has no {wanted}.{near_match(wanted.name, there)} "
        f"It has {', '.join(there[:10]) or 'none'}{', ...' if len(there) > 10 else ''}."
    )


def _commit_called(remote: Remote, wanted: Wanted, repo: Any) -> bytes:
    """Return the commit whose id begins as wanted."""
    if re.fullmatch(r"[0-9a-f]{4,64}", wanted.name):
        start = wanted.name.encode()
        found = {one for one in repo.object_store if one.startswith(start) and repo[one].type_name == b"commit"}
        if len(found) == 1:
            return bytes(found.pop())
        if found:
            raise FlowStorageError(
                f"{wanted} of {remote.url} is the beginning of {len(found)} commits; give more of it."
            )
    raise FlowStorageError(f"The git repository {remote.url} has no {wanted} in any branch or tag.")


def _fetch(remote: Remote, repo: Any, choose: Any, depth: int | None) -> dict[bytes, Any]:
    """Fetch what *choose* returns of the refs there are, and return these."""
    client, path = _client(remote)

    def wants(refs: Mapping[bytes, Any], depth: int | None = None) -> list[bytes]:
        # A tag of a tag is told twice; the second is no object to ask for.
        return list(dict.fromkeys(choose({name: one for name, one in refs.items() if not name.endswith(b"^{}")})))

    try:
        return dict(client.fetch(path, repo, determine_wants=wants, depth=depth).refs)
    finally:
        client.close()


def _client(remote: Remote) -> tuple[Any, str]:
    from dulwich import client

    if remote.url.startswith("http"):
        parts = urlsplit(remote.url)
        return (
            client.HttpGitClient(
                urlunsplit((*parts[:2], "", "", "")),
                config=None,
                username=remote.username,
                password=remote.password,
                timeout=TIMEOUT_SECONDS,
            ),
            parts.path,
        )
    # The variable is git's own word for "use this ssh", with a key of its own for instance.
    return client.get_transport_and_path(remote.url, ssh_command=os.environ.get("GIT_SSH_COMMAND") or SSH_COMMAND)


def _peeled(repo: Any, found: bytes) -> bytes:
    """Return the commit that a tag, or a tag of a tag, points to."""
    from dulwich.objects import Tag

    item = repo[found]
    while isinstance(item, Tag):
        item = repo[item.object[1]]
    return bytes(item.id)


def _write_files(repo: Any, commit: bytes, folder: str) -> None:
    from dulwich.index import build_index_from_tree

    build_index_from_tree(folder, repo.index_path(), repo.object_store, repo[commit].tree)


# --- errors --------------------------------------------------------------------------------------------------


def _is_refused(error: Exception) -> bool:
    from dulwich.client import HTTPUnauthorized
    from dulwich.errors import NotGitRepository

    return isinstance(error, (HTTPUnauthorized, NotGitRepository, OSError))


def _explained(remote: Remote, error: Exception) -> FlowStorageError:
    from dulwich.client import HTTPUnauthorized
    from dulwich.errors import NotGitRepository

    if isinstance(error, HTTPUnauthorized):
        why = "the server wants other credentials. Check git_token_secret_name and git_token_username"
    elif isinstance(error, NotGitRepository):
        why = "there is no such repository, or the server shows it to nobody without the right token"
    else:
        told = remote.masked(str(error)).strip().rstrip(".")
        why = f"{type(error).__name__}: {told}. Check that the host can be reached and the repository exists"
    return FlowStorageError(f"The git repository {remote.url} cannot be fetched: {why}.")


def _harmless(remote: Remote, error: Exception) -> Exception | None:
    """Return the cause to show in tracebacks, unless it repeats the credentials."""
    return error if remote.masked(str(error)) == str(error) else None
