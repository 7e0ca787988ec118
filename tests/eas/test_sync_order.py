"""What several devices of a user do to the same mail at the same time."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gateway.interfaces import IMailbox
from gateway.model import Intent
from gateway.testing import MemoryMailbox
from tests.eas.support import ANN, call_of
from tests.eas.test_collection import air, sync
from tests.eas.test_sync import TABLET, SyncCase, change, delete, read


@implementer(IMailbox)
@define(eq=False)
class SlowMailbox(MemoryMailbox):
    """Carries out when it is told to."""

    gates: list[Deferred[None]] = field(factory=list)

    def carry_out(self, intents: Sequence[Intent]) -> Deferred[list[int]]:
        """See L{IMailbox}."""
        gate: Deferred[None] = Deferred()
        self.gates.append(gate)
        return gate.addCallback(lambda _: MemoryMailbox.carry_out(self, intents))


class OrderTests(SyncCase):
    def setUp(self) -> None:
        super().setUp()
        self.mailbox = self.sources.mailbox = SlowMailbox()
        self.restart()

    def begin(self, device, command) -> Deferred[object]:
        """Send a request and do not wait for its answer."""
        body = sync(self.of(air("Commands", command), device=device))
        return Deferred.fromCoroutine(self.command(call_of("Sync", body, device=device)))

    def test_readThenDelete(self) -> None:
        """A mail that one device marked as read and another one then deleted lies in the trash as a read one."""
        self.sources.mail(self.inbox, "one")
        self.primed()
        self.primed(device=TABLET)
        server_id = f"{self.inbox}:{self.sources.named('one')}"
        first = self.begin(ANN, change(server_id, read(1)))
        second = self.begin(TABLET, delete(server_id))
        self.assertEqual(len(self.mailbox.gates), 1)
        self.mailbox.gates[0].callback(None)
        self.successResultOf(first)
        self.mailbox.gates[1].callback(None)
        self.successResultOf(second)
        self.assertEqual([mail.state for mail in self.mailbox.folder("ann", ".Trash").values()], ["S"])
        self.assertEqual(self.mailbox.folder("ann", ""), {})

    def test_othersDoNotWait(self) -> None:
        """A device that only asks for news does not wait for what another one has done to files."""
        self.sources.mail(self.inbox, "one")
        self.primed()
        self.primed(device=TABLET)
        first = self.begin(ANN, change(f"{self.inbox}:{self.sources.named('one')}", read(1)))
        self.assertIn("Change", self.sync(device=TABLET))
        self.assertNoResult(first)
        self.mailbox.gates[0].callback(None)
        self.successResultOf(first)
