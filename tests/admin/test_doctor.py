"""The doctor names the first broken hop."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from gateway.admin.doctor import Finding, Health, examine, first_broken, names_fit, span
from gateway.admin.facts import Bind, Certificate, Facts
from gateway.model import Mode

NOW = 1_800_000_000.0
DAY = 86400.0
SEEN = {"first_seen": NOW - DAY, "last_sync": NOW - 60, "folders": [[5, "Email"]], "last_ping": NOW - 30}
WELL = Facts(
    user="ann",
    now=NOW,
    server_name="mail.example",
    certificate=Certificate(("mail.example",), NOW - DAY, NOW + 90 * DAY),
    device={**SEEN, "parked_seconds": 30},
    mode=Mode.BOTH,
    line={"expires": NOW + DAY},
    route="smpp:acme",
    binds=(Bind("smpp:acme", True),),
    receipt="DELIVRD",
)

BROUGHT = evolve(
    WELL,
    device={"first_seen": 0, "last_sync": 0, "folders": []},
    mode=Mode.SMS,
    certificate=None,
    listening=False,
    mailbox=False,
    door=True,
    brought=NOW - 600,
    sent=True,
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

    def assertNote(self, hop: str, word: str, **facts: Any) -> None:
        """That hop and no other is worth a note that has that word; nothing is broken."""
        findings = examine(evolve(WELL, **facts))
        self.assertEqual(
            [(one.hop, one.health) for one in findings if one.health is not Health.GOOD], [(hop, Health.NOTE)]
        )
        self.assertIn(word, next(one.text for one in findings if one.hop == hop))

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
        """Without a gateway that is what to mend first; what the store knows is told all the same."""
        self.assertBroken("gateway", "no gateway", running=False)
        hops = [finding.hop for finding in examine(evolve(WELL, running=False))]
        stored = ["clock", "store", "credentials", "mode", "access", "device", "watched folders", "line", "delivery"]
        self.assertEqual(hops, ["gateway", *stored])

    def test_keptOut(self) -> None:
        """A device that may not synchronise is named before all that follows from it, with who says so and the
        command that lets it in."""
        seen = {**SEEN, "device": "phone1", "last_sync": 0, "access_from": "devices.new"}
        self.assertBroken("access", "quarantine (devices.new)", device={**seen, "access": "quarantine"})
        blocked = {**seen, "access": "block", "access_from": "decided by root"}
        self.assertBroken("access", "blocked (decided by root)", device=blocked)
        found = ill(device=blocked)
        assert found is not None
        self.assertEqual(found.remedy, "pushgw devices allow ann phone1")

    def test_storeUnreadable(self) -> None:
        """Of a store that does not answer nothing more is said than that."""
        self.assertBroken("store", "refused", store="connection refused", readable=False)
        found = examine(evolve(WELL, store="connection refused", readable=False, device=None))
        self.assertEqual([finding.hop for finding in found], ["gateway", "store"])

    def test_wrongPasswordAtTheOperator(self) -> None:
        """An operator that does not let us in is named with its own words."""
        bind = Bind("smpp:acme", False, "ESME_RINVPASWD", refused=True)
        self.assertBroken("operator", "ESME_RINVPASWD", binds=(bind,))

    def test_otherCentreTakesOver(self) -> None:
        """One SMSC that refuses while another takes everything is worth a note."""
        bind = Bind("smpp:acme", False, "RINVPASWD", refused=True)
        self.assertNote("operator", "RINVPASWD", binds=(bind, *WELL.binds))

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

    def test_givenUp(self) -> None:
        """A trigger that was in doubt twice was not refused: it is the connection that is to be looked at."""
        refusal = "in doubt twice: the connection was lost"
        self.assertBroken("delivery", "given up, in doubt twice: the connection was lost", refusal=refusal)
        found = ill(refusal=refusal)
        assert found is not None
        self.assertIn("why the connection to the operator broke", found.remedy)

    def test_tooLate(self) -> None:
        """Nor was one refused that the operator put off until it was of no use: its number has nothing to do with it."""
        for refusal in (
            "RTHROTTLED, after 21 attempts",
            "RMSGQFUL, and it would be too old for another attempt",
            "it is too old to be of use",
            "given up, 451 4.3.0 later",
        ):
            self.assertBroken("delivery", "given up: " + refusal, refusal=refusal)
            found = ill(refusal=refusal)
            assert found is not None
            self.assertNotIn("number", found.remedy)

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
        """What is switched off for everybody is named, if nothing else tells the device."""
        off: dict[str, bool] = {"push_enabled": False, "sms_enabled": False}
        self.assertBroken("mode", "switched off for everybody: Direct Push", mode=Mode.DIRECT_PUSH, push_enabled=False)
        self.assertBroken("mode", "switched off for everybody: SMS", mode=Mode.SMS, sms_enabled=False)
        self.assertBroken("mode", "Direct Push and SMS", mode=Mode.BOTH, **off)
        self.assertBroken("mode", "Direct Push", mode=Mode.AUTO, line=None, push_enabled=False)
        for one in off:
            self.assertIsNone(ill(mode=Mode.BOTH, **{one: False}))
        hops = {each.hop for each in examine(evolve(WELL, sms_enabled=False))}
        self.assertFalse(hops & {"line", "operator", "queue", "delivery"})

    def test_folderNotWatched(self) -> None:
        """A device that watches what is not there any more is named."""
        self.assertBroken("watched folders", "17", missing=("17",))

    def test_neverCameThoughRegistered(self) -> None:
        """A device that was registered and has never come is named."""
        self.assertBroken("device", "registered", device={"first_seen": 0, "last_sync": 0, "folders": []})

    def test_neverPinged(self) -> None:
        """A phone that was never set to push is named; in mode auto, where SMS wake it, it is worth a note."""
        self.assertNote("watched folders", "never", mode=Mode.AUTO, device={**SEEN, "folders": [], "parked_seconds": 1})
        self.assertBroken("watched folders", "never", device={**SEEN, "folders": []})

    def test_inotifyLimit(self) -> None:
        """A kernel limit that is reached is named with its sysctl."""
        self.assertBroken("folder watch", "8192", unwatched=12, watch_limit=8192)
        found = ill(unwatched=12, watch_limit=8192)
        assert found is not None
        self.assertIn("fs.inotify.max_user_watches", found.remedy)

    def test_mailboxGone(self) -> None:
        """A user without a mail directory is named."""
        self.assertBroken("folder watch", "no mail directory", mailbox=False)

    def test_noInotify(self) -> None:
        """Where inotify cannot be had at all, its other limit is named."""
        found = ill(unwatched=3, watch_limit=0)
        assert found is not None
        self.assertEqual(found.hop, "folder watch")
        self.assertIn("fs.inotify.max_user_instances", found.remedy)

    def test_firewallCuts(self) -> None:
        """Three connections in a row that died alike are a firewall; in mode auto, where SMS take over, a note."""
        alike = (241.0, 240.0, 240.0)
        self.assertBroken("parked requests", "after 4 minutes", cuts=alike)
        self.assertIsNone(ill(cuts=(241.0, 240.0)))
        self.assertNote("parked requests", "4 minutes", mode=Mode.AUTO, cuts=alike)
        self.assertBroken("parked requests", "4 minutes", mode=Mode.AUTO, line=None, cuts=alike)

    def test_badNetwork(self) -> None:
        """Three that died after different times are a bad network, which is no fault of anybody."""
        self.assertNote("parked requests", "20 seconds to 5 minutes", cuts=(20.0, 300.0, 70.0))

    def test_heartbeatAlarm(self) -> None:
        """Heartbeats that are short on average are worth a note."""
        self.assertNote("parked requests", "8 minutes", heartbeat_alarm=480.0)

    def test_notParked(self) -> None:
        """A device of which nothing is parked is worth a note, with when it came last."""
        self.assertNote("parked requests", "30 seconds ago", device=SEEN)

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
        self.assertBroken("device", "never synchronised", device={**SEEN, "last_sync": 0})

    def test_nobodySends(self) -> None:
        """An operator that the gateway has not taken up is named."""
        self.assertBroken("operator", "smpp:acme", binds=())

    def test_notDelivered(self) -> None:
        """An SMS that did not reach the phone is named with what the receipt says."""
        self.assertBroken("delivery", "UNDELIV err 001", receipt="UNDELIV err 001", delivered=False)

    def test_noSyncAfterTheSms(self) -> None:
        """An SMS that was delivered and not obeyed is named."""
        self.assertBroken("delivery", "no sync followed", late=700.0)

    def test_onlyTheModesChain(self) -> None:
        """In mode direct-push nothing is said of numbers, in mode sms nothing of parked requests."""
        push = {one.hop for one in examine(evolve(WELL, mode=Mode.DIRECT_PUSH))}
        sms = {one.hop for one in examine(evolve(WELL, mode=Mode.SMS))}
        self.assertFalse(push & {"line", "operator", "queue", "delivery"})
        self.assertFalse(sms & {"parked requests", "watched folders"})

    def test_olderServer(self) -> None:
        """Of a device that an older server alone wakes only that chain is walked: no mailbox, no HTTPS, no sync here."""
        chain = ["gateway", "clock", "store", "credentials", "mode", "older server", "access", "line", "operator"]
        for facts in (BROUGHT, evolve(BROUGHT, mailbox=True), evolve(BROUGHT, mode=Mode.AUTO)):
            found = examine(facts)
            self.assertEqual([one.hop for one in found], [*chain, "queue", "delivery"])
            self.assertEqual({one.health for one in found}, {Health.GOOD})
        hops = [one.hop for one in examine(evolve(BROUGHT, running=False))]
        self.assertEqual(hops, [*chain[:-1], "delivery"])

    def test_olderServerBroken(self) -> None:
        """Each hop of that chain is named when it is broken, and no other."""
        for hop, word, more in (
            ("older server", "no trigger", {"brought": 0.0}),
            ("older server", "nothing listens", {"intake": False}),
            ("mode", "never comes here", {"mode": Mode.DIRECT_PUSH}),
            ("mode", "nothing tells", {"mode": Mode.OFF}),
            ("line", "lapsed", {"line": {"expires": NOW - 1}}),
            ("operator", "down", {"binds": (Bind("smpp:acme", False, "down"),)}),
            ("delivery", "RINVDSTADR", {"refusal": "RINVDSTADR"}),
        ):
            broken = [one for one in examine(evolve(BROUGHT, **more)) if one.health is Health.BROKEN]
            self.assertEqual([one.hop for one in broken], [hop])
            self.assertIn(word, broken[0].text)
            self.assertTrue(broken[0].remedy)

    def test_olderServerAndMore(self) -> None:
        """A device that comes here too, one of a mailbox for which nothing was brought, and one where no older server
        sends anything, have the chain of others."""
        for more in ({"device": SEEN}, {"mailbox": True, "brought": 0.0}, {"door": False}, {"line": None}):
            self.assertIn("folder watch", [one.hop for one in examine(evolve(BROUGHT, **more))])
        found = ill(device=BROUGHT.device, door=True)
        assert found is not None
        self.assertIn("older server", found.remedy)

    def test_noReceiptYet(self) -> None:
        """That a trigger was sent for which no receipt has come is not that none was sent."""
        self.assertNote("delivery", "no receipt has come", receipt="", sent=True)
        self.assertNote("delivery", "no trigger has been sent", receipt="")

    def test_way(self) -> None:
        """Facts come through JSON as they were; the certificate is seen by who asks."""
        facts = evolve(WELL, cuts=(240.0,), waiting={"smpp:acme": 3.0}, certificate=None)
        read = Facts.read(json.loads(json.dumps(facts.row())))
        self.assertEqual(examine(read), examine(facts))
        self.assertEqual(read.row(), json.loads(json.dumps(facts.row())))

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
