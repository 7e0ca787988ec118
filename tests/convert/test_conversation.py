"""Which conversation a mail belongs to."""

from __future__ import annotations

import base64
from email import message_from_string

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.conversation import thread_index
from tests.convert.samples import made, text

FIRST = "Message-ID: <first@example.org>"


def conversation(headers: str, body: str = "x") -> bytes:
    """The ConversationId of a mail."""
    found = made(text(headers, body)).child("Email2:ConversationId")
    assert found is not None and isinstance(found.value, bytes)
    return found.value


def index(headers: str, received: int = 1714550400) -> bytes:
    """The ConversationIndex of a mail."""
    found = made(text(headers), received=received).child("Email2:ConversationIndex")
    assert found is not None and isinstance(found.value, bytes)
    return found.value


def topic(headers: str) -> str | None:
    """The ThreadTopic of a mail."""
    return made(text(headers)).text_of("Email:ThreadTopic")


def answered(header: str = "", *, passed: int = 0, received: int = 1714550400) -> bytes:
    """Thread-Index of what answers a mail so many seconds after it came."""
    message = message_from_string(f"{header}\n\n")
    return base64.b64decode(thread_index(message, received, b"", received + passed))


class ThreadIndexTests(SynchronousTestCase):
    """Thread-Index of answers ([MS-OXOMSG] 2.2.1.3)."""

    def test_begins(self) -> None:
        """The head is made of when the original came and of its conversation, as the original is shown itself."""
        found = answered(FIRST)
        self.assertEqual(found[:1] + index(FIRST) + conversation(FIRST), b"\x01" + found[1:22])
        self.assertEqual(len(found), 27)

    def test_goesOn(self) -> None:
        """What the original has stays, and five bytes come behind it for each answer; each counts one more."""
        found = answered(FIRST)
        for level in range(2, 20):
            longer = answered(f"Thread-Index: {base64.b64encode(found).decode()}", passed=level)
            self.assertEqual((longer[:-5], longer[-1]), (found, level % 16))
            found = longer

    def test_time(self) -> None:
        """The time since the beginning: in steps of 2**18 ticks of 100 ns, after 1.7 years of 2**23; never before it."""
        for passed, step, late in ((-5, 18, 0), (0, 18, 0), (3600, 18, 0), (86400 * 600, 18, 0), (86400 * 700, 23, 1)):
            word = int.from_bytes(answered(FIRST, passed=passed)[22:26], "big")
            self.assertEqual(word >> 31, late, passed)
            # The head leaves out the last two bytes of the time.
            self.assertLess(abs((word % 2**31 << step) / 1e7 - max(passed, 0)), 1)

    def test_bounded(self) -> None:
        """A thread that is too long gets no more, and still fits into a line."""
        long = bytes([1]) + bytes(21) + bytes(5) * 100
        header = f"Thread-Index: {base64.b64encode(long).decode()}"
        self.assertEqual(answered(header), long)
        self.assertLess(len(header), 998)

    def test_broken(self) -> None:
        """One that cannot be is as none."""
        for broken in ("QQ==", "!", base64.b64encode(b"\x01" + bytes(22)).decode(), "A" * 5000):
            self.assertEqual(answered(f"{FIRST}\nThread-Index: {broken}"), answered(FIRST))


class ConversationIdTests(SynchronousTestCase):
    def test_thread(self) -> None:
        """All messages of a thread have the same 16 bytes, whichever of the fields tells it."""
        first = conversation(FIRST)
        self.assertEqual(len(first), 16)
        for headers in (
            "Message-ID: <b@x>\nReferences: <first@example.org> <second@example.org>\nIn-Reply-To: <second@example.org>",
            "Message-ID: <b@x>\nIn-Reply-To: <first@example.org>",
            "Message-ID: <b@x>\nReferences:\nIn-Reply-To: Your mail of today <first@example.org>",
            "Message-ID: <b@x>\nReferences:\n <first@example.org>\n <second@example.org>",
        ):
            with self.subTest(headers):
                self.assertEqual(conversation(headers), first)

    def test_others(self) -> None:
        """Messages of other threads have others, and so have messages without any id."""
        found = {
            conversation(FIRST),
            conversation("Message-ID: <b@x>"),
            conversation("Subject: x"),
            conversation("Subject: x", "y"),
            conversation("Message-ID: none"),
        }
        self.assertEqual(len(found), 5)

    def test_versions(self) -> None:
        """Conversations are told from 14.0 on, as opaque data."""
        for version, count in ((25, 0), (121, 0), (140, 1), (161, 1)):
            found = made(text(FIRST), version)
            self.assertEqual(len(found.all("Email2:ConversationId")), count)
            self.assertEqual(len(found.all("Email2:ConversationIndex")), count)


class ConversationIndexTests(SynchronousTestCase):
    def test_given(self) -> None:
        """Of Thread-Index the times are passed on: five bytes of the first mail and five for each reply."""
        for length in (22, 27, 52):
            given = bytes(range(length))
            found = index(f"Thread-Index: {base64.b64encode(given).decode()}")
            self.assertEqual(found, given[1:6] + given[22:])

    def test_made(self) -> None:
        """Without one, or with a broken one, it is five bytes of the time of delivery."""
        for headers in (
            FIRST,
            f"{FIRST}\nThread-Index: x",
            f"{FIRST}\nThread-Index: {'A' * 40}",
            f"{FIRST}\nThread-Index: ä",
        ):
            # 2024-05-01T08:00:00Z is the FILETIME 0x01DA9B9D90A84000.
            self.assertEqual(index(headers), bytes.fromhex("da9b9d90a8"))

    def test_anyTime(self) -> None:
        """A time of delivery that no clock shows does no harm."""
        for received in (-(10**12), 0, 10**15):
            self.assertEqual(len(index(FIRST, received)), 5)


class ThreadTopicTests(SynchronousTestCase):
    def test_topic(self) -> None:
        """ThreadTopic is Thread-Topic, else the subject without what replies and forwards put before it."""
        for headers, expected in (
            ("Thread-Topic: =?utf-8?q?gr=C3=BCn?=\nSubject: Re: x", "grün"),
            ("Subject: Hello", "Hello"),
            ("Subject: Re: Fwd: RE: AW: Hello", "Hello"),
            ("Subject: Re[2]: FW : Hello", "Hello"),
            ("Subject: Regarding: x", "Regarding: x"),
            ("Subject: Re:", None),
            ("To: a@b", None),
        ):
            with self.subTest(headers):
                self.assertEqual(topic(headers), expected)
