"""Tests of reading bounces."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.mail.dsn import MOST, PARTS, Notice, read_notice, receipt
from gateway.trigger import LetterState, Receipt
from tests.mail.notices import (
    DELAY_IN_WORDS,
    DELAYED,
    DELIVERED,
    EXIM,
    FAILED,
    MAIL,
    NAME,
    PERSON,
    QMAIL,
    VACATION,
    report,
)

WORDS = "550 5.1.1 <491701234567@sms.example.net>: Recipient address rejected: no such number"
SAMPLES = [report(FAILED), report(DELAYED), QMAIL, EXIM, DELAY_IN_WORDS]


class ReportTests(SynchronousTestCase):
    def test_failed(self) -> None:
        """A failure tells action, status, the mail and the other server's words in one line."""
        self.assertEqual(read_notice(report(FAILED)), Notice("failed", "5.1.1", NAME, WORDS))

    def test_delayed(self) -> None:
        """A delay is told as one."""
        expected = Notice("delayed", "4.4.1", NAME, "connect: Connection timed out")
        self.assertEqual(read_notice(report(DELAYED)), expected)

    def test_delivered(self) -> None:
        """A delivery is told as one, whatever comment comes with it."""
        self.assertEqual(read_notice(report(DELIVERED)), Notice("delivered", "2.0.0", NAME, "250 ok"))

    def test_whole(self) -> None:
        """The mail may come back whole, or with another name for its type, or may only be answered."""
        for original in (
            f"Content-Type: message/rfc822\n\n{MAIL}\nPUSHGW 1\n",
            f"Content-Type: message/global\n\n{MAIL}\nPUSHGW 1\n",
            f"Content-Type: message/global-headers\n\n{MAIL}",
            "Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: base64\n\n"
            + b64encode(MAIL.encode()).decode(),
        ):
            notice = read_notice(report(FAILED, original))
            self.assertEqual(notice and notice.message_id, NAME, original)
        for top in (f"In-Reply-To: {NAME}\n", f"References: {NAME}\n"):
            notice = read_notice(report(FAILED, "Content-Type: text/plain\n\nx", top))
            self.assertEqual(notice and notice.message_id, NAME)

    def test_noName(self) -> None:
        """A report that does not tell the mail is one all the same."""
        notice = read_notice(report(FAILED, "Content-Type: text/plain\n\nMessage-ID was lost\n"))
        self.assertEqual(notice and (notice.action, notice.message_id), ("failed", ""))

    def test_international(self) -> None:
        """The form of RFC 6533 is read too."""
        notice = read_notice(report(FAILED, kind="message/global-delivery-status"))
        self.assertEqual(notice and (notice.action, notice.status), ("failed", "5.1.1"))

    def test_severalRecipients(self) -> None:
        """Of several recipients one failure is a failure."""
        notice = read_notice(report(f"{DELIVERED}\n\nFinal-Recipient: rfc822; b@x\n{FAILED}"))
        self.assertEqual(notice and notice.action, "failed")

    def test_noAction(self) -> None:
        """A report without an action is none."""
        self.assertIsNone(read_notice(report("Status: 5.1.1")))


class PlainTests(SynchronousTestCase):
    def test_qmail(self) -> None:
        """qmail says it in words, and quotes the mail."""
        expected = Notice("failed", "5.7.1", NAME, "Remote host said: 550 5.7.1 number is barred")
        self.assertEqual(read_notice(QMAIL), expected)

    def test_exim(self) -> None:
        """Exim names who failed in a header; its version is no status."""
        self.assertEqual(read_notice(EXIM), Notice("failed", "", NAME))

    def test_delay(self) -> None:
        """A delay in words is no failure."""
        notice = read_notice(DELAY_IN_WORDS)
        self.assertEqual(notice and (notice.action, notice.status, notice.message_id), ("delayed", "4.4.1", NAME))

    def test_others(self) -> None:
        """Answers of people and their machines, and other mails, are no notices."""
        for mail in (VACATION, PERSON, b"", b"\r\n\r\n", b"Subject: x\r\n\r\n550 5.1.1 undeliverable\r\n"):
            self.assertIsNone(read_notice(mail), mail[:40])


class ReceiptTests(SynchronousTestCase):
    def test_states(self) -> None:
        """A failure is UNDELIVERED, a delivery DELIVERED; anything else is not final."""
        states = {
            action: (receipt(Notice(action, "5.1.1", NAME, "no"), "smtp:big", 7.0))
            for action in ("failed", "delivered", "delayed", "relayed", "expanded", "nonsense")
        }
        self.assertEqual(
            states["failed"], Receipt("smtp:big", (NAME,), LetterState.UNDELIVERED, 7.0, "failed 5.1.1 no")
        )
        delivered = states["delivered"]
        self.assertEqual(delivered and delivered.state, LetterState.DELIVERED)
        self.assertEqual([name for name, found in states.items() if found], ["failed", "delivered"])

    def test_names(self) -> None:
        """What is known for other reasons comes first; without any name there is nothing to tell."""
        found = receipt(Notice("failed", "", NAME), "relay", 7.0, ["<known@x>", NAME])
        self.assertEqual(found and found.message_ids, ("<known@x>", NAME))
        self.assertIsNone(receipt(Notice("failed"), "relay", 7.0))


class HostileTests(SynchronousTestCase):
    def test_bounded(self) -> None:
        """What is kept of a notice is one line of printable ASCII, and not long."""
        fields = f"Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; \x1b[31m\u00e4{'x' * 5000}"
        notice = read_notice(report(fields))
        assert notice is not None
        self.assertRegex(notice.words, r"^\[31m x+$")
        self.assertEqual(len(notice.words), 300)

    def test_long(self) -> None:
        """Of a mail without end only the beginning is read."""
        self.assertIsNone(read_notice(b"Subject: x\r\n" * (MOST // 8) + report(FAILED)))

    def test_deep(self) -> None:
        """Parts within parts, or very many of them, are not followed to the end."""
        deep = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3000))
        self.assertIsNone(read_notice(deep + report(FAILED)))
        wide = b'Content-Type: multipart/mixed; boundary="w"\n\n' + b"--w\n\nx\n" * PARTS
        self.assertIsNone(read_notice(wide + b"--w\nContent-Type: message/delivery-status\n\nA: b\n\nAction: failed\n"))

    @settings(max_examples=50, deadline=None)
    @given(st.binary(max_size=300))
    def test_anything(self, content: bytes) -> None:
        """No mail raises."""
        read_notice(content)
        read_notice(report("Action: failed\nStatus: x").replace(b"Status: x", content))

    @settings(max_examples=120, deadline=None)
    @given(st.sampled_from(SAMPLES), st.data())
    def test_damaged(self, sample: bytes, data: st.DataObject) -> None:
        """A notice that was damaged anywhere does not raise."""
        begin = data.draw(st.integers(0, len(sample)))
        end = data.draw(st.integers(begin, min(len(sample), begin + 40)))
        junk = data.draw(
            st.one_of(st.binary(max_size=20), st.sampled_from([b"", b"\n", b"\n\n--b\n", b"=?utf-8?b?_?="]))
        )
        notice = read_notice(sample[:begin] + junk + sample[end:])
        if notice is not None:
            receipt(notice, "relay", 0.0)
