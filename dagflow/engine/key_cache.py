"""
Results by cache key: in the memory of this process, and in a file under the home, so that they outlive it. Under a
server also in its table of runs, which knows the places of those that were written somewhere, for all machines.

The file is one SQLite database, ``<home_dir>/cache.db``, that several processes may use at once. A value is kept there
unless the task writes its results somewhere; then only the place is. What cannot be written stays in memory, and what
cannot be read counts as missing: a cache never makes a run fail.

What changes: the open connections, one for each thread.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagflow.configuration import config
from dagflow.utilities.logging import get_logger

if TYPE_CHECKING:
    from dagflow.core.task import Task
    from dagflow.engine.run_context import TaskRun
    from dagflow.engine.state import Cached, State

__all__ = ["cache_file", "cached_by_key", "clear", "keep_by_key", "key_of", "warn_unless_kept"]

_TABLE = """CREATE TABLE IF NOT EXISTS cached (
    key TEXT PRIMARY KEY, task TEXT NOT NULL, created REAL NOT NULL, expires REAL, value BLOB NOT NULL
) WITHOUT ROWID"""

_WAIT_SECONDS = 10.0
"""How long a process waits for another one that writes."""

_local = threading.local()


def key_of(run: TaskRun) -> str | None:
    """Return the run's cache key, computed once; ``None`` for no caching."""
    known: str | None = run.__dict__.get("cache_key", "")
    if known != "":
        return known
    from dagflow.engine.cache_policies import KeyContext
    from dagflow.runtime import snapshot

    parameters = dict(run.scope.parameters)
    asked = KeyContext(run.task, snapshot("task", run.state), snapshot("flow"), parameters)
    key: str | None = run.task.cache_policy.key(asked, run.inputs)
    run.__dict__["cache_key"] = key
    return key


def cached_by_key(run: TaskRun, store: Any) -> Cached | None:
    """Return a state with the newest result under the run's key that has not expired and can be read."""
    from dagflow.engine.state import Cached

    key = key_of(run)
    if key is None or run.task.refresh_cache:
        return None
    now = run.scope.now()
    for look in (_in_memory, _in_file, _on_server):
        for value, expires in look(run, key, now):
            state = Cached(f"Found under the cache key {key[:20]!r}.")
            state._expiration = expires
            state.result = value
            if _is_readable(state, store, key):
                state.map_index = run.map_index
                _mark(run, state, key, expires)
                return state
    return None


def _is_readable(state: Cached, store: Any, key: str) -> bool:
    try:
        state.load_result(store)
    except Exception as error:
        get_logger("cache").info("What lies under the cache key %s cannot be read: %r", key, error)
        return False
    return True


def _mark(run: TaskRun, state: State, key: str, expires: float | None) -> None:
    """Let the server know under which key the value may be used again, and until when."""
    if run.scope.known_keys is None:
        return
    if getattr(state._holder, "location", None) is not None or state.result is None:
        state.context.update({"cache_key": key} if expires is None else {"cache_key": key, "cache_expires": expires})
    else:
        warn_unless_kept(run.task, run.scope.flow_result)


def keep_by_key(run: TaskRun, state: State) -> None:
    """Keep the value of a run that succeeded, for those with its key."""
    key = key_of(run)
    if key is None:
        return
    after = run.task.cache_expiration
    now = run.scope.now()
    expires = None if after is None else now + after.total_seconds()
    holder = state._holder
    value: Any = state.result
    if getattr(holder, "location", None) is not None:
        value = holder.copy()
        value.value = None
    caches = run.scope.caches
    caches[_slot(key)] = [(value, expires)]
    _mark(run, state, key, expires)
    from dagflow.engine.cache_policies import task_name_of
    from dagflow.utilities.pickling import dumps

    try:
        packed = dumps(value)
    except Exception as error:
        get_logger("cache").info("The value of task %r is kept in memory only: %r", run.full_name, error)
        return
    with _database() as database:
        if database is not None:
            database.execute(
                "INSERT OR REPLACE INTO cached VALUES (?, ?, ?, ?, ?)",
                (key, f"{run.task.name} {task_name_of(run.task)}", now, expires, packed),
            )


def _slot(key: str) -> str:
    return f"cache key {key}"


def warn_unless_kept(task: Task, flow_result: Any) -> None:
    """Say, once for each task, that a cache does not help other processes when values are kept nowhere."""
    from dagflow.engine.result import Result

    store = task.result if task.result is not None else flow_result
    is_kept = store is not None and type(store) is not Result and task.checkpoint is not False
    if is_kept or task.name in _warned:
        return
    _warned.add(task.name)
    get_logger("cache").warning(
        "Task %r caches its result, but the result is kept nowhere, so no other process finds it. Give the task or its "
        "flow a result (result=...).",
        task.name,
    )


_warned: set[str] = set()


def _in_memory(run: TaskRun, key: str, now: float) -> Iterable[tuple[Any, float | None]]:
    for value, expires in run.scope.caches.get(_slot(key), ()):
        if expires is None or expires > now:
            yield value, expires


def _on_server(run: TaskRun, key: str, now: float) -> Iterable[tuple[Any, float | None]]:
    if run.scope.known_keys is None:
        return
    for state in run.scope.known_keys.find(key):
        expires = state.context.get("cache_expires")
        if expires is None or expires > now:
            yield state._result, expires


def _in_file(run: TaskRun, key: str, now: float) -> Iterable[tuple[Any, float | None]]:
    with _database() as database:
        row = None if database is None else database.execute(
            "SELECT value, expires FROM cached WHERE key = ? AND (expires IS NULL OR expires > ?)", (key, now)
        ).fetchone()
    if row is None:
        return
    try:
        yield pickle.loads(row[0]), row[1]
    except Exception as error:  # made by another version of something
        get_logger("cache").info("What lies under the cache key %s cannot be read: %r", key, error)


# --- the file ------------------------------------------------------------------------------------------------


def cache_file() -> Path:
    """Return where the cache is."""
    return Path(os.path.abspath(os.path.expanduser(str(config.home_dir)))) / "cache.db"


def clear(key: str | None = None, task: str | None = None) -> int:
    """
    Remove entries from the file and return how many there were.

    Args:
        key: only the one with this key.
        task: only those of tasks with this name, or this dotted name of a function.
    """
    if not cache_file().exists():
        return 0
    with _database() as database:
        if database is None:
            return 0
        if key is not None:
            found = database.execute("DELETE FROM cached WHERE key = ?", (key,))
        elif task is not None:
            found = database.execute(
                "DELETE FROM cached WHERE substr(task, 1, ?) = ? OR substr(task, -?) = ?",
                (len(task) + 1, f"{task} ", len(task) + 1, f" {task}"),
            )
        else:
            found = database.execute("DELETE FROM cached")
        return found.rowcount


@contextlib.contextmanager
def _database() -> Iterator[sqlite3.Connection | None]:
    """Give the database for one transaction; ``None``, said once, when it cannot be used."""
    try:
        database = _connection(cache_file())
    except (OSError, sqlite3.Error) as error:
        _say_once(error)
        yield None
        return
    try:
        with database:
            yield database
    except sqlite3.Error as error:
        _say_once(error)


class _Kept:
    """The connection of one thread, closed when the thread ends."""

    def __init__(self, path: Path) -> None:
        self.place = (os.getpid(), str(path))
        # Whichever thread clears away what an ended one has left may close it.
        self.database = sqlite3.connect(path, timeout=_WAIT_SECONDS, check_same_thread=False)

    def close(self) -> None:
        if self.place[0] == os.getpid():
            self.database.close()

    __del__ = close


def _connection(path: Path) -> sqlite3.Connection:
    """Return this thread's connection; a process that was forked makes its own."""
    kept: _Kept | None = getattr(_local, "kept", None)
    if kept is not None and kept.place == (os.getpid(), str(path)) and path.exists():
        return kept.database
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    _local.kept = kept = _Kept(path)
    if new:
        path.chmod(0o600)  # values are pickles: whoever writes here decides what this user runs
    database = kept.database
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(_TABLE)
    database.execute("DELETE FROM cached WHERE expires <= CAST(strftime('%s', 'now') AS REAL)")
    database.commit()
    return database


_said = threading.Event()


def _say_once(error: Exception) -> None:
    if not _said.is_set():
        _said.set()
        get_logger("cache").warning(
            "The cache %s cannot be used: %s. Results are kept in memory only.", cache_file(), error
        )
