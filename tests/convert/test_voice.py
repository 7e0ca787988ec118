"""Voice mails, as a device is told of them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.element import Element
from tests.convert.samples import made, multipart, part, shown

ORDER = "X-AttachmentOrder: one.mp3;two.mp3"
VOICE = "Content-Class: voice\nX-CallingTelephoneNumber: +17125550123\nX-VoiceMessageDuration: 12"


def recording(name: str, kind: str = "audio/mp3") -> bytes:
    """A recording."""
    return part(
        kind, "MQ==", f'Content-Disposition: attachment; filename="{name}"', "Content-Transfer-Encoding: base64"
    )


def mail(headers: str, *recordings: bytes) -> bytes:
    """A mail with these recordings."""
    return multipart("mixed", part("text/plain", "Words."), *recordings, headers=headers)


def told(raw: bytes, version: int = 141) -> list[tuple[str, str | None, str | None]]:
    """The attachments: name, UmAttOrder, UmAttDuration."""
    listed: Element | None = made(raw, version).child("AirSyncBase:Attachments")
    return [
        (
            each.text_of("AirSyncBase:DisplayName") or "",
            *(each.text_of(f"Email2:UmAtt{n}") for n in ("Order", "Duration")),
        )
        for each in listed or ()
    ]


class VoiceTests(SynchronousTestCase):
    """[MS-ASEMAIL] 2.2.2.81 to 2.2.2.83."""

    def test_order(self) -> None:
        """The newest recording is number 1 and alone has a duration; the order is what the header says."""
        both = recording("one.mp3"), recording("two.mp3")
        newest_last = [("one.mp3", "2", None), ("two.mp3", "1", "12")]
        self.assertEqual(told(mail(f"{VOICE}\n{ORDER}", *both)), newest_last)
        self.assertEqual(told(mail(VOICE, *both)), newest_last)
        turned = f"{VOICE}\nX-AttachmentOrder: two.mp3; one.mp3"
        self.assertEqual(told(mail(turned, *both)), [("one.mp3", "1", "12"), ("two.mp3", "2", None)])

    def test_others(self) -> None:
        """What is no recording has no number, unless the header names it."""
        other = recording("a.pdf", "application/pdf"), recording("one.mp3", "application/octet-stream")
        self.assertEqual(told(mail(f"{VOICE}\n{ORDER}", *other)), [("a.pdf", None, None), ("one.mp3", "1", "12")])

    def test_caller(self) -> None:
        """UmCallerID is the number of who called, of a call that was missed too; a number that is kept back is none."""
        self.assertEqual(shown(made(mail(VOICE)))["UmCallerID"], "+17125550123")
        missed = made(mail("Content-Class: MissedCall\nX-CallingTelephoneNumber: sip:a@example.org"))
        self.assertEqual(missed.text_of("Email2:UmCallerID"), "sip:a@example.org")
        self.assertEqual(missed.text_of("Email:MessageClass"), "IPM.Note.Microsoft.Missed.Voice")
        self.assertNotIn("UmCallerID", shown(made(mail("Content-Class: voice\nX-CallingTelephoneNumber:"))))

    def test_class(self) -> None:
        """Such mails have a MessageClass of their own; of other mails the same fields mean nothing."""
        self.assertEqual(shown(made(mail(VOICE)))["MessageClass"], "IPM.Note.Microsoft.Voicemail.UM")
        plain = mail(VOICE.partition("\n")[2] + f"\n{ORDER}", recording("one.mp3"))
        self.assertEqual(told(plain), [("one.mp3", None, None)])
        self.assertNotIn("UmCallerID", shown(made(plain)))
        self.assertEqual(shown(made(plain))["MessageClass"], "IPM.Note")

    def test_oddHeader(self) -> None:
        """A duration that is no number is none; one that is too long, and a caller, are cut."""
        for given, expected in (("", None), ("2 min", None), ("-3", None), ("9" * 30, "9" * 9)):
            headers = f"Content-Class: voice\nX-VoiceMessageDuration: {given}"
            self.assertEqual(told(mail(headers, recording("one.mp3"))), [("one.mp3", "1", expected)])
        long = made(mail(f"Content-Class: voice\nX-CallingTelephoneNumber: {'9' * 500}"))
        self.assertEqual(len(long.text_of("Email2:UmCallerID") or ""), 256)

    def test_versions(self) -> None:
        """Only the versions from 14.0 on know of them."""
        raw = mail(f"{VOICE}\n{ORDER}", recording("one.mp3"))
        self.assertEqual(told(raw, 121), [("one.mp3", None, None)])
        self.assertNotIn("UmCallerID", shown(made(raw, 121)))
        self.assertEqual(told(raw, 140), [("one.mp3", "1", "12")])
