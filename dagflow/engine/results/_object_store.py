"""
Results kept in object stores, through fsspec.

An object store makes an upload visible only once it is complete, so a plain upload is already all or nothing.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dagflow.engine.results._stored import StoredResult

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ObjectStoreResult"]


class ObjectStoreResult(StoredResult):
    """
    Base of the results whose location is a key in a bucket.

    A kind names its protocol, the package that speaks it and the extra which installs that package, and says how to
    make a file system from its own settings.
    """

    protocol: str
    """Scheme used in messages, e.g. `s3`."""
    package: str
    """The module that speaks the protocol."""
    extra: str
    """The extra of dagflow that installs the package."""

    def __init__(self, **kwargs: Any) -> None:
        self._client: tuple[int, Any] | None = None
        super().__init__(**kwargs)

    @property
    def root(self) -> str:
        """Name of the bucket or container."""
        raise NotImplementedError

    def _options(self) -> dict[str, Any]:
        """Return the keywords for the fsspec file system."""
        raise NotImplementedError

    @property
    def client(self) -> Any:
        """The fsspec file system, made at first use and dropped when this object is pickled."""
        # Clients keep threads and sockets that do not survive a fork.
        if self._client is None or self._client[0] != os.getpid():
            self._client = (os.getpid(), self._connect())
        return self._client[1]

    def _connect(self) -> Any:
        _ = self.root  # a missing name is told before anybody waits for the network
        try:
            kind = self._client_class()
        except ImportError as error:
            raise ImportError(
                f"{type(self).__name__} needs {self.package}, which is not installed: "
                f"run pip install '.[{self.extra}]' in the checkout of dagflow."
            ) from error
        # Other processes write to the bucket as well, so what was listed a moment ago proves nothing.
        return kind(use_listings_cache=False, skip_instance_cache=True, **self._options())

    def _client_class(self) -> Any:
        import fsspec

        return fsspec.get_filesystem_class(self.protocol)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_client": None}

    def _path(self, location: str) -> str:
        return f"{self.root}/{location}"

    def _describe(self, location: str) -> str:
        return repr(f"{self.protocol}://{self._path(location)}")

    def _load(self, location: str) -> bytes:
        with self._explaining("read", location):
            data: bytes = self.client.cat_file(self._path(location))
            return data

    def _store(self, location: str, data: bytes) -> None:
        with self._explaining("write", location):
            self.client.pipe_file(self._path(location), data)

    def _present(self, location: str) -> bool:
        with self._explaining("look for", location):
            try:
                return bool(self.client.info(self._path(location))["type"] == "file")
            except FileNotFoundError:
                return False

    @contextmanager
    def _explaining(self, verb: str, location: str) -> Iterator[None]:
        """Name the store and the key in every error of the client."""
        try:
            yield
        except FileNotFoundError as error:
            what = f"Cannot {verb} the result at {self._describe(location)}: no such object or bucket"
            raise FileNotFoundError(what) from error
        except (ImportError, MemoryError):
            raise
        except Exception as error:
            raise OSError(
                f"Cannot {verb} the result at {self._describe(location)}: {error!r}. "
                "Check that the store can be reached and that the credentials allow it."
            ) from error


def secret_from_context(name: str) -> dict[str, Any]:
    """Return the mapping that the run's context holds as secret *name*, or an empty one."""
    from dagflow.utilities.context import context

    secret = (context.get("secrets") or {}).get(name) or {}
    if isinstance(secret, str):
        import json

        secret = json.loads(secret)
    return dict(secret)
