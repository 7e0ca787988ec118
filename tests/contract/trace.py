"""The contract of L{ITrace}."""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from gateway.interfaces import ITrace
from gateway.model import DeviceKey
from gateway.trigger import Hop
from tests.contract.store import ANN, BOB, NOW, TABLET, StoreCase

FULL = Hop(NOW + 0.25, ANN, "decided", "sms: Änn's \U0001f4f1", 5, 1 << 40, 7)


class TraceContract(StoreCase):
    """What happened on the way to devices."""

    def setUp(self) -> None:
        super().setUp()
        self.trace = self.store.trace

    def note(self, *hops: Hop) -> None:
        self.result(self.trace.note(hops))

    def read(self, device: str | None = None, after: int = 0, most: int = 99, user: str = "ann") -> list[int]:
        return [hop.id for hop in self.result(self.trace.read(user, device, after, most))]

    def hop(self, key: DeviceKey = ANN, at: float = NOW) -> Hop:
        return Hop(at, key, "noticed")

    def test_interface(self) -> None:
        """The store provides L{ITrace}."""
        self.assertTrue(verifyObject(ITrace, self.trace))

    def test_kept(self) -> None:
        """All of a hop comes back, after a kill too, numbered as it was written."""
        self.note(FULL, self.hop())
        self.note()
        self.trace = self.restart().trace
        self.assertEqual(
            self.result(self.trace.read("ann", None, 0, 9)), [evolve(FULL, id=1), evolve(self.hop(), id=2)]
        )

    def test_anyText(self) -> None:
        """Whatever the other side said can be noted; what is no text is left out."""
        self.note(evolve(FULL, text="a\0b\ud800"), self.hop())
        self.assertEqual(self.result(self.trace.read("ann", None, 0, 9))[0].text, "ab?")

    def test_after(self) -> None:
        """Following it gives what is newer than the last number, oldest first, so much at a time."""
        self.note(*(self.hop(key) for key in (ANN, TABLET, BOB, ANN, ANN)))
        self.assertEqual(self.read(), [1, 2, 4, 5])
        self.assertEqual(self.read(after=2), [4, 5])
        self.assertEqual(self.read(after=5), [])
        self.assertEqual(self.read(most=3), [1, 2, 4])
        self.assertEqual(self.read(ANN.device), [1, 4, 5])
        self.assertEqual(self.read(ANN.device, 1, 1), [4])
        self.assertEqual(self.read(user="nobody"), [])

    def test_newest(self) -> None:
        """Without a number the newest come, still oldest first."""
        self.note(*(self.hop(key) for key in (ANN, TABLET, BOB, ANN, ANN)))
        self.assertEqual(self.read(after=-1, most=2), [4, 5])
        self.assertEqual(self.read(TABLET.device, -1), [2])
        self.assertEqual(self.read(after=-1), [1, 2, 4, 5])

    def test_forget(self) -> None:
        """Old hops are forgotten, and their numbers are not given again."""
        self.note(self.hop(at=NOW - 9), self.hop(at=NOW - 8), self.hop(at=NOW - 7))
        self.assertEqual(self.result(self.trace.forget_hops(NOW - 7)), 2)
        self.assertEqual(self.read(), [3])
        self.assertEqual(self.result(self.trace.forget_hops(NOW)), 1)
        self.assertEqual(self.result(self.trace.forget_hops(NOW)), 0)
        self.note(self.hop())
        self.assertEqual(self.read(), [4])

    def test_forgetMany(self) -> None:
        """Thousands are forgotten in portions."""
        self.note(*(self.hop(at=NOW - 9) for _ in range(5001)), self.hop())
        self.assertEqual(self.result(self.trace.forget_hops(NOW)), 5001)

    def test_forgetFuture(self) -> None:
        """A hop from the future was dated by a wrong clock, and does not keep others from being forgotten."""
        self.note(self.hop(at=NOW + 999), self.hop(at=NOW - 8), self.hop())
        self.assertEqual(self.result(self.trace.forget_hops(NOW)), 2)
