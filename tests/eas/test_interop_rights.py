"""What the protocol's owner asks in its interoperability suite of rights management ([MS-ASRM]), of a server without it."""

from __future__ import annotations

from gateway.element import Element
from tests.eas.fetches import of_item
from tests.eas.interop import MAIL, SINCE_14_1, VERSIONS, Client, air, data, only, options, server_commands
from tests.eas.support import text
from tests.eas.test_interop_fetch import FetchCase
from tests.eas.test_interop_people import PeopleCase, setting
from tests.eas.test_interop_sending import SendingCase, document
from tests.eas.test_sending import compose, source

SUPPORT = Element("RightsManagement:RightsManagementSupport", 1)
TEMPLATE = "11111111-2222-3333-4444-555555555555"
PLAIN = MAIL.format("Plain", "Words.")
PROTECTED = (
    "From: a@example.org\r\nTo: ann@example.org\r\nSubject: Protected\r\nContent-Class: rpmsg.message\r\n"
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="-b-"\r\n\r\n'
    "---b-\r\nContent-Type: text/plain\r\n\r\nProtected.\r\n"
    "---b-\r\nContent-Type: application/x-microsoft-rpmsg-message; name=message.rpmsg\r\n"
    "Content-Disposition: attachment; filename=message.rpmsg\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "MQ==\r\n---b---\r\n"
)


class SettingsTests(PeopleCase):
    """Settings ([MS-ASRM] 2.2.2.17)."""

    def test_templates(self) -> None:
        """There are no templates; a version that knows of no rights finds the request malformed (S01 TC03, R418)."""
        asked = setting("Settings", setting("RightsManagementInformation", setting("Get")))

        def check(phone: Client, inbox: int) -> None:
            told = text(phone.ask("Settings", asked))
            if phone.version in SINCE_14_1:
                self.assertIn("RightsManagementInformation(Status=1 Get(RightsManagementTemplates=))", told)
            else:
                self.assertEqual(told, "Settings(Status=2)")

        self.each(VERSIONS, check)


class MailTests(FetchCase):
    """Mails for phones that can handle rights ([MS-ASRM] 3.2.4.3): nothing is decrypted for them."""

    def test_unprotected(self) -> None:
        """A mail without protection comes as ever, without a license, in Sync and ItemOperations (S01, S02)."""

        def check(phone: Client, inbox: int) -> None:
            answer = phone.begin(inbox, options(SUPPORT))
            [add] = server_commands(answer)
            found = self.ask(phone, of_item(add.text_of("AirSync:ServerId") or "", SUPPORT))
            for properties in (data(add), found.properties):
                self.assertEqual(properties.text_of("Email:Subject"), "Plain")
                self.assertIsNone(properties.child("RightsManagement:RightsManagementLicense"))

        self.each(SINCE_14_1, check, PLAIN)

    def test_protected(self) -> None:
        """A protected mail comes with its protected part as an attachment, as it does to phones without rights."""

        def check(phone: Client, inbox: int) -> None:
            for wanted in (options(SUPPORT), air("GetChanges", 1)):
                mail = only(phone.begin(inbox, wanted))
                self.assertIn("DisplayName=message.rpmsg", text(mail.child("AirSyncBase:Attachments")))
                self.assertIsNone(mail.child("RightsManagement:RightsManagementLicense"))

        self.each(SINCE_14_1, check, PROTECTED)


class TemplateTests(SendingCase):
    """Sending with a template ([MS-ASRM] 3.2.5.1, R223)."""

    def test_none(self) -> None:
        """A server without rights management refuses each of the three commands with Status 168 (S04, S05)."""

        def check(phone: Client, inbox: int, item: str) -> None:
            template = compose("TemplateID", TEMPLATE)
            template.tag = "RightsManagement:TemplateID"
            for command in ("SendMail", "SmartForward", "SmartReply"):
                more = () if command == "SendMail" else (source(str(inbox), item),)
                body = document(command, *more, template, client=command)
                self.assertEqual(self.status(phone.ask(command, body)), "168", command)
            self.assertEqual(self.letters(phone), [])

        self.each_sending(SINCE_14_1, check)
