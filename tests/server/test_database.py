"""The database: one writer, groups of writes, trouble on the disk, upgrades and backups."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from dagflow.exceptions import PrefectException
from dagflow.server.database import engine, tables
from dagflow.server.database.engine import Bulk, Database, Tx, make_private
from dagflow.server.database.upgrade import backup, path_of, upgrade
from dagflow.server.errors import Busy, Conflict, Invalid
from dagflow.server.store import records
from tests.server.databases import MakeUrl


@pytest.fixture
def database(new_database: MakeUrl) -> Iterator[Database]:
    made = Database(new_database())
    yield made
    made.close()


def add(name: str) -> Callable[[Tx], str]:
    return lambda tx: records.add(tx, tables.project, name=name)


def names(database: Database) -> list[str]:
    return sorted(database.read(lambda connection: connection.execute(select(tables.project.c.name)).scalars().all()))


class Held:
    """Keeps the writer busy until it is let go, so that writes gather."""

    def __init__(self, database: Database) -> None:
        self.going, self.let = threading.Event(), threading.Event()
        self.future = database.submit(self._wait)
        assert self.going.wait(5)

    def _wait(self, tx: Tx) -> None:
        self.going.set()
        self.let.wait(5)

    def go(self) -> None:
        self.let.set()
        self.future.result(5)


# --- one writer ------------------------------------------------------------------------------------------------


def test_an_answer_comes_after_the_commit(database: Database) -> None:
    database.write(add("a"))

    assert names(database) == ["a"]


def test_what_has_gathered_is_written_in_one_transaction(database: Database) -> None:
    held = Held(database)
    moments: set[str] = set()
    futures = [database.submit(lambda tx: moments.add(tx.stamp)) for _ in range(50)]
    held.go()
    for future in futures:
        future.result(5)

    assert len(moments) == 1


def test_an_operation_that_fails_is_undone_alone(database: Database) -> None:
    def fail(tx: Tx) -> None:
        records.add(tx, tables.project, name="half")
        raise Invalid("no")

    held = Held(database)
    futures = [database.submit(one) for one in (add("a"), fail, add("b"), add("a"), add("c"))]
    held.go()

    with pytest.raises(Invalid):
        futures[1].result(5)
    with pytest.raises(Conflict):
        futures[3].result(5)
    assert names(database) == ["a", "b", "c"]


def test_news_of_an_operation_that_failed_are_not_told(new_database: MakeUrl) -> None:
    told: list[Any] = []
    database = Database(new_database(), hear=told.extend)

    def fail(tx: Tx) -> None:
        tx.news.append(("flow_run", "bad"))
        raise Invalid("no")

    database.write(lambda tx: tx.news.append(("flow_run", "good")))
    with pytest.raises(Invalid):
        database.write(fail)
    database.close()

    assert told == [("flow_run", "good")]


def test_operations_of_one_kind_are_done_together_and_a_bad_one_fails_alone(database: Database) -> None:
    sizes = []

    def insert(tx: Tx, wanted: list[str]) -> list[str]:
        sizes.append(len(wanted))
        return [records.add(tx, tables.project, name=name) for name in wanted]

    bulk: Bulk[str] = Bulk(insert)
    held = Held(database)
    futures = [database.submit(bulk, name) for name in ("a", "b", "a", "c")]
    held.go()

    assert [isinstance(future.exception(5), Conflict) for future in futures] == [False, False, True, False]
    assert names(database) == ["a", "b", "c"]
    assert sizes[0] == 4


def test_many_threads_write_and_none_is_told_that_the_database_is_locked(database: Database) -> None:
    futures: list[Future[Any]] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        for part in range(25):
            future = database.submit(add(f"{number}-{part}"))
            with lock:
                futures.append(future)
            names(database)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [future.exception(10) for future in futures] == [None] * 200
    assert len(names(database)) == 200


def test_a_read_sees_one_moment(new_sqlite: MakeUrl) -> None:
    database = Database(new_sqlite())

    def read(connection: Any) -> list[int]:
        count = select(func.count()).select_from(tables.project)
        before = connection.execute(count).scalar_one()
        database.write(add("in between"))
        return [before, connection.execute(count).scalar_one()]

    found = database.read(read)
    database.close()

    assert found == [0, 0]


def test_what_is_queued_is_written_before_the_database_closes(new_database: MakeUrl) -> None:
    url = new_database()
    database = Database(url)
    held = Held(database)
    futures = [database.submit(add(str(number))) for number in range(20)]
    closing = threading.Thread(target=database.close)
    closing.start()
    held.go()
    closing.join(5)

    assert all(future.exception(0) is None for future in futures)
    with pytest.raises(Busy, match="stopping"):
        database.write(add("late"))
    again = Database(url)
    assert len(names(again)) == 20
    again.close()


# --- trouble ---------------------------------------------------------------------------------------------------


def locked(url: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path_of(url), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_writes_wait_while_somebody_else_has_the_database(new_sqlite: MakeUrl) -> None:
    url = new_sqlite()
    database, other = Database(url), locked(url)
    future = database.submit(add("patient"))
    reading = names(database)
    assert not future.done()

    other.execute("COMMIT")
    other.close()

    assert (reading, future.exception(10), names(database)) == ([], None, ["patient"])
    database.close()


def test_who_has_waited_long_enough_is_told_to_come_again_and_nothing_was_done(
    new_sqlite: MakeUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    url = new_sqlite()
    database, other = Database(url), locked(url)

    with pytest.raises(Busy, match="cannot be written now"):
        database.submit(add("impatient")).result(10)
    other.execute("COMMIT")
    other.close()
    database.write(add("later"))

    assert names(database) == ["later"]
    database.close()


def test_on_a_full_disk_writes_are_told_to_come_again_and_go_on_when_there_is_room(new_sqlite: MakeUrl) -> None:
    database = Database(new_sqlite())
    database.write(add("before"))
    allow_pages(database, 1)  # no fewer than it has

    with pytest.raises(Busy, match=r"disk is full.*Try again"):
        database.write(add("a" * 1_000_000))
    assert names(database) == ["before"]

    allow_pages(database, 1_000_000)
    database.write(add("after"))
    assert names(database) == ["after", "before"]
    database.close()


def allow_pages(database: Database, number: int) -> None:
    """Let the file of a database have no more than so many pages, as if the disk ended there."""
    with database.writer.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={number}")


@pytest.mark.parametrize("code", ["40P01", "40001", "53100", "57014"])
def test_who_is_in_the_way_of_another_server_is_told_to_come_again(new_postgresql: MakeUrl, code: str) -> None:
    database = Database(new_postgresql())

    def stopped(tx: Tx) -> None:
        tx.connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'stopped' USING ERRCODE = '{code}'; END $$")

    with pytest.raises(Busy, match="stopped"):
        database.write(stopped)

    database.write(add("after"))
    assert names(database) == ["after"]
    database.close()


def test_after_a_restart_of_postgresql_all_goes_on(new_postgresql: MakeUrl) -> None:
    import psycopg

    url = new_postgresql()
    database = Database(url)
    database.write(add("before"))
    assert names(database) == ["before"]
    # All connections are cut, as a restart does.
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )

    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            database.write(add("after"))
            break
        except Busy:
            time.sleep(0.05)

    assert names(database) == ["after", "before"]
    database.close()


# --- files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_database_is_its_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        database = Database(f"sqlite:///{tmp_path}/deep/er/x.db")
        upgrade(database.writer, database.url)
        copy = backup(path_of(database.url), str(tmp_path / "copy.db"))
    finally:
        os.umask(before)

    files = [*(tmp_path / "deep" / "er").iterdir(), Path(copy)]
    assert {oct(stat.S_IMODE(one.stat().st_mode)) for one in files} == {"0o600"}
    assert stat.S_IMODE((tmp_path / "deep" / "er").stat().st_mode) == 0o700
    database.close()


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.touch(mode=0o644)

    make_private(str(path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# --- upgrades --------------------------------------------------------------------------------------------------


def version(database: Database, text: str) -> None:
    statement = f"UPDATE alembic_version SET version_num = '{text}'"
    database.write(lambda tx: tx.connection.exec_driver_sql(statement) and None)


def test_a_database_of_a_later_version_is_left_alone(database: Database) -> None:
    version(database, "9999")

    with pytest.raises(PrefectException, match="schema 9999, which this version of dagflow does not know"):
        upgrade(database.writer, database.url)


def test_a_database_that_is_up_to_date_is_left_alone(database: Database) -> None:
    assert upgrade(database.writer, database.url) == []


def test_a_copy_is_made_before_a_schema_is_changed(new_sqlite: MakeUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    url = new_sqlite()
    database = Database(url)
    database.write(add("kept"))
    seen = []
    monkeypatch.setattr("dagflow.server.database.upgrade._apply", lambda *_, **__: seen.append(copies(url)))
    pretend_newer(monkeypatch)

    upgrade(database.writer, url)
    database.close()

    [[copy]] = seen
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT name FROM project").fetchall() == [("kept",)]
    connection.close()


def pretend_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a migration more than the database has."""
    from alembic.script import ScriptDirectory

    genuine = ScriptDirectory.get_current_head
    monkeypatch.setattr(ScriptDirectory, "get_current_head", lambda self: f"{genuine(self)}-next")


def copies(url: str) -> list[str]:
    path = Path(path_of(url))
    return [str(one) for one in path.parent.glob(f"{path.name}.before-*")]


def test_a_schema_change_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagflow.server.database.migrations import views

    database = Database(f"sqlite:///{tmp_path}/x.db")
    with monkeypatch.context() as patch:
        patch.setitem(views._VIEWS, "v_task_run", "SELECT nonsense FROM nowhere_at_all (")
        with pytest.raises(Exception, match=r"incomplete input|syntax"):
            upgrade(database.writer, database.url)
    left = database.read(lambda connection: connection.exec_driver_sql("SELECT name FROM sqlite_master").all())

    assert left == []
    assert upgrade(database.writer, database.url)
    database.close()


def test_a_backup_is_whole_while_the_database_is_written(new_sqlite: MakeUrl, tmp_path: Path) -> None:
    database = Database(new_sqlite())
    database.write(add("a"))

    copy = backup(path_of(database.url), str(tmp_path / "copy.db"))
    database.write(add("b"))

    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT name FROM project").fetchall() == [("a",)]
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    database.close()


def test_a_backup_overwrites_nothing(new_sqlite: MakeUrl, tmp_path: Path) -> None:
    path = path_of(new_sqlite())
    with pytest.raises(FileExistsError):
        backup(path, path)
    with pytest.raises(FileNotFoundError):
        backup(str(tmp_path / "none.db"), str(tmp_path / "copy.db"))
    assert not (tmp_path / "copy.db").exists()


def test_what_pages_need_is_made_in_a_database_of_before(new_database: MakeUrl) -> None:
    database = Database(new_database())

    def go_back(tx: Tx) -> None:
        tx.connection.exec_driver_sql("DROP TABLE flow_layout")
        for name in ("flow_run_by_end", "flow_run_begun", "flow_run_upcoming"):
            tx.connection.exec_driver_sql(f"DROP INDEX {name}")
        tx.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")

    database.write(go_back)

    assert upgrade(database.writer, database.url) == ["0003"]
    assert database.read(lambda connection: connection.execute(select(tables.flow_layout)).all()) == []
    database.close()
