"""The trace in the making."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from gateway.core.tracer import GROUP, Tracer
from gateway.interfaces import BackendDown, ITrace
from gateway.model import DeviceKey
from gateway.trigger import Hop

PHONE = DeviceKey("ann", "phone")


@implementer(ITrace)
@define(eq=False)
class Pages:
    """An L{ITrace} in memory that can be told to refuse."""

    groups: list[list[Hop]] = field(factory=list)
    down: bool = False

    def note(self, hops: Sequence[Hop]) -> Deferred[None]:
        """See L{ITrace}."""
        if self.down:
            return fail(BackendDown("the store is away"))
        self.groups.append(list(hops))
        return succeed(None)

    def read(self, user: str, device: str | None, after: int, most: int) -> Deferred[list[Hop]]:
        """See L{ITrace}."""
        return succeed([hop for group in self.groups for hop in group if hop.key.user == user][:most])

    def forget_hops(self, before: float) -> Deferred[int]:
        """See L{ITrace}."""
        return succeed(0)


class TracerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pages = Pages()
        self.tracer = Tracer(self.pages, lambda: 7.5)

    def flush(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.tracer.flush())

    def test_interface(self) -> None:
        """What stands for the store here provides its interface."""
        self.assertTrue(verifyObject(ITrace, self.pages))

    def test_gathered(self) -> None:
        """Hops are written together, in the order in which they were noted."""
        self.tracer.note(PHONE, "decided", "sms", letter=3)
        self.tracer.noticed(PHONE, 7.0, 5, 9)
        self.assertEqual(self.pages.groups, [])
        self.successResultOf(self.flush())
        decided = Hop(7.5, PHONE, "decided", "sms", letter=3)
        self.assertEqual(self.pages.groups, [[decided, Hop(7.0, PHONE, "noticed", folder=5, number=9)]])

    def test_nothing(self) -> None:
        """Nothing gathered costs no transaction."""
        self.successResultOf(self.flush())
        self.assertEqual(self.pages.groups, [])

    def test_groups(self) -> None:
        """Many hops are written in several transactions, none of them too large."""
        for _ in range(GROUP + 1):
            self.tracer.note(PHONE, "came")
        self.successResultOf(self.flush())
        self.assertEqual([len(group) for group in self.pages.groups], [GROUP, 1])

    def test_refused(self) -> None:
        """What the store refuses is written the next time, in the same order."""
        self.pages.down = True
        self.tracer.note(PHONE, "queued")
        self.tracer.note(PHONE, "taken")
        self.failureResultOf(self.flush(), BackendDown)
        self.pages.down = False
        self.successResultOf(self.flush())
        self.assertEqual([hop.kind for group in self.pages.groups for hop in group], ["queued", "taken"])

    def test_bounded(self) -> None:
        """While the store is away the oldest hops go, and are counted."""
        lost: list[None] = []
        tracer = Tracer(self.pages, lambda: 0.0, 2, lambda: lost.append(None))
        for kind in ("noticed", "decided", "queued"):
            tracer.note(PHONE, kind)
        self.assertEqual(len(lost), 1)
        self.successResultOf(Deferred.fromCoroutine(tracer.flush()))
        self.assertEqual([hop.kind for hop in self.pages.groups[0]], ["decided", "queued"])
