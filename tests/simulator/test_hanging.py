"""Phones that have a Sync hang instead of a Ping."""

from __future__ import annotations

from gateway.element import Element
from gateway.simulator import events
from gateway.simulator.collection import SyncWishes
from tests.simulator.test_device import DeviceTestCase
from tests.simulator.toy import ARCHIVE, INBOX, status


class HangingTests(DeviceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.makePhone(hang=True)

    def asked(self) -> Element:
        """The one Sync that hangs."""
        (document,) = self.server.documents("Sync")
        return document

    def heartbeats(self) -> list[int]:
        return [event.heartbeat for event in self.notes.of(events.Parked)]

    def test_woken(self) -> None:
        """A mail comes with the answer; nothing else is asked before the next one hangs."""
        self.begin()
        self.clock.advance(30)
        self.server.deliver("5:9", "x sent=1714550410.25 y")
        self.assertEqual(self.server.commands(), ["Sync"])
        (woken,) = self.notes.of(events.Woken)
        self.assertEqual(woken, events.Woken(("Posteingang",), 30.0, 1, 0, 0, 0.25))
        self.assertEqual(self.phone.memory.folders[INBOX].items["5:9"].subject, "x sent=1714550410.25 y")
        collection = self.asked().children[0].children[0]
        self.assertEqual(collection.text_of("AirSync:SyncKey"), self.phone.memory.folders[INBOX].key)

    def test_folders(self) -> None:
        """One request is for all folders; those that have nothing keep their keys."""
        self.makePhone(hang=True, folders=("Inbox", "Archive"))
        self.begin()
        before = self.phone.memory.folders[INBOX].key
        self.server.deliver("7:1", "m", ARCHIVE)
        ids = [collection.text_of("AirSync:CollectionId") for collection in self.asked().children[0]]
        self.assertEqual(ids, [INBOX, ARCHIVE])
        self.assertEqual(self.phone.memory.folders[INBOX].key, before)
        self.assertEqual(list(self.phone.memory.folders[ARCHIVE].items), ["7:1"])

    def test_more(self) -> None:
        """What did not go into the answer is fetched before the next one hangs."""
        self.makePhone(hang=True, wishes=SyncWishes(window=1))
        self.begin()
        self.server.inbox.add("5:1", "one")
        self.server.deliver("5:2", "two")
        self.assertEqual(self.server.commands(), ["Sync", "Sync"])
        (woken,) = self.notes.of(events.Woken)
        self.assertEqual(woken.added, 2)

    def test_units(self) -> None:
        """12.1 asks in whole minutes (Wait), later versions in seconds; before there is a Ping all the same."""
        for version, tag, text in (("12.1", "Wait", "15"), ("14.1", "HeartbeatInterval", "900")):
            self.phone.stop()
            self.makePhone(hang=True, version=version)
            self.start()
            self.assertEqual(self.server.documents("Sync")[-1].text_of(f"AirSync:{tag}"), text)
        self.phone.stop()
        self.makePhone(hang=True, version="12.0")
        self.start()
        self.assertEqual(self.server.commands()[-1], "Ping")

    def test_expired(self) -> None:
        """An empty answer at the end of the interval raises the heartbeat."""
        self.begin()
        self.clock.advance(900)
        self.server.answer_ping(None)
        self.assertEqual(self.heartbeats(), [1140])

    def test_limit(self) -> None:
        """Status 14: the limit is the next heartbeat, for 12.1 of so many minutes."""
        for version, limit in (("12.1", 10), ("14.1", 600)):
            self.phone.stop()
            self.makePhone(hang=True, version=version)
            self.begin()
            refused = status("Sync", 14)
            refused.children.append(Element("AirSync:Limit", limit))
            self.server.answer_ping(refused)
            self.assertEqual(self.heartbeats(), [600])

    def test_brief(self) -> None:
        """With C{brief} the request is empty as long as nothing has changed; with Status 13 it is whole again."""
        self.makePhone(hang=True, brief=True)
        self.begin()
        self.clock.advance(100)
        self.server.answer_ping(None)
        self.clock.advance(100)
        self.server.answer_ping(None)
        self.assertEqual([root is None for _, root in self.server.asked], [True, True])
        self.server.answer_ping(status("Sync", 13))
        self.assertEqual([root is None for _, root in self.server.asked], [True, True, False])
        self.server.deliver("5:1", "m")
        self.assertIsNotNone(self.server.asked[-1][1])

    def test_hierarchy(self) -> None:
        """Status 12: FolderSync, and then the next one."""
        self.begin()
        self.server.answer_ping(status("Sync", 12))
        self.assertEqual(self.server.commands(), ["FolderSync", "Sync"])

    def test_badKey(self) -> None:
        """A key that the server does not know: the folder begins anew."""
        self.begin()
        self.server.inbox.keys.clear()
        self.server.inbox.newest = 0
        self.server.wake()
        self.assertEqual(self.server.commands(), ["Sync", "Sync", "Sync"])

    def test_limitless(self) -> None:
        """Status 14 without a limit says nothing that helps: the phone asks again as after any trouble."""
        self.begin()
        self.server.answer_ping(status("Sync", 14))
        self.assertEqual(len(self.hitches()), 1)
