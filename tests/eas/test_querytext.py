"""What users write to find mails."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.querytext import MAX_PHRASES, MAX_TEXT, TooComplex, Unreadable, free_text, keywords
from gateway.index import Phrase, Place, Sought
from tests.eas.support import NOW

DAY = 86400
MAY = NOW - 8 * 3600


def shown(phrase: Phrase) -> str:
    """A phrase in short: C{subject:annual rep*}."""
    place = "" if phrase.place is Place.ANYWHERE else f"{phrase.place.value}:"
    return f"{place}{phrase.text}{'*' if phrase.prefix else ''}"


def meant(text: str) -> str:
    """What a query means, in short: clauses with C{|} between alternatives, C{-} before what must not be there."""
    sought = keywords(text, NOW)
    found = ["|".join(shown(phrase) for phrase in clause) for clause in sought.clauses]
    found += [f"-{shown(phrase)}" for phrase in sought.without]
    return ", ".join(found)


class FreeTextTests(SynchronousTestCase):
    """L{free_text}."""

    def words(self, text: str) -> list[str]:
        clauses = free_text(text)
        self.assertEqual({len(clause) for clause in clauses} - {1}, set())
        return [shown(clause[0]) for clause in clauses]

    def test_words(self) -> None:
        """All words have to be there; the last one may go on."""
        self.assertEqual(self.words("annual  report"), ["annual", "report*"])
        self.assertEqual(self.words(" report "), ["report*"])
        self.assertEqual(self.words(""), [])

    def test_phrases(self) -> None:
        """A phrase in quotes of any kind stands for itself; one that is left open goes to the end."""
        self.assertEqual(self.words('"annual report" bob'), ["annual report", "bob*"])
        self.assertEqual(self.words('bob "annual report"'), ["bob", "annual report"])
        self.assertEqual(self.words("\u201cannual report\u201d"), ["annual report"])
        self.assertEqual(self.words('bob "annual rep'), ["bob", "annual rep"])

    def test_asterisk(self) -> None:
        """A word or phrase with an asterisk at its end may go on, if it has two characters; an asterisk alone is nothing."""
        self.assertEqual(self.words('rep* "annual re*" x'), ["rep*", "annual re*", "x"])
        self.assertEqual(self.words("a* b"), ["a", "b"])
        self.assertEqual(self.words("* ** x"), ["x"])

    def test_noLanguage(self) -> None:
        """Nothing else has a meaning of its own."""
        self.assertEqual(self.words("subject:a OR (b)"), ["subject:a", "OR", "(b)*"])

    def test_bounds(self) -> None:
        """What is too long, or has too many words, is too complex."""
        self.assertEqual(len(free_text("x " * MAX_PHRASES)), MAX_PHRASES)
        self.assertRaises(TooComplex, free_text, "x " * (MAX_PHRASES + 1))
        self.assertRaises(TooComplex, free_text, "x" * (MAX_TEXT + 1))


class KeywordsTests(SynchronousTestCase):
    """L{keywords}."""

    def test_words(self) -> None:
        """Words and phrases are as without the language."""
        self.assertEqual(meant('annual "the report" bo'), "annual, the report, bo*")
        self.assertEqual(meant("rep* x"), "rep*, x")

    def test_properties(self) -> None:
        """A property says where the word, phrase or group after it is looked for."""
        self.assertEqual(meant("subject:report from:bob to:ann x"), "subject:report, from:bob, to:ann, x")
        self.assertEqual(meant('Subject:"annual report" SUBJECT=x y'), "subject:annual report, subject:x, y")
        self.assertEqual(meant("subject: report from:bob@example.org"), "subject:report, from:bob@example.org*")
        self.assertEqual(meant("subject:(aa OR bb) cc"), "subject:aa|subject:bb, cc*")
        self.assertEqual(meant("cc:aa bcc:bb recipients:cc body:dd ee"), "to:aa, to:bb, to:cc, dd, ee*")
        self.assertEqual(meant("participants:bob x"), "from:bob|to:bob, x")
        self.assertEqual(meant("subject<>aa bb"), "bb*, -subject:aa")
        self.assertEqual(meant('(subject:"rep*" OR from:"rep*")'), "subject:rep*|from:rep*")

    def test_noProperties(self) -> None:
        """A word with a colon that is no property is a word."""
        self.assertEqual(meant("http://a.example/b?c=d re: 10:30 x"), "http://a.example/b?c=d, re:, 10:30, x")

    def test_operators(self) -> None:
        """AND, OR, NOT and parentheses, minus and plus; OR binds least; the words in small letters are words."""
        self.assertEqual(meant("aa AND bb OR cc"), "aa|cc*, bb|cc*")
        self.assertEqual(meant("aa (bb OR cc) dd"), "aa, bb|cc, dd*")
        self.assertEqual(meant("aa NOT bb -cc +dd"), "aa, dd*, -bb, -cc")
        self.assertEqual(meant("aa NOT (bb OR cc)"), "aa, -bb, -cc")
        self.assertEqual(meant("NOT NOT aa bb"), "aa, bb*")
        self.assertEqual(meant("-subject:(aa OR bb)"), "-subject:aa, -subject:bb")
        self.assertEqual(meant("x-y and z"), "x-y, and, z")

    def test_astray(self) -> None:
        """What stands in the wrong place is passed over."""
        for text in ("AND", "OR", "NOT", "(", ")", "((", "() )", '"', "-", "subject:", "* *", "+"):
            self.assertIn(keywords(text, NOW), (Sought(), Sought(((Phrase(text),),))), text)
        self.assertEqual(meant("aa AND"), "aa")
        self.assertEqual(meant("aa OR ) bb"), "aa, bb*")
        self.assertEqual(meant("(aa"), "aa*")

    def test_dates(self) -> None:
        """Mails can be asked for by when they came: on a day, before, after, between."""
        for text, since, until in (
            ("received:2024-05-01", MAY, MAY + DAY),
            ("received=5/1/2024", MAY, MAY + DAY),
            ("received>=2024-05-01", MAY, None),
            ("received>2024-05-01", MAY + DAY, None),
            ("received<2024-05-01", None, MAY),
            ("received<=2024-05-01", None, MAY + DAY),
            ("received:2024-04-01..2024-05-01", MAY - 30 * DAY, MAY + DAY),
            ("sent:today", MAY, MAY + DAY),
            ('received:"last week"', MAY - 9 * DAY, MAY - 2 * DAY),
            ("received>2024-05-01T10:00:00Z", MAY + 36001, None),
            ("received>=2024-04-01 received<2024-05-01 received<2025-01-01", MAY - 30 * DAY, MAY),
        ):
            sought = keywords(text, NOW)
            self.assertEqual((sought.since, sought.until), (since, until), text)

    def test_unreadable(self) -> None:
        """What cannot be known, and what makes no sense, is refused."""
        for text in ("hasattachment:true", "kind:email", "received:soon", "received:", "received<>today", "subject>a"):
            self.assertRaises(Unreadable, keywords, text, NOW)

    def test_tooComplex(self) -> None:
        """Refused are dates among alternatives, alternatives of which one is a negation, and far too much of anything."""
        for text in (
            "aa OR received:today",
            "NOT received:today",
            "aa OR NOT bb",
            "NOT (aa bb)",
            "(" * 20 + "aa" + ")" * 20,
            "NOT " * 20 + "aa",
            " OR ".join("(aa bb)" for _ in range(9)),
            "aa " * 100,
            "a" * (MAX_TEXT + 1),
        ):
            self.assertRaises(TooComplex, keywords, text, NOW)

    @settings(max_examples=150, deadline=None)
    @given(st.text(st.sampled_from('ab "()-+*:<>=.,5/ANDORT\u201c\0\ud800é'), max_size=60))
    def test_anything(self, text: str) -> None:
        """Whatever is written means something or is refused."""
        with contextlib.suppress(TooComplex, Unreadable):
            keywords(text, NOW)
        free_text(text)
