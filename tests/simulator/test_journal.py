"""Tests of the phone's log."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gateway.simulator import events
from gateway.simulator.collection import SyncNews
from gateway.simulator.journal import Journal, describe
from gateway.simulator.line import Account

SAMPLES = {
    events.Connected("14.1", ("2.5", "14.1")): "COptions protocol version 14.1 of 2.5,14.1",
    events.Provisioned(7): "CProvision policy key 7",
    events.Provisioned(0): "CProvision no policy for this phone",
    events.HierarchySynced(3, True): "CFolderSync 3 folder(s), changed",
    events.Parked(480, 2, False): "CPingEngine Ping heartbeat = 480 s, 2 folder(s); KeepAwake Off",
    events.Parked(480, 2, True): "CPingEngine Ping heartbeat = 480 s, empty request; KeepAwake Off",
    events.PingAnswered(2, 1.25, ("5", "7")): "KeepAwake On; CPingEngine Ping status = 2 after 1.2 s, folders 5 7",
    events.PingAnswered(1, 480.0, ()): "KeepAwake On; CPingEngine Ping status = 1 after 480.0 s",
    events.HeartbeatMoved(960, 720, True): "CPingEngine heartbeat 960 s -> 720 s, settled",
    events.Woken(("Inbox",), 3.0, 1, 0, 0, 0.0123): (
        "woken after 3.0 s: Inbox (1 new, 0 changed, 0 gone), latency 0.012 s"
    ),
    events.Woken((), 3.0, 0, 0, 0, None): "woken after 3.0 s: nothing (0 new, 0 changed, 0 gone), latency unknown",
    events.Texted("1f3a", True): "CSms trigger 1f3a: synchronise",
    events.Texted("1f3a", False): "CSms trigger 1f3a: ignored",
    events.Texted("", False): "CSms no trigger: ignored",
    events.Hitch("refused", 0.0): "CRetry refused; again at once",
    events.Hitch("refused", 2.0): "CRetry refused; again in 2.0 s",
    events.NetworkChanged(): "CConnection network changed, heartbeats begin anew",
    events.Stepped(3, 9, "Sync", "Inbox", 200, "1", 0.25, 1, 2, 3): (
        "CScript 3/9 Sync Inbox: HTTP 200, status 1, +1 ~2 -3, 0.250 s"
    ),
    events.Stepped(3, 9, "FolderSync", http=449, wrong=("a: 1", "b: 2")): (
        "CScript 3/9 FolderSync: HTTP 449, 0.000 s; FAILED: a: 1; b: 2"
    ),
    events.Stepped(4, 9, "Ping", "Inbox", background=True): "CScript 4/9 Ping Inbox: in the background",
    events.Stepped(5, 9, "Wait", "2.0", seconds=2.0): "CScript 5/9 Wait 2.0: 2.000 s",
    events.Erased("RemoteWipe"): "CProvision RemoteWipe: acknowledged, everything erased",
}


class JournalTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """Every event has its line."""
        self.assertEqual({event: describe(event) for event in SAMPLES}, SAMPLES)

    def test_folder(self) -> None:
        """A Sync shows how much came, and whether there is more."""
        news = SyncNews(changed=["5:1"], deleted=["5:2", "5:3"], more=True)
        self.assertEqual(describe(events.FolderSynced("5", "Inbox", news)), "CSyncEngine Inbox: +0 ~1 -2, more to come")

    def test_written(self) -> None:
        """A line begins with the time and the phone, and never holds the password."""
        lines: list[str] = []
        journal = Journal(lines.append, lambda: 0.5)
        self.assertTrue(verifyObject(events.IOnlooker, journal))
        journal.happened(Account("ann", "geheim", "D1"), events.NetworkChanged())
        self.assertRegex(lines[0], r"^\d\d:\d\d:00\.500 D1 CConnection network changed")
        self.assertNotIn("geheim", repr(Account("ann", "geheim")))
