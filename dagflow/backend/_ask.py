"""Asking the server on behalf of a view: what goes wrong is a ``ValueError`` that holds the question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagflow.client.client import Client
from dagflow.exceptions import AuthorizationError, ClientError, ServerUnreachableError

__all__ = ["ask", "asked", "asked_list", "only"]


@contextmanager
def ask(question: str) -> Iterator[Client]:
    """
    Give a client for one question.

    Raises:
        ValueError: when the server refuses, or its answer is not what was expected.
        ClientError: when it does not answer at all, or does not let us in.
    """
    with Client() as client:
        try:
            yield client
        except (ServerUnreachableError, AuthorizationError):
            raise
        except ClientError as error:
            raise ValueError(f"{error} The question was: {question}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"The server gave an answer of an unexpected shape ({type(error).__name__}: {error}). "
                f"The question was: {question}"
            ) from error


def asked(path: str, **params: Any) -> dict[str, Any]:
    """Return one record."""
    with ask(f"GET {path} {params or ''}".rstrip()) as client:
        record = client.get(path, params)
        if not isinstance(record, dict):
            raise TypeError(f"expected an object, found {type(record).__name__}")
        return record


def asked_list(path: str, page: int = 200, limit: int | None = None, **params: Any) -> list[dict[str, Any]]:
    """Return the records of a list, however many pages they take."""
    with ask(f"GET {path} {params or ''}".rstrip()) as client:
        return list(client._items(path, params, limit=limit, page=page))


def only(found: list[dict[str, Any]], path: str, **params: Any) -> dict[str, Any]:
    """
    Return the one record of *found*.

    Raises:
        ValueError: when there is none, or more than one.
    """
    if len(found) == 1:
        return found[0]
    raise ValueError(f"Expected one record, found {len(found)}. The question was: GET {path} {params}")
