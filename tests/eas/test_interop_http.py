"""What the protocol's owner asks of HTTP in its interoperability suite ([MS-ASHTTP])."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from gateway.eas.commands import COMMANDS
from gateway.eas.gate import Rules
from gateway.element import Element
from tests.eas.fetches import of_item, op, taken_apart
from tests.eas.interop import (
    SINCE_14_1,
    VERSIONS,
    Client,
    InteropCase,
    air,
    collection,
    data,
    name_of,
    server_commands,
    sync_of,
)
from tests.eas.support import text
from tests.eas.test_interop_commands import KEY_0, own_status
from tests.eas.test_interop_fetch import FILE, PLAIN, WORDS
from tests.eas.test_interop_folders import FolderCase, tree
from tests.eas.test_interop_people import PeopleCase
from tests.eas.test_interop_provision import INFORMATION, POLICY, TYPE, provision
from tests.support import WBXML, HTTPAnswer, folders_of, status_of

EVERY = (*VERSIONS[:3], "16.0", "16.1")
CODES = {
    "Sync": 0,
    "GetAttachment": 4,
    "FolderSync": 9,
    "ItemOperations": 19,
    "Provision": 20,
}
ATTACHMENT_NAME, OPTIONS = 0, 7


def coded(phone: Client, command: str, key: int | None = None, parameters: Mapping[int, bytes] | None = None) -> str:
    """The query in base64 (2.2.1.1.1.1), as the suite puts it together."""
    version = int(phone.version.replace(".", ""))
    parts = [bytes([version, CODES[command]]) + (1033).to_bytes(2, "little")]
    parts += [b"", phone.device.encode(), b"" if key is None else key.to_bytes(4, "little"), b"SP"]
    fields = [parts[0], *(bytes([len(part)]) + part for part in parts[2:])]
    fields += [bytes([tag, len(value)]) + value for tag, value in (parameters or {}).items()]
    return base64.b64encode(b"".join(fields)).decode()


class QueryCase(InteropCase):
    """Phones that say what they want in either form of the query."""

    def ask(
        self,
        phone: Client,
        command: str,
        body: Element | None = None,
        key: int | None = None,
        parameters: Mapping[int, bytes] | None = None,
    ) -> HTTPAnswer:
        """Send a command with everything but the credentials in the query."""
        headers = {"MS-ASProtocolVersion": "", "User-Agent": "ASOM"}
        (answer,) = phone.post(command, body, headers, coded(phone, command, key, parameters))
        return answer


class PositiveTests(QueryCase):
    """Scenario 1."""

    def test_type(self) -> None:
        """What is said has the length and the type that its headers tell, and nothing else (case 1; 2.2.2.1.1.2.3)."""

        def check(phone: Client, _: int) -> None:
            answer = self.ask(phone, "FolderSync", KEY_0)
            self.assertEqual((answer.status, answer.headers["content-type"]), (200, WBXML))
            self.assertEqual(answer.headers["content-length"], str(len(answer.body)))
            self.assertNotIn("transfer-encoding", answer.headers)

        self.each(EVERY, check)

    def test_attachment(self) -> None:
        """GetAttachment takes AttachmentName in base64, and answers what is no document (case 3)."""

        def check(phone: Client, inbox: int) -> None:
            (command,) = server_commands(phone.begin(inbox))
            (listed,) = data(command).child("AirSyncBase:Attachments") or ()
            name = listed.text_of("AirSyncBase:FileReference") or ""
            answer = self.ask(phone, "GetAttachment", parameters={ATTACHMENT_NAME: name.encode()})
            self.assertEqual((answer.status, answer.body), (200, b"1"))
            self.assertEqual(answer.headers["content-length"], "1")

        self.each(("12.1",), check, FILE)

    def test_nothingNew(self) -> None:
        """A second Sync of a folder without mails has no body: its length is 0, and it has no type (case 11)."""

        def check(phone: Client, inbox: int) -> None:
            phone.sync(inbox)
            answer = self.ask(
                phone, "Sync", sync_of(collection(phone.keys[inbox], inbox), more=[air("WindowSize", 512)])
            )
            self.assertEqual((answer.status, answer.body, answer.headers["content-length"]), (200, b"", "0"))
            self.assertNotIn("content-type", answer.headers)

        self.each(EVERY, check)

    def test_neverSynchronised(self) -> None:
        """A Ping for a folder with mails that was never synchronised ends at once with Status 2 (case 12)."""

        def check(phone: Client, inbox: int) -> None:
            answers = phone.ping(80, inbox)
            self.assertEqual((status_of(answers), folders_of(answers)), ("2", [str(inbox)]))

        self.each(EVERY, check, PLAIN)

    def test_multipart(self) -> None:
        """The option 0x02 of a query in base64 wants several parts, also with another one (case 12; 2.2.1.1.1.1.4)."""

        def check(phone: Client, inbox: int) -> None:
            (mail,) = server_commands(phone.begin(inbox))
            wanted = op("ItemOperations", of_item(name_of(mail)))
            for options, parts in ((b"\x02", True), (b"\x03", True), (b"\x01", False), (b"\x00", False)):
                answer = self.ask(phone, "ItemOperations", wanted, parameters={OPTIONS: options})
                expected = "application/vnd.ms-sync.multipart" if parts else WBXML
                self.assertEqual(answer.headers["content-type"], expected)
                found = taken_apart(answer.body, expected)
                self.assertEqual(found.properties.text_of("Email:Subject"), "Plain")
            self.assertEqual(self.ask(phone, "ItemOperations", wanted).headers["content-type"], WBXML)

        self.each(EVERY, check, PLAIN)


class FolderTests(FolderCase):
    def test_folders(self) -> None:
        """Folders are made, renamed, moved and deleted with the keys of a FolderSync from the start (case 11)."""

        def check(phone: Client, inbox: int) -> None:
            ids = self.learn(phone)
            made = self.create(phone, "New", str(inbox))["ServerId"]
            self.assertEqual(self.learn(phone), {**ids, "New": made})
            sent = ids["Sent Items"]
            changed = self.ask(phone, "FolderUpdate", ServerId=made, ParentId=sent, DisplayName="Newer")
            self.assertEqual(changed["Status"], "1")
            self.assertEqual(self.learn(phone), {**ids, "Newer": made})
            changes = phone.folder_sync().child("FolderHierarchy:Changes")
            (found,) = [one for one in changes or () if one.text_of("FolderHierarchy:ServerId") == made]
            self.assertEqual(found.text_of("FolderHierarchy:ParentId"), sent)
            self.learn(phone)
            self.assertEqual(self.ask(phone, "FolderDelete", ServerId=made)["Status"], "1")
            self.assertEqual(self.learn(phone), ids)

        self.each(EVERY, check)

    def test_status(self) -> None:
        """A request with a Status in it is Status 10 ([MS-ASCMD] S05, case 6)."""

        def check(phone: Client, inbox: int) -> None:
            self.learn(phone)
            made = self.create(phone, "New")["ServerId"]
            for command, fields in (
                ("FolderUpdate", {"ServerId": made, "ParentId": str(inbox), "DisplayName": "Newer"}),
                ("FolderCreate", {"ParentId": str(inbox), "DisplayName": "Newer", "Type": "12"}),
                ("FolderDelete", {"ServerId": made}),
            ):
                children = [tree("SyncKey", phone.hierarchy_key), *(tree(*one) for one in fields.items())]
                answer = phone.ask(command, tree(command, *children, tree("Status", "1")))
                self.assertEqual(own_status(answer), "10")

        self.each(EVERY, check)


class UserTests(PeopleCase):
    def test_nothingAsked(self) -> None:
        """Settings and ValidateCert that ask for nothing are Status 1 (cases 13 and 14)."""

        def check(phone: Client, _: int) -> None:
            for command in ("Settings", "ValidateCert"):
                answer = phone.ask(command, Element(f"{command}:{command}"))
                self.assertEqual(text(answer), f"{command}(Status=1)")

        self.each(EVERY, check)

    def test_name(self) -> None:
        """Recipients are resolved by the name of the account, and who is unknown is no error (case 13)."""

        def check(phone: Client, _: int) -> None:
            for name, found in (("msascmd_user01", "1"), ("nobody", "4")):
                to = Element("ResolveRecipients:To", name)
                answer = phone.ask("ResolveRecipients", Element("ResolveRecipients:ResolveRecipients", to))
                self.assertEqual(own_status(answer), "1")
                response = (answer or Element("x")).child("ResolveRecipients:Response")
                assert response is not None
                self.assertEqual(response.text_of("ResolveRecipients:Status"), found)

        self.each(EVERY, check)


class OptionalTests(QueryCase):
    """Scenario 3."""

    def test_acceptMultiPart(self) -> None:
        """MS-ASAcceptMultiPart is T for several parts; F, another value and none are one document (case 1)."""

        def check(phone: Client, inbox: int) -> None:
            (mail,) = server_commands(phone.begin(inbox))
            wanted = op("ItemOperations", of_item(name_of(mail)))
            for value in ("T", "F", ""):
                answer = phone.http("ItemOperations", wanted, MS_ASAcceptMultiPart=value)
                several = answer.headers["content-type"] == "application/vnd.ms-sync.multipart"
                self.assertEqual(several, value == "T")
                found = taken_apart(answer.body, answer.headers["content-type"])
                self.assertEqual([part.decode().strip() for part in found.parts], [WORDS] if several else [])

        self.each(EVERY, check, PLAIN)

    def test_policyKey(self) -> None:
        """The policy key goes in the header, or in the query in base64 (case 3)."""
        for version in EVERY:
            phone, _ = self.client(version, rules=Rules(policy_for=lambda user: POLICY, allow_non_provisionable=False))
            first = self.provisioned(phone, self.request(phone))
            last = self.provisioned(phone, self.request(phone, first), first)
            self.assertEqual(own_status(phone.ask("FolderSync", KEY_0, X_MS_PolicyKey=str(last))), "1")
            answer = self.ask(phone, "FolderSync", KEY_0, last)
            self.assertEqual(own_status(answer.element), "1")
            answer = self.ask(phone, "FolderSync", KEY_0, last + 1)
            if version == "12.1":
                self.assertEqual(answer.status, 449)
            else:
                self.assertEqual((answer.status, own_status(answer.element)), (200, "144"))

    def request(self, phone: Client, key: int | None = None) -> Element:
        """A Provision that asks for the policy, or acknowledges it."""
        said = [] if key is None else [provision("PolicyKey", str(key)), provision("Status", "1")]
        policy = provision("Policy", provision("PolicyType", TYPE), *said)
        information = INFORMATION if key is None and phone.version in (*SINCE_14_1, "16.0") else None
        return provision("Provision", information, provision("Policies", policy))

    def provisioned(self, phone: Client, body: Element, key: int | None = None) -> int:
        """The key that a Provision gives."""
        answer = self.ask(phone, "Provision", body, key).element
        self.assertEqual(own_status(answer), "1")
        policies = answer.child("Provision:Policies")
        assert policies is not None
        return int(policies.children[0].text_of("Provision:PolicyKey") or "")


class OptionsTests(InteropCase):
    """Scenario 4."""

    def test_options(self) -> None:
        """OPTIONS tells every version and command, each list with commas and nothing else between (2.2.4.1.2)."""
        phone, _ = self.client()
        phone.connection.send(
            b"OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n\r\n"
        )
        (answer,) = phone.connection.answers()
        self.assertEqual((answer.status, answer.body), (200, b""))
        versions = answer.headers["ms-asprotocolversions"].split(",")
        self.assertEqual(versions, ["2.5", "12.0", *EVERY])
        commands = answer.headers["ms-asprotocolcommands"].split(",")
        self.assertLessEqual({"Sync", "FolderSync", "Ping", "Provision"}, set(commands))
        self.assertLessEqual(set(commands), set(COMMANDS))
