"""Our WBXML against libwbxml, in both directions: Debian's C{wbxml2xml} and C{xml2wbxml}."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.codepages import TOKENS
from gateway.eas.wbxml import decode, encode
from gateway.element import Element
from tests.xmltree import OPAQUE, from_xml, to_xml

DATA = Path(__file__).parent.parent / "data"
DOCTYPE = (
    '<?xml version="1.0"?><!DOCTYPE ActiveSync PUBLIC "-//MICROSOFT//DTD ActiveSync//EN" "http://www.microsoft.com/">'
)
MISSING = {"MeetingResponse:ProposedStartTime", "MeetingResponse:ProposedEndTime", "Provision:AccountOnlyRemoteWipe"}
"""Tags of 16.1 that libwbxml 0.11.8 lacks, beside the whole page Find."""

REPETITION = "Type Until Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth MonthOfYear"
RENAMED = {
    **{f"Email:{name}": f"Recurrence_{name}" for name in REPETITION.split()},
    **{f"Calendar:{name}": f"Recurrence_{name}" for name in REPETITION.split()},
    **{f"Tasks:{name}": f"Recurrence_{name}" for name in f"{REPETITION} Start Regenerate DeadOccur".split()},
    **{f"Calendar:{name}": f"Attendee_{name}" for name in ("Email", "Name")},
    **{
        f"Contacts:{place}Address{part}": place + part
        for place in ("Business", "Home", "Other")
        for part in ("City", "Country", "PostalCode", "State", "Street")
    },
    "Calendar:AttendeeStatus": "Attendee_Status",
    "Calendar:AttendeeType": "Attendee_Type",
    "Calendar:Deleted": "Exception_Deleted",
    "Calendar:DtStamp": "DTStamp",
    "Calendar:ExceptionStartTime": "Exception_StartTime",
    "Calendar:OrganizerEmail": "Organizer_Email",
    "Calendar:OrganizerName": "Organizer_Name",
    "Calendar:Timezone": "TimeZone",
    "ComposeMail:Email": "ForwardeeEmail",
    "ComposeMail:Mime": "MIME",
    "ComposeMail:Name": "ForwardeeName",
    "Contacts:AssistantPhoneNumber": "AssistantTelephoneNumber",
    "Email:DtStamp": "DTStamp",
    "Email:ReplyTo": "Reply-To",
    "Email:Status": "FlagStatus",
    "Provision:RequireStorageCardEncryption": "DeviceEncryptionEnabled",
    "RightsManagement:Owner": "RMOwner",
    "RightsManagement:RemoveRightsManagementProtection": "RemoveRightsManagementDistribution",
    "Settings:RightsManagementInformation": "ihsManagementInformation",
    "Settings:SMTPAddress": "SmtpAddress",
    "Tasks:UtcDueDate": "UTCDueDate",
    "Tasks:UtcStartDate": "UTCStartDate",
}
"""What libwbxml calls a tag, where it is not the name of the specification."""

THEIRS = {tag: f"{tag.partition(':')[0]}:{RENAMED.get(tag, tag.partition(':')[2])}" for tag in TOKENS}
OURS = {theirs: tag for tag, theirs in THEIRS.items()}
KNOWN = sorted(tag for tag in TOKENS if tag not in MISSING and not tag.startswith("Find:"))


def theirs(tree: Element) -> Element:
    """A tree with libwbxml's names, and opaque values as it writes them into XML."""
    value = b64encode(tree.value).decode() if isinstance(tree.value, bytes) else tree.value
    return Element(THEIRS[tree.tag], value, *map(theirs, tree))


def ours(tree: Element) -> Element:
    """The tree that libwbxml means."""
    tag = OURS[tree.tag]
    value = b64decode(tree.text) if tag in OPAQUE and tree.value else tree.value
    return Element(tag, value, *map(ours, tree))


def tags(tree: Element) -> Iterator[str]:
    """The tags of a tree."""
    yield tree.tag
    for child in tree:
        yield from tags(child)


def documents() -> Iterator[tuple[str, Element]]:
    """Every vector of a document that libwbxml has the tags for, with its name."""
    for file in ("ping-vectors.json", "command-vectors.json"):
        for vector in json.loads((DATA / file).read_text()):
            if vector["hex"] and set(tags(tree := from_xml(vector["xml"]))) <= set(KNOWN):
                yield vector["name"], tree


def generated(random: Random, depth: int = 0) -> Element:
    """A tree of random tags with random values; no CR among them, which wbxml2xml does not escape in its XML."""
    tag = random.choice(KNOWN)
    if depth < 6 and random.random() < 0.6 - depth / 12:
        return Element(tag, *(generated(random, depth + 1) for _ in range(random.randint(1, 6))))
    if random.random() < 0.2:
        return Element(tag)
    if tag in OPAQUE:
        return Element(tag, random.randbytes(random.choice((1, 2, 3, 127, 128, 300))))
    return Element(tag, "x" + "".join(random.choices("0aZ<>&\"' \t\nüλ漢\U0001f600", k=random.randint(0, 200))) + "x")


class LibwbxmlTests(SynchronousTestCase):
    if not (shutil.which("wbxml2xml") and shutil.which("xml2wbxml")):
        skip = "needs wbxml2xml and xml2wbxml (Debian package libwbxml2-utils)"

    def toXML(self, data: bytes) -> Element:
        """What libwbxml decodes."""
        command = ["wbxml2xml", "-m", "0", "-l", "ACTIVESYNC", "-o", "-", "-"]
        done = subprocess.run(command, input=data, capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        return from_xml(done.stdout.decode().partition('microsoft.com/">')[2])

    def toWBXML(self, tree: Element) -> bytes:
        """What libwbxml encodes, without string table and public identifier as ActiveSync wants it."""
        command = ["xml2wbxml", "-n", "-a", "-v", "1.3", "-o", "-", "-"]
        text = (DOCTYPE + to_xml(theirs(tree))).encode()
        done = subprocess.run(command, input=text, capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def assertSame(self, tree: Element) -> None:
        """Both write the same bytes for a tree and read the same tree from them."""
        data = encode(tree)
        self.assertEqual(self.toWBXML(tree).hex(), data.hex())
        self.assertEqual(to_xml(ours(self.toXML(data))), to_xml(tree))
        self.assertEqual(decode(data), tree)

    def test_everyTag(self) -> None:
        """libwbxml decodes each tag that it has to the name that we know it by."""
        tree = Element("AirSync:Sync", *(Element(tag) for tag in KNOWN))
        self.assertEqual([child.tag for child in self.toXML(encode(tree))], [THEIRS[tag] for tag in KNOWN])

    def test_vectors(self) -> None:
        """Every vector of which libwbxml has the tags is the same to both, in both directions."""
        count = 0
        for _, tree in documents():
            self.assertSame(tree)
            count += 1
        self.assertGreater(count, 70)

    def test_generated(self) -> None:
        """So are random documents."""
        random = Random(7)
        for _ in range(40):
            self.assertSame(generated(random))

    def test_defaultForm(self) -> None:
        """What libwbxml writes by default, with string table and public identifier, is read as well."""
        command = ["xml2wbxml", "-o", "-", "-"]
        random = Random(8)
        for name, tree in [*documents(), *(("generated", generated(random)) for _ in range(40))]:
            text = (DOCTYPE + to_xml(theirs(tree))).encode()
            done = subprocess.run(command, input=text, capture_output=True, timeout=30)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(to_xml(decode(done.stdout)), to_xml(tree), name)
