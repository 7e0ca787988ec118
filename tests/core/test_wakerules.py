"""What may wake a device, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from gateway.core.wakerules import Folders, Hours, UserRule, WakeFolders, WakeRules, day_bounds, quiet_until
from gateway.model import Folder, FolderType

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Hours(22 * 60, 7 * 60)
HOUR = 3600


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> int:
    """The seconds since the epoch of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp())


def folder(path: str, name: str, type: FolderType = FolderType.USER_MAIL) -> Folder:
    """A folder of ann's."""
    return Folder(1, "ann", path, name, type)


INBOX = folder("", "Inbox", FolderType.INBOX)
SENT = folder(".Sent", "Sent Items", FolderType.SENT)
JUNK = folder(".Spam", "Junk E-mail")
ARCHIVE = folder(".Archive.2024", "2024")


class FolderTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Mail wakes a device, but not junk, deleted mail, drafts and what the user has sent."""
        rule = WakeFolders()
        deleted = folder(".Trash", "Deleted Items", FolderType.DELETED)
        drafts = folder(".Drafts", "Drafts", FolderType.DRAFTS)
        woken = [rule.may_wake(each) for each in (INBOX, ARCHIVE, JUNK, SENT, deleted, drafts)]
        self.assertEqual(woken, [True, True, False, False, False, False])

    def test_belowNever(self) -> None:
        """What lies below a folder that wakes nobody wakes nobody, by whatever name the folder goes."""
        rule = WakeFolders()
        for path in (".Junk.old", ".Spam.old", ".Trash.2024.May", ".Junk E-mail.x"):
            self.assertFalse(rule.may_wake(folder(path, "old")), path)
        self.assertTrue(rule.may_wake(folder(".Junkyard", "Junkyard")))

    def test_classes(self) -> None:
        """Only folders of the classes wake a device; tasks and notes do not unless they are among them."""
        calendar, tasks = (folder(".c", "c", FolderType.CALENDAR), folder(".t", "t", FolderType.USER_TASKS))
        self.assertEqual([WakeFolders().may_wake(each) for each in (calendar, tasks)], [True, False])
        mail = WakeFolders(classes=frozenset({"Tasks"}))
        self.assertEqual([mail.may_wake(each) for each in (INBOX, calendar, tasks)], [False, False, True])

    def test_only(self) -> None:
        """With folders named, the others wake nobody; a name is what is shown, or the path."""
        rule = WakeFolders(only=Folders(("inbox", "Archive/2024")))
        self.assertEqual([rule.may_wake(each) for each in (INBOX, ARCHIVE)], [True, True])
        self.assertFalse(rule.may_wake(folder(".Archive", "Archive")))
        self.assertTrue(rule.may_wake(folder(".Archive.2024.May", "May")))
        self.assertTrue(WakeFolders(only=Folders(("2024",))).may_wake(ARCHIVE))

    def test_neverBeforeOnly(self) -> None:
        """A folder that is named both ways wakes nobody."""
        rule = WakeFolders(only=Folders(("Junk", "Inbox")))
        self.assertEqual([rule.may_wake(each) for each in (INBOX, JUNK)], [True, False])

    def test_sentNever(self) -> None:
        """The copies of what the user has sent never wake a device, whatever the rule says."""
        self.assertFalse(WakeFolders(never=Folders(), only=Folders(("Sent",))).may_wake(SENT))
        self.assertTrue(WakeFolders(never=Folders()).may_wake(JUNK))

    def test_ofUser(self) -> None:
        """A user has the rule that is made for it, and everybody else the common one."""
        own, common = UserRule(zone=BERLIN), UserRule()
        rules = WakeRules(common, {"ann": own})
        self.assertIs(rules.of("ann"), own)
        self.assertIs(rules.of("bob"), common)


class QuietTests(SynchronousTestCase):
    def test_overMidnight(self) -> None:
        """Quiet hours over midnight hold before and after it, and end in the morning."""
        for now in ("2024-05-01T22:00", "2024-05-01T23:59:59", "2024-05-02T00:00", "2024-05-02T06:59:59"):
            self.assertEqual(quiet_until(at(now), (NIGHT,), BERLIN), at("2024-05-02T07:00"), now)
        for now in ("2024-05-01T21:59:59", "2024-05-02T07:00", "2024-05-02T12:00"):
            self.assertEqual(quiet_until(at(now), (NIGHT,), BERLIN), 0, now)

    def test_none(self) -> None:
        """Without quiet hours none hold."""
        self.assertEqual(quiet_until(at("2024-05-01T23:00"), (), BERLIN), 0)

    def test_withinADay(self) -> None:
        """Quiet hours may lie within a day, and end at midnight."""
        noon, evening = Hours(12 * 60, 13 * 60), Hours(20 * 60, 24 * 60)
        self.assertEqual(quiet_until(at("2024-05-01T12:30"), (noon, evening), BERLIN), at("2024-05-01T13:00"))
        self.assertEqual(quiet_until(at("2024-05-01T21:00"), (noon, evening), BERLIN), at("2024-05-02T00:00"))

    def test_chained(self) -> None:
        """Hours that follow one another, or overlap, end together."""
        hours = (Hours(6 * 60, 9 * 60), NIGHT, Hours(9 * 60, 10 * 60))
        self.assertEqual(quiet_until(at("2024-05-01T23:00"), hours, BERLIN), at("2024-05-02T10:00"))

    def test_wholeDay(self) -> None:
        """Hours that leave no time out still end at a time."""
        hours = (Hours(0, 720), Hours(720, 1440))
        self.assertGreater(quiet_until(at("2024-05-01T23:00"), hours, BERLIN), at("2024-05-02T00:00") - 1)

    def test_zone(self) -> None:
        """The hours are those of the zone."""
        tokyo = ZoneInfo("Asia/Tokyo")
        now = at("2024-05-01T23:00", tokyo)
        self.assertEqual(quiet_until(now, (NIGHT,), tokyo), at("2024-05-02T07:00", tokyo))
        self.assertEqual(quiet_until(now, (NIGHT,), BERLIN), 0)

    def test_clockPutForward(self) -> None:
        """In the night in which an hour is left out the quiet hours are an hour shorter."""
        now, end = at("2024-03-30T22:00"), at("2024-03-31T07:00")
        self.assertEqual(quiet_until(now, (NIGHT,), BERLIN), end)
        self.assertEqual(end - now, 8 * HOUR)
        # 02:30 is not on any clock that night.
        self.assertEqual(quiet_until(at("2024-03-31T01:00"), (Hours(0, 150),), BERLIN), at("2024-03-31T03:30"))

    def test_clockPutBack(self) -> None:
        """In the night in which an hour comes twice they are an hour longer, and end the second time."""
        now, end = at("2024-10-26T22:00"), at("2024-10-27T07:00")
        self.assertEqual(quiet_until(now, (NIGHT,), BERLIN), end)
        self.assertEqual(end - now, 10 * HOUR)
        early = Hours(0, 150)
        last = at("2024-10-27T02:30", fold=1)
        for fold in (0, 1):
            self.assertEqual(quiet_until(at("2024-10-27T02:15", fold=fold), (early,), BERLIN), last)
        self.assertEqual(quiet_until(last, (early,), BERLIN), 0)

    def test_ofTheMachine(self) -> None:
        """Without a zone the hours are those of the machine."""
        now = int(datetime(2024, 5, 1, 23, 0).timestamp())
        self.assertEqual(quiet_until(now, (NIGHT,)), int(datetime(2024, 5, 2, 7, 0).timestamp()))


class DayTests(SynchronousTestCase):
    def test_day(self) -> None:
        """A day is from midnight to midnight in its zone, also where it has 23 or 25 hours."""
        for day, next_day, hours in (
            ("2024-05-01", "2024-05-02", 24),
            ("2024-03-31", "2024-04-01", 23),
            ("2024-10-27", "2024-10-28", 25),
        ):
            bounds = (at(f"{day}T00:00"), at(f"{next_day}T00:00"))
            for now in (bounds[0], bounds[1] - 1, at(f"{day}T12:00")):
                self.assertEqual(day_bounds(now, BERLIN), bounds)
            self.assertEqual(bounds[1] - bounds[0], hours * HOUR)

    def test_universal(self) -> None:
        """Any zone will do."""
        self.assertEqual(day_bounds(86400 * 3 + 5, UTC), (86400 * 3, 86400 * 4))
