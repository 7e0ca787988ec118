"""The contract of L{IAbsences}."""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from gateway.absence import Absence, Audience, Away, Reply
from gateway.interfaces import IAbsences
from gateway.store import absences
from tests.contract.store import NOW, StoreCase

REPLIES = {Audience.INTERNAL: Reply(True, "Weg, grüßend, bis Mai", "<b>Weg</b>"), Audience.UNKNOWN: Reply(False, "no")}
TIMED = Absence(Away.TIMED, NOW, NOW + 100, REPLIES)


class AbsencesContract(StoreCase):
    """Who is away."""

    def keep(self, absence: Absence, user: str = "ann") -> Absence:
        kept = self.result(self.store.absences.keep_absence(user, absence))
        assert isinstance(kept, Absence)
        return kept

    def first(self, period: int, sender: str, user: str = "ann") -> bool:
        return bool(self.result(self.store.absences.first_answer(user, period, sender)))

    def test_interface(self) -> None:
        """The store provides L{IAbsences}."""
        self.assertTrue(verifyObject(IAbsences, self.store.absences))

    def test_nobody(self) -> None:
        """Who never said so is not away, and nobody is answered."""
        self.assertEqual(self.result(self.store.absences.absence("ann")), Absence())
        self.assertFalse(self.first(0, "bob@example.org"))

    def test_kept(self) -> None:
        """All that is kept comes back, after a kill too, for each user apart."""
        kept = self.keep(TIMED)
        self.store = self.restart()
        self.assertEqual(kept, evolve(TIMED, period=1))
        self.assertEqual(self.result(self.store.absences.absence("ann")), kept)
        self.assertEqual(self.result(self.store.absences.absence("bob")), Absence())

    def test_periods(self) -> None:
        """Going away begins a period, and so do other times; other words do not, nor does coming back."""
        periods = [
            self.keep(absence).period
            for absence in (
                Absence(Away.OFF, replies=REPLIES),
                Absence(Away.ON),
                Absence(Away.ON, replies=REPLIES),
                Absence(Away.OFF),
                Absence(Away.ON),
                TIMED,
                TIMED,
                evolve(TIMED, end=NOW + 200),
            )
        ]
        self.assertEqual(periods, [0, 1, 1, 1, 2, 3, 3, 4])

    def test_once(self) -> None:
        """Everybody is answered once in a period, in whatever case an address is written, after a kill too."""
        period = self.keep(Absence(Away.ON)).period
        self.assertTrue(self.first(period, "Bob@example.org"))
        self.store = self.restart()
        self.assertFalse(self.first(period, "bob@EXAMPLE.org"))
        self.assertTrue(self.first(period, "cyd@example.org"))

    def test_nextPeriod(self) -> None:
        """In the next period everybody is answered again, and nobody any more in the one before."""
        before = self.keep(Absence(Away.ON)).period
        self.assertTrue(self.first(before, "bob@example.org"))
        now = self.keep(TIMED).period
        self.assertFalse(self.first(before, "cyd@example.org"))
        self.assertTrue(self.first(now, "bob@example.org"))

    def test_usersApart(self) -> None:
        """Who was answered by one user is answered by another."""
        for user in ("ann", "bob"):
            self.assertTrue(self.first(self.keep(Absence(Away.ON), user).period, "cyd@example.org", user))

    def test_bounded(self) -> None:
        """In one period a bounded number of people is answered; in the next one, others are."""
        period = self.keep(Absence(Away.ON)).period
        nearly = f"UPDATE absence SET answers = {absences.MOST_ANSWERS - 1}"
        self.store.database.writing(False, lambda connection: connection.exec_driver_sql(nearly))
        self.assertEqual([self.first(period, f"{name}@example.org") for name in "ab"], [True, False])
        period = self.keep(TIMED).period
        self.assertTrue(self.first(period, "b@example.org"))

    def test_anyText(self) -> None:
        """Whatever a client writes can be kept; what is no text is left out."""
        reply = Reply(True, "a\0b\ud800")
        self.keep(Absence(Away.ON, replies={Audience.KNOWN: reply}))
        self.assertEqual(self.result(self.store.absences.absence("ann")).reply(Audience.KNOWN).text, "ab?")
        self.assertTrue(self.first(1, "\ud800@\0example.org"))
