"""The tables and their migrations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

import gateway
from gateway.model import Access, Decision, Device, DeviceKey, FolderType, FoundFolder, Mode, SyncRequest
from gateway.posting import Posting
from gateway.store import Store, open_store
from gateway.store.database import make_engine
from gateway.store.migrate import CannotOpen, NewerDatabase, migrate, newest
from gateway.store.schema import metadata
from gateway.store.upgrade import configuration, versions
from gateway.trigger import Hop, Letter, Line, Override, WakeRule


def told_by_code(thing: Any, name: str | None, *rest: Any) -> bool:
    """Whether a table or index can be told to SQLAlchemy, and is on every database: not those of the full texts."""
    return not (name or "").startswith(("search_words", "search_document_words"))


def differences(connection: Connection) -> list[Any]:
    """How the tables of a database differ from those that the code expects, columns' types included."""
    options = {"compare_type": True, "target_metadata": metadata, "include_object": told_by_code}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


class MigrationTests(SynchronousTestCase):
    """Bringing a database up to date."""

    def setUp(self) -> None:
        self.path = self.mktemp() + " with 100% of a space"
        self.url = f"sqlite:///{self.path}"

    def open(self) -> Store:
        store = open_store(self.url, execute)
        self.addCleanup(store.close)
        return store

    def test_migrationsAgreeWithTables(self) -> None:
        """What the migrations make is what the code expects."""
        with self.open().database.engine.connect() as connection:
            self.assertEqual(differences(connection), [])

    def test_tablesAgreeAlsoByTheirText(self) -> None:
        """The migrations make the same indexes, conditions included, and the same row numbering as the tables say."""
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
        query += " AND name NOT LIKE 'search_words%' ORDER BY name"
        told = []
        direct = make_engine("sqlite://")
        metadata.create_all(direct)
        for engine in (self.open().database.engine, direct):
            with engine.connect() as connection:
                rows = connection.exec_driver_sql(query).all()
                told.append([(name, sorted(part.strip(" ()\t\n") for part in sql.split(","))) for name, sql in rows])
        self.assertEqual(*told)

    def test_fromEachVersion(self) -> None:
        """A database of an earlier version is brought up to date, and keeps what is in it."""
        engine = make_engine(self.url)
        self.addCleanup(engine.dispose)
        with engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
            command.upgrade(configuration(connection), "0001")
            self.assertNotIn("outbox", inspect(connection).get_table_names())
            connection.exec_driver_sql("UPDATE meta SET value = 'feed' WHERE name = 'epoch'")
            connection.exec_driver_sql(
                "INSERT INTO device (user, name, known, type, agent, version, first_seen, last_seen, last_sync, last_ping)"
                " VALUES ('ann', 'old', 1, '', '', '', 1, 1, 1, 1)"
            )
        store = self.open()
        self.assertEqual(store.epoch, "feed")
        with store.database.engine.connect() as connection:
            self.assertEqual(differences(connection), [])
        self.successResultOf(store.triggers.keep_line(Line(DeviceKey("ann", "phone"), "+49")))
        old = self.successResultOf(store.device(DeviceKey("ann", "old")))
        assert old is not None
        self.assertTrue(old.admitted, "who has long been known is not asked to wait")

    def test_back(self) -> None:
        """Every migration can be undone."""
        engine = self.open().database.engine
        with engine.execution_options(sqlite_begin="IMMEDIATE").begin() as connection:
            command.downgrade(configuration(connection), "base")
            self.assertEqual(set(inspect(connection).get_table_names()) - {"alembic_version"}, set())

    def test_again(self) -> None:
        """Opening again changes nothing: the same epoch, so the keys stay valid."""
        epoch = self.open().epoch
        self.assertEqual(self.open().epoch, epoch)

    def test_newest(self) -> None:
        """The names of the migrations tell which version is the newest, as they do themselves."""
        with self.open().database.engine.connect() as connection:
            self.assertEqual(versions(configuration(connection))[0], newest())

    def test_withoutAlembic(self) -> None:
        """A database that is up to date is opened without Alembic, which costs a start time and memory."""
        self.open()
        program = (
            "import sys; from twisted.internet.defer import execute; from gateway.store import open_store;"
            f" open_store({self.url!r}, execute).close(); print('alembic' in sys.modules)"
        )
        root = str(Path(gateway.__file__).parents[1])
        done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": root}, capture_output=True, text=True)
        self.assertEqual((done.stdout, done.stderr), ("False\n", ""))

    def test_epochs(self) -> None:
        """Each database has an epoch of its own."""
        first, second = (open_store("sqlite://", execute) for _ in range(2))
        self.assertNotEqual(first.epoch, second.epoch)

    def test_newer(self) -> None:
        """A database of a newer version is refused with a clear error, and left alone."""
        engine = self.open().database.engine
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        error = self.assertRaises(NewerDatabase, open_store, self.url, execute)
        self.assertIn("9999", str(error))

    def test_failedMigration(self) -> None:
        """A migration that fails leaves nothing behind."""
        engine = make_engine(self.url)
        self.addCleanup(engine.dispose)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE item (id INTEGER)")
        self.assertRaises(CannotOpen, migrate, engine)
        self.assertEqual(inspect(engine).get_table_names(), ["item"])


class SettingsTests(SynchronousTestCase):
    """How connections are set up, and how durable transactions are."""

    def setUp(self) -> None:
        self.store = open_store(f"sqlite:///{self.mktemp()}", execute)
        self.addCleanup(self.store.close)
        self.waited = 0
        assert self.store.database.journal is not None
        self.store.database.journal.sync = self.sync

    def sync(self, log: int) -> None:
        """Count instead of waiting for the disk."""
        self.waited += 1

    def pragma(self, name: str, durable: bool) -> Any:
        def ask(connection: Connection) -> Any:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

        return self.store.database.writing(durable, ask)

    def test_pragmas(self) -> None:
        """WAL, foreign keys, and a time to wait for other processes."""
        asked = [self.pragma(name, False) for name in ("journal_mode", "foreign_keys", "busy_timeout")]
        self.assertEqual(asked, ["wal", 1, 10_000])

    def waits(self) -> int:
        """How often the disk was waited for since the last question."""
        count, self.waited = self.waited, 0
        return count

    def test_durability(self) -> None:
        """Invariant 10: durable transactions wait for the disk after their commit, others do not."""
        counts = []
        for durable in (False, True, True, False):
            self.store.database.writing(durable, lambda connection: None)
            counts.append(self.waits())
        self.assertEqual(counts, [0, 1, 1, 0])

    def test_whatIsDurable(self) -> None:
        """Keys, durable partnerships and their end wait for the disk; what a rescan or the next time restores does not."""
        phone, store = DeviceKey("ann", "phone"), self.store
        [inbox] = self.successResultOf(store.record_hierarchy("ann", [FoundFolder("", "Inbox", FolderType.INBOX)]))[0]
        request = SyncRequest("0", b"", 0, get_changes=False)
        calls = [
            (0, lambda: store.record_hierarchy("ann", [])),
            (0, lambda: store.record({})),
            (0, lambda: store.listed({})),
            (0, lambda: store.done([])),
            (0, lambda: store.keep(Device(phone), False)),
            (0, lambda: store.keep_all([])),
            (1, lambda: store.keep(Device(phone), True)),
            (1, lambda: store.sync(phone, inbox.id, request)),
            (1, lambda: store.sync_folders(phone, "0")),
            (1, lambda: store.forget(phone)),
        ]
        for times, call in calls:
            self.successResultOf(call())
            self.assertEqual(self.waits(), times)

    def test_whatIsDurableOfTriggers(self) -> None:
        """Invariant 10: lines, decisions and letters wait for the disk; the trace and what was seen of parks do not.

        A sync that changes nothing is not even written.
        """
        key, store = DeviceKey("ann", "phone"), self.store
        letter = Letter(key, "smpp:x", "+49", created=1, due=1, guid="x")
        rule = WakeRule(Mode.SMS)
        calls = [
            (1, lambda: store.triggers.keep_line(Line(key, "+49", expires=5000))),
            (1, lambda: store.triggers.decide([], 1)),
            (1, lambda: store.triggers.synced(key, 1, rule, 9000)),
            (0, lambda: store.triggers.synced(key, 1, rule, 9000)),
            (1, lambda: store.triggers.outside_guid(Line(key), "x", 1, 9000)),
            (0, lambda: store.triggers.parks({key: (1, 1, False)})),
            (0, lambda: store.triggers.late(1)),
            (1, lambda: store.outbox.put([letter])),
            (1, lambda: store.outbox.take("smpp:x", 1, 1)),
            (1, lambda: store.outbox.settle([])),
            (1, lambda: store.outbox.receive([])),
            (1, lambda: store.outbox.reopen(1)),
            (0, lambda: store.outbox.forget(1)),
            (1, lambda: store.postings.post(Posting(key=key, name="x", now=1, since=0, letters=(), recipients=1))),
            (0, lambda: store.postings.forget_postings(1)),
            (0, lambda: store.trace.note([Hop(1, key, "x")])),
            (0, lambda: store.trace.forget_hops(1)),
            (1, lambda: store.overrides.override("ann", "", Override("ann", "", Mode.SMS, "x", 1))),
            (1, lambda: store.decisions.decide(key, Decision(key, Access.BLOCK, "x", 1))),
            (1, lambda: store.triggers.drop_line(key)),
        ]
        counts = []
        for _, call in calls:
            self.successResultOf(call())
            counts.append(self.waits())
        self.assertEqual(counts, [times for times, _ in calls])

    def test_rollback(self) -> None:
        """A transaction that fails leaves nothing."""

        def fail(connection: Connection) -> None:
            connection.exec_driver_sql("INSERT INTO meta VALUES ('x', 'y')")
            raise ValueError("on purpose")

        self.assertRaises(ValueError, self.store.database.writing, True, fail)
        query = "SELECT count(*) FROM meta WHERE name = 'x'"
        self.assertEqual(self.store.database.reading(lambda connection: connection.exec_driver_sql(query).scalar()), 0)
