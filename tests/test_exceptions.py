"""The error tree: what it inherits, what it says, and that it travels between processes."""

from __future__ import annotations

import pickle

import pytest

from dagflow import exceptions
from dagflow.exceptions import (
    AuthorizationError,
    ClientError,
    ConfigurationError,
    CycleError,
    DuplicateKeyError,
    FlowError,
    FlowStorageError,
    ObjectNotFoundError,
    ParameterError,
    PrefectException,
    PrefectSignal,
    TaskTimeoutSignal,
    UnknownSettingError,
    VersionLockMismatchSignal,
    WrongArgumentError,
)

WITH_ONE_MESSAGE = [
    AuthorizationError,
    ClientError,
    ConfigurationError,
    DuplicateKeyError,
    FlowError,
    FlowStorageError,
    ObjectNotFoundError,
    ParameterError,
    PrefectException,
    PrefectSignal,
    TaskTimeoutSignal,
    VersionLockMismatchSignal,
    WrongArgumentError,
]


@pytest.mark.parametrize("signal", [PrefectSignal, TaskTimeoutSignal, VersionLockMismatchSignal])
def test_signals_pass_through_except_exception(signal: type[BaseException]) -> None:
    assert issubclass(signal, BaseException)
    assert not issubclass(signal, Exception)


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (ClientError, (PrefectException,)),
        (ObjectNotFoundError, (ClientError, LookupError)),
        (AuthorizationError, (ClientError,)),
        (FlowStorageError, (PrefectException,)),
        (CycleError, (FlowError, ValueError)),
        (DuplicateKeyError, (FlowError, ValueError)),
        (ParameterError, (FlowError, ValueError)),
        (WrongArgumentError, (FlowError, TypeError)),
        (ConfigurationError, (PrefectException, ValueError)),
        (UnknownSettingError, (PrefectException, AttributeError)),
    ],
)
def test_each_error_is_also_the_builtin_people_expect(kind: type[Exception], parents: tuple[type, ...]) -> None:
    assert all(issubclass(kind, parent) for parent in parents)


@pytest.mark.parametrize("kind", WITH_ONE_MESSAGE)
def test_the_message_is_optional(kind: type[BaseException]) -> None:
    assert str(kind()).endswith(".")
    assert str(kind("what happened")) == "what happened"


@pytest.mark.parametrize(
    "error",
    [
        *(kind("what happened") for kind in WITH_ONE_MESSAGE),
        CycleError("etl", ["a", "b"]),
        UnknownSettingError("flow", ["flows"]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: BaseException) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)


@pytest.mark.parametrize("path", [["a", "b"], ["a", "b", "a"]])
def test_a_cycle_is_named_by_its_path_and_the_fix(path: list[str]) -> None:
    error = CycleError("etl", path)

    assert str(error) == "Flow 'etl' has a cycle: a → b → a. Remove one of these edges."
    assert error.path == tuple(path)


def test_a_task_that_depends_on_itself_is_a_cycle_of_one() -> None:
    assert "a → a." in str(CycleError("etl", ["a"]))


def test_every_class_is_drawn_in_the_tree_and_offered() -> None:
    classes = [
        name
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and value.__module__ == exceptions.__name__
    ]

    assert all(name in exceptions.__all__ for name in classes)
    assert all(
        f"─ {name}" in (exceptions.__doc__ or "") or f"└── {name}" in (exceptions.__doc__ or "") for name in classes
    )
