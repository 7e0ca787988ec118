"""FolderSync ([MS-ASCMD] 2.2.1.5)."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas import wbxml
from gateway.eas.call import Answer, Version
from gateway.eas.folders import FolderSync, parents_first
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import DeviceKey, Folder, FolderOutcome, FolderType, FoundFolder, Standing
from tests.eas.support import ANN, FOLDERS, VECTORS, Sources, call_of, decoded, refused, result_of, sent, text

GREETING = {"MS-ASProtocolVersions": "14.1", "MS-ASProtocolCommands": "Sync,FolderSync"}
ARCHIVE = FoundFolder(".Archive", "Archive", FolderType.USER_MAIL)


def folder_sync(key: str) -> Element:
    return Element("FolderHierarchy:FolderSync", Element("FolderHierarchy:SyncKey", key))


@define(eq=False)
class Hierarchy:
    """The part of a ledger that FolderSync uses, which answers what it is told to."""

    outcome: FolderOutcome | Exception
    asked: list[tuple[DeviceKey, str]] = field(factory=list)
    written: list[tuple[DeviceKey, int, str]] = field(factory=list)

    def sync_folders(self, device: DeviceKey, key: str) -> Deferred[FolderOutcome]:
        self.asked.append((device, key))
        return fail(self.outcome) if isinstance(self.outcome, Exception) else succeed(self.outcome)

    def given(self, device: DeviceKey, folder: int, key: str) -> None:
        self.written.append((device, folder, key))


class FolderSyncTests(SynchronousTestCase):
    """Against a real store."""

    def setUp(self) -> None:
        self.sources = Sources()
        self.ids = self.sources.make()
        self.command = FolderSync(self.sources.store, lambda: GREETING)
        self.answer = Answer()

    def sync(self, key: str, version: Version = Version.V14_1) -> str:
        """Ask with a key; the answer in short."""
        self.answer = result_of(self.command(call_of("FolderSync", folder_sync(key), version)))
        return text(self.answer.element)

    def key(self) -> str:
        assert self.answer.element is not None
        return self.answer.element.text_of("FolderHierarchy:SyncKey") or ""

    def test_everything(self) -> None:
        """Status 1: key 0 brings every folder with ServerId, ParentId, DisplayName and Type, after the Count."""
        inbox, sent_items, trash = (self.ids[path] for path in ("", ".Sent", ".Trash"))
        self.assertEqual(
            self.sync("0"),
            f"FolderSync(Status=1 SyncKey={self.key()} Changes(Count=3"
            f" Add(ServerId={inbox} ParentId=0 DisplayName=Inbox Type=2)"
            f" Add(ServerId={sent_items} ParentId=0 DisplayName=Sent Items Type=5)"
            f" Add(ServerId={trash} ParentId=0 DisplayName=Deleted Items Type=4)))",
        )

    def test_nothing(self) -> None:
        """Without a change there are Changes with Count 0."""
        self.sync("0")
        self.assertEqual(self.sync(self.key()), f"FolderSync(Status=1 SyncKey={self.key()} Changes(Count=0))")

    def test_changes(self) -> None:
        """Update comes before Delete, Delete before Add; Count is their sum; Delete has the ServerId alone."""
        self.sync("0")
        renamed = FoundFolder(".Sent", "Sent", FolderType.SENT)
        self.sources.make(found=(FOLDERS[0], renamed, ARCHIVE))
        new = next(folder.id for folder in result_of(self.sources.store.folders("ann")) if folder.path == ".Archive")
        self.assertEqual(
            self.sync(self.key()),
            f"FolderSync(Status=1 SyncKey={self.key()} Changes(Count=3"
            f" Update(ServerId={self.ids['.Sent']} ParentId=0 DisplayName=Sent Type=5)"
            f" Delete(ServerId={self.ids['.Trash']})"
            f" Add(ServerId={new} ParentId=0 DisplayName=Archive Type=12)))",
        )

    def test_unknownKey(self) -> None:
        """A key that was never issued gets Status 9 and nothing else."""
        self.assertEqual(self.sync("17"), "FolderSync(Status=9)")

    def test_lostAnswer(self) -> None:
        """The key before the newest is still good: what the lost answer said is said again."""
        self.sync("0")
        before = self.key()
        self.sources.make(found=(*FOLDERS, ARCHIVE))
        self.sync(before)
        self.assertIn("DisplayName=Archive", self.sync(before))

    def test_idsStay(self) -> None:
        """The ServerIds are the same after another key 0."""
        self.assertEqual(self.sync("0").split("Changes")[1], self.sync("0").split("Changes")[1])

    def test_greeting(self) -> None:
        """Versions and commands go with the answer to key 0, and only with it ([MS-ASHTTP] 2.2.2.1.2.9)."""
        self.sync("0")
        self.assertEqual(self.answer.headers, {**GREETING, "X-MS-RP": GREETING["MS-ASProtocolVersions"]})
        self.sync(self.key())
        self.assertEqual(self.answer.headers, {})

    def test_written(self) -> None:
        """The key counts as given only when the answer was written out."""

        def news() -> bool:
            look = result_of(self.sources.store.look(ANN, [], False)).hierarchy
            return bool(look.standing is not Standing.SYNCED or look.news)

        self.sync("0")
        sent(self.answer)
        self.assertFalse(news())
        self.sources.make(found=(*FOLDERS, ARCHIVE))
        self.sync(self.key())
        assert self.answer.written is not None
        self.answer.written(False)
        self.assertTrue(news())
        self.answer.written(True)
        self.assertFalse(news())

    def test_log(self) -> None:
        """The access line tells the Status and how many changes there were."""
        self.sync("0")
        self.assertEqual(self.answer.log, {"St": 1, "Fc": "3"})


class MalformedTests(SynchronousTestCase):
    def status(self, body: Element) -> str:
        hierarchy = Hierarchy(FolderOutcome(1, "1"))
        answer = result_of(FolderSync(hierarchy)(call_of("FolderSync", body)))
        self.assertEqual(hierarchy.asked, [])
        return text(answer.element)

    def test_noKey(self) -> None:
        """A request without SyncKey is malformed: Status 10."""
        self.assertEqual(self.status(Element("FolderHierarchy:FolderSync")), "FolderSync(Status=10)")

    def test_emptyKey(self) -> None:
        """An empty SyncKey is one that does not match: Status 9."""
        self.assertEqual(self.status(folder_sync("")), "FolderSync(Status=9)")

    def test_longKey(self) -> None:
        """So is a SyncKey of more than 64 characters."""
        self.assertEqual(self.status(folder_sync("1" * 65)), "FolderSync(Status=9)")

    def test_twoKeys(self) -> None:
        """Two are malformed."""
        key = Element("FolderHierarchy:SyncKey", "0")
        self.assertEqual(self.status(Element("FolderHierarchy:FolderSync", key, key)), "FolderSync(Status=10)")

    def test_otherRoot(self) -> None:
        """So is the body of another command."""
        body = Element("FolderHierarchy:FolderCreate", Element("FolderHierarchy:SyncKey", "0"))
        self.assertEqual(self.status(body), "FolderSync(Status=10)")

    def test_noBody(self) -> None:
        """An empty body is the common Status 101."""
        self.assertEqual(refused(FolderSync(Hierarchy(FolderOutcome(1, "1")))(call_of("FolderSync", None))).status, 101)


class TroubleTests(SynchronousTestCase):
    def test_ledgerDown(self) -> None:
        """When the ledger does not answer, that is transient: Status 6, and the client keeps its key."""
        answer = result_of(FolderSync(Hierarchy(BackendDown("no database")))(call_of("FolderSync", folder_sync("0"))))
        self.assertEqual(text(answer.element), "FolderSync(Status=6)")
        self.assertEqual(answer.log, {"St": 6})
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)


class VectorTests(SynchronousTestCase):
    def answered(self, request: str, outcome: FolderOutcome) -> bytes:
        return sent(result_of(FolderSync(Hierarchy(outcome))(call_of("FolderSync", decoded(request)))))

    def test_initial(self) -> None:
        """The vector of a first answer, byte by byte."""
        inbox = Folder(5, "ann", "", "Inbox", FolderType.INBOX)
        calendar = Folder(1, "ann", "c", "Calendar", FolderType.CALENDAR)
        answer = self.answered("foldersync-request-initial", FolderOutcome(1, "1", (inbox, calendar)))
        self.assertEqual(answer, VECTORS["foldersync-response-initial"])

    def test_noChange(self) -> None:
        """The vector of an answer without changes, byte by byte."""
        answer = self.answered("foldersync-request-initial", FolderOutcome(1, "1"))
        self.assertEqual(answer, VECTORS["foldersync-response-nochange"])

    def test_requests(self) -> None:
        """The request of the tests is that of the vectors."""
        self.assertEqual(wbxml.encode(folder_sync("0")), VECTORS["foldersync-request-initial"])


class ClassTests(SynchronousTestCase):
    NOTES = Folder(9, "ann", "n", "Notes", FolderType.NOTES)
    INBOX = Folder(5, "ann", "", "Inbox", FolderType.INBOX)
    DRAFTS = Folder(6, "ann", ".Drafts", "Drafts", FolderType.DRAFTS)

    def names(self, version: Version) -> list[str]:
        outcome = FolderOutcome(1, "1", (self.INBOX, self.NOTES, self.DRAFTS), (self.NOTES,))
        answer = result_of(FolderSync(Hierarchy(outcome))(call_of("FolderSync", folder_sync("0"), version)))
        assert answer.element is not None
        changes = answer.element.child("FolderHierarchy:Changes")
        assert changes is not None
        self.assertEqual(changes.text_of("FolderHierarchy:Count"), str(len(changes.children) - 1))
        return [f"{c.name} {c.text_of('FolderHierarchy:DisplayName')}" for c in changes.children[1:]]

    def test_notesBefore14(self) -> None:
        """Folders of notes are left out for clients that do not know them; Drafts is listed for all."""
        for version in (Version.V2_5, Version.V12_0, Version.V12_1):
            self.assertEqual(self.names(version), ["Add Inbox", "Add Drafts"])

    def test_notes(self) -> None:
        """Clients of 14.0 and later get them."""
        self.assertEqual(self.names(Version.V14_0), ["Update Notes", "Add Inbox", "Add Notes", "Add Drafts"])


class ParentsFirstTests(SynchronousTestCase):
    def order(self, *pairs: tuple[int, int]) -> list[int]:
        folders = [Folder(id, "ann", str(id), str(id), FolderType.USER_MAIL, parent) for id, parent in pairs]
        return [folder.id for folder in parents_first(folders)]

    def test_kept(self) -> None:
        """What is in order stays so."""
        self.assertEqual(self.order((1, 0), (2, 1), (3, 0)), [1, 2, 3])

    def test_childFirst(self) -> None:
        """A parent that comes later is moved before its child, and its own parent before it."""
        self.assertEqual(self.order((3, 2), (2, 1), (1, 0), (4, 3)), [1, 2, 3, 4])

    def test_circle(self) -> None:
        """Folders that are parents of one another are all there."""
        self.assertEqual(sorted(self.order((1, 2), (2, 1))), [1, 2])

    def test_absentParent(self) -> None:
        """A parent that the device has already is no matter."""
        self.assertEqual(self.order((7, 3), (8, 7)), [7, 8])
