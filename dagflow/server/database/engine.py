"""
The database of one server: many readers, one writer.

All writes go through one thread. It takes what has gathered while it was busy, does it in one transaction and answers
only after the commit, so many requests share one write to disk. An operation that fails is undone alone. Operations of
one kind that stand behind each other may be done together (see :class:`Bulk`).

SQLite runs in WAL mode with ``synchronous=FULL``; PostgreSQL through psycopg.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from dagflow.server.clock import Clock, SystemClock, stamp
from dagflow.server.database.statements import Many, dialect_insert
from dagflow.server.errors import Busy, Conflict, Refusal
from dagflow.utilities.logging import get_logger

__all__ = ["Bulk", "Database", "Tx"]

T = TypeVar("T")

MOST_AT_ONCE = 500
"""Operations in one transaction; more would make the first of them wait too long."""

BUSY_SECONDS = 10.0
"""How long a locked or absent database is waited for before requests are told to come again."""

READERS = 4


class Tx:
    """
    One transaction: its connection, its moment, and the news that go out when it is committed.

    Attributes:
        connection: the connection; :meth:`Database.write` commits it.
        now: seconds since the epoch, the same for the whole transaction.
        news: what others should hear of, such as ``("flow_run", id)``; passed on after the commit.
    """

    def __init__(self, connection: Connection, now: float) -> None:
        self.connection = connection
        self.now = now
        self.stamp = stamp(now)
        self.news: list[tuple[str, ...]] = []

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.connection.dialect.name == "sqlite"

    def execute(self, statement: Any, values: Any = None) -> Any:
        """Execute *statement* on the connection."""
        return self.connection.execute(statement, values)

    def execute_many(self, statement: Many, rows: Sequence[Any]) -> None:
        """Execute *statement* for each of *rows*."""
        statement.execute(self.connection, rows)

    def insert(self, table: sqlalchemy.Table) -> Any:
        """Return an insert that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
        return dialect_insert(self.connection, table)


class Bulk(Generic[T]):
    """
    Operations that are quicker together: *do* takes the arguments of several and returns the outcome of each.

    An outcome that is an exception fails that operation alone; *do* itself must not raise for one of many.
    """

    def __init__(self, do: Callable[[Tx, list[Any]], Sequence[T | BaseException]]) -> None:
        self.do = do


class _Operation:
    """What somebody wants written, and the future that waits for it; one of *loop*'s, if there is a loop."""

    __slots__ = ("argument", "do", "future", "loop", "queued")

    def __init__(
        self, do: Callable[[Tx], Any] | Bulk[Any], argument: Any, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.do = do
        self.argument = argument
        self.loop = loop
        self.future: Any = Future() if loop is None else loop.create_future()
        self.queued = time.monotonic()


class Database:
    """
    A database, opened.

    Args:
        url: such as ``sqlite:////path/to/dagflow.db`` or ``postgresql://user@host/name``.
        clock: tells the time of transactions.
        hear: called with the news of each transaction, after its commit, on the writer's thread.
    """

    def __init__(
        self,
        url: str,
        clock: Clock | None = None,
        hear: Callable[[list[tuple[str, ...]]], None] = lambda news: None,
    ) -> None:
        self.url = url
        self.clock = clock or SystemClock()
        self.hear = hear
        self.is_sqlite = url.startswith("sqlite")
        self.writer = _engine(url, writes=True)
        self.reader = _engine(url, writes=False)
        self._operations: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="dagflow-reader")
        self._thread = threading.Thread(target=self._work, name="dagflow-writer", daemon=True)
        self._closed = False
        self._thread.start()

    # --- asking ------------------------------------------------------------------------------------------------

    def submit(self, do: Callable[[Tx], Any] | Bulk[Any], argument: Any = None) -> Future[Any]:
        """Hand a write to the writer; the future has its outcome once it is committed."""
        future: Future[Any] = self._queued(_Operation(do, argument))
        return future

    async def ask(self, do: Callable[[Tx], Any] | Bulk[Any], argument: Any = None) -> Any:
        """Hand a write to the writer and return its outcome once it is committed."""
        return await self._queued(_Operation(do, argument, asyncio.get_running_loop()))

    def _queued(self, operation: _Operation) -> Any:
        if self._closed:
            operation.future.set_exception(Busy("The server is stopping."))
        else:
            self._operations.put(operation)
        return operation.future

    def write(self, do: Callable[[Tx], T]) -> T:
        """Do a write and return its outcome after the commit."""
        outcome: T = self.submit(do).result()
        return outcome

    def submit_read(self, do: Callable[[Connection], Any]) -> Future[Any]:
        """Hand a read to one of the readers."""
        return self._readers.submit(self.read, do)

    def read(self, do: Callable[[Connection], T]) -> T:
        """
        Return what *do* reads, all of it as of one moment.

        Raises:
            Busy: when the database cannot be reached.
        """
        try:
            with self.reader.connect() as connection:
                if not self.is_sqlite:
                    return do(connection)
                connection.exec_driver_sql("BEGIN")
                try:
                    return do(connection)
                finally:
                    connection.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            if error.connection_invalidated or isinstance(error, OperationalError):
                raise Busy(f"The database cannot be read now: {_reason(error)}.") from error
            raise

    def close(self) -> None:
        """Finish what is queued, then close all connections."""
        if self._closed:
            return
        self._closed = True
        self._operations.put(None)
        self._thread.join()
        self._readers.shutdown()
        self.reader.dispose()
        if self.is_sqlite:
            with contextlib.suppress(DBAPIError), self.writer.connect() as connection:
                connection.exec_driver_sql("PRAGMA optimize")
        self.writer.dispose()

    # --- the writer's thread -----------------------------------------------------------------------------------

    def _work(self) -> None:
        while (first := self._operations.get()) is not None:
            group, ends = self._gather(first)
            try:
                self._commit(group)
            except BaseException as error:
                get_logger("server").exception("The writer met an error it does not know.")
                _tell([(one, error) for one in group])
            if ends:
                return

    def _gather(self, first: _Operation) -> tuple[list[_Operation], bool]:
        group = [first]
        while len(group) < MOST_AT_ONCE:
            try:
                following = self._operations.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return group, True
            group.append(following)
        return group, False

    def _commit(self, group: list[_Operation]) -> None:
        """Do all operations of *group* in one transaction and tell each its outcome."""
        outcomes: list[tuple[_Operation, Any]]
        news: list[tuple[str, ...]] = []
        while group:
            try:
                outcomes, news = self._attempt(group)
            except _NotBegun as error:
                # Nothing was done yet, so waiting and beginning again is safe.
                late = [one for one in group if time.monotonic() - one.queued > BUSY_SECONDS]
                busy = Busy(f"The database cannot be written now: {error}. Try again in some seconds.")
                _tell([(one, busy) for one in late])
                group = [one for one in group if one not in late]
                if group:
                    time.sleep(0.05)
                continue
            except DBAPIError as error:
                busy = Busy(f"The database did not take it: {_reason(error)}. Try again in some seconds.")
                outcomes = [(one, busy) for one in group]
            _tell(outcomes)
            break
        if news:
            self.hear(news)

    def _attempt(self, group: list[_Operation]) -> tuple[list[tuple[_Operation, Any]], list[tuple[str, ...]]]:
        if all(one.do is group[0].do for one in group):
            # Nothing else is in this transaction, so it needs no savepoint; which of them fails, if one does, is found
            # with savepoints.
            try:
                return self._transaction(lambda tx: _together(tx, group))
            except (_NotBegun, DBAPIError) as error:
                if not isinstance(error, IntegrityError):
                    raise
            except Exception:
                pass
        return self._transaction(lambda tx: self._do(tx, group))

    def _transaction(self, work: Callable[[Tx], T]) -> tuple[T, list[tuple[str, ...]]]:
        with self._begun() as connection:
            tx = Tx(connection, self.clock.now())
            outcome = work(tx)
            connection.exec_driver_sql("COMMIT") if self.is_sqlite else connection.commit()
            return outcome, tx.news

    @contextlib.contextmanager
    def _begun(self) -> Iterator[Connection]:
        try:
            connection = self.writer.connect()
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE" if self.is_sqlite else "SELECT 1")
            except BaseException:
                connection.close()
                raise
        except DBAPIError as error:
            if error.connection_invalidated:
                self.writer.dispose()
            raise _NotBegun(_reason(error)) from error
        try:
            yield connection
        except BaseException:
            with contextlib.suppress(DBAPIError):
                connection.exec_driver_sql("ROLLBACK") if self.is_sqlite else connection.rollback()
            raise
        finally:
            connection.close()

    def _do(self, tx: Tx, group: list[_Operation]) -> list[tuple[_Operation, Any]]:
        outcomes: list[tuple[_Operation, Any]] = []
        place = 0
        while place < len(group):
            end = place + 1
            do = group[place].do
            while isinstance(do, Bulk) and end < len(group) and group[end].do is do:
                end += 1
            outcomes += self._guarded(tx, group[place:end])
            place = end
        return outcomes

    def _guarded(self, tx: Tx, alike: list[_Operation], *, again: bool = False) -> list[tuple[_Operation, Any]]:
        """Do operations of one kind; when one fails, undo what it did and nothing else."""
        mark = len(tx.news)
        tx.connection.exec_driver_sql("SAVEPOINT one")
        try:
            outcomes = _together(tx, alike)
            tx.connection.exec_driver_sql("RELEASE SAVEPOINT one")
            return outcomes
        except DBAPIError as error:
            if not isinstance(error, IntegrityError) and (error.connection_invalidated or _is_out_of_order(error)):
                raise
            failure: BaseException = error
            if isinstance(error, IntegrityError):
                failure = Conflict(f"It contradicts what is there: {_reason(error)}.")
                failure.__cause__ = error
        except Exception as error:
            failure = error
        tx.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one")
        tx.connection.exec_driver_sql("RELEASE SAVEPOINT one")
        del tx.news[mark:]
        if len(alike) > 1:
            # Which of them it was is found by doing them one by one.
            return [pair for one in alike for pair in self._guarded(tx, [one])]
        if isinstance(failure, Conflict) and isinstance(failure.__cause__, IntegrityError) and not again:
            # Another server may have written the same at the same time; done again, it is seen to be there.
            return self._guarded(tx, alike, again=True)
        if not isinstance(failure, Refusal):
            get_logger("server").error("A write failed.", exc_info=failure)
        return [(alike[0], failure)]


class _NotBegun(Exception):
    """No transaction could be begun, so nothing happened."""


def _together(tx: Tx, alike: list[_Operation]) -> list[tuple[_Operation, Any]]:
    """Do operations of one kind."""
    do = alike[0].do
    if isinstance(do, Bulk):
        return list(zip(alike, do.do(tx, [one.argument for one in alike]), strict=True))
    return [(one, do(tx)) for one in alike]


def _tell(outcomes: Sequence[tuple[_Operation, Any]]) -> None:
    """Give operations their outcomes; those who wait on a loop are woken all at once."""
    of_loops: dict[asyncio.AbstractEventLoop, list[tuple[Any, Any]]] = {}
    for operation, outcome in outcomes:
        if operation.loop is None:
            _settle([(operation.future, outcome)])
        else:
            of_loops.setdefault(operation.loop, []).append((operation.future, outcome))
    for loop, pairs in of_loops.items():
        # A loop that is closed has nobody waiting any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, pairs)


def _settle(pairs: list[tuple[Any, Any]]) -> None:
    for future, outcome in pairs:
        if future.done():
            continue
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _reason(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__


def _is_out_of_order(error: DBAPIError) -> bool:
    """Tell whether the database itself is in trouble (full disk, locked, gone), rather than the statement wrong."""
    if not isinstance(error, OperationalError):
        return False
    if not isinstance(error.orig, sqlite3.OperationalError):
        # PostgreSQL has other errors for wrong statements; it stops, lacks room, or ends a deadlock of two servers.
        return True
    words = ("disk", "locked", "readonly", "unable to open", "I/O")
    return any(word in str(error.orig) for word in words)


# --- connections -----------------------------------------------------------------------------------------------


def _engine(url: str, *, writes: bool) -> Engine:
    if not url.startswith("sqlite"):
        import_psycopg()
        address = "postgresql+psycopg://" + url.partition("://")[2]
        size = 1 if writes else READERS
        return sqlalchemy.create_engine(
            address,
            pool_size=size,
            max_overflow=1,
            # The writer's own first statement tells it whether the connection lives.
            pool_pre_ping=not writes,
            connect_args={"connect_timeout": 5},
        )
    path = url.removeprefix("sqlite:///")
    make_private(path)
    engine = sqlalchemy.create_engine(
        f"sqlite+pysqlite:///{path}",
        poolclass=sqlalchemy.QueuePool,
        pool_size=1 if writes else READERS,
        max_overflow=0 if writes else 2,
        connect_args={"check_same_thread": False, "timeout": 2.0, "isolation_level": None},
        # Transactions are begun by hand: the driver's own BEGIN takes its lock too late.
        isolation_level="AUTOCOMMIT",
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        for pragma in _PRAGMAS if writes else (*_PRAGMAS, "query_only=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine


_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-32000", "temp_store=MEMORY")


def import_psycopg() -> None:
    """
    Make sure that the driver of PostgreSQL is there.

    Raises:
        ImportError: which names the extra.
    """
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "PostgreSQL needs the extra `postgres`: install it from the checkout with pip install '.[postgres]'."
        ) from error


def make_private(path: str) -> None:
    """Make the file of a database, and its folder, readable by its owner alone, whatever the umask."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        os.makedirs(folder, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
