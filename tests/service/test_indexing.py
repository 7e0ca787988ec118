"""Keeping the index of mails up with the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.index import Document, Phrase, Portion, Sought
from gateway.interfaces import BackendDown, IReporter, ISearchIndex
from gateway.model import Change
from gateway.service.gathering import LOAD
from gateway.service.indexing import GATHER, MAILS, REST, Indexer
from tests.eas.support import FOLDERS, Sources
from tests.stores import result_of


class IndexerCase(SynchronousTestCase):
    """An indexer of ann's mails."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sources = Sources()
        self.folders = self.sources.make()
        self.inbox = self.folders[""]
        self.index = self.sources.store.index
        self.indexer = self.make()

    def make(self) -> Indexer:
        indexer = Indexer(self.index, self.sources.mailbox, self.clock, execute)
        self.addCleanup(indexer.stop)
        return indexer

    def tearDown(self) -> None:
        self.indexer.stop()
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def mail(self, name: str, folder: str = "", **more: Any) -> None:
        self.sources.mail(
            self.folders[folder], name, b"Subject: %s\r\n\r\nneedle\r\n" % name.encode(), path=folder, **more
        )

    def found(self, what: str = "needle") -> list[str]:
        matches = result_of(self.index.search("ann", Sought(((Phrase(what),),)), 0, 1000))
        return [item.name for item in self.sources.items(*matches.items)]

    def work(self, times: int = 100) -> None:
        """Let it work for as long as it has something to do, in no time."""
        for _ in range(times):
            self.clock.advance(0)

    def changed(self, *folders: int) -> None:
        self.indexer.changed(*(Change(folder or self.inbox, 1) for folder in folders or (0,)))
        self.clock.advance(GATHER)
        self.work()


class IndexerTests(IndexerCase):
    """L{Indexer}."""

    def test_interface(self) -> None:
        """Changes are reported to it."""
        self.assertTrue(verifyObject(IReporter, self.indexer))

    def test_start(self) -> None:
        """At the start it catches up with everything, the newest mail first, Inboxes before other folders."""
        for n in range(MAILS + 3):
            self.mail(f"m{n}", age=n)
        self.mail("sent", ".Sent")
        self.indexer.start()
        self.assertEqual(self.found(), [f"m{n}" for n in range(MAILS)])
        self.assertEqual(self.indexer.behind, 2)
        self.work()
        self.assertEqual(len(self.found()), MAILS + 4)
        self.assertEqual(self.indexer.behind, 0)

    def test_rests(self) -> None:
        """After each portion it rests three times as long as it has worked."""
        for n in range(2 * MAILS):
            self.mail(f"m{n}")

        def slowly(work: Any, *args: Any) -> Deferred[Any]:
            self.clock.rightNow += 0.5  # type: ignore[attr-defined]
            return execute(work, *args)

        self.indexer.run = slowly
        began = self.clock.seconds()
        self.indexer.start()
        took = self.clock.seconds() - began
        self.assertEqual(took, 0.5)
        self.clock.advance(REST * took - 0.01)
        self.assertEqual(len(self.found()), MAILS)
        self.clock.advance(0.02)
        self.assertEqual(len(self.found()), 2 * MAILS)
        self.clock.advance(100)
        self.work()

    def test_yields(self) -> None:
        """When the reactor is late others need the time: it waits longer and longer, until that is over."""
        for n in range(9 * MAILS):
            self.mail(f"m{n}", age=n)
        self.indexer.start()
        counts = []
        for seconds in (0, 5, 5, 5, 0.9, 0.1):
            if seconds:
                self.clock.advance(seconds)
            counts.append(len(self.found()) // MAILS)
        self.assertEqual(counts, [1, 2, 3, 4, 4, 9])

    def test_arrival(self) -> None:
        """A mail that comes is found a moment later; what comes in that moment is put in together."""
        self.indexer.start()
        self.mail("a")
        self.indexer.changed(Change(self.inbox, 1))
        self.clock.advance(GATHER / 2)
        self.mail("b")
        self.indexer.changed(Change(self.inbox, 2))
        self.assertEqual(self.found(), [])
        self.clock.advance(GATHER / 2)
        self.assertEqual(sorted(self.found()), ["a", "b"])
        self.assertEqual(self.indexer.behind, 0)

    def test_newFirst(self) -> None:
        """A mail that comes while old ones are put in does not wait for them."""
        for n in range(5 * MAILS):
            self.mail(f"m{n}", age=n + 9)
        self.indexer.start()
        self.mail("new", ".Sent")
        self.indexer.changed(Change(self.folders[".Sent"], 1))
        self.clock.advance(GATHER)
        self.clock.advance(1)
        self.assertIn("new", self.found())
        self.assertLess(len(self.found()), 5 * MAILS)
        self.work()

    def test_removed(self) -> None:
        """A mail that is removed leaves the index."""
        self.mail("a")
        self.indexer.start()
        self.work()
        self.sources.gone(self.inbox, "a")
        self.changed()
        self.assertEqual(self.found(), [])
        self.assertEqual(result_of(self.index.portions([self.inbox], 9)), [None])

    def test_hierarchy(self) -> None:
        """A folder that is removed leaves the index at the next look at everything."""
        self.mail("a", ".Sent")
        self.indexer.start()
        self.work()
        sent = self.folders[".Sent"]
        _, changes = result_of(self.sources.store.record_hierarchy("ann", FOLDERS[:1]))
        self.changed(changes[0].folder)
        result_of(self.indexer.look())
        self.work()
        self.assertEqual(result_of(self.index.portions([sent], 9)), [None])

    def test_notStarted(self) -> None:
        """Before the start and after the stop changes are nothing to it: the start finds them."""
        self.mail("a")
        self.changed()
        self.assertEqual(self.found(), [])
        self.indexer.start()
        self.assertEqual(self.found(), ["a"])
        self.indexer.stop()
        self.mail("b")
        self.changed()
        self.assertEqual(self.found(), ["a"])
        self.indexer = self.make()
        self.indexer.start()
        self.assertEqual(sorted(self.found()), ["a", "b"])

    def test_stopWhileReading(self) -> None:
        """A stop while a mail is read ends at once; the mail is put in after the next start."""
        self.mail("a")
        pending: Deferred[Any] = Deferred()
        self.indexer.run = lambda work, *args: pending
        self.indexer.start()
        self.assertEqual(self.indexer.behind, 1)
        self.indexer.stop()
        self.assertEqual(self.found(), [])
        self.indexer = self.make()
        self.indexer.start()
        self.assertEqual(self.found(), ["a"])

    def test_odd(self) -> None:
        """No mail keeps others out, however odd."""
        for name, raw in (("empty", b""), ("nuls", b"\0" * 999), ("good", b"Subject: x\r\n\r\nneedle")):
            self.sources.mail(self.inbox, name, raw or b"\r\n")
        self.indexer.start()
        self.assertEqual(self.found(), ["good"])
        self.work()


class TogetherTests(IndexerCase):
    """The mails of several folders are put in together."""

    def setUp(self) -> None:
        super().setUp()
        self.users = [f"u{n:02d}" for n in range(MAILS + 4)]
        self.inboxes = [self.sources.make(user)[""] for user in self.users]
        self.names = 0
        self.asked = Asked(self.index)
        self.indexer.index = self.asked  # type: ignore[assignment]
        self.indexer.start()

    def arrive(self, *numbers: int) -> None:
        """A mail comes for each of these users."""
        self.names += 1
        for number in numbers:
            self.sources.mail(self.inboxes[number], f"n{self.names}", b"\r\nneedle\r\n", user=self.users[number])
        self.indexer.changed(*(Change(self.inboxes[number], 1) for number in numbers))

    def finders(self) -> list[int]:
        """The users who find their mails."""
        sought = Sought(((Phrase("needle"),),))
        return [n for n, user in enumerate(self.users) if result_of(self.index.search(user, sought, 0, 9)).items]

    def test_together(self) -> None:
        """What comes in a moment for several users costs one look, one thread, one transaction."""
        threads = []

        def run(work: Any, *args: Any) -> Deferred[Any]:
            threads.append(work)
            return execute(work, *args)

        self.indexer.run = run
        self.arrive(0, 1, 2, 3, 4)
        self.clock.advance(GATHER)
        self.work()
        self.assertEqual(self.finders(), [0, 1, 2, 3, 4])
        self.assertEqual(self.asked.looks, [self.inboxes[:5]])
        self.assertEqual(self.asked.puts, [self.inboxes[:5]])
        self.assertEqual(len(threads), 1)
        self.assertEqual(self.indexer.behind, 0)

    def test_some(self) -> None:
        """Whatever comes, no more than L{MAILS} of them are put in at once, in the order in which they came."""
        self.arrive(*range(MAILS + 4))
        self.clock.advance(GATHER)
        self.work()
        self.assertEqual(self.asked.puts, [self.inboxes[:MAILS], self.inboxes[MAILS:]])
        self.assertEqual(self.finders(), list(range(MAILS + 4)))

    def test_noRoom(self) -> None:
        """Folders that came first and for which there was no room come before what comes later."""
        for n in range(MAILS - 1):
            self.sources.mail(self.inboxes[0], f"m{n}", user=self.users[0])
        self.arrive(0, 1, 2)
        self.clock.advance(GATHER / 2)

        def slowly(work: Any, *args: Any) -> Deferred[Any]:
            """It takes so long that what came meanwhile was gathered."""
            self.indexer.run = execute
            self.arrive(3)
            return deferLater(self.clock, GATHER, work, *args)

        self.indexer.run = slowly
        self.clock.advance(GATHER / 2)
        for _ in range(5):
            self.clock.advance(GATHER)
        self.assertEqual(self.asked.puts, [self.inboxes[:1], self.inboxes[1:4]])

    def test_gathers(self) -> None:
        """What comes while others are put in is gathered too, and not put in one by one."""
        self.asked.meanwhile = lambda: self.arrive(1)
        self.arrive(0)
        self.clock.advance(GATHER)
        self.work()
        self.assertEqual(self.asked.puts, [self.inboxes[:1]])
        self.assertEqual(self.indexer.behind, 1)
        self.arrive(2)
        self.clock.advance(GATHER)
        self.work()
        self.assertEqual(self.asked.puts[1:], [self.inboxes[1:3]])

    def test_meanwhile(self) -> None:
        """What comes for a folder between the look at it and the writing is not forgotten."""

        def later() -> None:
            self.sources.mail(self.inboxes[0], "later", b"\r\nlate\r\n", user=self.users[0])
            self.indexer.changed(Change(self.inboxes[0], 2))

        self.asked.meanwhile = later
        self.arrive(0)
        self.clock.advance(GATHER)
        self.clock.advance(GATHER)
        self.work()
        late = result_of(self.index.search(self.users[0], Sought(((Phrase("late"),),)), 0, 9))
        self.assertEqual(late.total, 1)

    def test_refused(self) -> None:
        """When what was put together is refused, each folder is tried by itself; one that is refused holds up nobody,
        and those that were done are put together with others again."""
        self.asked.refused.add(self.inboxes[1])
        self.arrive(0, 1, 2)
        self.clock.advance(GATHER)
        self.assertEqual(self.finders(), [])
        self.clock.advance(1)
        self.work()
        self.assertEqual(self.finders(), [0, 2])
        self.assertEqual(self.asked.puts, [self.inboxes[:1], self.inboxes[2:3]])
        self.asked.refused.clear()
        self.clock.advance(2)
        self.work()
        self.assertEqual(self.finders(), [0, 1, 2])
        self.arrive(5, 1, 0)
        self.clock.advance(GATHER)
        self.work()
        self.assertEqual(self.asked.puts[3:], [[self.inboxes[n] for n in (5, 1, 0)]])
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 2)

    def test_missing(self) -> None:
        """A mail that cannot be read keeps those of other folders out of nothing."""
        self.arrive(0, 1)
        self.sources.mailbox.folder(self.users[0], "").pop("n1")
        self.clock.advance(GATHER)
        self.assertEqual(self.finders(), [1])
        self.assertEqual(self.indexer.behind, 1)
        self.clock.advance(1)
        self.clock.advance(2)
        self.work()
        self.assertEqual((self.finders(), self.indexer.behind), ([1], 0))

    def test_large(self) -> None:
        """Small mails are taken apart together, but no more of them are held than make up a certain size."""
        counts = []

        def run(work: Any, mails: Any) -> Deferred[Any]:
            counts.append(len(mails))
            return execute(work, mails)

        self.indexer.run = run
        for number, size in enumerate((1, LOAD, 1, LOAD // 2, LOAD // 2, 1, 1)):
            raw = b"\r\nneedle " + b"x" * size
            self.sources.mail(self.inboxes[number], "new", raw, user=self.users[number])
        self.indexer.changed(*(Change(folder, 1) for folder in self.inboxes))
        self.clock.advance(GATHER)
        self.work()
        self.assertEqual(counts, [2, 3, 2])
        self.assertEqual(self.finders(), list(range(7)))


@define(eq=False, slots=False)
class Asked:
    """An index that notes which folders it is asked for and told of, and does not take those that are C{refused}; C{meanwhile}
    happens before it is told for the first time."""

    index: ISearchIndex
    looks: list[list[int]] = field(factory=list)
    puts: list[list[int]] = field(factory=list)
    refused: set[int] = field(factory=set)
    meanwhile: Callable[[], None] | None = None

    def behind(self, folders: Sequence[int] | None) -> Deferred[list[int]]:
        return self.index.behind(folders)

    def portions(self, folders: Sequence[int], most: int) -> Deferred[list[Portion | None]]:
        self.looks.append(list(folders))
        return self.index.portions(folders, most)

    def put(self, done: Sequence[tuple[Portion, Sequence[Document]]]) -> Deferred[None]:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        folders = [portion.id for portion, _ in done]
        if self.refused.intersection(folders):
            return fail(BackendDown("locked"))
        self.puts.append(folders)
        return self.index.put(done)


class TroubleTests(IndexerCase):
    """What cannot be read or written."""

    def test_gone(self) -> None:
        """A mail that is not where the ledger has it is looked for again, and then left out; others are put in."""
        self.mail("a")
        self.mail("b")
        raw = self.sources.mailbox.folder("ann", "").pop("a")
        self.indexer.start()
        self.assertEqual(self.found(), [])
        self.assertEqual(self.indexer.behind, 1)
        self.clock.advance(1)
        self.assertEqual(self.found(), [])
        self.clock.advance(2)
        self.work()
        self.assertEqual(self.found(), ["b"])
        self.sources.mailbox.folder("ann", "")["a"] = raw
        self.assertEqual(result_of(self.index.portions([self.inbox], 9)), [None])

    def test_renamed(self) -> None:
        """A mail that is only being renamed is found by the second look."""
        self.mail("a")
        raw = self.sources.mailbox.folder("ann", "").pop("a")
        self.indexer.start()
        self.sources.mailbox.folder("ann", "")["a"] = raw
        self.clock.advance(1)
        self.work()
        self.assertEqual(self.found(), ["a"])

    def test_unreadable(self) -> None:
        """A mail that the disk does not give, while it gives others, stands in the index without words in the end."""
        self.mail("a")
        self.mail("b")
        read = self.sources.mailbox.read

        class Broken:
            def read(self, user: str, path: str, name: str, state: str) -> Deferred[bytes]:
                if name == "a":
                    raise BackendDown("bad sector")
                return read(user, path, name, state)

        self.indexer.mailbox = Broken()  # type: ignore[assignment]
        self.indexer.start()
        self.clock.advance(1)
        self.clock.advance(2)
        self.work()
        self.assertEqual(self.found(), ["b"])
        matches = result_of(self.index.search("ann", Sought(since=0), 0, 9))
        self.assertEqual(matches.total, 2)

    def test_diskDown(self) -> None:
        """While the disk gives nothing, nothing is given up, and it is tried less and less often."""
        self.mail("a")
        self.mail("b")
        self.sources.mailbox.failure = BackendDown("not mounted")
        self.indexer.start()
        for seconds in (1, 2, 4, 8, 16, 32, 60, 60):
            reads = len(self.sources.mailbox.reads)
            self.clock.advance(seconds - 0.1)
            self.assertEqual(len(self.sources.mailbox.reads), reads)
            self.clock.advance(0.1)
            self.assertEqual(len(self.sources.mailbox.reads), reads + 2)
            self.work()
        self.sources.mailbox.failure = None
        self.clock.advance(60)
        self.work()
        self.assertEqual(sorted(self.found()), ["a", "b"])

    def test_storeDown(self) -> None:
        """While the database does not answer, it is tried again; that is logged."""
        self.mail("a")
        index = self.index

        class Down:
            portions = index.portions
            behind = index.behind

            def put(self, *args: object) -> object:
                raise BackendDown("locked")

        self.indexer.index = Down()  # type: ignore[assignment]
        self.indexer.start()
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)
        self.indexer.index = index
        self.clock.advance(1)
        self.work()
        self.assertEqual(self.found(), ["a"])

    def test_startFails(self) -> None:
        """If the database does not even say what is lacking, that is logged, and the next look finds it."""
        self.mail("a")
        index = self.index

        class Down:
            def behind(self, folders: object) -> object:
                raise BackendDown("locked")

        self.indexer.index = Down()  # type: ignore[assignment]
        self.indexer.start()
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)
        self.indexer.index = index
        result_of(self.indexer.look())
        self.assertEqual(self.found(), ["a"])
        self.work()

    def test_otherFolders(self) -> None:
        """A folder with trouble does not hold up others."""
        self.mail("a")
        self.mail("b", ".Sent")
        self.sources.mailbox.folder("ann", "").pop("a")
        self.indexer.start()
        self.work()
        self.assertEqual(self.found(), ["b"])
