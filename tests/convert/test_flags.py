"""Read mark and follow-up flag, both ways."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.message import ConversionError, Mail, amendment, changed_properties
from gateway.element import Element
from tests.convert.samples import VERSIONS, made, shown

COMPLETED = {"CompleteTime": "2024-05-02T08:00:00.000Z", "DateCompleted": "2024-05-02T10:00:00.000Z"}
SPAN = {
    "StartDate": "2024-05-01T00:00:00.000Z",
    "DueDate": "2024-05-03T00:00:00.000Z",
    "UtcStartDate": "2024-04-30T22:00:00.000Z",
    "UtcDueDate": "2024-05-02T22:00:00.000Z",
}
EMAIL = ("Status", "FlagType", "CompleteTime")


def change(*children: Element) -> Element:
    """The ApplicationData of a Change."""
    return Element("AirSync:ApplicationData", *children)


def flag(**children: str) -> Element:
    """A Flag with these children."""
    return Element(
        "Email:Flag",
        *(Element(f"{'Email' if name in EMAIL else 'Tasks'}:{name}", text) for name, text in children.items()),
    )


def amended(element: Element, state: str = "", extra: dict[str, Any] | None = None) -> tuple[str, str, Any]:
    """What a Change with that one property asks for."""
    return amendment(change(element), state, extra or {})


def sent(state: str, extra: dict[str, Any] | None = None) -> dict[str, str]:
    """The children of the Flag that a device gets."""
    return shown(changed_properties(Mail(b"", state, extra or {}), 141)[1])


class ChangedTests(SynchronousTestCase):
    def test_versions(self) -> None:
        """A Change tells Read, from 12.0 on the Flag, and from 14.0 on what was done with the mail, and no more."""
        for version in VERSIONS:
            tags = [child.tag for child in changed_properties(Mail(b"Subject: x\n\nx", "RS"), version)]
            expected = ["Email:Read", "Email:Flag", "Email2:LastVerbExecuted"]
            self.assertEqual(tags, expected[: 1 + (version >= 120) + (version >= 140)])

    def test_read(self) -> None:
        """Read is the letter S."""
        self.assertEqual(changed_properties(Mail(b"", "FS"), 25)[0].text, "1")
        self.assertEqual(changed_properties(Mail(b"", "F"), 25)[0].text, "0")

    def test_verbs(self) -> None:
        """LastVerbExecuted is 1 for an answered mail, 3 for a forwarded one, and left out for any other."""
        for state, expected in (("R", "1"), ("P", "3"), ("PR", "1"), ("", None)):
            self.assertEqual(made(b"", 140, state=state).text_of("Email2:LastVerbExecuted"), expected)


class SentFlagTests(SynchronousTestCase):
    def test_none(self) -> None:
        """A mail without a flag has an empty Flag."""
        self.assertEqual(sent(""), {})
        self.assertEqual(sent("S", {"flag": {"Status": "2", "FlagType": "x"}}), {})

    def test_active(self) -> None:
        """The letter F is an active flag, with the details that a device gave it."""
        self.assertEqual(sent("F"), {"Status": "2", "FlagType": "Flag for follow up"})
        kept = {"Status": "2", "FlagType": "Call", **SPAN, "ReminderSet": "0"}
        self.assertEqual(sent("F", {"flag": kept}), kept)

    def test_complete(self) -> None:
        """A complete flag is kept beside the letters."""
        kept = {"Status": "1", "FlagType": "Call", **COMPLETED}
        self.assertEqual(sent("S", {"flag": kept}), kept)

    def test_flaggedAgain(self) -> None:
        """A mail that another program flagged after it was complete has an active flag."""
        kept = {"Status": "1", "FlagType": "Call", **COMPLETED}
        self.assertEqual(sent("F", {"flag": kept}), {"Status": "2", "FlagType": "Call"})

    def test_oddExtra(self) -> None:
        """What was kept in another form does no harm."""
        for kept in (None, [], "x", {"Status": None}, {"Unknown": "x"}):
            self.assertEqual(sent("", {"flag": kept}), {})
        self.assertEqual(sent("F", {"flag": {"Unknown": "x", "Subject": 5}})["Subject"], "5")


class AmendReadTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Read sets or clears S and touches nothing else, whatever the state is."""
        for state in ("", "FS"):
            self.assertEqual(amended(Element("Email:Read", 1), state, {"flag": {}}), ("S", "", None))
            self.assertEqual(amended(Element("Email:Read", 0), state), ("", "S", None))

    def test_wrong(self) -> None:
        """Read that is neither 0 nor 1 cannot be kept."""
        for element in (Element("Email:Read"), Element("Email:Read", "2"), Element("Email:Read", flag())):
            self.assertRaises(ConversionError, amended, element)

    def test_others(self) -> None:
        """Elements that say nothing about a mail's marks are passed over."""
        unknown = (Element("Email:Subject", "x"), Element("Email:Categories"), Element("Contacts:FileAs", "x"))
        self.assertEqual(amendment(change(*unknown), "S", {}), ("", "", None))
        self.assertEqual(amendment(change(), "S", {}), ("", "", None))

    def test_readOnly(self) -> None:
        """ConversationId cannot be changed."""
        self.assertRaises(ConversionError, amended, Element("Email2:ConversationId", b"x" * 16))

    def test_draft(self) -> None:
        """A change of a draft's text is refused, for it would be lost; its marks can be changed."""
        self.assertRaises(ConversionError, amended, Element("Email:Subject", "x"), "D")
        self.assertEqual(amended(Element("Email:Read", 1), "D"), ("S", "", None))


class AmendFlagTests(SynchronousTestCase):
    def refuse(self, element: Element) -> None:
        """Fail unless the flag is refused."""
        self.assertRaises(ConversionError, amended, element)

    def test_active(self) -> None:
        """Status 2 sets F and keeps the details; other things that are kept stay."""
        given = {"Status": "2", "FlagType": "Call", **SPAN}
        self.assertEqual(amended(flag(**given), "", {"x": 1}), ("F", "", {"x": 1, "flag": given}))

    def test_complete(self) -> None:
        """Status 1 clears F and keeps that the flag is complete."""
        given = {"Status": "1", "FlagType": "Call", **COMPLETED}
        self.assertEqual(amended(flag(**given), "F"), ("", "F", {"flag": given}))

    def test_cleared(self) -> None:
        """Status 0 and an empty Flag clear F and what was kept."""
        kept = {"flag": {"Status": "1", **COMPLETED}, "x": 1}
        for element in (Element("Email:Flag"), flag(Status="0"), flag(Status="0", FlagType="x")):
            self.assertEqual(amended(element, "F", kept), ("", "F", {"x": 1}))
            self.assertEqual(amended(element, "F", {"x": 1}), ("", "F", None))

    def test_same(self) -> None:
        """A flag that is kept already leaves what is kept untouched."""
        given = {"Status": "2", "FlagType": "Call"}
        self.assertEqual(amended(flag(**given), "F", {"flag": given}), ("F", "", None))

    def test_withRead(self) -> None:
        """Read and Flag in one Change are both done."""
        both = change(Element("Email:Read", 1), flag(Status="2"))
        self.assertEqual(amendment(both, "", {}), ("SF", "", {"flag": {"Status": "2"}}))

    def test_roundTrip(self) -> None:
        """What a device set is what it gets, after it was stored as JSON."""
        given = {
            "Status": "2",
            "FlagType": "Call",
            "Subject": "grün",
            **SPAN,
            "ReminderSet": "1",
            "ReminderTime": SPAN["DueDate"],
            "OrdinalDate": SPAN["DueDate"],
            "SubOrdinalDate": "5555555",
        }
        add, _, extra = amended(flag(**given))
        self.assertEqual(sent(add, json.loads(json.dumps(extra))), given)

    def test_status(self) -> None:
        """A Flag that is not empty needs a Status of 0, 1 or 2."""
        for element in (flag(FlagType="Call"), flag(Status="3"), flag(Status=""), flag(Status="x", **COMPLETED)):
            self.refuse(element)

    def test_completeTimes(self) -> None:
        """A complete flag needs CompleteTime and DateCompleted."""
        for name in COMPLETED:
            self.refuse(flag(Status="1", **{name: COMPLETED[name]}))
        self.refuse(flag(Status="1"))
        self.refuse(flag(Status="1", CompleteTime="", DateCompleted=""))

    def test_completionOfActive(self) -> None:
        """An active flag keeps no times of completion."""
        self.assertEqual(amended(flag(Status="2", **COMPLETED))[2], {"flag": {"Status": "2"}})

    def test_fourDates(self) -> None:
        """Start and due date come all four or not at all."""
        for name in SPAN:
            self.refuse(flag(Status="2", **{other: text for other, text in SPAN.items() if other != name}))
            self.refuse(flag(Status="2", **{name: SPAN[name]}))

    def test_order(self) -> None:
        """The start is not after the due date, in local time and in UTC; the same moment is allowed."""
        late = "2025-01-01T00:00:00.000Z"
        self.refuse(flag(Status="2", **{**SPAN, "StartDate": late}))
        self.refuse(flag(Status="2", **{**SPAN, "UtcStartDate": late}))
        self.assertEqual(amended(flag(Status="2", **dict.fromkeys(SPAN, late)))[0], "F")

    def test_reminder(self) -> None:
        """A reminder that is set needs its time."""
        self.refuse(flag(Status="2", ReminderSet="1"))
        self.refuse(flag(Status="2", ReminderSet="2"))
        self.assertEqual(amended(flag(Status="2", ReminderSet="0"))[0], "F")

    def test_dates(self) -> None:
        """A date that is no dateTime cannot be kept."""
        for text in ("x", "2024-05-01", "20240501T080000Z", "2024-13-01T00:00:00.000Z", "2024-05-01T00:00:00.000"):
            self.refuse(flag(Status="2", **{**SPAN, "DueDate": text}))
            self.refuse(flag(Status="2", OrdinalDate=text))
        self.assertEqual(amended(flag(Status="2", OrdinalDate="2024-05-01T00:00:00Z"))[0], "F")

    def test_bounded(self) -> None:
        """Texts of a flag are short, stand once, and hold no elements."""
        self.refuse(flag(Status="2", Subject="x" * 2000))
        self.refuse(Element("Email:Flag", Element("Email:Status", "2"), Element("Email:Status", "2")))
        self.refuse(Element("Email:Flag", Element("Email:Status", "2"), Element("Email:FlagType", flag())))

    def test_unknownChildren(self) -> None:
        """Children that no flag has are passed over."""
        unknown = Element("Email:Flag", Element("Email:Status", "2"), Element("Tasks:Complete", "1"))
        self.assertEqual(amended(unknown)[2], {"flag": {"Status": "2"}})
