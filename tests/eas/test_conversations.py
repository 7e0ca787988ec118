"""Move of ItemOperations: conversations that always go to a folder ([MS-ASCON] 3.1.4.4, 3.1.4.6)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.arrangement import Diversion, Shift
from gateway.eas.conversations import PATIENCE, STEP, ConversationMoves, Diverting
from gateway.eas.moving import Moving
from gateway.element import Element
from gateway.index import Document, Sought
from gateway.interfaces import BackendDown, ISearchIndex, TooSlow
from gateway.model import FolderType, FoundFolder
from gateway.store import Store
from gateway.store.searching import SearchIndex
from tests.eas.support import ANN, FOLDERS, NOW, Sources, call_of, result_of, text

TALK, OTHER = bytes(range(16)), bytes(range(1, 17))
MORE = (
    FoundFolder(".Work", "Work", FolderType.USER_MAIL),
    FoundFolder(".Drafts", "Drafts", FolderType.DRAFTS),
    FoundFolder("cal", "Calendar", FolderType.CALENDAR),
)


def part(name: str, *content: Element | str | bytes | int | None) -> Element:
    return Element(f"ItemOperations:{name}", *content)


ALWAYS = part("Options", part("MoveAlways"))


class ConversationCase(SynchronousTestCase):
    """Mails of two conversations in several folders of ann; an index that takes them in when the test says so."""

    def setUp(self) -> None:
        self.sources = Sources()
        self.ids = self.sources.make(found=(*FOLDERS, *MORE))
        self.work, self.trash = self.ids[".Work"], self.ids[".Trash"]
        self.moving = Moving(self.sources.store, self.sources.mailbox, self.sources.reports, lambda: NOW)
        self.store = self.sources.store
        self.index = Diverting(self.store.index, self.store.diversions, self.moving)
        self.talks: dict[str, bytes] = {}
        for path, name, talk in (("", "a", TALK), ("", "x", OTHER), (".Work", "b", TALK), (".Sent", "s", TALK)):
            self.mail(path, name, talk)
        self.take_in()

    def mail(self, path: str, name: str, talk: bytes, age: int = 100) -> None:
        self.talks[name] = talk
        self.sources.mail(self.ids[path], name, path=path, age=age)

    def take_in(self) -> None:
        """Bring the index up to date."""
        while folders := result_of(self.index.behind(None)):
            (portion,) = result_of(self.index.portions(folders[:1], 10))
            documents = [Document(item.id, item.received, conversation=self.talks[item.name]) for item in portion.items]
            result_of(self.index.put([(portion, documents)]))

    def where(self) -> Mapping[str, list[str]]:
        """The names of the mails by path, as the mailbox and the ledger have them."""
        found = {}
        for path, id in self.ids.items():
            names = sorted(self.sources.mailbox.folder("ann", path))
            self.assertEqual(sorted(result_of(self.store.listing(id))), names)
            if names:
                found[path] = names
        return found


class MoveTests(ConversationCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def move(
        self, target: Any, *more: Element, talk: bytes | str | None = TALK, options: Element | None = ALWAYS
    ) -> str:
        return self.told(self.begin(target, *more, talk=talk, options=options), talk)

    def begin(
        self, target: Any, *more: Element, talk: bytes | str | None = TALK, options: Element | None = ALWAYS
    ) -> Deferred[Element]:
        """Ask for a Move, which waits for the index."""
        element = part("Move", None if talk is None else part("ConversationId", talk), options, *more)
        if target is not None:
            element.children.append(part("DstFldId", str(target)))
        return Deferred.fromCoroutine(self.moves(PATIENCE).move(call_of("ItemOperations", None), element))

    def moves(self, patience: float) -> ConversationMoves:
        return ConversationMoves(self.moving, self.store.index, self.store.diversions, self.clock, patience)

    def told(self, moved: Deferred[Element], talk: bytes | str | None) -> str:
        """The Status of a Move."""
        answer = result_of(moved)
        self.assertEqual(answer.tag, "ItemOperations:Move")
        self.assertEqual(answer.children[1], part("ConversationId", talk))
        return answer.text_of("ItemOperations:Status") or ""

    def test_moved(self) -> None:
        """Status 1: its mails go there from all folders but Sent Items; other conversations stay."""
        self.assertEqual(self.move(self.trash), "1")
        self.assertEqual(self.where(), {"": ["x"], ".Sent": ["s"], ".Trash": ["a", "b"]})
        changed = {change.folder for change in self.sources.reports.changes}
        self.assertEqual(changed, {self.ids[""], self.work, self.trash})

    def test_later(self) -> None:
        """Mails of it that come later follow, wherever they arrive; drafts and sent ones stay."""
        self.move(self.trash)
        for path, name in (("", "c"), (".Work", "d"), (".Sent", "t"), (".Trash", "e"), (".Drafts", "f")):
            self.mail(path, name, TALK, age=0)
        self.mail("", "y", OTHER, age=0)
        self.take_in()
        self.assertEqual(
            self.where(),
            {"": ["x", "y"], ".Sent": ["s", "t"], ".Trash": ["a", "b", "c", "d", "e"], ".Drafts": ["f"]},
        )

    def test_once(self) -> None:
        """A mail that has followed and that its owner takes back, or deletes, stays there."""
        self.move(self.work)
        self.take_in()
        for name, target in (("c", ""), ("d", ".Trash")):
            self.mail("", name, TALK, age=0)
            self.take_in()
            self.assertIn(name, self.where()[".Work"])
            self.sources.look()
            shift = Shift(self.sources.named(name), self.work, self.ids[target])
            result_of(Deferred.fromCoroutine(self.moving.shift(self.moving.own(ANN), [shift])))
            self.take_in()
            self.assertIn(name, self.where()[target])

    def test_takenBack(self) -> None:
        """A mail from before that its owner takes back stays there."""
        self.move(self.trash)
        self.sources.look()
        self.mail("", "old", TALK)
        self.take_in()
        self.assertEqual(self.where()[""], ["old", "x"])

    def test_thereAlready(self) -> None:
        """Status 1 also if nothing is to be moved now."""
        self.move(self.trash)
        self.sources.reports.changes.clear()
        self.take_in()
        self.assertEqual(self.move(self.trash), "1")
        self.assertEqual(self.sources.reports.changes, [])

    def test_elsewhere(self) -> None:
        """Another destination later replaces the first one."""
        self.move(self.trash)
        self.take_in()
        self.assertEqual(self.move(self.work), "1")
        self.assertEqual(self.where()[".Work"], ["a", "b"])
        self.mail("", "c", TALK, age=0)
        self.take_in()
        self.assertEqual(self.where()[".Work"], ["a", "b", "c"])

    def test_base64(self) -> None:
        """An id that comes as text is base64."""
        self.assertEqual(self.move(self.trash, talk=base64.b64encode(TALK).decode()), "1")

    def test_unknown(self) -> None:
        """Status 6: no such conversation, nor anything that could be one, nor such a destination; nothing is kept."""
        for talk in (
            bytes(16),
            b"short",
            b"x" * 17,
            "not base64!",
            base64.b64encode(b"NotExistConversationId").decode(),
        ):
            self.assertEqual(self.move(self.trash, talk=talk), "6", talk)
        for target in (4711, "NotExistFolderId", "0"):
            self.assertEqual(self.move(target), "6", target)
        self.assertEqual(result_of(self.store.diversions.diverted([("ann", TALK), ("ann", bytes(16))])), {})

    def test_notIndexedYet(self) -> None:
        """Status 3: it is not found, but the index is not up to date for some time: the client may try again."""
        new = bytes([7] * 16)
        self.mail("", "n", new)
        moved = self.begin(self.trash, talk=new)
        self.clock.pump([STEP] * int(PATIENCE / STEP - 1))
        self.assertNoResult(moved)
        self.clock.advance(STEP)
        self.assertEqual(self.told(moved, new), "3")
        self.take_in()
        self.assertEqual(self.move(self.trash, talk=new), "1")

    def test_indexedMeanwhile(self) -> None:
        """A conversation that begins, or goes on, with a mail that has just arrived waits until that is in the index."""
        new = bytes([7] * 16)
        for talk, names in ((new, ["n"]), (TALK, ["a", "b", "n", "o"])):
            self.mail("", names[-1], talk)
            moved = self.begin(self.trash, talk=talk)
            self.assertNoResult(moved)
            self.take_in()
            self.clock.advance(STEP)
            self.assertEqual(self.told(moved, talk), "1")
            self.assertEqual(self.where()[".Trash"], names)
            self.take_in()

    def test_spent(self) -> None:
        """A request waits once, however many Moves are in it; where no index is kept none waits."""
        new = bytes([7] * 16)
        self.mail("", "n", new)
        moves, own = self.moves(PATIENCE), self.moving.own(ANN)
        element = part("Move", part("ConversationId", new), ALWAYS, part("DstFldId", self.trash))

        async def twice() -> list[str | None]:
            call = call_of("ItemOperations", None)
            return [(await moves.move(call, element, own)).text_of("ItemOperations:Status") for _ in range(2)]

        moved = Deferred.fromCoroutine(twice())
        self.clock.pump([STEP] * int(PATIENCE / STEP))
        self.assertEqual(result_of(moved), ["3", "3"])
        self.assertEqual(self.told(Deferred.fromCoroutine(self.moves(0).move(call_of("x", None), element)), new), "3")

    def test_left(self) -> None:
        """Who leaves while the index is waited for has moved nothing."""
        self.mail("", "n", TALK)
        moved = self.begin(self.trash)
        moved.cancel()
        self.failureResultOf(moved, CancelledError)
        self.take_in()
        self.assertNotIn(".Trash", self.where())

    def test_recipientCache(self) -> None:
        """Status 105: the recipient information cache."""
        self.assertEqual(self.move("RI"), "105")

    def test_badTarget(self) -> None:
        """Status 156: a folder for something else than mail, or for drafts."""
        self.assertEqual(self.move(self.ids["cal"]), "156")
        self.assertEqual(self.move(self.ids[".Drafts"]), "156")

    def test_notAlways(self) -> None:
        """Status 155: without MoveAlways ([MS-ASCMD] 2.2.2)."""
        self.assertEqual(self.move(self.trash, options=None), "155")
        self.assertEqual(self.move(self.trash, options=part("Options")), "155")
        self.assertNotIn(".Trash", self.where())

    def test_malformed(self) -> None:
        """Status 2: MoveAlways with content, or an element missing, twice, too long or out of place."""
        for options in (
            part("Options", part("MoveAlways", "MoveAlwaysContent")),
            part("Options", part("MoveAlways"), part("MoveAlways")),
            part("Options", part("DeleteSubFolders")),
            part("Options", part("MoveAlways", part("MoveAlways"))),
        ):
            self.assertEqual(self.move(self.trash, options=options), "2", text(options))
        self.assertEqual(self.move(self.trash, ALWAYS), "2")
        self.assertEqual(self.move(self.trash, part("DstFldId", self.work)), "2")
        self.assertEqual(self.move(self.trash, part("Store", "Mailbox")), "2")
        for target in (None, "", "1" * 65):
            self.assertEqual(self.move(target), "2", target)
        for talk in (None, "", b""):
            self.assertEqual(self.move(self.trash, talk=talk), "2", talk)

    def test_trouble(self) -> None:
        """Status 3: the ledger or the index does not answer."""
        for error in (BackendDown("no database"), TooSlow("5 s")):
            self.patch(SearchIndex, "search", lambda *args, error=error: fail(error))
            self.assertEqual(self.move(self.trash), "3")

    def test_fault(self) -> None:
        """Status 3 for a fault of ours, which is logged."""
        self.patch(Store, "move", lambda *args: fail(ValueError("nonsense")))
        self.assertEqual(self.move(self.trash), "3")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class DivertingTests(ConversationCase):
    def setUp(self) -> None:
        super().setUp()
        result_of(self.store.diversions.divert(Diversion("ann", TALK, self.trash, NOW)))
        self.mail("", "c", TALK, age=0)

    def test_interface(self) -> None:
        """It provides L{ISearchIndex}, and finds what the index finds."""
        self.assertTrue(verifyObject(ISearchIndex, self.index))
        self.take_in()
        matches = result_of(self.index.search("ann", Sought(conversation=TALK), 0, 9))
        self.assertEqual(matches, result_of(self.store.index.search("ann", Sought(conversation=TALK), 0, 9)))
        self.assertEqual(matches.total, 4)

    def test_tellsAll(self) -> None:
        """All devices hear of what is moved."""
        self.sources.reports.changes.clear()
        self.take_in()
        self.assertEqual({change.folder for change in self.sources.reports.changes}, {self.ids[""], self.trash})

    def test_failure(self) -> None:
        """What cannot be moved now stays, and is in the index all the same."""
        self.patch(Store, "move", lambda *args: fail(BackendDown("no database")))
        self.take_in()
        self.assertEqual(self.where()[""], ["a", "c", "x"])
        self.assertEqual(result_of(self.index.behind(None)), [])
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)

    def test_folderGone(self) -> None:
        """When the destination is gone, mails stay where they arrive."""
        self.sources.make(found=tuple(one for one in (*FOLDERS, *MORE) if one.path != ".Trash"))
        self.take_in()
        self.assertIn("c", self.sources.mailbox.folder("ann", ""))

    def test_withoutConversations(self) -> None:
        """Nobody is asked for mails without a conversation."""
        asked: list[Any] = []
        self.index.diversions = Asked(asked)  # type: ignore[assignment]
        self.talks = dict.fromkeys(self.talks, b"")
        self.take_in()
        self.assertEqual(asked, [])


class Asked:
    """Notes what it is asked."""

    def __init__(self, asked: list[Any]) -> None:
        self.asked = asked

    def diverted(self, *args: Any) -> Deferred[dict[tuple[str, bytes], Diversion]]:
        self.asked.append(args)
        return fail(AssertionError("asked"))
