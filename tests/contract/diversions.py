"""The contract of L{IDiversions}."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from gateway.arrangement import Diversion
from gateway.interfaces import IDiversions
from tests.contract.store import INBOX, NOW, StoreCase

ONE, TWO, THREE = (bytes([number] * 16) for number in (1, 2, 255))


class DiversionContract(StoreCase):
    """Conversations that always go to a folder."""

    def divert(self, conversation: bytes, folder: int = 0, since: int = NOW, user: str = "ann") -> Diversion:
        wanted = Diversion(user, conversation, folder or self.trash, since)
        self.result(self.store.diversions.divert(wanted))
        return wanted

    def diverted(self, *conversations: bytes, user: str = "ann") -> dict[bytes, Diversion]:
        asked = [(user, conversation) for conversation in conversations]
        found: dict[tuple[str, bytes], Diversion] = self.result(self.store.diversions.diverted(asked))
        self.assertLessEqual({who for who, _ in found}, {user})
        return {conversation: diversion for (_, conversation), diversion in found.items()}

    def test_interface(self) -> None:
        """The store provides L{IDiversions}."""
        self.assertTrue(verifyObject(IDiversions, self.store.diversions))

    def test_kept(self) -> None:
        """What is kept is found by its conversation, also after a kill; nothing else is."""
        one, two = self.divert(ONE), self.divert(TWO, self.inbox)
        self.store = self.restart()
        self.assertEqual(self.diverted(ONE, THREE, TWO), {ONE: one, TWO: two})
        self.assertEqual(self.diverted(ONE, ONE), {ONE: one})
        self.assertEqual((self.diverted(THREE), self.diverted()), ({}, {}))

    def test_replaced(self) -> None:
        """A conversation goes to one folder: the one wanted last."""
        self.divert(ONE)
        last = self.divert(ONE, self.inbox, NOW + 5)
        self.assertEqual(self.diverted(ONE), {ONE: last})

    def test_ofAnother(self) -> None:
        """The same conversation of another user is another one."""
        self.divert(ONE)
        self.assertEqual(self.diverted(ONE, user="bob"), {})
        bobs = self.folders(INBOX, user="bob")[0].id
        mine = self.divert(ONE, bobs, user="bob")
        self.assertEqual(self.diverted(ONE, user="bob"), {ONE: mine})

    def test_ofSeveral(self) -> None:
        """Those of several users are asked for together; nobody gets what another one wants with a conversation."""
        bobs = self.folders(INBOX, user="bob")[0].id
        anns, mine = self.divert(ONE), self.divert(TWO, bobs, user="bob")
        self.divert(THREE, bobs, user="bob")
        asked = [("ann", ONE), ("ann", TWO), ("bob", ONE), ("bob", TWO), ("ann", THREE)]
        found = self.result(self.store.diversions.diverted(asked))
        self.assertEqual(found, {("ann", ONE): anns, ("bob", TWO): mine})

    def test_folderGone(self) -> None:
        """With its folder a diversion is void."""
        self.divert(ONE)
        self.folders(INBOX)
        self.assertEqual(self.diverted(ONE), {})

    def test_bounded(self) -> None:
        """Of too many of one user the oldest are forgotten."""
        self.store.diversions.most = 2
        self.divert(THREE, since=NOW + 1)
        self.divert(ONE, since=NOW)
        self.divert(ONE, since=NOW + 9, user="bob")
        self.divert(TWO, since=NOW + 2)
        self.assertEqual(set(self.diverted(ONE, TWO, THREE)), {TWO, THREE})
        self.assertEqual(set(self.diverted(ONE, user="bob")), {ONE})

    def test_many(self) -> None:
        """More conversations at once than fit into one statement are looked up."""
        self.divert(ONE)
        many = [number.to_bytes(16, "big") for number in range(1500)]
        self.assertEqual(set(self.diverted(*many, ONE)), {ONE})
