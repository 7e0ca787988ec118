"""MoveItems ([MS-ASCMD] 2.2.1.12), and EmptyFolderContents (2.2.3.55)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from gateway.arrangement import Moved
from gateway.eas import wbxml
from gateway.eas.call import Answer, Unavailable, Version
from gateway.eas.folderoperations import FolderOperations
from gateway.eas.moveitems import MoveItems
from gateway.eas.moving import Moving
from gateway.eas.turns import Turns
from gateway.element import Element
from gateway.interfaces import BackendDown
from gateway.model import FolderType, FoundFolder, Intent
from gateway.store import Store
from gateway.testing import MemoryMailbox
from tests.eas.interop import Client, Gateway, air
from tests.eas.support import FOLDERS, NOW, VECTORS, Sources, call_of, decoded, refused, result_of, text
from tests.support import Connection, folders_of, status_of

WORK = FoundFolder(".Work", "Work", FolderType.USER_MAIL)


def part(name: str, *content: Element | str | int | None) -> Element:
    return Element(f"Move:{name}", *content)


def move(name: str, source: int | str, *targets: int | str) -> Element:
    return part(
        "Move", part("SrcMsgId", name), part("SrcFldId", source), *(part("DstFldId", target) for target in targets)
    )


class HeldMailbox(MemoryMailbox):
    """A mailbox that carries out when it is told to, or as it is told to."""

    carrying: Callable[[Sequence[Intent]], Deferred[list[int]]] | None = None

    def carry_out(self, intents: Sequence[Intent]) -> Deferred[list[int]]:
        return super().carry_out(intents) if self.carrying is None else self.carrying(intents)


class MoveCase(SynchronousTestCase):
    """Ann's Inbox holds three mails; she has a folder Work."""

    def setUp(self) -> None:
        self.mailbox = HeldMailbox()
        self.sources = Sources(mailbox=self.mailbox)
        self.ids = self.sources.make(found=(*FOLDERS, WORK))
        self.inbox, self.work = self.ids[""], self.ids[".Work"]
        for name in "abc":
            self.sources.mail(self.inbox, name)
        self.turns = Turns(1)
        self.moving = Moving(self.sources.store, self.mailbox, self.sources.reports, lambda: NOW, self.turns, portion=2)
        self.sources.reports.changes.clear()

    def name(self, mail: str) -> str:
        return f"{self.inbox}:{self.sources.named(mail)}"

    def names(self, path: str) -> list[str]:
        return sorted(self.mailbox.folder("ann", path))

    def listed(self, folder: int) -> list[str]:
        return sorted(result_of(self.sources.store.listing(folder)))


class MoveItemsTests(MoveCase):
    def ask(self, *moves: Element, version: Version = Version.V14_1) -> Answer:
        made = MoveItems(self.moving)
        answer: Answer = result_of(made(call_of("MoveItems", part("MoveItems", *moves), version)))
        return answer

    def responses(self, *moves: Element) -> list[str]:
        element = self.ask(*moves).element
        assert element is not None
        return [text(child) for child in element]

    def test_moved(self) -> None:
        """Status 3: the mail is in the other folder, under the id that the answer tells."""
        [response] = self.responses(move(self.name("a"), self.inbox, self.work))
        self.assertEqual((self.names(""), self.names(".Work")), (["b", "c"], ["a"]))
        self.sources.look()
        expected = f"{self.work}:{self.sources.named('a')}"
        self.assertEqual(
            response, f"Response(SrcMsgId={self.inbox}:{self.sources.named('b') - 1} Status=3 DstMsgId={expected})"
        )
        self.assertEqual(result_of(self.sources.store.pending()), [])

    def test_several(self) -> None:
        """Each move has a Response, in their order; what fails does not keep the others."""
        a, b, c = (self.name(mail) for mail in "abc")
        responses = self.responses(
            move(a, self.inbox, 4711), move(b, self.inbox, self.work), move(c, self.inbox, self.inbox)
        )
        self.assertEqual(responses[0], f"Response(SrcMsgId={a} Status=2)")
        self.assertRegex(responses[1], rf"^Response\(SrcMsgId={b} Status=3 DstMsgId={self.work}:[0-9]+\)$")
        self.assertEqual(responses[2], f"Response(SrcMsgId={c} Status=4)")
        self.assertEqual(self.names(".Work"), ["b"])

    def test_reported(self) -> None:
        """The Switchboard hears of both folders, once."""
        self.responses(*(move(self.name(mail), self.inbox, self.work) for mail in "ab"))
        self.assertEqual(sorted(one.folder for one in self.sources.reports.changes), [self.inbox, self.work])

    def test_noSource(self) -> None:
        """Status 1: no such folder or mail, whatever stands there, or a mail of another folder."""
        a = self.name("a")
        for name, source in (
            (a, 4711),
            (a, "RI"),
            (a, "Invalid SrcFldId"),
            (a, self.work),
            (f"{self.inbox}:4711", self.inbox),
            ("x", self.inbox),
            (f"{self.inbox}:", self.inbox),
            (f"{self.inbox}:" + "9" * 30, self.inbox),
            (a.partition(":")[2], self.inbox),
        ):
            self.assertEqual(self.responses(move(name, source, self.work)), [f"Response(SrcMsgId={name} Status=1)"])
        self.assertEqual(self.names(""), ["a", "b", "c"])

    def test_movedBefore(self) -> None:
        """Status 1: it was moved before."""
        request = move(self.name("a"), self.inbox, self.work)
        self.responses(request)
        [again] = self.responses(request)
        self.assertIn("Status=1", again)

    def test_noTarget(self) -> None:
        """Status 2: no such destination."""
        for target in (4711, "Invalid DstFldId", "0"):
            [response] = self.responses(move(self.name("a"), self.inbox, target))
            self.assertIn("Status=2", response)

    def test_sameFolder(self) -> None:
        """Status 4: the destination is the source."""
        [response] = self.responses(move(self.name("a"), self.inbox, self.inbox))
        self.assertIn("Status=4", response)

    def test_twoTargets(self) -> None:
        """Status 5: more than one destination, in one Move or in two."""
        a, b = self.name("a"), self.name("b")
        responses = self.responses(
            move(a, self.inbox, self.work, self.ids[".Trash"]),
            move(b, self.inbox, self.work),
            move(b, self.inbox, self.ids[".Trash"]),
        )
        self.assertEqual(responses[0], f"Response(SrcMsgId={a} Status=5)")
        self.assertIn("Status=3", responses[1])
        self.assertEqual(responses[2], f"Response(SrcMsgId={b} Status=5)")

    def test_ledgerDown(self) -> None:
        """Status 7 for every move: come again, nothing was done."""
        self.patch(Store, "move", lambda *args: fail(BackendDown("no database")))
        moves = [move(self.name(mail), self.inbox, self.work) for mail in "ab"]
        self.assertEqual([text(one.child("Move:Status")) for one in self.ask(*moves).element or ()], ["Status=7"] * 2)

    def test_fault(self) -> None:
        """Status 5 for every move: a fault of ours, which is logged."""
        self.patch(Store, "move", lambda *args: fail(ValueError("nonsense")))
        [response] = self.responses(move(self.name("a"), self.inbox, self.work))
        self.assertIn("Status=5", response)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_malformed(self) -> None:
        """103: no Move, something else, an element missing, twice or too long."""
        good = move(self.name("a"), self.inbox, self.work)
        for moves in (
            [],
            [part("Response")],
            [good, part("SrcMsgId", "1")],
            *(
                [Element("Move:Move", *(child for child in good if child.name != name))]
                for name in ("SrcMsgId", "SrcFldId", "DstFldId")
            ),
            [Element("Move:Move", *good, part("SrcMsgId", "1"))],
            [Element("Move:Move", *good, part("SrcFldId", "1"))],
            [move("", self.inbox, self.work)],
            [move("1" * 65, self.inbox, self.work)],
            [move(self.name("a"), "1" * 65, self.work)],
            [move(self.name("a"), self.inbox, "1" * 65)],
            [move(self.name("a"), self.inbox, "")],
        ):
            call = call_of("MoveItems", part("MoveItems", *moves))
            self.assertEqual(refused(MoveItems(self.moving)(call)).status, 103, [text(one) for one in moves])
        self.assertEqual(self.names(""), ["a", "b", "c"])

    def test_tooMany(self) -> None:
        """103: more than 1000, or than is configured."""
        good = move(self.name("a"), self.inbox, self.work)
        self.assertEqual(MoveItems(self.moving).most, 1000)
        call = call_of("MoveItems", part("MoveItems", good, good, good))
        self.assertEqual(refused(MoveItems(self.moving, 2)(call)).status, 103)

    def test_noBody(self) -> None:
        """101: an empty body; 103: that of another command."""
        self.assertEqual(refused(MoveItems(self.moving)(call_of("MoveItems", None))).status, 101)
        call = call_of("MoveItems", Element("Ping:Ping", move("1:1", 1, 2)))
        self.assertEqual(refused(MoveItems(self.moving)(call)).status, 103)

    def test_log(self) -> None:
        """The access line tells how many moves there were, and with which Statuses."""
        moves = (move(self.name("a"), self.inbox, self.work), move(self.name("a"), self.inbox, self.work))
        self.assertEqual(self.ask(*moves).log, {"It": 2, "St": "3,5"})

    def test_left(self) -> None:
        """A client that leaves does not keep the moves from being done; then they are news to it."""
        waiting: Deferred[list[int]] = Deferred()
        self.mailbox.carrying = lambda intents: waiting
        call = call_of("MoveItems", part("MoveItems", move(self.name("a"), self.inbox, self.work)))
        asked = Deferred.fromCoroutine(MoveItems(self.moving)(call))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        waiting.callback([intent.id for intent in result_of(self.sources.store.pending())])
        self.assertEqual(result_of(self.sources.store.pending()), [])
        self.assertEqual(len(self.sources.reports.changes), 2)
        self.assertEqual(len(self.turns), 0)

    def test_notCarriedOut(self) -> None:
        """What cannot be done to the files now is answered all the same, and stays to be done."""
        self.mailbox.carrying = lambda intents: fail(BackendDown("no disk"))
        [response] = self.responses(move(self.name("a"), self.inbox, self.work))
        self.assertIn("Status=3", response)
        self.assertEqual(len(result_of(self.sources.store.pending())), 1)
        self.assertEqual(len(self.flushLoggedErrors(BackendDown)), 1)

    def test_crowded(self) -> None:
        """When too many requests of the user wait for each other, the next one is put off."""
        held: Deferred[list[int]] = Deferred()
        self.mailbox.carrying = lambda intents: held
        call = call_of("MoveItems", part("MoveItems", move(self.name("a"), self.inbox, self.work)))
        waiting = [Deferred.fromCoroutine(MoveItems(self.moving)(call)) for _ in range(2)]
        self.failureResultOf(Deferred.fromCoroutine(MoveItems(self.moving)(call)), Unavailable)
        for one in waiting:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.mailbox.carrying = None
        held.callback([])

    def test_vectors(self) -> None:
        """The vectors, byte by byte."""
        self.assertEqual(wbxml.encode(part("MoveItems", move("5:1", 5, 21))), VECTORS["moveitems-request"])

        class Settled(Moving):
            async def shift(self, own: object, shifts: object) -> Moved:
                return Moved(((3, 1),))

        moving = Settled(self.sources.store, self.mailbox, self.sources.reports, lambda: NOW)
        answer = result_of(MoveItems(moving)(call_of("MoveItems", decoded("moveitems-request"))))
        self.assertEqual(wbxml.encode(answer.element), VECTORS["moveitems-response"])


class EmptyTests(MoveCase):
    def empty(self, folder: int | str, subfolders: bool = False, own: Any = None) -> str:
        return text(self.emptied(self.request(folder, subfolders), own))

    def request(self, folder: int | str, subfolders: bool) -> Element:
        options = Element("ItemOperations:Options", Element("ItemOperations:DeleteSubFolders"))
        return Element(
            "ItemOperations:EmptyFolderContents", air("CollectionId", folder), options if subfolders else None
        )

    def emptied(self, element: Element, own: Any = None) -> Element:
        call = call_of("ItemOperations", None)
        found: Element = result_of(FolderOperations(self.moving).empty(call, element, own))
        return found

    def answer(self, status: int, folder: int | str) -> str:
        return f"EmptyFolderContents(Status={status} CollectionId={folder})"

    def folders(self) -> list[str]:
        return [folder.path for folder in result_of(self.sources.store.folders("ann"))]

    def below(self) -> None:
        """Folders below Work, with a mail in them."""
        sub = FoundFolder(".Work.Sub", "Sub", FolderType.USER_MAIL, ".Work")
        deep = FoundFolder(".Work.Sub.Deep", "Deep", FolderType.USER_MAIL, ".Work.Sub")
        ids = self.sources.make(found=(*FOLDERS, WORK, sub, deep))
        self.sources.mail(ids[".Work.Sub"], "s", path=".Work.Sub")
        self.sources.mail(self.work, "w", path=".Work")

    def test_emptied(self) -> None:
        """Status 1: the mails are gone for good, in as many portions as it takes."""
        self.assertEqual(self.empty(self.inbox), self.answer(1, self.inbox))
        self.assertEqual((self.names(""), self.names(".Trash"), self.listed(self.inbox)), ([], [], []))
        self.assertEqual([change.folder for change in self.sources.reports.changes], [self.inbox] * 2)
        self.assertEqual(self.empty(self.inbox), self.answer(1, self.inbox))

    def test_subfoldersStay(self) -> None:
        """Without DeleteSubFolders the folders below stay as they are."""
        self.below()
        self.assertEqual(self.empty(self.work), self.answer(1, self.work))
        self.assertEqual((self.names(".Work"), self.names(".Work.Sub")), ([], ["s"]))
        self.assertIn(".Work.Sub", self.folders())

    def test_subfoldersGo(self) -> None:
        """With it they go, with what they hold, for good; the folder itself stays."""
        self.below()
        self.assertEqual(self.empty(self.work, True), self.answer(1, self.work))
        self.assertEqual(self.folders()[-1], ".Work")
        self.assertEqual((self.names(".Work.Sub"), self.names(".Trash")), ([], []))
        self.assertEqual(self.empty(self.work, True), self.answer(1, self.work))

    def test_arrivedMeanwhile(self) -> None:
        """What arrives while the folder is being emptied stays."""
        late = []

        def carry_out(intents: Sequence[Intent]) -> Deferred[list[int]]:
            self.mailbox.carrying = None
            self.sources.mail(self.inbox, "late")
            late.append("late")
            return self.mailbox.carry_out(intents)

        self.mailbox.carrying = carry_out
        self.empty(self.inbox)
        self.assertEqual((self.names(""), late), (["late"], ["late"]))

    def test_unknown(self) -> None:
        """Status 6: no such folder."""
        for folder in (4711, "x", "0"):
            self.assertEqual(self.empty(folder), self.answer(6, folder))

    def test_recipientCache(self) -> None:
        """Status 16: the recipient information cache, of which nobody has a right to anything."""
        self.assertEqual(self.empty("RI"), self.answer(16, "RI"))

    def test_malformed(self) -> None:
        """Status 2: no CollectionId, two, one too long; or something that does not belong there."""
        tag = "ItemOperations:EmptyFolderContents"
        known = air("CollectionId", self.inbox)
        options = Element("ItemOperations:Options")
        for element in (
            Element(tag),
            Element(tag, known, known),
            Element(tag, air("CollectionId", "1" * 65)),
            Element(tag, known, air("ServerId", 1)),
            Element(tag, known, options, options),
            Element(tag, known, Element("ItemOperations:Options", Element("ItemOperations:MoveAlways"))),
            Element(tag, known, Element("ItemOperations:Options", *[Element("ItemOperations:DeleteSubFolders")] * 2)),
        ):
            self.assertIn("Status=2", text(self.emptied(element)), text(element))
        self.assertEqual(self.names(""), ["a", "b", "c"])

    def test_ledgerDown(self) -> None:
        """Status 3: nothing was done."""
        self.patch(Store, "clear", lambda *args: fail(BackendDown("no database")))
        self.assertEqual(self.empty(self.inbox), self.answer(3, self.inbox))

    def test_fault(self) -> None:
        """Status 3 also for a fault of ours, which is logged."""
        self.patch(Store, "clear", lambda *args: fail(ValueError("nonsense")))
        self.assertEqual(self.empty(self.inbox), self.answer(3, self.inbox))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_partly(self) -> None:
        """Status 17: some mails are gone, then the ledger did not answer."""
        clear, portions = Store.clear, []

        def once(*args: Any) -> Any:
            portions.append(args)
            return clear(*args) if len(portions) == 1 else fail(BackendDown("no database"))

        self.patch(Store, "clear", once)
        self.assertEqual(self.empty(self.inbox), self.answer(17, self.inbox))
        self.assertEqual(len(self.names("")), 1)

    def test_crowded(self) -> None:
        """When too many requests of the user wait for each other, and nothing was done yet, it is put off."""
        held: Deferred[list[int]] = Deferred()
        self.mailbox.carrying = lambda intents: held
        call, operations = call_of("ItemOperations", None), FolderOperations(self.moving)
        request = self.request(self.inbox, False)
        waiting = [Deferred.fromCoroutine(operations.empty(call, request)) for _ in range(2)]
        self.failureResultOf(Deferred.fromCoroutine(operations.empty(call, request)), Unavailable)
        for one in waiting:
            one.cancel()
            self.failureResultOf(one, CancelledError)
        self.mailbox.carrying = None
        held.callback([])

    def test_vectors(self) -> None:
        """The vectors: the request is understood, the answer is made, byte by byte."""
        request = decoded("itemoperations-request-empty").children[0]
        self.assertEqual(wbxml.encode(self.request(4, True)), wbxml.encode(request))
        found = self.sources.make(found=(*FOLDERS, WORK))
        request = self.request(found[".Trash"], True)
        expected = decoded("itemoperations-response-empty").child("ItemOperations:Response")
        assert expected is not None
        answer = text(self.emptied(request)).replace(f"={found['.Trash']})", "=4)")
        self.assertEqual(answer, text(expected.children[0]))


class ParkedTests(SynchronousTestCase):
    """What moves do to parked Pings."""

    def setUp(self) -> None:
        self.world = Gateway()
        ids = self.world.mailbox()
        self.inbox, self.trash = ids[""], ids[".Trash"]
        self.world.arrive(self.inbox, "a")
        self.world.arrive(self.inbox, "b")
        self.phone, self.tablet = Client(self.world), Client(self.world, device="tablet")
        self.parked: dict[Client, Connection] = {}
        for client in (self.phone, self.tablet):
            client.synchronise(self.inbox, self.trash)
            self.park(client)

    def park(self, client: Client) -> None:
        self.assertEqual(client.ping(600, self.inbox, self.trash), [])
        self.parked[client] = client.reconnect()

    def tearDown(self) -> None:
        for client, connection in self.parked.items():
            connection.lose()
            client.connection.lose()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def move(self, mail: int = 1) -> None:
        (item,) = self.world.result(self.world.store.items("ann", [self.first + mail]))
        body = part("MoveItems", move(f"{self.inbox}:{item.id}", self.inbox, self.trash))
        self.assertIn("Status=3", text(self.phone.ask("MoveItems", body)))

    @property
    def first(self) -> int:
        return min(item.id for item in self.world.result(self.world.store.items("ann", range(1, 99)))) - 1

    def test_others(self) -> None:
        """The Pings of other devices end with both folders, that of the one that moves does not."""
        self.move()
        self.assertEqual(self.parked[self.phone].answers(), [])
        answers = self.parked[self.tablet].answers()
        self.assertEqual(
            (status_of(answers), sorted(folders_of(answers))), ("2", sorted([str(self.inbox), str(self.trash)]))
        )

    def test_pingAgain(self) -> None:
        """The next Ping of the device that has moved parks, too, and a mail that comes then ends it."""
        self.move()
        self.parked[self.phone].lose()
        self.park(self.phone)
        self.world.arrive(self.trash, "c", path=".Trash")
        answers = self.parked[self.phone].answers()
        self.assertEqual((status_of(answers), folders_of(answers)), ("2", [str(self.trash)]))

    def test_lost(self) -> None:
        """If the answer to the move is lost, the Ping ends: the device does not know."""
        connection = self.phone.connection
        mailbox, held = self.world.mails, Deferred[None]()
        carry_out = MemoryMailbox.carry_out

        def carried(intents: Sequence[Intent]) -> Deferred[list[int]]:
            return held.addCallback(lambda _: result_of(carry_out(mailbox, intents)))

        self.patch(MemoryMailbox, "carry_out", lambda mailbox, intents: carried(intents))
        item = self.first + 1
        body = part("MoveItems", move(f"{self.inbox}:{item}", self.inbox, self.trash))
        self.assertEqual(self.phone.post("MoveItems", body), [])
        connection.lose()
        held.callback(None)
        self.assertEqual(status_of(self.parked[self.phone].answers()), "2")
