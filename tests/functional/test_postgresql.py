"""The contracts of the store on a real PostgreSQL, and what only a server with several clients can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from random import Random
from threading import Barrier, Thread
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from twisted.internet.defer import execute
from twisted.trial.unittest import SynchronousTestCase

from gateway.model import Amend, DeviceKey, FolderType, Found, FoundFolder, Mode, SyncRequest
from gateway.store import Store, open_store
from gateway.store.database import Database, make_engine
from gateway.store.rows import next_numbers
from gateway.store.schema import item, metadata
from gateway.trigger import Cause, Letter, Limits, Line, Order, Verdict, WakeRule
from tests.contract import every
from tests.contract.history import World
from tests.postgresql import cluster, missing
from tests.store.test_schema import differences
from tests.stores import result_of

skip = missing()


def thread(work: Callable[[], Any]) -> Thread:
    """A thread that does not keep the tests from ending."""
    return Thread(target=work, daemon=True)


TABLES = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables if table.name != "meta")


@cache
def shared() -> Engine:
    """One database for all tests; the migrations have made it."""
    url = cluster().url(cluster().database())
    open_store(url, execute).close()
    return make_engine(url)


def emptied(seconds: Any) -> Store:
    """A store on the one database, without what was in it before."""
    with shared().begin() as connection:
        connection.execute(text(f"TRUNCATE {TABLES} RESTART IDENTITY"))
    return Store(Database(shared(), execute), seconds)


class OnPostgreSQL:
    """Stores on one database of the server."""

    def makeStore(self) -> Store:
        return emptied(self.seconds)

    def restart(self) -> Store:
        return Store(Database(shared(), execute), self.seconds)


globals().update(every.on("PostgreSQL", OnPostgreSQL, __name__, Search={"slow": 800}))


class PostgreSQLHistoryTests(SynchronousTestCase):
    """Random histories on PostgreSQL."""

    def test_histories(self) -> None:
        """Whatever happens, a look knows what a phone lacks, and in the end each has exactly its window."""
        for seed in range(500, 510):
            clock = [1_700_000_000]
            store = emptied(lambda clock=clock: clock[0])
            world = World(store, lambda store=store: Store(store.database, store.seconds), Random(seed), clock=clock)
            world.begin(2)
            world.run(40)


class SchemaTests(SynchronousTestCase):
    """The migrations on PostgreSQL."""

    def test_migrationsAgreeWithTables(self) -> None:
        """What the migrations make is what the code expects."""
        with shared().connect() as connection:
            self.assertEqual(differences(connection), [])

    def test_twoNodesStartAtOnce(self) -> None:
        """Two nodes that start on an empty database at the same time both come up, with one epoch."""
        url = cluster().url(cluster().database())
        stores: list[Store] = []
        nodes = [thread(lambda: stores.append(open_store(url, execute))) for _ in range(3)]
        for node in nodes:
            node.start()
        for node in nodes:
            node.join(60)
        self.assertEqual(len(stores), 3)
        self.assertEqual(len({store.epoch for store in stores}), 1)
        for store in stores:
            store.close()


ANN = DeviceKey("ann", "phone")


class SeveralClientsTests(SynchronousTestCase):
    """Rule 4: numbers are committed in order, whoever writes."""

    def setUp(self) -> None:
        self.store = emptied(lambda: 1_700_000_000)
        found = [FoundFolder("", "Inbox", FolderType.INBOX), FoundFolder(".A", "A", FolderType.USER_MAIL)]
        self.inbox, self.other = (one.id for one in result_of(self.store.record_hierarchy("ann", found))[0])

    def record(self, name: str, folder: int | None = None) -> Any:
        return result_of(self.store.record({folder or self.inbox: ([Found(name, "", 1_700_000_000)], [])}))

    def sync(self, key: str, device: DeviceKey = ANN) -> Any:
        request = SyncRequest(key, name_of(key), 1_700_000_000, get_changes=key != "0")
        return result_of(self.store.sync(device, self.inbox, request))

    def test_waitsForTheSmallerNumber(self) -> None:
        """Who comes second waits: neither a record nor a Sync passes a number that is not committed yet."""
        key = self.sync("0").key
        outcomes: list[Any] = []
        slow = create_engine(self.store.database.engine.url)
        with slow.begin() as connection:
            number = next_numbers(connection, self.inbox, 1)
            row = {"folder": self.inbox, "name": "slow", "state": "", "received": 1_700_000_000}
            connection.execute(item.insert().values(number=number, added=number, **row))
            late = [
                thread(lambda: outcomes.append(self.record("quick"))),
                thread(lambda: outcomes.append(self.sync(key))),
            ]
            for one in late:
                one.start()
            for one in late:
                one.join(0.3)
            self.assertEqual(outcomes, [])
            self.record("elsewhere", self.other)
            self.assertEqual(result_of(self.store.look(ANN, [self.inbox], False)).folders[self.inbox].number, 0)
        for one in late:
            one.join(30)
        slow.dispose()
        self.assertEqual(len(outcomes), 2)
        numbers = {one.name: one.number for one in result_of(self.store.items("ann", range(1, 100)))}
        self.assertLess(numbers["slow"], numbers["quick"])

    def test_lookSeesOneState(self) -> None:
        """A look does not mix what was before a change with what is after it."""
        key = self.sync("0").key
        self.record("a")
        key = self.sync(key).key
        self.store.given(ANN, self.inbox, key)
        [a] = result_of(self.store.items("ann", range(1, 100)))
        request = SyncRequest(key, b"own", 1_700_000_000, get_changes=False, commands=(Amend(a.id, add="S"),))
        self.store.given(ANN, self.inbox, result_of(self.store.sync(ANN, self.inbox, request)).key)
        other = Store(Database(make_engine(shared().url), execute))
        statements: list[str] = []

        def between(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            statements.append(statement)
            if "EXISTS" in statement:
                found = [Found("late", "", 1_700_000_000)]
                result_of(other.record({self.inbox: (found, [])}))

        event.listen(shared(), "before_cursor_execute", between)
        looked = result_of(self.store.look(ANN, [self.inbox], False)).folders[self.inbox]
        event.remove(shared(), "before_cursor_execute", between)
        other.close()
        self.assertEqual((len(statements), looked.number, looked.news), (2, 2, False))
        self.assertTrue(result_of(self.store.look(ANN, [self.inbox], False)).folders[self.inbox].news)

    def test_writersAndReaders(self) -> None:
        """While two write and a device synchronises, it gets each mail once, and misses none."""
        key, got, failures = self.sync("0").key, [], []

        def write(who: str) -> None:
            try:
                for n in range(40):
                    self.record(f"{who}{n}")
            except BaseException as error:
                failures.append(error)

        writers = [thread(lambda who=who: write(who)) for who in "ab"]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers) or len(got) < 80:
            outcome = self.sync(key)
            got += [row.item.name for row in outcome.batch]
            key = outcome.key
            if failures:
                break
        for writer in writers:
            writer.join(30)
        self.assertEqual(failures, [])
        self.assertEqual(sorted(got), sorted(f"{who}{n}" for who in "ab" for n in range(40)))

    def test_forgottenWhileSynchronising(self) -> None:
        """A device that is forgotten while it synchronises is left without a key."""
        for n in range(20):
            self.record(f"m{n}")
            self.forget_while_talking()

    def forget_while_talking(self) -> None:
        key = self.sync("0").key
        answers: list[Any] = []
        talking = thread(lambda: answers.append(self.sync(key)))
        talking.start()
        result_of(self.store.forget(ANN))
        talking.join(30)
        [answer] = answers
        self.assertEqual(self.sync(answer.key if answer.status == 1 else key).status, 3)


class SeveralNodesTests(SynchronousTestCase):
    """Two nodes on one database do not knock twice, nor send a letter twice."""

    def setUp(self) -> None:
        self.store = emptied(lambda: 1_700_000_000)
        self.other = Store(Database(make_engine(shared().url), execute), self.store.seconds)
        self.addCleanup(self.other.close)

    def at_once(self, *works: Callable[[], Any]) -> list[Any]:
        """What comes of calls made at the same time."""
        found: list[Any] = []
        start = Barrier(len(works))

        def call(work: Callable[[], Any]) -> None:
            try:
                start.wait(10)
                found.append(work())
            except BaseException as error:
                found.append(error)

        threads = [thread(lambda work=work: call(work)) for work in works]
        for one in threads:
            one.start()
        for one in threads:
            one.join(30)
        return found

    def test_decide(self) -> None:
        """Whoever decides second sees what the first has decided, and what was spent."""
        store, now = self.store, 1_700_000_000
        [inbox] = result_of(store.record_hierarchy("ann", [FoundFolder("", "Inbox", FolderType.INBOX)]))[0]
        keys = [DeviceKey("ann", f"p{n}") for n in range(20)]
        for key in keys:
            result_of(store.triggers.keep_line(Line(key, "+49")))
            first = result_of(store.sync(key, inbox.id, SyncRequest("0", b"", now, get_changes=False)))
            second = result_of(store.sync(key, inbox.id, SyncRequest(first.key, b"", now)))
            store.given(key, inbox.id, second.key)
        result_of(store.flush())
        result_of(store.record({inbox.id: ([Found("a", "", now)], [])}))
        rule = WakeRule(Mode.SMS, limits=Limits(total=15), day=now, tomorrow=now + 86400)
        # The row is there already: who counts first on a day does not make the other wait.
        orders = [Order(Line(key, "+49"), Cause.CHANGE, rule, (inbox.id,), route="smpp:x") for key in keys]
        result_of(store.triggers.decide(orders[:1], now))
        answers = self.at_once(
            lambda: result_of(store.triggers.decide(orders, now)),
            lambda: result_of(self.other.triggers.decide(orders[::-1], now)),
        )
        verdicts = Counter(decided.verdict for answer in answers for decided in answer)
        self.assertEqual(verdicts[Verdict.SMS], 14)
        self.assertEqual(len(result_of(store.outbox.take("smpp:x", now, 99))), 15)

    def test_take(self) -> None:
        """Each letter is taken by one of them."""
        keys = [DeviceKey("ann", f"p{n}") for n in range(200)]
        result_of(self.store.outbox.put([Letter(key, "smpp:x", guid="x", created=1, due=1) for key in keys]))
        answers = self.at_once(
            lambda: result_of(self.store.outbox.take("smpp:x", 1, 150)),
            lambda: result_of(self.other.outbox.take("smpp:x", 1, 150)),
        )
        ids = [one.id for answer in answers for one in answer]
        ids += [one.id for one in result_of(self.store.outbox.take("smpp:x", 1, 150))]
        self.assertEqual(sorted(ids), list(range(1, 201)))


def name_of(key: str) -> bytes:
    """Something that tells requests with different keys apart."""
    return key.encode()


class DurabilityTests(SynchronousTestCase):
    """Invariant 10 on PostgreSQL."""

    def test_levels(self) -> None:
        """Keys and durable partnerships wait for the disk; what a rescan restores does not."""
        database = emptied(lambda: 0).database

        def level(connection: Any) -> str:
            return str(connection.exec_driver_sql("SHOW synchronous_commit").scalar_one())

        self.assertEqual(database.writing(True, level), "on")
        self.assertEqual(database.writing(False, level), "off")
        self.assertEqual(database.writing(True, level), "on")
