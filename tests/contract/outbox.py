"""The contract of L{IOutbox}."""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from gateway.interfaces import IOutbox
from gateway.model import DeviceKey
from gateway.trigger import Letter, LetterState, Outcome, Receipt
from tests.contract.lines import DAY, GUID, ROUTE, LineCase, letter, line
from tests.contract.store import ANN, BOB, NOW, TABLET, StoreCase

QUEUED, DOUBT, SENT, FAILED = LetterState.QUEUED, LetterState.DOUBT, LetterState.SENT, LetterState.FAILED
DELIVERED, UNDELIVERED = LetterState.DELIVERED, LetterState.UNDELIVERED
FOLDED, WITHDRAWN = LetterState.FOLDED, LetterState.WITHDRAWN

MAIL = Letter(
    ANN,
    "relay",
    content=b"Subject: x\r\n\r\n\0\xff",
    sender="ann@example.org",
    recipients=("bob@example.net", "carol@example.com"),
    created=NOW,
    due=NOW,
    expires=NOW + 5.5,
)


class OutboxCase(StoreCase):
    """An outbox."""

    def setUp(self) -> None:
        super().setUp()
        self.outbox = self.store.outbox

    def again(self) -> None:
        """The same database after a kill."""
        self.store = self.restart()
        self.outbox = self.store.outbox

    def put(self, *letters: Letter) -> list[int]:
        return self.result(self.outbox.put(letters))

    def fill(self, count: int, **more: object) -> list[int]:
        """Triggers for so many devices."""
        return self.put(*(letter(DeviceKey("ann", f"p{n}"), **more) for n in range(count)))

    def take(self, most: int = 500, route: str = ROUTE) -> list[Letter]:
        return self.result(self.outbox.take(route, self.now, most))

    def taken(self, *args: int) -> list[int]:
        return [one.id for one in self.take(*args)]

    def settle(self, *outcomes: Outcome) -> None:
        self.result(self.outbox.settle(outcomes))

    def send(self, id: int, message_id: str = "") -> None:
        """A letter was taken by the other side."""
        self.settle(Outcome(id, SENT, self.now, message_id))

    def receive(self, *receipts: Receipt) -> list[Letter | None]:
        return self.result(self.outbox.receive(receipts))

    def receipt(self, *ids: str, state: LetterState = DELIVERED, at: float = NOW, result: str = "") -> Receipt:
        return Receipt(ROUTE, ids, state, at, result)

    def letters(self) -> dict[int, Letter]:
        return {one.id: one for one in self.result(self.outbox.letters(None, None, 10_000))}

    def states(self) -> list[LetterState]:
        return [one.state for _, one in sorted(self.letters().items())]


class OutboxContract(OutboxCase):
    """In, and out once."""

    def test_interface(self) -> None:
        """The store provides L{IOutbox}."""
        self.assertTrue(verifyObject(IOutbox, self.outbox))

    def test_kept(self) -> None:
        """All of a letter comes back, after a kill too; taking marks it in doubt and counts the attempt."""
        for one in (letter(content=b"\0\xfftext", format="si", address="x@example.net", due=NOW - 0.5), MAIL):
            [id] = self.put(one)
            self.again()
            [taken] = self.take(route=one.route)
            self.assertEqual(taken, evolve(one, id=id, state=DOUBT, attempts=1))
            self.again()
            self.assertEqual(self.letters()[id], evolve(taken, content=b"" if taken.recipients else taken.content))

    def test_numbers(self) -> None:
        """Numbers rise in the order given and are not given again, not even those of letters forgotten."""
        self.assertEqual(self.fill(3), [1, 2, 3])
        self.assertEqual(self.put(MAIL, letter(TABLET)), [4, 5])
        self.assertEqual(self.put(), [])
        for id in self.taken():
            self.settle(Outcome(id, FAILED, NOW))
        self.result(self.outbox.forget(NOW + 1))
        self.again()
        self.assertEqual(self.put(MAIL), [6])

    def test_oldestFirst(self) -> None:
        """Those that are due come oldest first, no more than asked for, each once, of one route only."""
        self.put(*(letter(DeviceKey("ann", f"p{n}"), due=NOW - due) for n, due in enumerate((1, 3, 2, 3, -1))))
        self.put(letter(route="smtp:example"), MAIL)
        self.assertEqual(self.taken(3), [2, 4, 3])
        self.assertEqual(self.taken(), [1])
        self.assertEqual(self.taken(), [])
        self.now += 1
        self.assertEqual(self.taken(), [5])
        self.assertEqual(self.result(self.outbox.take("smpp:", self.now, 9)), [])

    def test_many(self) -> None:
        """Hundreds are put, taken, settled and matched together, each its own way."""
        ids = self.fill(700)
        self.assertEqual(self.taken(600), ids[:600])
        states = (SENT, FAILED, QUEUED, DOUBT)
        self.settle(*(Outcome(id, states[id % 4], NOW + id, f"m{id}", f"r{id}", due=NOW + id) for id in ids[:600]))
        answers = self.receive(*(self.receipt(f"m{id}") for id in ids))
        self.assertEqual([one is not None for one in answers], [id <= 600 and id % 4 < 2 for id in ids])
        kept = self.letters()
        self.assertEqual([kept[id].state for id in (4, 1, 2, 3)], [DELIVERED, FAILED, QUEUED, QUEUED])
        self.assertEqual([kept[id].doubted for id in (4, 1, 2, 3)], [False, False, False, True])
        self.assertEqual([(kept[id].due, kept[id].result) for id in (2, 3)], [(NOW + 2, "r2"), (NOW + 3, "r3")])

    def test_folded(self) -> None:
        """A queued trigger of the same device and route is folded into the newer one; nothing else is."""
        self.put(letter(), letter(TABLET), letter(BOB), letter(route="smtp:example"), evolve(MAIL, route=ROUTE))
        self.put(letter(guid="", content=b"of another server"), letter(TABLET, guid="new"))
        self.assertEqual(self.states(), [FOLDED, FOLDED, QUEUED, QUEUED, QUEUED, QUEUED, QUEUED])
        self.assertEqual(self.letters()[1].result, "a newer trigger took its place")
        self.put(letter(), letter(), letter(BOB), MAIL, MAIL)
        self.assertEqual(self.states()[7:], [FOLDED, QUEUED, QUEUED, QUEUED, QUEUED])
        self.assertEqual([one.guid for one in self.take() if one.key == ANN], ["", GUID])

    def test_notFoldedOnceTaken(self) -> None:
        """What was handed over is not folded: nobody knows whether it went."""
        self.put(letter())
        self.take()
        self.put(letter())
        self.assertEqual(self.states(), [DOUBT, QUEUED])

    def test_newest(self) -> None:
        """Letters are listed newest first, of a device, a user or everybody."""
        self.put(letter(), letter(TABLET), letter(BOB), MAIL)
        listed = lambda *which: [one.id for one in self.result(self.outbox.letters(*which))]  # noqa: E731
        self.assertEqual(listed(None, None, 9), [4, 3, 2, 1])
        self.assertEqual(listed(None, None, 2), [4, 3])
        self.assertEqual(listed("ann", None, 9), [4, 2, 1])
        self.assertEqual(listed("ann", ANN.device, 9), [4, 1])
        self.assertEqual(listed("ann", ANN.device, 1), [4])
        self.assertEqual(listed("nobody", None, 9), [])

    def test_waiting(self) -> None:
        """How many are queued by route, and since when; and when the next is due."""
        self.assertEqual(self.result(self.outbox.waiting()), {})
        self.put(letter(created=NOW - 7, due=NOW + 3), letter(TABLET, due=NOW + 2.5), MAIL)
        self.assertEqual(self.result(self.outbox.waiting()), {ROUTE: (2, NOW - 7), "relay": (1, NOW)})
        self.assertEqual(self.result(self.outbox.next_due(ROUTE)), NOW + 2.5)
        self.assertIsNone(self.result(self.outbox.next_due("smtp:x")))
        self.take(route="relay")
        self.assertIsNone(self.result(self.outbox.next_due("relay")))

    def test_forget(self) -> None:
        """Letters whose life is over are forgotten when they are old; others never."""
        self.fill(7, created=NOW - DAY)
        self.fill(1)
        self.take(6)
        ends = (SENT, DELIVERED, UNDELIVERED, FAILED, QUEUED)
        self.settle(*(Outcome(id, state, NOW, due=NOW + 9) for id, state in enumerate(ends, 2)))
        self.put(letter(DeviceKey("ann", "late"), created=NOW))
        self.assertEqual(self.result(self.outbox.forget(NOW - DAY)), 0)
        self.assertEqual(self.result(self.outbox.forget(NOW)), 5)
        self.assertEqual(sorted(self.letters()), [6, 7, 8, 9])
        self.assertEqual(self.result(self.outbox.forget(NOW + 1)), 0)

    def test_forgetMany(self) -> None:
        """Thousands are forgotten in portions."""
        for _ in range(2):
            self.fill(2600, state=WITHDRAWN)
        self.assertEqual(self.result(self.outbox.forget(NOW + 1)), 5200)

    def test_forgetFuture(self) -> None:
        """A letter made in the future was made by a wrong clock, and does not keep others from being forgotten."""
        self.fill(1, created=NOW + DAY, state=FAILED)
        self.fill(1, created=NOW - DAY, state=FAILED)
        self.fill(1, state=FAILED)
        self.assertEqual(self.result(self.outbox.forget(NOW)), 2)

    def test_stuck(self) -> None:
        """Mails of users that were made in a span and are queued, or in doubt, are told of in portions, with the
        beginning of what they hold; triggers, mails of other routes, and those that went out are not."""
        large = evolve(MAIL, content=b"x" * 100_000, created=NOW - 5)
        ids = self.put(MAIL, large, evolve(MAIL, route="local"), evolve(MAIL, created=NOW + 1), MAIL)
        self.fill(1, created=NOW)
        [doubtful] = self.take(1, "relay")
        self.assertIn(doubtful.id, ids)

        def stuck(after: float = NOW - 10, upto: float = NOW, id: int = 0, most: int = 9) -> list[Letter]:
            return list(self.result(self.outbox.stuck("relay", after, upto, id, most)))

        found = stuck()
        self.assertEqual([one.id for one in found], [ids[0], ids[1], ids[4]])
        self.assertEqual((found[0].content, len(found[1].content)), (MAIL.content, 32768))
        self.assertEqual((found[0].recipients, found[0].sender), (MAIL.recipients, MAIL.sender))
        self.assertEqual([one.id for one in stuck(id=ids[0], most=1)], [ids[1]])
        self.assertEqual([one.id for one in stuck(after=NOW - 5)], [ids[0], ids[4]])
        self.assertEqual([one.id for one in stuck(upto=NOW - 5)], [ids[1]])
        self.send(doubtful.id)
        self.assertNotIn(doubtful.id, [one.id for one in stuck()])


class SettleContract(OutboxCase):
    """What became of letters."""

    def test_sent(self) -> None:
        """One that was sent is not taken again, and its message id is known."""
        self.fill(2)
        self.take()
        self.settle(Outcome(1, SENT, NOW + 1, "A1", "ok"), Outcome(2, FAILED, NOW + 1, result="bad number"))
        self.again()
        self.assertEqual((self.states(), self.taken()), ([SENT, FAILED], []))
        self.assertEqual([one.message_id for one in self.letters().values()], ["", "A1"])
        self.assertEqual([one.result for one in self.letters().values()], ["bad number", "ok"])

    def test_again(self) -> None:
        """One that is to be tried again is due then, as one that was never in doubt."""
        self.fill(1)
        for attempts in (1, 2, 3):
            [taken] = self.take()
            self.assertEqual((taken.attempts, taken.doubted), (attempts, False))
            self.settle(Outcome(1, QUEUED, NOW, result="throttled", due=self.now + 10))
            self.assertEqual(self.taken(), [])
            self.now += 10

    def test_untried(self) -> None:
        """One that was taken and not handed over was no attempt."""
        self.fill(1)
        for untried, attempts in ((True, 1), (True, 1), (False, 1), (True, 2), (False, 2)):
            [taken] = self.take()
            self.assertEqual(taken.attempts, attempts)
            self.settle(Outcome(1, QUEUED, NOW, due=NOW, untried=untried))

    def test_brokenLink(self) -> None:
        """One whose answer never came is sent again once, marked as doubtful; the second time it has failed."""
        self.fill(1)
        self.take()
        self.settle(Outcome(1, DOUBT, NOW, result="no answer", due=NOW + 10))
        self.assertEqual(self.taken(), [])
        self.now += 10
        [taken] = self.take()
        self.assertEqual((taken.doubted, taken.attempts), (True, 2))
        self.settle(Outcome(1, DOUBT, NOW, result="no answer", due=NOW + 20))
        given_up = self.letters()[1]
        self.assertEqual((given_up.state, given_up.result), (FAILED, "in doubt twice: no answer"))

    def test_doubtOfWhatIsKnown(self) -> None:
        """Doubt about a letter that was settled meanwhile changes nothing."""
        self.fill(1)
        self.take()
        self.send(1)
        self.settle(Outcome(1, DOUBT, NOW, due=NOW))
        self.assertEqual(self.states(), [SENT])

    def test_reopened(self) -> None:
        """After kill -9 what is in doubt is sent again once, at once; what was so before has failed."""
        self.fill(3)
        self.taken(2)
        self.again()
        self.assertEqual(self.result(self.outbox.reopen(NOW + 1)), (2, 0))
        self.assertEqual(self.result(self.outbox.reopen(NOW + 1)), (0, 0))
        self.now += 1
        self.assertEqual([(one.id, one.doubted) for one in self.take()], [(1, True), (2, True), (3, False)])
        self.send(2)
        self.again()
        self.assertEqual(self.result(self.outbox.reopen(NOW + 2)), (1, 1))
        self.assertEqual(self.states(), [FAILED, SENT, QUEUED])
        self.assertRegex(self.letters()[1].result, "^in doubt twice: the gateway was killed")
        self.assertEqual([self.letters()[id].result for id in (2, 3)], ["", ""])
        hops = self.result(self.store.trace.read("ann", None, 0, 9))
        self.assertEqual([(hop.kind, hop.letter, hop.at) for hop in hops], [("failed", 1, NOW + 2)])

    def test_reopenedInPlace(self) -> None:
        """What is sent again after kill -9 goes first, as it was due first, also if the clock was set back since."""
        for due, now in ((NOW - 5, NOW), (NOW, NOW - 99)):
            [id] = self.put(letter(due=due))
            self.now = NOW
            self.take()
            self.again()
            self.result(self.outbox.reopen(now))
            self.assertEqual(self.letters()[id].due, min(due, now))

    def test_mailReopened(self) -> None:
        """A user's mail is sent again however often the gateway was killed, and that is no doubt of a server's answer."""
        self.put(MAIL)
        for _ in range(5):
            [taken] = self.take(route="relay")
            self.again()
            self.assertEqual(self.result(self.outbox.reopen(self.now)), (1, 0))
        [taken] = self.take(route="relay")
        self.assertEqual((taken.doubted, taken.attempts, taken.content), (False, 6, MAIL.content))

    def test_lateAnswer(self) -> None:
        """An answer that comes after the letter was given up for lost is believed: it is not sent again."""
        self.fill(1)
        self.take()
        self.settle(Outcome(1, DOUBT, NOW, due=NOW))
        self.send(1, "A")
        self.assertEqual((self.states(), self.taken()), ([SENT], []))

    def test_newerOneWaits(self) -> None:
        """A trigger that would be queued again is folded if a newer one waits already."""
        for state in (QUEUED, DOUBT):
            [old] = self.put(letter())
            self.take()
            [new] = self.put(letter())
            self.settle(Outcome(old, state, NOW, due=NOW))
            self.assertEqual((self.letters()[old].state, self.taken()), (FOLDED, [new]))
        [newer] = self.put(letter())
        self.result(self.outbox.reopen(NOW))
        self.assertEqual((self.letters()[new].state, self.taken()), (FOLDED, [newer]))

    def test_settledWithOthers(self) -> None:
        """Letters are queued in the transaction in which others are settled."""
        self.put(MAIL)
        self.take(route="relay")
        self.result(self.outbox.settle([Outcome(1, SENT, NOW)], [evolve(MAIL, route="local")]))
        self.again()
        self.assertEqual(([one.id for one in self.take(route="local")], self.letters()[1].state), ([2], SENT))

    def test_heldNoLonger(self) -> None:
        """What a mail held is gone once it was sent or has failed, and is there as long as it may be sent again."""
        for state, kept in ((SENT, b""), (FAILED, b""), (QUEUED, MAIL.content), (DOUBT, MAIL.content)):
            [id] = self.put(MAIL)
            self.take(route="relay")
            self.settle(Outcome(id, state, NOW, due=NOW))
            with self.store.database.engine.connect() as connection:
                found = connection.exec_driver_sql(f"SELECT content FROM outbox WHERE id = {id}").scalar_one()
            self.assertEqual(bytes(found), kept)

    def test_mailIsNotFolded(self) -> None:
        """A user's mail waits for itself alone."""
        self.put(MAIL)
        self.take(route="relay")
        self.put(MAIL)
        self.settle(Outcome(1, QUEUED, NOW, due=NOW))
        self.assertEqual(len(self.take(route="relay")), 2)

    def test_final(self) -> None:
        """What a receipt has said is not taken back by an answer that comes twice."""
        self.fill(1)
        self.take()
        self.send(1, "A")
        self.receive(self.receipt("A"))
        self.settle(Outcome(1, SENT, NOW, "A"), Outcome(1, QUEUED, NOW), Outcome(1, DOUBT, NOW))
        self.assertEqual(self.states(), [DELIVERED])

    def test_bounce(self) -> None:
        """A bounce settles a letter that was sent; its message id stays."""
        self.fill(1)
        self.take()
        self.send(1, "A")
        self.settle(Outcome(1, UNDELIVERED, NOW, result="5.1.1 no such user"))
        self.assertEqual((self.states(), self.letters()[1].message_id), ([UNDELIVERED], "A"))

    def test_receiptWithIt(self) -> None:
        """What a receipt says of a letter can be settled with the answer to the submit or after it, as if the letter had
        been looked for; what says the end stays."""
        self.fill(2)
        self.take()
        self.settle(Outcome(1, DELIVERED, NOW + 1, "A", "DELIVRD"), Outcome(2, SENT, NOW, "B"))
        self.settle(Outcome(2, SENT, NOW + 1, result="ENROUTE"), Outcome(1, UNDELIVERED, NOW + 2, result="EXPIRED"))
        told = [(one.state, one.message_id, one.result) for one in self.letters().values()]
        self.assertEqual(told, [(SENT, "B", "ENROUTE"), (DELIVERED, "A", "DELIVRD")])

    def test_anyText(self) -> None:
        """Whatever the other side says can be kept; what is no text is left out."""
        self.fill(2)
        self.take()
        self.settle(*(Outcome(id, SENT, NOW, f"\0{id}\ud800", "\0x\udfff") for id in (1, 2)))
        self.assertEqual([one.result for one in self.letters().values()], ["x?", "x?"])
        [found, _] = self.receive(self.receipt("\x001\ud800", result="\0y"), self.receipt("\0stray\ud800"))
        self.assertEqual((found.id, found.result), (1, "y"))

    def test_nothing(self) -> None:
        """No outcomes and no receipts are no failure, nor are those of letters that are not there."""
        self.settle()
        self.settle(Outcome(7, SENT, NOW, "A"), Outcome(8, QUEUED, NOW), Outcome(9, DOUBT, NOW))
        self.assertEqual((self.receive(), self.letters()), ([], {}))


class OvertakenContract(LineCase):
    """Triggers that are queued again when the device has come meanwhile."""

    def test_cameMeanwhile(self) -> None:
        """They are not needed any more."""
        for state in (LetterState.QUEUED, LetterState.DOUBT):
            sent = self.sent()
            self.take()
            self.synced()
            self.result(self.outbox.settle([Outcome(sent.letter, state, NOW, due=NOW)]))
            self.assertEqual(self.letters()[-1], (sent.letter, WITHDRAWN))
        self.sent()
        self.take()
        self.synced()
        self.result(self.outbox.reopen(NOW))
        self.assertEqual(self.letters()[-1][1], WITHDRAWN)

    def test_notYet(self) -> None:
        """They are sent again if it has not come; so is what is of another server."""
        sent = self.sent()
        self.result(self.triggers.keep_line(line(TABLET)))
        self.result(self.outbox.put([letter(TABLET, guid="x", content=b"x")]))
        self.take()
        self.result(self.outbox.settle([Outcome(id, QUEUED, NOW, due=NOW) for id in (sent.letter, 2)]))
        self.assertEqual([one.id for one in self.take()], [1, 2])


class ReceiptContract(OutboxCase):
    """Receipts."""

    def sent(self, *message_ids: str) -> None:
        """Letters that were taken by the SMSC under these ids."""
        ids = self.fill(len(message_ids))
        self.take()
        self.settle(*(Outcome(id, SENT, NOW, said) for id, said in zip(ids, message_ids, strict=True)))

    def test_matched(self) -> None:
        """A receipt settles the letter with its message id, and the answer is that letter."""
        self.sent("A", "B")
        [found] = self.receive(self.receipt("B", at=NOW + 5, result="DELIVRD err 000"))
        self.assertEqual((found.id, found.state, found.result), (2, DELIVERED, "DELIVRD err 000"))
        self.again()
        self.assertEqual(self.letters()[2], found)
        self.assertEqual(self.states(), [SENT, DELIVERED])

    def test_forms(self) -> None:
        """The likeliest form of the id that matches counts."""
        self.sent("16", "A", "10")
        found = self.receive(self.receipt("10", "16"), self.receipt("x", "A"))
        self.assertEqual([one.id for one in found], [3, 2])
        self.assertEqual(self.states(), [SENT, DELIVERED, DELIVERED])

    def test_ofTheRoute(self) -> None:
        """Each SMSC has ids of its own."""
        self.sent("A")
        self.put(letter(BOB, route="smpp:other"))
        [other] = self.take(route="smpp:other")
        self.send(other.id, "A")
        self.receive(Receipt("smpp:other", ("A",), UNDELIVERED, NOW))
        self.assertEqual(self.states(), [SENT, UNDELIVERED])

    def test_usedAgain(self) -> None:
        """If an SMSC uses an id again the newest letter with it is meant."""
        self.sent("A")
        self.sent("A")
        [found] = self.receive(self.receipt("A"))
        self.assertEqual((found.id, self.states()[1]), (found.id, DELIVERED))
        self.assertEqual(found.id, 2)

    def test_underWay(self) -> None:
        """A receipt that says that the message is under way is noted, and waits for the final one."""
        self.sent("A")
        self.receive(self.receipt("A", state=SENT, result="ENROUTE"))
        self.assertEqual((self.states(), self.letters()[1].result), ([SENT], "ENROUTE"))
        self.receive(self.receipt("A"), self.receipt("A", state=SENT, result="ENROUTE"))
        self.receive(self.receipt("A", state=SENT, result="ENROUTE"))
        self.assertEqual((self.states(), self.letters()[1].result), ([DELIVERED], ""))

    def test_twice(self) -> None:
        """A receipt that was there already changes nothing, nor does another end after the first."""
        self.sent("A")
        self.receive(self.receipt("A", at=NOW + 1, result="one"))
        before = self.letters()
        again = self.receive(self.receipt("A", at=NOW + 2), self.receipt("A", state=UNDELIVERED, at=NOW + 3))
        self.assertEqual((self.letters(), again), (before, [before[1]] * 2))

    def test_early(self) -> None:
        """A receipt that comes before the answer is kept for the letter that gets its id."""
        self.fill(3)
        self.take()
        came = self.receive(self.receipt("B", "11", result="two"), self.receipt("C", state=UNDELIVERED))
        self.assertEqual(came, [None, None])
        self.again()
        self.settle(*(Outcome(id, SENT, NOW, said) for id, said in ((1, "A"), (2, "11"), (3, "C"))))
        self.assertEqual(self.states(), [SENT, DELIVERED, UNDELIVERED])
        self.assertEqual(self.letters()[2].result, "two")

    def test_earlyOnce(self) -> None:
        """It is for one letter only, whatever forms its id has."""
        self.fill(1)
        self.take()
        self.receive(self.receipt("B", "11"))
        self.send(1, "11")
        self.sent("11", "B")
        self.assertEqual(self.states(), [DELIVERED, SENT, SENT])

    def test_earlyTwice(self) -> None:
        """Of several early ones the final one counts, in whatever order they come."""
        for place, order in enumerate(((SENT, DELIVERED), (DELIVERED, SENT), (DELIVERED, UNDELIVERED))):
            for together in (True, False):
                [id] = self.put(letter())
                self.take()
                said = f"{place}{together}"
                receipts = [self.receipt(said, state=state) for state in order]
                for some in [receipts] if together else [[one] for one in receipts]:
                    self.receive(*some)
                self.send(id, said)
                self.assertEqual(self.letters()[id].state, DELIVERED)

    def test_earlyOfAnotherRoute(self) -> None:
        """It is not for a letter of another SMSC."""
        self.fill(1)
        self.take()
        self.receive(Receipt("smpp:other", ("A",), DELIVERED, NOW))
        self.send(1, "A")
        self.assertEqual(self.states(), [SENT])

    def test_kept(self) -> None:
        """It is kept for a day."""
        for wait, state in ((DAY - 1, DELIVERED), (DAY + 1, SENT)):
            [id] = self.put(letter())
            self.take()
            self.receive(self.receipt(f"m{id}"))
            self.now += wait
            self.receive(self.receipt("another"))
            self.send(id, f"m{id}")
            self.assertEqual(self.letters()[id].state, state)

    def test_none(self) -> None:
        """A receipt without an id matches nothing, not even a letter that has none."""
        self.sent("")
        self.assertEqual(self.receive(self.receipt(), self.receipt("")), [None, None])
        self.send(1)
        self.assertEqual(self.states(), [SENT])
