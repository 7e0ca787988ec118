"""What a device does itself, and is just being given, does not end its parked Ping."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Answer, Call
from gateway.element import Element
from gateway.model import Amend, SyncRequest
from tests.support import Connection, Phone, World, status_of


class Slow:
    """A command that is answered when the test says so."""

    def __init__(self) -> None:
        self.answers: list[Deferred[Answer]] = []

    async def __call__(self, call: Call) -> Answer:
        self.answers.append(Deferred())
        return await self.answers[-1]


class HoldTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.slow = Slow()
        self.world = World(commands={"FolderSync": self.slow})
        self.inbox = self.world.mailbox()[""]
        self.world.found(self.inbox, "old")
        self.phone = Phone(self.world)
        self.phone.synchronise(self.inbox)
        self.assertEqual(self.phone.ping(600, self.inbox), [])
        self.parked = self.phone.reconnect()
        self.addCleanup(self.parked.lose)
        self.assertEqual(self.phone.post("FolderSync", Element("FolderHierarchy:FolderSync")), [])

    def status(self, connection: Connection) -> str:
        return status_of(connection.answers())

    def arrive(self) -> None:
        self.world.found(self.inbox, "new")
        self.assertEqual(self.parked.answers(), [])

    def test_written(self) -> None:
        """A change while another command is being answered is told when that answer was written, after the command
        has learnt of it."""
        self.arrive()
        learnt: list[tuple[bool, int]] = []
        answer = Answer(written=lambda live: learnt.append((live, len(self.parked.answers()))))
        self.slow.answers[0].callback(answer)
        self.assertEqual(learnt, [(True, 0)])
        self.assertEqual(self.status(self.parked), "2")

    def test_failed(self) -> None:
        """It is told when the command fails, too."""
        self.arrive()
        self.slow.answers[0].errback(ValueError("nonsense"))
        self.assertEqual(self.status(self.parked), "2")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_left(self) -> None:
        """It is told when the client leaves before its answer."""
        self.arrive()
        self.phone.connection.lose()
        self.assertEqual(self.status(self.parked), "2")

    def test_unwritable(self) -> None:
        """It is told when the answer cannot be put into bytes."""
        self.arrive()
        self.slow.answers[0].callback(Answer(Element("No:Such")))
        self.assertEqual(self.status(self.parked), "2")
        self.flushLoggedErrors()

    def test_ownChange(self) -> None:
        """A change of the device itself, with whose answer the ledger learns that it went out, is not told at all."""
        store, key = self.world.store, self.phone.key
        (item,) = self.world.result(store.items("ann", list(range(1, 10))))
        read = SyncRequest(self.phone.keys[self.inbox], b"read", self.world.now(), commands=(Amend(item.id, add="S"),))
        done = self.world.result(store.sync(key, self.inbox, read))
        self.world.board.changed(*done.changes)
        self.assertEqual(self.parked.answers(), [])
        self.slow.answers[0].callback(Answer(written=lambda live: store.given(key, self.inbox, done.key)))
        self.assertEqual(self.parked.answers(), [])
