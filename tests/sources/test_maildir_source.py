"""Tests of the Maildir source on a real disk, with fed events, a clock and the ledger in memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.interfaces import BackendDown, IMailbox
from gateway.model import Change, FolderType, Intent, IntentKind, Remove, SyncRequest
from gateway.sources import recording
from gateway.sources.disk import Stamp
from gateway.sources.inotify import CREATE, ISDIR, MOVED_FROM, MOVED_TO, Q_OVERFLOW, UNMOUNT, Event
from gateway.sources.maildir import MaildirOptions, MaildirSource
from gateway.store import Store
from tests.sources.mailboxes import DEVICE, USER, FedEvents, Mailboxes

M1, M2, M3 = "1700000001.M1.h", "1700000002.M2.h", "1700000003.M3.h"
OVERFLOW = Event(-1, Q_OVERFLOW, 0, "")


class Moody:
    """A ledger that refuses the methods named in C{refused}, once for each mention, and counts the calls."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.refused: list[str] = []
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda name: None

    def __getattr__(self, name: str) -> Callable[..., Deferred[Any]]:
        def call(*args: object) -> Deferred[Any]:
            self.calls.append(name)
            self.before(name)
            if name in self.refused:
                self.refused.remove(name)
                return fail(BackendDown(f"no {name} today"))
            return getattr(self.store, name)(*args)

        return call


class SourceTests(SynchronousTestCase):
    """C{self.boxes} has alice's Inbox and a folder .Work; everything in it is old."""

    options = MaildirOptions(create=False)

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve()
        self.boxes = Mailboxes(self.path)
        self.inbox = self.boxes.folder()
        self.work = self.boxes.folder(".Work")
        self.ledger = Moody(self.boxes.store)
        self.prepare()
        self.boxes.age = 10.0
        self.source = self.start()

    def prepare(self) -> None:
        """What is there before the source starts for the first time."""

    def start(self) -> MaildirSource:
        source = self.boxes.source(self.options, ledger=self.ledger)
        source.startService()
        self.boxes.turn()
        self.boxes.reports.changes.clear()
        return source

    def stop(self) -> None:
        self.assertIsNone(self.successResultOf(self.source.stopService()))
        self.assertEqual(self.boxes.clock.getDelayedCalls(), [])

    def again(self) -> None:
        """Stop, and start a new source on the same ledger with watches of its own."""
        if self.source.running:
            self.stop()
        self.boxes.events = FedEvents()
        self.ledger.calls.clear()
        self.source = self.start()

    def tearDown(self) -> None:
        if self.source.running:
            self.stop()

    def settle(self) -> None:
        """Let the times of all folders be noted."""
        self.boxes.turn(self.options.settle)

    def states(self, path: str = "") -> dict[str, str]:
        return self.boxes.states(path)

    def changed(self) -> list[Change]:
        changes, self.boxes.reports.changes = self.boxes.reports.changes, []
        return changes


class StartTests(SourceTests):
    def prepare(self) -> None:
        self.boxes.write(f"new/{M1}")
        self.boxes.write(f"cur/{M2}:2,FS")

    def test_interface(self) -> None:
        """The source is an L{IMailbox}."""
        self.assertTrue(verifyObject(IMailbox, self.source))

    def test_first(self) -> None:
        """At the first start the folders and all mails are recorded."""
        self.assertEqual(
            {p: f.type for p, f in self.boxes.folders().items()}, {"": FolderType.INBOX, ".Work": FolderType.USER_MAIL}
        )
        self.assertEqual(self.states(), {M1: "", M2: "FS"})
        self.assertEqual([item.received for item in self.boxes.items() if item.name == M1], [1_700_000_001])

    def test_started(self) -> None:
        """It tells when everything was compared."""
        self.assertIsNone(self.successResultOf(self.source.whenStarted()))

    def test_unchanged(self) -> None:
        """A restart with nothing changed lists no folder and writes nothing."""
        self.settle()
        self.again()
        self.assertEqual(self.source.recorder.listings, 0)
        self.assertEqual(self.ledger.calls, ["pending", "everything"])

    def test_tooYoung(self) -> None:
        """A folder that changed less than two seconds before it was listed is listed again at the next start."""
        self.settle()
        self.boxes.age = 0.0
        self.boxes.write(f"new/{M3}")
        self.again()
        self.assertEqual(self.source.recorder.listings, 1)
        self.again()
        self.assertEqual(self.source.recorder.listings, 1)

    def test_changedWhileStarting(self) -> None:
        """What happens just before a directory is watched is found: the times are compared after that."""
        self.settle()
        self.stop()
        self.boxes.events = FedEvents()

        def late(path: str) -> None:
            if path.endswith("/new") and not (self.inbox / "new" / M3).exists():
                self.boxes.write(f"new/{M3}")
                self.boxes.events.queue.clear()

        self.boxes.events.watching = late
        self.source = self.start()
        self.assertEqual(self.states(), {M1: "", M2: "FS", M3: ""})

    def test_folderMadeWhileStarting(self) -> None:
        """A folder that is made just before the mailbox is watched is found."""
        self.stop()
        self.boxes.events = FedEvents()

        def late(path: str) -> None:
            if path.endswith(USER) and not (self.path / USER / ".Late").exists():
                self.boxes.folder(".Late")
                self.boxes.events.queue.clear()

        self.boxes.events.watching = late
        self.source = self.start()
        self.assertIn(".Late", self.boxes.folders())

    def test_killed(self) -> None:
        """After a kill without notice everything that had no note is compared."""
        self.boxes.write(f"new/{M3}")
        self.boxes.turn()
        self.boxes.events.stop()
        self.source.running = 0
        for call in self.boxes.clock.getDelayedCalls():
            call.cancel()
        self.boxes.rename(self.inbox / "new" / M1, self.inbox / "cur" / f"{M1}:2,S")
        self.again()
        self.assertEqual(self.states(), {M1: "S", M2: "FS", M3: ""})

    def test_changedWhileStopped(self) -> None:
        """New, changed and deleted mails and folders are found at the next start, in the changed folders alone."""
        self.settle()
        self.stop()
        self.boxes.write(f"new/{M3}")
        self.boxes.rename(self.inbox / "new" / M1, self.inbox / "cur" / f"{M1}:2,S")
        self.boxes.delete(self.inbox / "cur" / f"{M2}:2,FS")
        self.boxes.folder(".Later")
        self.boxes.write(f"cur/{M2}:2,", ".Later")
        before = {item.name: item.id for item in self.boxes.items()}
        self.again()
        self.assertEqual(self.states(), {M1: "S", M3: ""})
        self.assertEqual(self.states(".Later"), {M2: ""})
        self.assertEqual(self.source.recorder.listings, 2)
        self.assertEqual({i.name: i.id for i in self.boxes.items()}[M1], before[M1])

    def test_folderRemovedWhileStopped(self) -> None:
        """A folder that was removed is no longer in the hierarchy."""
        self.stop()
        shutil.rmtree(self.work)
        self.again()
        self.assertEqual(list(self.boxes.folders()), [""])

    def test_manyDifferences(self) -> None:
        """What a comparison finds is written in pieces too, and what events say meanwhile counts more."""
        self.settle()
        self.stop()
        for number in range(45):
            self.boxes.write(f"new/17000000{number:02}.h")
        self.patch(recording, "CHUNK", 20)
        deleted = []

        def meanwhile(name: str) -> None:
            if name == "record" and not deleted:
                deleted.append(self.inbox / "new" / "1700000044.h")
                self.boxes.delete(deleted[0])
                self.boxes.events.drain()

        self.ledger.before = meanwhile
        self.again()
        self.assertEqual(self.ledger.calls.count("record"), 4)
        self.assertEqual(len(self.states()), 2 + 44)

    def test_ledgerNotReady(self) -> None:
        """A ledger that does not answer at the start is asked again."""
        self.stop()
        self.boxes.write(f"new/{M3}")
        self.boxes.events = FedEvents()
        self.ledger.refused = ["pending", "pending", "everything", "listing"]
        self.source = self.boxes.source(self.options, ledger=self.ledger)
        self.source.startService()
        for _ in range(10):
            self.boxes.turn(1.0)
        self.assertEqual(self.states(), {M1: "", M2: "FS", M3: ""})
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 4)

    def test_stoppedWhileWaiting(self) -> None:
        """A stop does not wait for a ledger that does not answer."""
        self.stop()
        self.ledger.refused = ["pending"]
        self.source = self.start()
        self.stop()
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)

    def test_pendingIntents(self) -> None:
        """What was not carried out before the last stop is carried out first."""
        inbox = self.boxes.folders()[""]
        first = self.boxes.now(self.boxes.store.sync(DEVICE, inbox.id, SyncRequest("0", b"", 0, get_changes=False)))
        full = self.boxes.now(self.boxes.store.sync(DEVICE, inbox.id, SyncRequest(first.key, b"a", 0)))
        item = next(i for i in self.boxes.items() if i.name == M2)
        self.boxes.now(
            self.boxes.store.sync(DEVICE, inbox.id, SyncRequest(full.key, b"b", 0, commands=(Remove(item.id),)))
        )
        self.stop()
        self.again()
        self.assertEqual(list((self.inbox / "cur").iterdir()), [])
        self.assertEqual(self.boxes.now(self.boxes.store.pending()), [])
        self.assertEqual(self.states(), {M1: ""})


class CreateTests(SourceTests):
    options = MaildirOptions(create=True)

    def test_specials(self) -> None:
        """Each enabled account gets its special folders."""
        self.assertEqual(
            {f.name: f.type.value for f in self.boxes.folders().values()},
            {"Inbox": 2, "Drafts": 3, "Deleted Items": 4, "Sent Items": 5, "Junk E-mail": 12, "Work": 12},
        )

    def test_accounts(self) -> None:
        """A new account is made and looked after, a disabled one is left alone and known again later."""
        self.boxes.users = ["bob"]
        self.source.accounts_changed()
        self.boxes.turn()
        self.boxes.write(f"new/{M1}", user="bob")
        self.boxes.write(f"new/{M2}")
        self.boxes.turn()
        self.assertEqual(self.boxes.states(user="bob"), {M1: ""})
        self.assertEqual(self.states(), {})
        self.boxes.users = ["alice", "bob"]
        self.source.accounts_changed()
        self.boxes.turn()
        self.assertEqual(self.states(), {M2: ""})

    def test_lookAgain(self) -> None:
        """A mailbox that somebody says has changed is compared by the times of its folders; nobody else's is, and one
        that is not there is no trouble."""
        self.boxes.turn()
        (self.path / USER / "new" / M1).write_text("Subject: x\n\nx\n")
        self.boxes.turn()
        self.assertEqual(self.states(), {})
        self.source.look_again("nobody")
        self.source.look_again(USER)
        self.boxes.turn()
        self.assertEqual(self.states(), {M1: ""})

    def test_hostileAccount(self) -> None:
        """An account whose name leads elsewhere makes nothing."""
        self.boxes.users = ["alice", "../mallory"]
        self.source.accounts_changed()
        self.boxes.turn()
        self.assertFalse((self.path.parent / "mallory").exists())
        self.assertEqual(self.boxes.folders("../mallory"), {})

    def test_notMounted(self) -> None:
        """A mailbox that the ledger knows and that is not there is neither made nor forgotten, and found when it is back."""
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.stop()
        away = (self.path / USER).rename(self.path / "away")
        self.again()
        self.assertEqual(self.states(), {M1: ""})
        self.assertFalse((self.path / USER).exists())
        self.failureResultOf(self.source.deliver(USER, b"x"), BackendDown)
        away.rename(self.path / USER)
        self.boxes.write(f"new/{M2}")
        self.boxes.turn(self.options.rescan)
        self.assertEqual(self.states(), {M1: "", M2: ""})

    def test_emptyMountPoint(self) -> None:
        """The same holds for a directory that is there without an Inbox."""
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.stop()
        away = (self.path / USER).rename(self.path / "away")
        (self.path / USER).mkdir()
        self.again()
        self.assertEqual(self.states(), {M1: ""})
        (self.path / USER).rmdir()
        away.rename(self.path / USER)
        self.boxes.turn(self.options.rescan)
        self.boxes.write(f"new/{M2}")
        self.boxes.turn()
        self.assertEqual(self.states(), {M1: "", M2: ""})


class EventTests(SourceTests):
    def test_delivery(self) -> None:
        """A new mail is recorded, and then reported with its new Version."""
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        inbox = self.boxes.folders()[""]
        self.assertEqual(self.states(), {M1: ""})
        self.assertEqual(self.changed(), [Change(inbox.id, inbox.head)])

    def test_afterTheCommit(self) -> None:
        """A Change is reported when the ledger has it, not before."""
        seen = []
        self.boxes.reports.also = lambda: seen.append(self.states())
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.assertEqual(seen, [{M1: ""}])

    def test_life(self) -> None:
        """A mail keeps its id from new/ through its flags to its end."""
        file = self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        (item,) = self.boxes.items()
        for name, state in (("1,S", "S"), ("2,RS", "RS"), ("2,S", "S")):
            file = self.boxes.rename(file, self.inbox / "cur" / f"{M1}:2,{name[2:]}")
            self.boxes.turn()
            self.assertEqual([(i.id, i.state) for i in self.boxes.items()], [(item.id, state)])
        self.boxes.delete(file)
        self.boxes.turn()
        self.assertEqual(self.states(), {})
        self.assertEqual(len(self.changed()), 5)

    def test_splitFlagRename(self) -> None:
        """A rename whose halves come in two reads is no removal."""
        file = self.boxes.write(f"cur/{M1}:2,")
        self.boxes.turn()
        (item,) = self.boxes.items()
        self.changed()
        self.boxes.rename(file, self.inbox / "cur" / f"{M1}:2,S")
        late = self.boxes.events.queue.pop()
        self.boxes.turn(0.02)
        self.assertEqual(self.changed(), [])
        self.boxes.events.queue.append(late)
        self.boxes.turn(0.1)
        self.assertEqual([(i.id, i.state) for i in self.boxes.items()], [(item.id, "S")])

    def test_longTurn(self) -> None:
        """Also when the grace time is over before the kernel's queue was read again."""
        file = self.boxes.write(f"cur/{M1}:2,")
        self.boxes.turn()
        (item,) = self.boxes.items()
        self.boxes.rename(file, self.inbox / "cur" / f"{M1}:2,S")
        late = self.boxes.events.queue.pop()
        self.boxes.turn()
        self.boxes.events.queue.append(late)
        self.boxes.clock.advance(5.0)
        self.boxes.turn()
        self.assertEqual([(i.id, i.state) for i in self.boxes.items()], [(item.id, "S")])

    def test_movedOut(self) -> None:
        """A mail that is renamed out of the mailbox is gone after the grace time."""
        file = self.boxes.write(f"cur/{M1}:2,")
        self.boxes.turn()
        self.boxes.rename(file, self.path / "elsewhere")
        self.boxes.turn(0.01)
        self.assertEqual(self.states(), {M1: ""})
        self.boxes.turn(0.1)
        self.assertEqual(self.states(), {})

    def test_movedToFolder(self) -> None:
        """A mail that moves to another folder goes here and comes there in one record."""
        file = self.boxes.write(f"cur/{M1}:2,S")
        self.boxes.turn()
        self.ledger.calls.clear()
        self.boxes.rename(file, self.work / "cur" / f"{M1}:2,S")
        self.boxes.turn()
        self.assertEqual((self.states(), self.states(".Work")), ({}, {M1: "S"}))
        self.assertEqual(self.ledger.calls, ["record"])

    def test_oneTurnOneRecord(self) -> None:
        """What happens to many mails and folders in one turn is written in one record, in its final state."""
        self.ledger.calls.clear()
        for number in range(20):
            self.boxes.write(f"new/17000000{number:02}.h", "" if number % 2 else ".Work")
        gone = self.boxes.write(f"new/{M1}")
        self.boxes.delete(gone)
        self.boxes.turn()
        self.assertEqual((len(self.states()), len(self.states(".Work"))), (10, 10))
        self.assertEqual(self.ledger.calls, ["record"])
        self.assertEqual(len(self.changed()), 2)

    def test_many(self) -> None:
        """A great many mails in one turn are written in pieces, and all of them are."""
        self.patch(recording, "CHUNK", 20)
        self.ledger.calls.clear()
        for number in range(25):
            self.boxes.write(f"new/17000000{number}.h")
            self.boxes.write(f"new/17000000{number}.h", ".Work")
        self.boxes.turn()
        self.assertEqual((len(self.states()), len(self.states(".Work"))), (25, 25))
        self.assertEqual(self.ledger.calls, ["record"] * 3)

    def test_reporterFails(self) -> None:
        """Trouble in telling of a Change neither stops the source nor makes it write again."""

        def fail() -> None:
            raise ValueError("deaf")

        self.boxes.reports.also = fail
        self.ledger.calls.clear()
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.boxes.turn(5.0)
        self.assertEqual(self.ledger.calls, ["record"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_echo(self) -> None:
        """Carrying out what the ledger has already brings no Change."""
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.changed()
        self.boxes.rename(self.inbox / "new" / M1, self.inbox / "cur" / f"{M1}:2,")
        self.boxes.turn()
        self.assertEqual(self.changed(), [])

    def test_notAMail(self) -> None:
        """What is no mail, and what is no file, is not recorded."""
        self.boxes.write("cur/dovecot.index.log")
        (self.path / "secret").write_text("x")
        (self.inbox / "new" / M2).symlink_to(self.path / "secret")
        self.boxes.events.add((self.inbox / "new").stat().st_ino, MOVED_TO, M2, 99)
        self.boxes.turn()
        self.assertEqual(self.states(), {})

    def test_whileRecording(self) -> None:
        """What comes while a record is on its way is folded and written next, one record at a time."""
        running: list[Deferred[Any]] = []

        def slowly(fn: Callable[..., Any], *args: object) -> Deferred[Any]:
            running.append(Deferred())
            return running[-1].addCallback(lambda _: fn(*args))

        self.source.recorder.run = slowly
        file = self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.boxes.rename(file, self.inbox / "cur" / f"{M1}:2,S")
        self.boxes.write(f"new/{M2}")
        self.boxes.turn()
        self.boxes.write(f"new/{M3}", ".Work")
        self.boxes.turn()
        self.assertEqual(len(running), 1)
        running[0].callback(None)
        self.boxes.turn()
        self.assertEqual(len(running), 2)
        running[1].callback(None)
        self.boxes.turn()
        self.assertEqual((self.states(), self.states(".Work")), ({M1: "S", M2: ""}, {M3: ""}))


class FailingLedgerTests(SourceTests):
    def test_triedAgain(self) -> None:
        """What the ledger refuses is written later, with what came meanwhile, at growing intervals."""
        self.ledger.refused = ["record"] * 3
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.boxes.write(f"new/{M2}")
        self.boxes.turn(1.0)
        self.boxes.turn(2.0)
        self.assertEqual(self.states(), {})
        self.boxes.turn(3.9)
        self.assertEqual(self.states(), {})
        self.boxes.turn(0.2)
        self.assertEqual(self.states(), {M1: "", M2: ""})
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 3)

    def test_othersGoOn(self) -> None:
        """A folder that waits for its next try does not hold up the others."""
        self.ledger.refused = ["record"]
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.boxes.write(f"new/{M2}", ".Work")
        self.boxes.turn()
        self.assertEqual((self.states(), self.states(".Work")), ({}, {M2: ""}))
        self.boxes.turn(1.0)
        self.assertEqual(self.states(), {M1: ""})
        self.flushLoggedErrors(BackendDown)

    def test_stoppedBefore(self) -> None:
        """What could not be written before the stop is found at the next start."""
        self.settle()
        self.ledger.refused = ["record"]
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.again()
        self.assertEqual(self.states(), {M1: ""})
        self.flushLoggedErrors(BackendDown)

    def test_hierarchy(self) -> None:
        """A new folder that could not be recorded is recorded later, with its mails."""
        self.ledger.refused = ["record_hierarchy", "listing"]
        self.boxes.folder(".New")
        self.boxes.write(f"new/{M1}", ".New")
        for _ in range(5):
            self.boxes.turn(1.0)
        self.assertEqual(self.states(".New"), {M1: ""})
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 2)

    def test_notes(self) -> None:
        """Notes that could not be written are written at the next opportunity."""
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.ledger.refused = ["listed"]
        self.settle()
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)
        self.settle()
        self.again()
        self.assertEqual(self.source.recorder.listings, 0)


class FolderTests(SourceTests):
    def test_made(self) -> None:
        """A folder that another program makes is in the hierarchy, watched, and its mails are seen."""
        self.boxes.folder(".New")
        self.boxes.write(f"new/{M1}", ".New")
        self.boxes.turn()
        self.assertEqual(self.states(".New"), {M1: ""})
        self.boxes.write(f"new/{M2}", ".New")
        self.boxes.turn()
        self.assertEqual(self.states(".New"), {M1: "", M2: ""})
        self.assertIn(Change(1, 3), self.changed())

    def test_madeSlowly(self) -> None:
        """A folder counts when its directories are there, also if they come one by one."""
        where = self.path / USER / ".Slow"
        where.mkdir()
        self.boxes.events.add(where.parent.stat().st_ino, CREATE | ISDIR, ".Slow")
        self.boxes.turn()
        self.assertNotIn(".Slow", self.boxes.folders())
        self.boxes.folder(".Slow")
        self.boxes.turn()
        self.assertIn(".Slow", self.boxes.folders())
        self.boxes.write(f"new/{M1}", ".Slow")
        self.boxes.turn()
        self.assertEqual(self.states(".Slow"), {M1: ""})
        account = self.source.surveyor.accounts[USER]
        self.assertEqual(account.waiting, {})

    def test_renamed(self) -> None:
        """A renamed folder is a new one with the same mails; what comes into it at once is seen."""
        self.boxes.write(f"cur/{M1}:2,S", ".Work")
        self.boxes.turn()
        self.boxes.rename(self.work, self.work.with_name(".Play"))
        self.boxes.write(f"new/{M2}", ".Play")
        self.boxes.turn()
        self.assertEqual(self.states(".Play"), {M1: "S", M2: ""})
        self.assertNotIn(".Work", self.boxes.folders())
        self.boxes.write(f"new/{M3}", ".Play")
        self.boxes.turn()
        self.assertEqual(len(self.states(".Play")), 3)

    def test_swapped(self) -> None:
        """Two folders that exchange their names exchange their mails, under the ids of the names."""
        other = self.boxes.folder(".Other")
        self.boxes.write(f"cur/{M1}:2,", ".Work")
        self.boxes.write(f"cur/{M2}:2,", ".Other")
        self.boxes.turn()
        before = {path: folder.id for path, folder in self.boxes.folders().items()}
        self.boxes.rename(self.work, self.work.with_name(".X"))
        self.boxes.rename(other, self.work)
        self.boxes.rename(self.work.with_name(".X"), other)
        self.boxes.turn()
        self.assertEqual((self.states(".Work"), self.states(".Other")), ({M2: ""}, {M1: ""}))
        self.assertEqual({path: folder.id for path, folder in self.boxes.folders().items()}, before)
        self.boxes.write(f"new/{M3}", ".Work")
        self.boxes.turn()
        self.assertEqual(self.states(".Work"), {M2: "", M3: ""})
        self.settle()
        self.again()
        self.assertEqual(self.source.recorder.listings, 0)

    def test_completedBeforeItIsWatched(self) -> None:
        """A folder that is completed just before its directory is watched is found."""

        def late(path: str) -> None:
            if path.endswith(".Slow") and not (self.path / USER / ".Slow" / "cur").exists():
                self.boxes.folder(".Slow")

        self.boxes.events.watching = late
        (self.path / USER / ".Slow").mkdir()
        self.boxes.events.add((self.path / USER).stat().st_ino, CREATE | ISDIR, ".Slow")
        self.boxes.turn()
        self.assertIn(".Slow", self.boxes.folders())

    def test_madeDuringSurvey(self) -> None:
        """A folder that is made while the mailbox is surveyed is found."""

        def late(name: str) -> None:
            if name == "record_hierarchy" and not (self.path / USER / ".Second").exists():
                self.boxes.folder(".Second")
                self.boxes.events.drain()

        self.ledger.before = late
        self.boxes.folder(".First")
        self.boxes.turn()
        self.assertEqual(set(self.boxes.folders()), {"", ".Work", ".First", ".Second"})

    def test_swappedWhileNoting(self) -> None:
        """The time of a directory that has just taken the place of another one is not noted."""
        other = self.boxes.folder(".Other")
        self.boxes.write(f"cur/{M1}:2,", ".Other")
        self.boxes.turn()
        self.settle()
        self.boxes.write(f"cur/{M2}:2,", ".Work")
        self.boxes.turn()
        before = self.boxes.folders()[".Work"].listed
        self.source.surveyor.run = lambda *args: Deferred()
        self.boxes.rename(self.work, self.work.with_name(".X"))
        self.boxes.rename(other, self.work)
        self.boxes.clock.advance(self.options.settle)
        self.assertEqual(self.boxes.folders()[".Work"].listed, before)
        self.source.surveyor.run = execute
        self.boxes.events.stop()
        self.source.running = 0
        for call in self.boxes.clock.getDelayedCalls():
            call.cancel()

    def test_forgotten(self) -> None:
        """Nothing more is tried for a removed folder."""
        self.ledger.refused = ["record"] * 3
        self.boxes.write(f"new/{M1}", ".Work")
        self.boxes.turn()
        self.boxes.remove_folder(self.work)
        self.boxes.turn()
        self.ledger.calls.clear()
        self.boxes.turn(60.0)
        self.assertEqual(set(self.ledger.calls) - {"listed"}, set())
        self.flushLoggedErrors(BackendDown)

    def test_removed(self) -> None:
        """A removed folder is out of the hierarchy, and its watches are given back."""
        watches = len(self.source.watches)
        self.boxes.folder(".New")
        self.boxes.write(f"new/{M1}", ".New")
        self.boxes.turn()
        self.boxes.remove_folder(self.path / USER / ".New")
        self.boxes.turn()
        self.assertNotIn(".New", self.boxes.folders())
        self.assertEqual((len(self.source.watches), len(self.boxes.events.watched)), (watches, watches))

    def test_movedOut(self) -> None:
        """A folder that is renamed to what is no folder is gone, and no longer watched."""
        watches = len(self.source.watches)
        self.boxes.rename(self.work, self.work.with_name("backup"))
        self.boxes.turn()
        self.assertEqual(list(self.boxes.folders()), [""])
        self.assertEqual(len(self.boxes.events.watched), watches - 2)

    def test_madeAgain(self) -> None:
        """A folder that is removed and made again at once has the mails of the new one."""
        self.boxes.write(f"cur/{M1}:2,", ".Work")
        self.boxes.turn()
        self.boxes.remove_folder(self.work)
        self.boxes.folder(".Work")
        self.boxes.write(f"new/{M2}", ".Work")
        self.boxes.turn()
        self.assertEqual(self.states(".Work"), {M2: ""})
        self.boxes.write(f"new/{M3}", ".Work")
        self.boxes.turn()
        self.assertEqual(self.states(".Work"), {M2: "", M3: ""})

    def test_madeAgainUnseen(self) -> None:
        """A directory that was replaced is told from the old one by its descriptor, if not by its inode number."""
        self.boxes.write(f"cur/{M1}:2,")
        self.boxes.events.add((self.path / USER).stat().st_ino, CREATE | ISDIR, ".Any")
        del self.boxes.events.queue[0]
        self.boxes.events.watched.clear()
        self.boxes.turn()
        self.assertEqual(self.states(), {M1: ""})

    def test_accountRemoved(self) -> None:
        """When a mailbox is removed the source goes on, and looks after it when it is there again."""
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        top = (self.path / USER).stat().st_ino
        self.boxes.remove_folder(self.work)
        for sub in ("tmp", "new", "cur"):
            self.boxes.events.ignore((self.inbox / sub).stat().st_ino)
        shutil.rmtree(self.path / USER)
        self.boxes.events.ignore(top)
        self.boxes.turn()
        self.assertEqual(len(self.source.watches), 0)
        self.boxes.folder()
        self.boxes.write(f"new/{M2}")
        self.boxes.turn(self.options.rescan)
        self.assertEqual(self.states(), {M2: ""})

    def test_unmountedInARename(self) -> None:
        """When the disk goes away the missing second half of a rename is no removal."""
        file = self.boxes.write(f"cur/{M1}:2,")
        self.boxes.turn()
        self.boxes.rename(file, self.inbox / "cur" / f"{M1}:2,S")
        self.boxes.events.queue.pop()
        top = (self.path / USER).stat().st_ino
        (self.path / USER).rename(self.path / "away")
        self.boxes.events.ignore(top)
        self.boxes.turn(0.1)
        self.assertEqual(self.states(), {M1: ""})
        (self.path / "away").rename(self.path / USER)
        self.boxes.turn(self.options.rescan)
        self.assertEqual(self.states(), {M1: "S"})

    def test_unmounted(self) -> None:
        """When the disk goes away nothing is forgotten."""
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        away = (self.path / USER).rename(self.path / "away")
        for wd in list(self.boxes.events.watched):
            self.boxes.events.queue.append(Event(wd, UNMOUNT, 0, ""))
        for inode in list(self.boxes.events.watched.values()):
            self.boxes.events.ignore(inode)
        self.boxes.turn()
        self.assertEqual(self.states(), {M1: ""})
        self.assertEqual(set(self.boxes.folders()), {"", ".Work"})
        away.rename(self.path / USER)
        self.boxes.write(f"new/{M2}")
        self.boxes.turn(self.options.rescan)
        self.assertEqual(self.states(), {M1: "", M2: ""})


class OverflowTests(SourceTests):
    def lose(self) -> None:
        self.boxes.events.queue[:] = [OVERFLOW]
        self.boxes.turn()

    def test_found(self) -> None:
        """After an overflow everything that changed is found: mails, flags, deletions, folders."""
        self.boxes.write(f"cur/{M1}:2,")
        self.boxes.write(f"cur/{M2}:2,")
        self.boxes.turn()
        self.settle()
        self.boxes.rename(self.inbox / "cur" / f"{M1}:2,", self.inbox / "cur" / f"{M1}:2,S")
        self.boxes.delete(self.inbox / "cur" / f"{M2}:2,")
        self.boxes.folder(".New")
        self.boxes.write(f"new/{M3}", ".New")
        self.lose()
        self.assertEqual((self.states(), self.states(".New")), ({M1: "S"}, {M3: ""}))
        self.assertEqual(self.source.observer.overflows, 1)

    def test_onlyChanged(self) -> None:
        """Folders whose times are those of their notes are not listed."""
        self.settle()
        listings = self.source.recorder.listings
        self.boxes.write(f"new/{M1}")
        self.lose()
        self.assertEqual(self.source.recorder.listings, listings + 1)
        self.assertEqual(self.states(), {M1: ""})

    def test_halfARename(self) -> None:
        """The lost second half of a rename is no removal."""
        file = self.boxes.write(f"cur/{M1}:2,")
        self.boxes.turn()
        (item,) = self.boxes.items()
        self.changed()
        self.boxes.rename(file, self.inbox / "cur" / f"{M1}:2,S")
        self.boxes.events.queue[1:] = [OVERFLOW]
        self.boxes.turn(0.1)
        self.assertEqual([(i.id, i.state) for i in self.boxes.items()], [(item.id, "S")])
        self.assertEqual(len(self.changed()), 1)

    def test_noteOfALoss(self) -> None:
        """A folder that changed before the overflow is listed although its time could be noted by now."""
        self.boxes.write(f"cur/{M1}:2,")
        self.boxes.turn()
        self.boxes.write(f"cur/{M2}:2,")
        self.boxes.events.queue[:] = []
        self.boxes.events.queue.append(OVERFLOW)
        self.settle()
        self.assertEqual(self.states(), {M1: "", M2: ""})

    def test_lostWhileNoting(self) -> None:
        """An overflow that is seen while times are noted keeps the folder from being noted."""
        self.boxes.write(f"cur/{M1}:2,")
        self.boxes.turn()
        self.boxes.write(f"cur/{M2}:2,")
        self.boxes.events.queue[:] = [OVERFLOW]
        self.boxes.clock.advance(self.options.settle)
        self.boxes.turn()
        self.assertEqual(self.states(), {M1: "", M2: ""})


class SettlingTests(SourceTests):
    def setUp(self) -> None:
        super().setUp()
        self.settle()

    def note(self, path: str = "") -> str:
        return self.boxes.folders()[path].listed

    def test_noted(self) -> None:
        """After a time of quiet the times of changed folders are noted in one call, and then there is no timer."""
        self.boxes.write(f"new/{M1}")
        self.boxes.write(f"new/{M2}", ".Work")
        self.boxes.turn()
        before = (self.note(), self.note(".Work"))
        self.ledger.calls.clear()
        self.settle()
        self.assertEqual(self.ledger.calls, ["listed"])
        self.assertTrue(all(a != b for a, b in zip(before, (self.note(), self.note(".Work")), strict=True)))
        self.assertEqual(self.boxes.clock.getDelayedCalls(), [])

    def test_young(self) -> None:
        """A folder that is too young is noted in a later round."""
        self.boxes.age = 0.0
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        before = self.note()
        self.settle()
        self.assertEqual(self.note(), before)
        self.boxes.age = 10.0
        self.settle()
        self.assertNotEqual(self.note(), before)

    def test_staleIsNotNoted(self) -> None:
        """A folder that became stale while it was compared is not noted."""
        place = self.source.surveyor.accounts[USER].places[""]
        before = place.note
        place.stale = True
        self.source._settling.listed(place, Stamp("other", True, place.identity))
        self.assertEqual(place.note, before)
        place.stale = False
        self.source._settling.listed(place, Stamp("other", True, place.identity))
        self.assertEqual(place.note, "other")

    def test_eventInTheQueue(self) -> None:
        """A folder of which the kernel still has an event is not noted."""
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        before = self.note()
        self.boxes.write(f"new/{M2}")
        self.ledger.refused = ["record"]
        self.boxes.clock.advance(self.options.settle)
        self.boxes.turn()
        self.assertEqual(self.note(), before)
        self.flushLoggedErrors(BackendDown)
        self.boxes.turn(1.0)
        self.settle()
        self.assertNotEqual(self.note(), before)

    def test_halfARename(self) -> None:
        """A folder that waits for the second half of a rename is not noted."""
        file = self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.boxes.turn(self.options.settle - 0.01)
        before = self.note()
        self.boxes.rename(file, self.path / "elsewhere")
        self.boxes.turn(0.02)
        self.assertEqual(self.note(), before)
        self.boxes.turn(0.1)
        self.settle()
        self.assertNotEqual(self.note(), before)

    def test_atStop(self) -> None:
        """At the stop what was seen is written down, and folders at rest are noted."""
        self.boxes.write(f"new/{M1}")
        self.again()
        self.assertEqual(self.states(), {M1: ""})
        self.assertEqual(self.source.recorder.listings, 0)

    def test_stopWhileListing(self) -> None:
        """A folder whose comparison was broken off by the stop is not noted."""
        self.settle()
        self.boxes.write(f"new/{M1}")
        self.boxes.turn()
        self.boxes.write(f"new/{M2}")
        self.boxes.events.queue[:] = [OVERFLOW]
        stopped = []

        def stop(name: str) -> None:
            if name == "listing" and not stopped:
                stopped.append(self.source.stopService())

        self.ledger.before = stop
        self.boxes.turn()
        self.assertEqual(len(stopped), 1)
        self.assertIsNone(self.successResultOf(stopped[0]))
        self.assertEqual(self.states(), {M1: ""})
        self.again()
        self.assertEqual(self.states(), {M1: "", M2: ""})


class UnwatchedTests(SourceTests):
    """Three watches: the top and the Inbox, whatever comes next is refused."""

    def start(self) -> MaildirSource:
        self.boxes.events.capacity = 3
        return super().start()

    def test_rescanned(self) -> None:
        """What cannot be watched is looked at by time, and what is watched still works."""
        self.boxes.write(f"new/{M1}")
        self.boxes.write(f"new/{M2}", ".Work")
        self.boxes.turn()
        self.assertEqual((self.states(), self.states(".Work")), ({M1: ""}, {}))
        self.boxes.turn(self.options.rescan)
        self.assertEqual((self.states(), self.states(".Work")), ({M1: ""}, {M2: ""}))

    def test_onlyChanged(self) -> None:
        """A rescan lists what has another time than noted."""
        self.boxes.turn(self.options.rescan)
        listings = self.source.recorder.listings
        for _ in range(3):
            self.boxes.turn(self.options.rescan)
        self.assertEqual(self.source.recorder.listings, listings)

    def test_young(self) -> None:
        """A folder that was young when it was listed is listed again."""
        self.boxes.age = 0.0
        self.boxes.write(f"new/{M1}", ".Work")
        self.boxes.turn(self.options.rescan)
        listings = self.source.recorder.listings
        self.boxes.turn(self.options.rescan)
        self.assertEqual(self.source.recorder.listings, listings + 1)

    def test_limitRaised(self) -> None:
        """When there are watches again, they are used."""
        self.boxes.events.capacity = 100
        self.boxes.write(f"new/{M1}", ".Work")
        self.boxes.turn(self.options.rescan)
        self.assertEqual(self.states(".Work"), {M1: ""})
        self.boxes.write(f"new/{M2}", ".Work")
        self.boxes.turn()
        self.assertEqual(self.states(".Work"), {M1: "", M2: ""})
        self.boxes.turn(self.options.settle)
        self.assertEqual(self.boxes.clock.getDelayedCalls(), [])


class IntentTests(SourceTests):
    def prepare(self) -> None:
        self.boxes.write(f"new/{M1}")

    def test_read(self) -> None:
        """A mail is read in a thread."""
        self.assertEqual(self.successResultOf(self.source.read(USER, "", M1, "")), b"Subject: x\n\nx\n")

    def test_deliver(self) -> None:
        """A delivered mail is in the Inbox, where it is noticed like any other."""
        self.assertIsNone(self.successResultOf(self.source.deliver(USER, b"Subject: y\r\n\r\n")))
        self.assertEqual(len(list((self.inbox / "new").iterdir())), 2)

    def test_failedIsTriedAgain(self) -> None:
        """What the disk refuses is tried again later, and struck out then."""
        intent = Intent(1, USER, IntentKind.DELETE, "", M1)
        real = self.source._files.carry_out
        self.source._carrier.files = type("Broken", (), {"carry_out": staticmethod(lambda intents: ([], set()))})()
        self.assertEqual(self.successResultOf(self.source.carry_out([intent])), [])
        self.source._carrier.files = type("Whole", (), {"carry_out": staticmethod(real)})()
        self.ledger.calls.clear()
        self.boxes.turn(60.0)
        self.assertEqual(list((self.inbox / "new").iterdir()), [])
        self.assertIn("done", self.ledger.calls)

    def test_brokenIsTriedAgain(self) -> None:
        """What could not be tried at all, or not be brought to the disk, is tried again later too."""
        intent = Intent(1, USER, IntentKind.DELETE, "", M1)
        real, self.source._carrier.run = self.source._carrier.run, lambda *work: fail(OSError("the disk is on fire"))
        self.failureResultOf(self.source.carry_out([intent]), OSError)
        self.source._carrier.run = real
        self.boxes.turn(60.0)
        self.assertEqual(list((self.inbox / "new").iterdir()), [])

    def test_inOrder(self) -> None:
        """What failed is done before what is to be done to the same mail next."""
        first = Intent(1, USER, IntentKind.FLAGS, "", M1, add="S")
        second = Intent(2, USER, IntentKind.FLAGS, "", M1, remove="S")
        real, self.source._carrier.run = self.source._carrier.run, lambda *work: succeed(([], set()))
        self.assertEqual(self.successResultOf(self.source.carry_out([first])), [])
        self.source._carrier.run = real
        self.assertEqual(self.successResultOf(self.source.carry_out([second])), [1, 2])
        self.assertEqual([file.name for file in (self.inbox / "cur").iterdir()], [f"{M1}:2,"])

    def test_astray(self) -> None:
        """A mail that cannot go to its folder, because that is gone, is found where it stayed."""
        inbox, work = (self.boxes.folders()[path] for path in ("", ".Work"))
        store = self.boxes.store
        first = self.boxes.now(store.sync(DEVICE, inbox.id, SyncRequest("0", b"", 0, get_changes=False)))
        full = self.boxes.now(store.sync(DEVICE, inbox.id, SyncRequest(first.key, b"a", 0)))
        shutil.rmtree(self.work)
        (item,) = self.boxes.items()
        moved = self.boxes.now(
            store.sync(DEVICE, inbox.id, SyncRequest(full.key, b"b", 0, commands=(Remove(item.id),), trash=work.id))
        )
        self.assertEqual(self.states(), {})
        self.assertEqual(self.successResultOf(self.source.carry_out(moved.intents)), [i.id for i in moved.intents])
        self.boxes.turn()
        self.assertEqual(self.states(), {M1: ""})
        self.assertEqual(self.boxes.now(store.pending()), [])


class RaceTests(SourceTests):
    def prepare(self) -> None:
        self.boxes.write(f"cur/{M1}:2,")

    def test_renamedDuringListing(self) -> None:
        """A mail that a listing misses, because it is renamed meanwhile, is not gone."""
        (item,) = self.boxes.items()
        compare = type(self.source.root).compare

        def run(fn: Callable[..., Any], *args: object) -> Deferred[Any]:
            if fn.__name__ != "compare":
                return execute(fn, *args)
            file = self.inbox / "cur" / f"{M1}:2,"
            hidden = file.rename(self.path / "hidden")
            result = compare(self.source.root, *args)
            hidden.rename(file)
            self.boxes.rename(file, self.inbox / "cur" / f"{M1}:2,S")
            return execute(lambda: result)

        self.source.recorder.run = run
        account = self.source.surveyor.accounts[USER]
        account.places[""].stale = True
        self.source.recorder.touch(account.places[""])
        self.boxes.turn()
        self.assertEqual([(i.id, i.state) for i in self.boxes.items()], [(item.id, "S")])

    def test_awayDuringListing(self) -> None:
        """A folder that is not there when it is to be listed is neither empty nor forgotten."""
        away: list[Path] = []

        def run(fn: Callable[..., Any], *args: object) -> Deferred[Any]:
            if fn.__name__ != "compare" or away:
                return execute(fn, *args)
            away.append(self.inbox.rename(self.path / "away"))
            result = fn(*args)
            away[0].rename(self.inbox)
            return execute(lambda: result)

        self.boxes.write(f"cur/{M2}:2,")
        self.boxes.events.queue[:] = [OVERFLOW]
        self.source.recorder.run = run
        self.boxes.turn()
        self.assertEqual(self.states(), {M1: ""})
        self.boxes.turn(1.0)
        self.assertEqual(self.states(), {M1: "", M2: ""})

    def test_cookieWithoutFirstHalf(self) -> None:
        """A second half of which the first was before the watch is a new mail."""
        self.boxes.write(f"new/{M2}")
        self.boxes.turn()
        self.assertIn(M2, self.states())

    def test_unknownDescriptor(self) -> None:
        """An event of a directory that is no longer watched says nothing."""
        self.boxes.events.queue.append(Event(4711, MOVED_FROM, 5, f"{M1}:2,"))
        self.boxes.turn(0.1)
        self.assertEqual(self.states(), {M1: ""})


del SourceTests
