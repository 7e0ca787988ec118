"""Tests of the mail that becomes an SMS at the operator."""

from __future__ import annotations

from email import message_from_bytes

from twisted.trial.unittest import SynchronousTestCase

from gateway.sms.smtpout import MailRule, trigger_mail

NUMBER = "+491701234567"


def mail(text: str = "PUSHGW 1f3a", **other: str) -> bytes:
    given = {
        "recipient": "491701234567@sms.example.net",
        "author": "pushgw@example.org",
        "message_id": "<1f.0a@example.org>",
        **other,
    }
    return trigger_mail(text, date=1_144_052_280, **given)


class MailRuleTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """The number is written as the operator wants it."""
        for form, local in {"plus": NUMBER, "digits": NUMBER[1:], "00": "00491701234567"}.items():
            rule = MailRule("{number}@sms.example.net", form)
            self.assertEqual(rule.recipient(NUMBER), f"{local}@sms.example.net")

    def test_around(self) -> None:
        """Something may stand before and after the number."""
        self.assertEqual(
            MailRule("sms.{number}.x@example.net", "digits").recipient(NUMBER), "sms.491701234567.x@example.net"
        )
        self.assertEqual(
            MailRule("sms@{number}.example.net", "digits").recipient(NUMBER), "sms@491701234567.example.net"
        )

    def test_wrongRules(self) -> None:
        """A rule that makes no address is an error at once."""
        for address in ("sms@example.net", "{number}", "{number}{number}@x", "{number}@", "{number} a@x", "{number}@ü"):
            self.assertRaises(ValueError, MailRule, address)
        self.assertRaises(ValueError, MailRule, "{number}@sms.example.net", "minus")

    def test_wrongNumbers(self) -> None:
        """Nothing but a number in E.164 form becomes an address."""
        rule = MailRule("{number}@sms.example.net")
        for number in ("", "491701234567", "+0170", "+49170x", "+1", "+" + "1" * 16, "+4917012345\n", "+49170@x,ab@y"):
            self.assertRaises(ValueError, rule.recipient, number)


class TriggerMailTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """The whole mail, octet by octet."""
        self.assertEqual(
            mail().decode(),
            "Date: Mon, 03 Apr 2006 08:18:00 -0000\r\n"
            "From: <pushgw@example.org>\r\n"
            "To: <491701234567@sms.example.net>\r\n"
            "Message-ID: <1f.0a@example.org>\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=us-ascii\r\n"
            "Content-Transfer-Encoding: 7bit\r\n"
            "\r\n"
            "PUSHGW 1f3a\r\n",
        )

    def test_subject(self) -> None:
        """A fixed subject is there if it is asked for."""
        self.assertEqual(message_from_bytes(mail(subject="Alert"))["Subject"], "Alert")

    def test_lineEnds(self) -> None:
        """Lines end with CRLF, one at the end of the mail."""
        for text in ("a\nb", "a\r\nb\r\n", "a\rb"):
            self.assertTrue(mail(text).endswith(b"\r\n\r\na\r\nb\r\n"))

    def test_refused(self) -> None:
        """What is not ASCII, and what would make further headers or recipients, is an error."""
        for text in ("", " \r\n", "λ", "\0", "\x7f", "é"):
            self.assertRaises(ValueError, mail, text)
        for name in ("recipient", "author"):
            for value in ("", "x", "a@b\r\nX: y", "a@b,c@d", "ü@x", "<a@b>"):
                self.assertRaises(ValueError, mail, **{name: value})
        for name in ("subject", "message_id"):
            for value in ("a\r\nX: y", "ü", "a\0", "x" * 1000):
                self.assertRaises(ValueError, mail, **{name: value})
