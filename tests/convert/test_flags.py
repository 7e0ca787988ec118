"""The follow-up flag, both ways."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gateway.convert.message import ConversionError, Mail, amendment, changed_properties
from gateway.element import Element
from tests.convert.samples import shown

COMPLETED = {"CompleteTime": "2024-05-02T08:00:00.000Z", "DateCompleted": "2024-05-02T10:00:00.000Z"}
SPAN = {
    "StartDate": "2024-05-01T00:00:00.000Z",
    "DueDate": "2024-05-03T00:00:00.000Z",
    "UtcStartDate": "2024-04-30T22:00:00.000Z",
    "UtcDueDate": "2024-05-02T22:00:00.000Z",
}
EMAIL = ("Status", "FlagType", "CompleteTime")
ACTIVE = {"Status": "2", "FlagType": "Call"}


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
        both = change(Element("Email:Read", 1), flag(**ACTIVE))
        self.assertEqual(amendment(both, "", {}), ("SF", "", {"flag": ACTIVE}))

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
        """A Flag that is not empty needs a Status of 0, 1 or 2, and an active one FlagType."""
        for element in (flag(FlagType="Call"), flag(Status="3"), flag(Status=""), flag(Status="x", **COMPLETED)):
            self.refuse(element)
        self.refuse(flag(Status="2"))
        self.refuse(flag(Status="2", FlagType="", **SPAN))

    def test_completeTimes(self) -> None:
        """A complete flag needs CompleteTime and DateCompleted."""
        for name in COMPLETED:
            self.refuse(flag(Status="1", **{name: COMPLETED[name]}))
        self.refuse(flag(Status="1"))
        self.refuse(flag(Status="1", CompleteTime="", DateCompleted=""))

    def test_completionOfActive(self) -> None:
        """An active flag keeps no times of completion."""
        self.assertEqual(amended(flag(**ACTIVE, **COMPLETED))[2], {"flag": ACTIVE})

    def test_fourDates(self) -> None:
        """Start and due date come all four or not at all."""
        for name in SPAN:
            self.refuse(flag(**ACTIVE, **{other: text for other, text in SPAN.items() if other != name}))
            self.refuse(flag(**ACTIVE, **{name: SPAN[name]}))

    def test_order(self) -> None:
        """The start is not after the due date, in local time and in UTC; the same moment is allowed."""
        late = "2025-01-01T00:00:00.000Z"
        self.refuse(flag(**ACTIVE, **{**SPAN, "StartDate": late}))
        self.refuse(flag(**ACTIVE, **{**SPAN, "UtcStartDate": late}))
        self.assertEqual(amended(flag(**ACTIVE, **dict.fromkeys(SPAN, late)))[0], "F")

    def test_reminder(self) -> None:
        """A reminder that is set needs its time."""
        self.refuse(flag(**ACTIVE, ReminderSet="1"))
        self.refuse(flag(**ACTIVE, ReminderSet="2"))
        self.assertEqual(amended(flag(**ACTIVE, ReminderSet="0"))[0], "F")

    def test_dates(self) -> None:
        """A date that is no dateTime cannot be kept."""
        for text in ("x", "2024-05-01", "20240501T080000Z", "2024-13-01T00:00:00.000Z", "2024-05-01T00:00:00.000"):
            self.refuse(flag(**ACTIVE, **{**SPAN, "DueDate": text}))
            self.refuse(flag(**ACTIVE, OrdinalDate=text))
        for text in ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.999-01:00", "2024-05-01T00:00:00+99:00"):
            self.refuse(flag(**ACTIVE, OrdinalDate=text))

    def test_forms(self) -> None:
        """A date is kept in UTC with milliseconds, however exact it is and in whatever zone."""
        for text in (
            "2024-05-01T06:00:00Z",
            "2024-05-01T06:00:00.000Z",
            "2024-05-01T06:00:00.0001234Z",
            "2024-05-01T08:00:00+02:00",
            "2024-05-01T00:30:00.000000009-05:30",
        ):
            _, _, extra = amended(flag(**ACTIVE, OrdinalDate=text))
            self.assertEqual(extra, {"flag": {**ACTIVE, "OrdinalDate": "2024-05-01T06:00:00.000Z"}})

    def test_bounded(self) -> None:
        """Texts of a flag are short, and hold no elements."""
        self.refuse(flag(**ACTIVE, Subject="x" * 2000))
        self.refuse(Element("Email:Flag", Element("Email:Status", "2"), Element("Email:FlagType", flag())))

    def test_twice(self) -> None:
        """Of a child that stands twice the last one counts."""
        twice = Element("Email:Flag", Element("Email:Status", "1"), *flag(**ACTIVE).children)
        self.assertEqual(amended(twice), ("F", "", {"flag": ACTIVE}))

    def test_unknownChildren(self) -> None:
        """Children that no flag has are passed over."""
        unknown = Element("Email:Flag", *flag(**ACTIVE).children, Element("Tasks:Complete", "1"))
        self.assertEqual(amended(unknown)[2], {"flag": ACTIVE})
