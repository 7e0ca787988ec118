"""The doctor names the first broken hop."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.doctor import Bind, Certificate, Facts, Finding, Health, examine, first_broken, names_fit, span
from gateway.model import Mode

NOW = 1_800_000_000.0
DAY = 86400.0
WELL = Facts(
    user="ann",
    now=NOW,
    server_name="mail.example",
    certificate=Certificate(("mail.example",), NOW - DAY, NOW + 90 * DAY),
    device={"last_sync": NOW - 60, "folders": [[5, "Email"]], "parked_seconds": 30, "last_ping": NOW - 30},
    mode=Mode.BOTH,
    line={"expires": NOW + DAY},
    route="smpp:acme",
    binds=(Bind("smpp:acme", True),),
    receipt="DELIVRD",
)


def ill(**facts: Any) -> Finding | None:
    """What the doctor finds when these facts are otherwise than well."""
    return first_broken(examine(evolve(WELL, **facts)))


class DoctorTests(SynchronousTestCase):
    def assertBroken(self, hop: str, word: str, **facts: Any) -> None:
        """The first broken hop is that one; its text has that word, and there is a remedy."""
        found = ill(**facts)
        assert found is not None
        self.assertEqual(found.hop, hop)
        self.assertIn(word, found.text)
        self.assertTrue(found.remedy)

    def test_well(self) -> None:
        """In a whole chain nothing is broken, and every hop is named once."""
        findings = examine(WELL)
        self.assertEqual({finding.health for finding in findings}, {Health.GOOD})
        hops = [finding.hop for finding in findings]
        self.assertEqual(len(hops), len(set(hops)))
        self.assertEqual(hops[0], "gateway")
        self.assertEqual(hops[-1], "delivery")

    def test_wrongName(self) -> None:
        """A certificate for another name is named, with the names it has."""
        self.assertBroken(
            "certificate", "other.example", certificate=Certificate(("other.example",), 0, NOW + DAY * 90)
        )

    def test_expiredCertificate(self) -> None:
        """A certificate that has ended is named."""
        self.assertBroken("certificate", "ended", certificate=Certificate(("mail.example",), 0, NOW - DAY))

    def test_futureCertificate(self) -> None:
        """A certificate that does not hold yet is named."""
        self.assertBroken("certificate", "not hold yet", certificate=Certificate(("mail.example",), NOW + DAY, NOW * 2))

    def test_certificateEndsSoon(self) -> None:
        """A certificate that ends soon is worth a note, and nothing is broken."""
        soon = examine(evolve(WELL, certificate=Certificate(("mail.example",), 0, NOW + DAY)))
        self.assertIsNone(first_broken(soon))
        self.assertEqual([one.hop for one in soon if one.health is Health.NOTE], ["certificate"])

    def test_portClosed(self) -> None:
        """A port that does not answer is named before what is behind it."""
        self.assertBroken("listener", "cannot be reached", probe="connection refused", certificate=None, cuts=(1, 1, 1))

    def test_notListening(self) -> None:
        """A gateway without an HTTPS listener is named."""
        self.assertBroken("listener", "nothing listens", listening=False)

    def test_notRunning(self) -> None:
        """Without a gateway that is all there is to say."""
        findings = examine(evolve(WELL, running=False))
        self.assertEqual([finding.hop for finding in findings], ["gateway"])
        self.assertBroken("gateway", "no gateway", running=False)

    def test_wrongPasswordAtTheOperator(self) -> None:
        """An operator that does not let us in is named with its own words."""
        bind = Bind("smpp:acme", False, "ESME_RINVPASWD", refused=True)
        self.assertBroken("operator", "ESME_RINVPASWD", binds=(bind,))

    def test_relayRefuses(self) -> None:
        """So is an SMTP gateway."""
        bind = Bind("smtp:acme", False, "535 5.7.8", refused=True)
        self.assertBroken("operator", "535", binds=(bind,), route="smtp:acme")

    def test_operatorDown(self) -> None:
        """An operator that cannot be reached is named."""
        self.assertBroken("operator", "timed out", binds=(Bind("smpp:acme", False, "timed out"),))

    def test_otherOperatorsDoNotMatter(self) -> None:
        """Trouble of an operator that has nothing to do with the device is not named."""
        other = Bind("smpp:other", False, "ESME_RINVPASWD", refused=True)
        self.assertIsNone(ill(binds=(other, *WELL.binds)))

    def test_throttled(self) -> None:
        """An operator that takes less than we want is named."""
        self.assertBroken("operator", "throttled", binds=(Bind("smpp:acme", True, throttled=True),))

    def test_numberRefused(self) -> None:
        """A number that the operator does not take is named."""
        self.assertBroken("delivery", "RINVDSTADR", refusal="ESME_RINVDSTADR")

    def test_leaseLapsed(self) -> None:
        """A lease that lapsed is named, with since when."""
        self.assertBroken("line", "3 days ago", line={"expires": NOW - 3 * DAY})

    def test_noLine(self) -> None:
        """A device that only an SMS may wake, without a number, is named."""
        self.assertBroken("line", "no number", mode=Mode.SMS, line=None)

    def test_noOperatorForTheNumber(self) -> None:
        """A number that no operator takes is named."""
        self.assertBroken("line", "no operator", route="")

    def test_modeOff(self) -> None:
        """A mode that tells of nothing is named, with where it comes from."""
        self.assertBroken("mode", "group staff", mode=Mode.OFF, mode_from="group staff")

    def test_switchedOff(self) -> None:
        """A mechanism that is switched off for everybody is named."""
        self.assertBroken("mode", "switched off", mode=Mode.DIRECT_PUSH, push_enabled=False)
        self.assertBroken("mode", "switched off", mode=Mode.SMS, sms_enabled=False)

    def test_folderNotWatched(self) -> None:
        """A device that watches what is not there any more is named."""
        self.assertBroken("watched folders", "17", missing=("17",))

    def test_neverPinged(self) -> None:
        """A phone that was never set to push is named."""
        self.assertBroken("watched folders", "never", device={"last_sync": NOW, "folders": []})

    def test_inotifyLimit(self) -> None:
        """A kernel limit that is reached is named with its sysctl."""
        self.assertBroken("folder watch", "8192", unwatched=12, watch_limit=8192)
        found = ill(unwatched=12, watch_limit=8192)
        assert found is not None
        self.assertIn("fs.inotify.max_user_watches", found.remedy)

    def test_firewallCuts(self) -> None:
        """Three connections in a row that died alike are a firewall."""
        self.assertBroken("parked requests", "4 minutes", cuts=(241.0, 240.0, 240.0))
        self.assertIsNone(ill(cuts=(241.0, 240.0)))

    def test_queueStuck(self) -> None:
        """Letters that wait for long are named."""
        self.assertBroken("queue", "30 minutes", waiting={"smpp:acme": 1800.0})

    def test_storeReadOnly(self) -> None:
        """A database that takes no changes is named with its own words."""
        self.assertBroken("store", "readonly", store="attempt to write a readonly database")

    def test_clockSetBack(self) -> None:
        """A clock that is behind what was written with it is named."""
        self.assertBroken("clock", "2 hours", newest=NOW + 7200)

    def test_noAccount(self) -> None:
        """A user without an enabled account is named."""
        self.assertBroken("credentials", "ann", account=False)

    def test_neverCame(self) -> None:
        """A device that never came is named, with those that did."""
        self.assertBroken("device", "phone2", device=None, devices=("phone2",))

    def test_neverSynchronised(self) -> None:
        """A device that came but never synchronised is named."""
        self.assertBroken("device", "never synchronised", device={"last_sync": 0, "folders": []})

    def test_noSyncAfterTheSms(self) -> None:
        """An SMS that was delivered and not obeyed is named."""
        self.assertBroken("delivery", "no sync followed", late=700.0)

    def test_onlyTheModesChain(self) -> None:
        """In mode direct-push nothing is said of numbers, in mode sms nothing of parked requests."""
        push = {one.hop for one in examine(evolve(WELL, mode=Mode.DIRECT_PUSH))}
        sms = {one.hop for one in examine(evolve(WELL, mode=Mode.SMS))}
        self.assertFalse(push & {"line", "operator", "queue", "delivery"})
        self.assertFalse(sms & {"parked requests", "watched folders"})

    def test_row(self) -> None:
        """A finding is JSON for the commands."""
        row = Finding("clock", Health.GOOD, "it has not been set back").row()
        self.assertEqual(row["health"], "good")


class NamesTests(SynchronousTestCase):
    def test_fit(self) -> None:
        """Names fit whatever their case; a star stands for exactly one label."""
        self.assertTrue(names_fit("Mail.Example", ["mail.example"]))
        self.assertTrue(names_fit("mail.example.org", ["*.example.org"]))
        self.assertFalse(names_fit("a.mail.example.org", ["*.example.org"]))
        self.assertFalse(names_fit("example.org", ["*.org"]))
        self.assertFalse(names_fit("mail.example", []))

    def test_span(self) -> None:
        """Spans are told in the unit that people would use."""
        self.assertEqual(
            [span(1), span(119), span(240), span(7200), span(3 * DAY)],
            ["1 seconds", "119 seconds", "4 minutes", "2 hours", "3 days"],
        )
