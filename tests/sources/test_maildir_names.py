"""Tests of Maildir file names."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from gateway.sources.names import altered, is_message, joined, received, split, state_of

NOW = 1_800_000_000.0


class NameTests(SynchronousTestCase):
    def test_split(self) -> None:
        """The base is what stands before ":2,", whatever follows; a name without it is all base."""
        self.assertEqual(split("1.M2.host:2,FS"), ("1.M2.host", "FS"))
        self.assertEqual(split("1.M2.host"), ("1.M2.host", ""))
        self.assertEqual(split("1.M2.host:1,x"), ("1.M2.host:1,x", ""))
        self.assertEqual(split("1.M2.host,S=12,W=13:2,"), ("1.M2.host,S=12,W=13", ""))

    def test_state(self) -> None:
        """The state is the sorted standard letters; keywords, unknown letters and repetitions are not part of it."""
        self.assertEqual(state_of("1.h:2,SFRa"), "FRS")
        self.assertEqual(state_of("1.h:2,SSXz"), "S")
        self.assertEqual(state_of("1.h"), "")

    def test_altered(self) -> None:
        """Letters are set and cleared in the order of the Maildir rules, and keywords stay."""
        self.assertEqual(altered("aS", "F", ""), "FSa")
        self.assertEqual(altered("FSa", "", "F"), "Sa")
        self.assertEqual(altered("FS", "F", "X"), "FS")

    def test_joined(self) -> None:
        """A name in cur/ has its info also without letters."""
        self.assertEqual(joined("1.h", ""), "1.h:2,")

    def test_isMessage(self) -> None:
        """Dot files, the files of Dovecot and names that no database takes are no mails."""
        self.assertTrue(is_message("1700000000.M1P2.host,S=5:2,S"))
        self.assertTrue(is_message("any name"))
        self.assertTrue(is_message("m\xfcll"))
        for name in ("", ".", ".hidden", "dovecot.index.log", "dovecot-uidlist", ":2,S", "a\nb", "a\udcff", "\xfc\x01"):
            self.assertFalse(is_message(name), name)

    def test_receivedInName(self) -> None:
        """A mail was delivered at the time in its name, also if the file was copied later."""
        self.assertEqual(received("1700000000.M1.h", NOW, NOW), 1_700_000_000)

    def test_receivedOfFile(self) -> None:
        """A mail that was imported with its old date has the time of its file; so has a name without a time."""
        self.assertEqual(received("1700000000.M1.h", 1_500_000_000.9, NOW), 1_500_000_000)
        for base in ("abc.h", "12.h", "99999999999.h", "9" * 400, "\u0661700000000.h", ""):
            self.assertEqual(received(base, 1_600_000_000.5, NOW), 1_600_000_000, base)
