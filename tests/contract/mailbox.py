"""What every L{IMailbox} promises."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from gateway.interfaces import IMailbox, ItemGone
from gateway.model import Intent, IntentKind

RAW = b"Subject: hello\n\nHi.\n"


class MailboxContract:
    """For a user C{ann} with the folders C{""} and C{".Trash"}; mixed into a C{SynchronousTestCase}."""

    mailbox: Any

    def put(self, path: str, name: str, raw: bytes, state: str) -> None:
        """Have a mail there."""
        raise NotImplementedError

    def mails(self, path: str) -> dict[str, tuple[bytes, str]]:
        """The mails of a folder: bytes and letters by name."""
        raise NotImplementedError

    def carry_out(self, *intents: Intent) -> list[int]:
        """The ids of those that are done."""
        done: list[int] = self.successResultOf(self.mailbox.carry_out(intents))
        return done

    def read(self, path: str, name: str, state: str, user: str = "ann") -> Deferred[bytes]:
        found: Deferred[bytes] = self.mailbox.read(user, path, name, state)
        return found

    def test_interface(self) -> None:
        """It provides L{IMailbox}."""
        self.assertTrue(verifyObject(IMailbox, self.mailbox))

    def test_read(self) -> None:
        """A mail is read by its name, byte by byte, also if its state is another one by now."""
        self.put("", "m1", RAW, "S")
        for state in ("S", "", "FS"):
            self.assertEqual(self.successResultOf(self.read("", "m1", state)), RAW)

    def test_readGone(self) -> None:
        """One that is not there, in this folder, of this user, is gone."""
        self.put("", "m1", RAW, "")
        for found in (self.read("", "m2", ""), self.read(".Trash", "m1", ""), self.read("", "m1", "", "bob")):
            self.failureResultOf(found, ItemGone)

    def test_flags(self) -> None:
        """FLAGS sets and clears letters and leaves the others."""
        self.put("", "m1", RAW, "RS")
        done = self.carry_out(Intent(7, "ann", IntentKind.FLAGS, "", "m1", add="F", remove="S"))
        self.assertEqual(done, [7])
        self.assertEqual(self.mails(""), {"m1": (RAW, "FR")})

    def test_move(self) -> None:
        """MOVE takes a mail, with its letters, to another folder under another name."""
        self.put("", "m1", RAW, "S")
        done = self.carry_out(Intent(7, "ann", IntentKind.MOVE, "", "m1", to=".Trash", to_name="m9"))
        self.assertEqual(done, [7])
        self.assertEqual(self.mails(""), {})
        self.assertEqual(self.mails(".Trash"), {"m9": (RAW, "S")})

    def test_delete(self) -> None:
        """DELETE removes a mail."""
        self.put("", "m1", RAW, "")
        self.put("", "m2", RAW, "")
        self.assertEqual(self.carry_out(Intent(7, "ann", IntentKind.DELETE, "", "m1")), [7])
        self.assertEqual(list(self.mails("")), ["m2"])

    def test_twice(self) -> None:
        """What is done already, or cannot be because the mail is gone, counts as done."""
        self.put("", "m1", RAW, "")
        flags = Intent(7, "ann", IntentKind.FLAGS, "", "m1", add="F")
        self.assertEqual(self.carry_out(flags, flags), [7, 7])
        kinds = (IntentKind.FLAGS, IntentKind.DELETE)
        gone = [Intent(number, "ann", kind, "", "m2") for number, kind in enumerate(kinds)]
        gone.append(Intent(9, "ann", IntentKind.MOVE, "", "m2", to=".Trash", to_name="m2"))
        self.assertEqual(self.carry_out(*gone), [0, 1, 9])

    def test_inOrder(self) -> None:
        """Intents are carried out in their order."""
        self.put("", "m1", RAW, "")
        done = self.carry_out(
            Intent(1, "ann", IntentKind.FLAGS, "", "m1", add="S"),
            Intent(2, "ann", IntentKind.MOVE, "", "m1", to=".Trash", to_name="m1"),
            Intent(3, "ann", IntentKind.FLAGS, ".Trash", "m1", add="F"),
        )
        self.assertEqual(done, [1, 2, 3])
        self.assertEqual(self.mails(".Trash"), {"m1": (RAW, "FS")})

    def test_deliver(self) -> None:
        """Delivered mails are in the Inbox, unseen, each under a name of its own."""
        for raw in (RAW, b"Subject: other\n\n"):
            self.successResultOf(self.mailbox.deliver("ann", raw))
        found = sorted(self.mails("").values())
        self.assertEqual(found, [(RAW, ""), (b"Subject: other\n\n", "")])
