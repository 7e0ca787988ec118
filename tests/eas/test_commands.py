"""The commands by version."""

from __future__ import annotations

from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Version
from gateway.eas.codepages import TOKENS
from gateway.eas.commands import COMMANDS, NAMES, root_of, version_of


def commands_of(version: Version) -> list[str]:
    """The commands that a version has, in the order in which they are listed."""
    return [entry.name for entry in COMMANDS.values() if entry.first <= version <= entry.last]


class CommandTests(SynchronousTestCase):
    def test_listedOrder(self) -> None:
        """16.1 has the commands in the order in which Exchange lists them."""
        self.assertEqual(
            ",".join(commands_of(Version.V16_1)),
            "Sync,SendMail,SmartForward,SmartReply,CreateCollection,DeleteCollection,MoveCollection,FolderSync,"
            "FolderCreate,FolderDelete,FolderUpdate,MoveItems,GetItemEstimate,MeetingResponse,Search,Settings,Ping,"
            "ItemOperations,Provision,ResolveRecipients,ValidateCert,Find",
        )

    def test_differences(self) -> None:
        """Each version adds and drops what the specification says."""
        lists = [set(commands_of(version)) for version in Version]
        steps = [(new - old, old - new) for old, new in pairwise(lists)]
        gone = {"GetAttachment", "GetHierarchy"}
        nothing: tuple[set[str], set[str]] = (set(), set())
        expected = [
            ({"Settings", "ItemOperations"}, {"Notify"}),
            nothing,
            (set(), gone),
            nothing,
            nothing,
            ({"Find"}, set()),
        ]
        self.assertEqual(steps, expected)

    def test_codes(self) -> None:
        """Codes 0 to 23 name their commands; 5 to 8 name none."""
        self.assertEqual(sorted(NAMES), [0, 1, 2, 3, 4, *range(9, 24)])
        self.assertEqual([NAMES[code] for code in (0, 9, 18, 23)], ["Sync", "FolderSync", "Ping", "Find"])

    def test_roots(self) -> None:
        """Each root is a tag of the code pages; some commands have none."""
        roots = {entry.root for entry in COMMANDS.values() if entry.root is not None}
        self.assertEqual(roots - TOKENS.keys(), set())
        self.assertEqual(root_of("MoveItems"), "Move:MoveItems")
        self.assertEqual(root_of("SmartReply"), "ComposeMail:SmartReply")
        for name in ("GetAttachment", "GetHierarchy", "CreateCollection", "Sing"):
            self.assertIsNone(root_of(name))

    def test_versionOf(self) -> None:
        """A version is found by its text; other text is none."""
        self.assertEqual([version_of(str(version)) for version in Version], list(Version))
        for text in ("", "1.0", "14", "14.2", "x.y"):
            self.assertRaises(ValueError, version_of, text)
