"""Common statuses and how a refusal is answered in each version."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.call import Answer, Refused, Version
from gateway.eas.codepages import TOKENS
from gateway.eas.commands import COMMANDS
from gateway.eas.status import REASONS, STATUSES, malformed, refusal
from gateway.eas.wbxml import encode
from gateway.element import Element

OLD = [Version.V2_5, Version.V12_0, Version.V12_1]
NEW = [Version.V14_0, Version.V14_1, Version.V16_0, Version.V16_1]
SYNC = "AirSync:Sync"


def status_of(answer: Answer) -> str | None:
    """The Status that an answer carries."""
    assert answer.element is not None
    return answer.element.text_of(answer.element.tag.partition(":")[0] + ":Status")


class TableTests(SynchronousTestCase):
    def test_codes(self) -> None:
        """101 to 184 are defined, but for the two gaps of the specification."""
        self.assertEqual(sorted(STATUSES), [*range(101, 157), *range(160, 180), 183, 184])

    def test_names(self) -> None:
        """Codes have the names of the specification, each its own."""
        self.assertEqual(len({meaning.name for meaning in STATUSES.values()}), len(STATUSES))
        names = {101: "InvalidContent", 111: "ServerErrorRetryLater", 126: "UserDisabledForSync"}
        names |= {140: "RemoteWipeRequested", 144: "InvalidPolicyKey", 177: "MaximumDevicesReached"}
        self.assertEqual({code: STATUSES[code].name for code in names}, names)

    def test_firstVersions(self) -> None:
        """Codes to 163 are of 14.0, to 177 of 14.1, the rest of 16.0."""
        first = {code: str(meaning.since) for code, meaning in STATUSES.items()}
        self.assertEqual(
            [first[code] for code in (101, 163, 164, 177, 178, 184)], ["14.0", "14.0", "14.1", "14.1", "16.0", "16.0"]
        )

    def test_httpStatuses(self) -> None:
        """The HTTP statuses that the specification names for older clients."""
        named = {101: 400, 103: 400, 106: 400, 110: 500, 111: 503, 112: 403, 113: 507, 125: 403, 126: 403, 132: 403}
        named |= {137: 501, 138: 400, 140: 449, 141: 449, 142: 449, 143: 449, 144: 449}
        self.assertEqual({code: STATUSES[code].http for code in named}, named)

    def test_reasonOf449(self) -> None:
        """449, which HTTP does not define, has the phrase that servers use."""
        self.assertEqual(REASONS[449], "Retry after sending a PROVISION command")


class RefusalTests(SynchronousTestCase):
    def test_newVersions(self) -> None:
        """From 14.0 on the Status stands alone under the root of the command, with HTTP 200."""
        for version in NEW:
            answer = refusal("FolderHierarchy:FolderSync", version, Refused(142))
            self.assertEqual(answer.status, 200)
            expected = Element("FolderHierarchy:FolderSync", Element("FolderHierarchy:Status", "142"))
            self.assertEqual(answer.element, expected)
            self.assertEqual(encode(expected).hex(), "03016a000007564c03313432000101")

    def test_oldVersions(self) -> None:
        """Before 14.0 it is an HTTP status with an empty body."""
        for version in OLD:
            answer = refusal("FolderHierarchy:FolderSync", version, Refused(142))
            self.assertEqual((answer.status, answer.element, answer.raw), (449, None, b""))

    def test_everyRootHasAStatus(self) -> None:
        """The Status of each command's root can be written."""
        for entry in COMMANDS.values():
            if entry.root is not None:
                answer = refusal(entry.root, Version.V16_1, Refused(111))
                self.assertEqual(status_of(answer), "111")
                assert answer.element is not None
                self.assertIn(answer.element.children[0].tag, TOKENS)
                self.assertEqual(answer.element.tag, entry.root)

    def test_commandWithoutRoot(self) -> None:
        """A command without a root of its own is refused by HTTP status in every version."""
        self.assertEqual(refusal(None, Version.V14_1, Refused(137)).status, 501)
        self.assertIsNone(refusal(None, Version.V14_1, Refused(137)).element)

    def test_unknownVersion(self) -> None:
        """Where no version is known a common status is an HTTP status."""
        self.assertEqual(refusal(SYNC, None, Refused(138)).status, 400)

    def test_ownHTTPStatus(self) -> None:
        """A refusal can name another HTTP status for old clients; new ones still get the Status."""
        refused = Refused(140, http=403)
        self.assertEqual(refusal(SYNC, Version.V12_1, refused).status, 403)
        self.assertEqual(refusal(SYNC, Version.V14_0, refused).status, 200)

    def test_statusesThatDependOnTheCommand(self) -> None:
        """Invalid ids are 500 for SendMail, a lost state is 500 for Provision."""
        self.assertEqual(refusal("ComposeMail:SendMail", Version.V12_1, Refused(106)).status, 500)
        self.assertEqual(refusal("ComposeMail:SmartReply", Version.V12_1, Refused(106)).status, 400)
        self.assertEqual(refusal("Provision:Provision", Version.V12_1, Refused(132)).status, 500)
        self.assertEqual(refusal(SYNC, Version.V12_1, Refused(132)).status, 403)

    def test_ownStatusOfACommand(self) -> None:
        """A code that is not a common one goes under the root in every version."""
        for version in OLD + NEW:
            answer = refusal("Ping:Ping", version, Refused(8))
            self.assertEqual((answer.status, status_of(answer)), (200, "8"))

    def test_statusNewerThanTheVersion(self) -> None:
        """A version never gets a code that it does not define."""
        self.assertEqual(status_of(refusal(SYNC, Version.V14_1, Refused(177))), "177")
        self.assertEqual(status_of(refusal(SYNC, Version.V14_0, Refused(177))), "129")
        self.assertEqual(status_of(refusal(SYNC, Version.V14_1, Refused(183))), "110")
        self.assertEqual(refusal(SYNC, Version.V12_1, Refused(177)).status, 403)

    def test_retryAfter(self) -> None:
        """Seconds to wait go into Retry-After, beside an HTTP status."""
        refused = Refused(111, retry_after=30)
        self.assertEqual(refusal(SYNC, Version.V12_1, refused).headers, {"Retry-After": "30"})
        self.assertEqual(refusal(SYNC, Version.V14_1, refused).headers, {})

    def test_log(self) -> None:
        """Code and reason are there for the access line, in every version."""
        for version in (Version.V2_5, Version.V16_1):
            self.assertEqual(refusal(SYNC, version, Refused(144, "old key")).log, {"St": 144, "E": "old key"})
            self.assertEqual(refusal(SYNC, version, Refused(144)).log, {"St": 144})


class MalformedTests(SynchronousTestCase):
    def test_ping(self) -> None:
        """A Ping that cannot be decoded gets its own Status 4 in every version."""
        for version in OLD + NEW:
            self.assertEqual(status_of(malformed("Ping:Ping", version, "")), "4")

    def test_others(self) -> None:
        """Other bodies that cannot be decoded get Status 102, before 14.0 HTTP 400."""
        self.assertEqual(status_of(malformed(SYNC, Version.V14_0, "")), "102")
        self.assertEqual(malformed(SYNC, Version.V12_1, "").status, 400)
