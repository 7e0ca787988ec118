"""The marks of a mail, both ways."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.marks import MAX_CATEGORIES
from gateway.convert.message import ConversionError, Mail, amendment, changed_properties
from gateway.element import Element
from tests.convert.samples import VERSIONS, made

CATEGORIES = {"categories": ["red", "gr\u00fcn"]}
MARKS = ["Email:Read", "Email:Flag", "Email:Categories", "Email2:LastVerbExecuted"]


def change(*children: Element) -> Element:
    """The ApplicationData of a Change."""
    return Element("AirSync:ApplicationData", *children)


def categories(*names: str) -> Element:
    """Categories with these names."""
    return Element("Email:Categories", *(Element("Email:Category", name) for name in names))


def amended(element: Element, state: str = "", extra: dict[str, Any] | None = None) -> tuple[str, str, Any]:
    """What a Change with that one property asks for."""
    return amendment(change(element), state, extra or {})


class ChangedTests(SynchronousTestCase):
    def tags(self, fields: frozenset[str] | None, version: int, state: str = "RS") -> list[str]:
        """Which marks a Change tells."""
        return [child.tag for child in changed_properties(Mail(b"Subject: x\n\nx", state), version, fields)]

    def test_versions(self) -> None:
        """A Change tells Read, from 12.0 on the Flag, and from 14.0 on categories and what was done with the mail."""
        for version in VERSIONS:
            count = 1 + (version >= 120) + 2 * (version >= 140)
            self.assertEqual(self.tags(None, version), MARKS[:count])

    def test_fields(self) -> None:
        """A Change tells only what has changed ([MS-ASEMAIL] 3.2.5.4.1)."""
        for fields, expected in (
            ("S", MARKS[:1]),
            ("F", MARKS[1:2]),
            (("flag",), MARKS[1:2]),
            (("categories",), MARKS[2:3]),
            ("R", MARKS[3:]),
            ("P", MARKS[3:]),
            (("S", "flag", "categories"), MARKS[:3]),
            ("T", []),
        ):
            self.assertEqual(self.tags(frozenset(fields), 141), expected, fields)

    def test_unknownToTheVersion(self) -> None:
        """What the protocol version does not know is not told, though it has changed."""
        everything = frozenset(("S", "F", "flag", "categories", "R", "P"))
        for version in VERSIONS:
            self.assertEqual(self.tags(everything, version), self.tags(None, version))

    def test_read(self) -> None:
        """Read is the letter S."""
        self.assertEqual(changed_properties(Mail(b"", "FS"), 25)[0].text, "1")
        self.assertEqual(changed_properties(Mail(b"", "F"), 25)[0].text, "0")

    def test_verbs(self) -> None:
        """LastVerbExecuted is 1 for an answered mail, 3 for a forwarded one, and left out for any other."""
        for state, expected in (("R", "1"), ("P", "3"), ("PR", "1"), ("", None)):
            self.assertEqual(made(b"", 140, state=state).text_of("Email2:LastVerbExecuted"), expected)

    def test_verbHere(self) -> None:
        """What was done here is told with its time, 2 for an answer to all; but only while the mail has its letter."""
        for state, kept, expected in (
            ("R", [2, 1714550400], ["2", "2024-05-01T08:00:00.000Z"]),
            ("PR", [3, 1714550400], ["3", "2024-05-01T08:00:00.000Z"]),
            ("P", [1, 1714550400], ["3", None]),
            ("", [1, 1714550400], [None, None]),
            ("R", [9, 0], ["1", None]),
            ("R", "x", ["1", None]),
        ):
            found = made(b"", 140, state=state, extra={"verb": kept})
            self.assertEqual(
                [found.text_of(f"Email2:LastVerb{name}") for name in ("Executed", "ExecutionTime")], expected
            )
        changed = changed_properties(Mail(b"", "R", {"verb": [2, 5]}), 141, frozenset(("verb",)))
        self.assertEqual([element.text for element in changed], ["2", "1970-01-01T00:00:05.000Z"])

    def test_categories(self) -> None:
        """Categories has the names that were given, and is empty without ([MS-ASEMAIL] 2.2.2.13)."""
        found = made(b"", 140, extra=CATEGORIES).child("Email:Categories")
        self.assertEqual(found, categories("red", "gr\u00fcn"))
        for kept in ({}, {"categories": None}, {"categories": "x"}):
            self.assertEqual(made(b"", 140, extra=kept).child("Email:Categories"), categories())


class AmendTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Read sets or clears S and touches nothing else, whatever the state is."""
        for state in ("", "FS"):
            self.assertEqual(amended(Element("Email:Read", 1), state, {"flag": {}}), ("S", "", None))
            self.assertEqual(amended(Element("Email:Read", 0), state), ("", "S", None))

    def test_wrong(self) -> None:
        """Read that is neither 0 nor 1 cannot be kept."""
        for element in (Element("Email:Read"), Element("Email:Read", "2"), Element("Email:Read", categories())):
            self.assertRaises(ConversionError, amended, element)

    def test_others(self) -> None:
        """Elements that say nothing about a mail's marks are passed over."""
        unknown = (Element("Email:Subject", "x"), Element("Calendar:Categories"), Element("Contacts:FileAs", "x"))
        self.assertEqual(amendment(change(*unknown), "S", CATEGORIES), ("", "", None))
        self.assertEqual(amendment(change(), "S", CATEGORIES), ("", "", None))

    def test_readOnly(self) -> None:
        """What only the server sets cannot be changed ([MS-ASEMAIL] 2.2.2.17, 2.2.2.60, 2.2.2.69, 2.2.2.83)."""
        for name in ("Sender", "ReceivedAsBcc", "UmCallerID", "UmUserNotes"):
            self.assertRaises(ConversionError, amended, Element(f"Email2:{name}", "x"))
        self.assertRaises(ConversionError, amended, Element("Email2:ConversationId", b"x" * 16))

    def test_draft(self) -> None:
        """A change of a draft's text is refused, for it would be lost; its marks can be changed."""
        self.assertRaises(ConversionError, amended, Element("Email:Subject", "x"), "D")
        self.assertEqual(amended(Element("Email:Read", 1), "D"), ("S", "", None))


class AmendCategoriesTests(SynchronousTestCase):
    def test_set(self) -> None:
        """Categories replaces those that are kept, each name once; other things that are kept stay."""
        kept = {**CATEGORIES, "flag": {"Status": "1"}}
        found = amended(categories("blue", "red", "blue", ""), "S", kept)
        self.assertEqual(found, ("", "", {"flag": {"Status": "1"}, "categories": ["blue", "red"]}))
        self.assertEqual(kept["categories"], ["red", "gr\u00fcn"])

    def test_removed(self) -> None:
        """An empty Categories removes them."""
        self.assertEqual(amended(categories(), "", CATEGORIES), ("", "", {}))

    def test_same(self) -> None:
        """Categories that are kept already leave what is kept untouched."""
        self.assertEqual(amended(categories("red", "gr\u00fcn"), "", CATEGORIES), ("", "", None))
        self.assertEqual(amended(categories()), ("", "", None))

    def test_withFlag(self) -> None:
        """Categories and Flag in one Change are both done."""
        both = change(Element("Email:Flag"), categories("red"))
        self.assertEqual(amendment(both, "F", {"flag": {"Status": "2"}}), ("", "F", {"categories": ["red"]}))

    def test_roundTrip(self) -> None:
        """What a device set is what it gets, after it was stored as JSON."""
        _, _, extra = amended(categories("red", "gr\u00fcn"))
        self.assertEqual(
            made(b"", extra=json.loads(json.dumps(extra))).child("Email:Categories"), categories("red", "gr\u00fcn")
        )

    def test_bounded(self) -> None:
        """There are at most 300 categories, of at most 255 characters."""
        names = [str(n) for n in range(MAX_CATEGORIES)]
        self.assertEqual(amended(categories(*names))[2], {"categories": names})
        self.assertEqual(amended(categories("x" * 255))[2], {"categories": ["x" * 255]})
        nested = Element("Email:Categories", Element("Email:Category", categories()))
        for element in (categories(*names, "x"), categories("x" * 256), nested):
            self.assertRaises(ConversionError, amended, element)
