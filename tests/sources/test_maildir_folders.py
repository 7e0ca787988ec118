"""Tests of Maildir++ folder names and of the hierarchy made of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.model import FolderType, FoundFolder
from gateway.sources.folders import account_directory, decoded, hierarchy, is_folder_name, missing_specials

MAIL = FolderType.USER_MAIL


def shown(*paths: str) -> dict[str, tuple[str, FolderType, str | None]]:
    return {f.path: (f.name, f.type, f.parent) for f in hierarchy(paths)}


class FolderNameTests(SynchronousTestCase):
    def test_modifiedUTF7(self) -> None:
        """Names in modified UTF-7 are shown decoded (RFC 3501 5.1.3)."""
        self.assertEqual(decoded("Entw&APw-rfe"), "Entw\xfcrfe")
        self.assertEqual(decoded("&ZeVnLIqe-"), "\u65e5\u672c\u8a9e")
        self.assertEqual(decoded("a&-b"), "a&b")
        self.assertEqual(decoded("&2D3eAA-"), "\U0001f600")

    def test_UTF8(self) -> None:
        """Names in UTF-8, as newer servers write them, are shown as they are."""
        self.assertEqual(decoded("Entw\xfcrfe & mehr"), "Entw\xfcrfe & mehr")

    def test_neither(self) -> None:
        """What is no modified UTF-7 is shown as it stands."""
        for name in ("a&b", "R&D", "&AAA-", "&!!-", "&2D0-", "&AAo-", "&A-"):
            self.assertEqual(decoded(name), name)

    @given(st.text(alphabet="&-,+/AQBab.=\xfc", max_size=12))
    def test_neverFails(self, name: str) -> None:
        """Any name decodes to something."""
        self.assertIsInstance(decoded(name), str)

    def test_isFolderName(self) -> None:
        """Folders begin with a dot and have a name."""
        self.assertTrue(is_folder_name(".Sent"))
        self.assertTrue(is_folder_name(".A.B"))
        self.assertTrue(is_folder_name(".\u3000"))
        for name in (".", "..", "", "cur", ".a\nb", ".a\udcff", ".a/b"):
            self.assertFalse(is_folder_name(name), name)

    def test_accountDirectory(self) -> None:
        """A user name that could lead out of the mail root has no directory."""
        self.assertEqual(account_directory("alice@example.org"), "alice@example.org")
        for user in ("", ".", "..", "../bob", "a/b", "/etc", ".hidden", "a\0b", "a\nb", "a\udcff", "x" * 256):
            self.assertIsNone(account_directory(user), user)


class HierarchyTests(SynchronousTestCase):
    def test_inbox(self) -> None:
        """The mail directory itself is the Inbox."""
        self.assertEqual(hierarchy([""]), [FoundFolder("", "Inbox", FolderType.INBOX)])

    def test_specials(self) -> None:
        """Special folders have their types and the names that devices know, whatever their directories are called."""
        found = shown("", ".Drafts", ".Sent", ".Trash", ".Junk")
        self.assertEqual(found[".Drafts"], ("Drafts", FolderType.DRAFTS, None))
        self.assertEqual(found[".Sent"], ("Sent Items", FolderType.SENT, None))
        self.assertEqual(found[".Trash"], ("Deleted Items", FolderType.DELETED, None))
        self.assertEqual(found[".Junk"], ("Junk E-mail", MAIL, None))

    def test_otherNames(self) -> None:
        """All conventional names are known, in any case."""
        for path in (".Sent Items", ".sent messages", ".SENT"):
            self.assertEqual(shown(path)[path], ("Sent Items", FolderType.SENT, None))
        for path in (".Deleted Items", ".Deleted Messages", ".trash"):
            self.assertEqual(shown(path)[path], ("Deleted Items", FolderType.DELETED, None))
        for path in (".Spam", ".junk e-mail"):
            self.assertEqual(shown(path)[path], ("Junk E-mail", MAIL, None))

    def test_preference(self) -> None:
        """Of two candidates the preferred one is special, and the other one is a folder with a name of its own."""
        found = shown("", ".Sent Items", ".Sent")
        self.assertEqual(found[".Sent"], ("Sent Items", FolderType.SENT, None))
        self.assertEqual(found[".Sent Items"], ("Sent Items (2)", MAIL, None))
        found = shown(".SENT", ".Sent")
        self.assertEqual(found[".Sent"][1], FolderType.SENT)
        self.assertEqual(found[".SENT"][:2], ("SENT", MAIL))

    def test_onlyAtTheTop(self) -> None:
        """A folder below another one is never special."""
        self.assertEqual(shown(".Work", ".Work.Sent")[".Work.Sent"], ("Sent", MAIL, ".Work"))

    def test_nested(self) -> None:
        """Folders hang below their parents, and parents come first."""
        found = hierarchy([".A.B.C", ".A", "", ".A.B"])
        self.assertEqual(
            [(f.path, f.name, f.parent) for f in found[1:]],
            [(".A", "A", None), (".A.B", "B", ".A"), (".A.B.C", "C", ".A.B")],
        )

    def test_missingParent(self) -> None:
        """A folder whose parent is missing hangs at the nearest ancestor, and its name says what is between."""
        found = shown(".A", ".A.B.C", ".X.Y")
        self.assertEqual(found[".A.B.C"], ("B.C", MAIL, ".A"))
        self.assertEqual(found[".X.Y"], ("X.Y", MAIL, None))

    def test_belowSpecial(self) -> None:
        """A folder below a special one hangs there."""
        self.assertEqual(shown(".Trash", ".Trash.2024")[".Trash.2024"], ("2024", MAIL, ".Trash"))

    def test_sameNames(self) -> None:
        """Two folders of one parent never show the same name, and the order of the directory does not matter."""
        names = [".Entw&APw-rfe", ".Entw\xfcrfe", ".inbox", ""]
        found = shown(*names)
        self.assertEqual(len({(parent, name.lower()) for name, _, parent in found.values()}), 4)
        self.assertEqual(found[""][0], "Inbox")
        self.assertEqual(found, shown(*reversed(names)))

    def test_missingSpecials(self) -> None:
        """Only special folders without a directory of any of their names are missing."""
        self.assertEqual(missing_specials([]), [".Drafts", ".Trash", ".Sent", ".Junk"])
        self.assertEqual(missing_specials([".drafts", ".Deleted Messages", ".spam", ".X.Sent"]), [".Sent"])
