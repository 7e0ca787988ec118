"""What the protocol's owner asks of marks that clients change, in its interoperability suites ([MS-ASEMAIL] 3.2.5)."""

from __future__ import annotations

from gateway.element import Element
from tests.eas.interop import (
    MAIL,
    SINCE_14,
    VERSIONS,
    Client,
    InteropCase,
    air,
    change,
    data,
    email,
    name_of,
    names,
    only,
    responses,
    server_commands,
    status,
)

HELLO = MAIL.format("Hello", "Hi.")
EARLY, LATE = "2024-05-01T08:00:00.000Z", "2024-05-21T08:00:00.000Z"


def task(name: str, text: str | int) -> Element:
    """An element of Tasks, as a Flag has them."""
    return Element(f"Tasks:{name}", text)


SPAN = (task("StartDate", EARLY), task("UtcStartDate", EARLY), task("DueDate", LATE), task("UtcDueDate", LATE))
DONE = (email("CompleteTime", EARLY), task("DateCompleted", EARLY))
ACTIVE = (email("Status", 2), email("FlagType", "for Follow Up"))


def flag(*children: Element) -> Element:
    """A Flag."""
    return email("Flag", *children)


def categories(*names: str) -> Element:
    """Categories with these names."""
    return email("Categories", *(email("Category", name) for name in names))


class MarksCase(InteropCase):
    """One mail, whose marks a phone changes."""

    server_id: str

    def begin(self, phone: Client, inbox: int) -> None:
        """Have the mail on the phone."""
        (command,) = server_commands(phone.begin(inbox))
        self.server_id = name_of(command)

    def amend(self, phone: Client, inbox: int, *properties: Element) -> Element | None:
        """Change the mail; the answer."""
        answer = phone.sync(inbox, air("Commands", change(self.server_id, *properties)))
        self.assertEqual(status(answer), "1")
        return answer

    def told(self, phone: Client, inbox: int, *properties: Element) -> Element:
        """What the phone is told of its Change if it asks with the key from before, as if it had lost the answer."""
        before = phone.keys[inbox]
        self.assertEqual(responses(self.amend(phone, inbox, *properties)), "")
        return only(phone.sync(inbox, key=before), "Change")

    def assertRefused(self, phone: Client, inbox: int, *properties: Element) -> None:
        """Fail unless the Change gets Status 6."""
        answer = self.amend(phone, inbox, *properties)
        self.assertEqual(responses(answer), f"Responses(Change(ServerId={self.server_id} Status=6))", properties)


class ChangeTests(MarksCase):
    """What a Change tells and takes."""

    def test_onlyWhatHasChanged(self) -> None:
        """A Change has what has changed of Read, Flag and Categories, and nothing else (3.2.5.4.1)."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            for number, expected in enumerate(
                (
                    "Read",
                    "Flag",
                    "Categories",
                    "Flag Read",
                    "Categories Flag",
                    "Categories Read",
                    "Categories Flag Read",
                )
            ):
                marks = {
                    "Read": email("Read", int(number in (0, 5))),
                    "Flag": flag(email("Status", 2), email("FlagType", f"type {number}")),
                    "Categories": categories(f"category {number}"),
                }
                found = self.told(phone, inbox, *(marks[name] for name in expected.split()))
                self.assertEqual(" ".join(sorted(names(found))), expected)

        self.each(SINCE_14, check, HELLO)

    def test_nothing(self) -> None:
        """What the phone has changed itself is not told to it."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            self.amend(phone, inbox, email("Read", 1), flag(*ACTIVE))
            self.assertIsNone(phone.sync(inbox))

        self.each(VERSIONS, check, HELLO)

    def test_unknownToTheVersion(self) -> None:
        """Categories are not told before 14.0, not even that they have changed (2.2.2.13)."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            other = Client(phone.world, version="14.1", device="device2")
            self.made.append(other)
            self.begin(other, inbox)
            self.amend(other, inbox, categories("red"))
            self.assertEqual(server_commands(phone.sync(inbox), "Change"), [])
            self.amend(other, inbox, categories("blue"), email("Read", 1))
            self.assertEqual(names(only(phone.sync(inbox), "Change")), ["Read"])

        self.each(("2.5", "12.1"), check, HELLO)

    def test_categories(self) -> None:
        """Categories that are absent stay, and an empty one removes them (2.2.2.13)."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            self.assertEqual(self.told(phone, inbox, categories("a", "b")).children, [categories("a", "b")])
            self.amend(phone, inbox, email("Read", 1))
            self.assertEqual(only(phone.begin(inbox)).child("Email:Categories"), categories("a", "b"))
            self.assertEqual(self.told(phone, inbox, categories()).children, [categories()])
            self.assertEqual(only(phone.begin(inbox)).child("Email:Categories"), categories())

        self.each(SINCE_14, check, HELLO)

    def test_wrongRead(self) -> None:
        """Read that is no boolean is Status 6 ([MS-ASCMD] 2.2.3.177.17)."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            self.assertRefused(phone, inbox, email("Read", "yes"))

        self.each(VERSIONS, check, HELLO)

    def test_ofTheServer(self) -> None:
        """What only the server sets is Status 6 (2.2.2.17, 2.2.2.60, 2.2.2.69, 2.2.2.83, 2.2.2.84), whatever mail is
        meant (S02 TC02 and 03)."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            for server_id in (self.server_id, str(inbox)):
                self.server_id = server_id
                for name in ("Sender", "ReceivedAsBcc", "UmCallerID", "UmUserNotes"):
                    self.assertRefused(phone, inbox, Element(f"Email2:{name}", "1"))
                self.assertRefused(phone, inbox, Element("Email2:ConversationId", b"x" * 16))

        self.each(SINCE_14, check, HELLO)

    def test_two(self) -> None:
        """Marks of all mails of a conversation are changed with one request ([MS-ASCON] 3.1.5.2)."""

        def check(phone: Client, inbox: int) -> None:
            ids = [name_of(command) for command in server_commands(phone.begin(inbox))]
            for read in ("1", "0"):
                phone.sync(inbox, air("Commands", *(change(id, email("Read", read), flag()) for id in ids)))
                mails = [data(command) for command in server_commands(phone.begin(inbox))]
                self.assertEqual([mail.text_of("Email:Read") for mail in mails], [read, read])

        self.each(VERSIONS, check, HELLO, HELLO)


class FlagTests(MarksCase):
    """Follow-up flags (3.2.5.3.2)."""

    def flagged(self, phone: Client, inbox: int, *children: Element) -> dict[str, str]:
        """The children of the Flag that is told after a Change to it."""
        found = self.told(phone, inbox, flag(*children)).child("Email:Flag")
        assert found is not None
        return {child.name: child.text for child in found}

    def test_everything(self) -> None:
        """All that a Flag can have is kept (2.2.2.34)."""
        more = (
            task("Subject", "s"),
            *SPAN,
            task("OrdinalDate", EARLY),
            task("ReminderSet", 1),
            task("ReminderTime", LATE),
            task("SubOrdinalDate", "x"),
        )

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            found = self.flagged(phone, inbox, *ACTIVE, *more)
            self.assertEqual(found, {child.name: child.text for child in (*ACTIVE, *more)})

        self.each(VERSIONS, check, HELLO)

    def test_complete(self) -> None:
        """A complete flag needs CompleteTime and DateCompleted, and no FlagType."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            found = self.flagged(phone, inbox, email("Status", 1), *DONE)
            self.assertEqual((found["Status"], found["CompleteTime"], found["DateCompleted"]), ("1", EARLY, EARLY))
            for missing in (0, 1):
                self.assertRefused(phone, inbox, flag(email("Status", 1), DONE[missing]))

        self.each(VERSIONS, check, HELLO)

    def test_cleared(self) -> None:
        """An empty Flag and Status 0 clear it; then an empty Flag is told."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            for form in ([], [email("Status", 0)]):
                self.amend(phone, inbox, flag(*ACTIVE, *SPAN))
                self.assertEqual(self.flagged(phone, inbox, *form), {})

        self.each(VERSIONS, check, HELLO)

    def test_replaced(self) -> None:
        """A Flag replaces the one before."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            self.amend(phone, inbox, flag(email("Status", 2), email("FlagType", "Flag for follow up"), *SPAN))
            found = self.flagged(phone, inbox, *ACTIVE)
            self.assertEqual(found, {"Status": "2", "FlagType": "for Follow Up"})

        self.each(VERSIONS, check, HELLO)

    def test_refused(self) -> None:
        """What is incomplete or contradicts itself is Status 6 (2.2.2.31, 2.2.2.72, 2.2.2.74, 3.2.5.3.2)."""
        start, utc_start, due, utc_due = SPAN

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            for wrong in (
                (email("Status", 2),),
                (email("Status", 3), ACTIVE[1], *DONE),
                (*ACTIVE, start, due),
                (*ACTIVE, utc_start, due, utc_due),
                (*ACTIVE, task("StartDate", LATE), utc_start, task("DueDate", EARLY), utc_due),
                (*ACTIVE, start, task("UtcStartDate", LATE), due, task("UtcDueDate", EARLY)),
                (*ACTIVE, task("ReminderSet", 1)),
            ):
                self.assertRefused(phone, inbox, flag(*wrong))

        self.each(VERSIONS, check, HELLO)

    def test_twice(self) -> None:
        """A child that is there twice is no error (2.2.2.31, 2.2.2.74, 2.2.2.86)."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            rest = (*ACTIVE, *SPAN, task("OrdinalDate", EARLY), task("ReminderTime", LATE))
            for first in (
                email("Status", 1),
                task("DueDate", EARLY),
                task("OrdinalDate", LATE),
                task("ReminderTime", EARLY),
            ):
                self.assertEqual(responses(self.amend(phone, inbox, flag(first, *rest))), "")

        self.each(VERSIONS, check, HELLO)

    def test_zones(self) -> None:
        """A date may be more exact than we keep it, and in another zone ([MS-ASDTYPE] 2.3)."""

        def check(phone: Client, inbox: int) -> None:
            self.begin(phone, inbox)
            found = self.flagged(phone, inbox, *ACTIVE, task("OrdinalDate", "2024-05-01T10:00:00.0001234+02:00"))
            self.assertEqual(found["OrdinalDate"], EARLY)

        self.each(("14.1",), check, HELLO)
