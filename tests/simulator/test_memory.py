"""Tests of what a phone remembers."""

from __future__ import annotations

import json
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.simulator.memory import Memory, MemoryFile, PhoneFolder, PhoneItem


def full() -> Memory:
    """A memory with everything in it."""
    folder = PhoneFolder("5", "0", "Inbox", 2, "k1", {"5:1": PhoneItem("s", True, False, "2024", 1.5)}, {"5:1"})
    return Memory("14.1", 7, "h1", "https://h/", {"5": folder})


class MemoryTests(SynchronousTestCase):
    def test_roundTrip(self) -> None:
        """What is written as JSON is read back the same."""
        text = json.dumps(full().to_json())
        self.assertEqual(Memory.from_json(json.loads(text)), full())

    def test_erase(self) -> None:
        """An erased phone is one out of the box."""
        memory = full()
        memory.erase()
        self.assertEqual(memory, Memory())

    def test_restart(self) -> None:
        """Beginning again keeps what is shown, in doubt until it is named."""
        memory = full()
        memory.restart()
        folder = memory.folders["5"]
        self.assertEqual((memory.hierarchy_key, folder.key, folder.doubtful), ("0", "0", {"5:1"}))
        self.assertEqual(folder.forget_doubtful(), ["5:1"])
        self.assertEqual((folder.items, folder.doubtful), ({}, set()))

    def test_refused(self) -> None:
        """Data that is no memory is refused, whatever it is."""
        good = full().to_json()
        for data in (
            None,
            [],
            {},
            {"format": 2},
            {**good, "folders": []},
            {**good, "more": 1},
            {**good, "folders": {"5": {}}},
        ):
            with self.assertRaises(ValueError, msg=repr(data)):
                Memory.from_json(data)


class MemoryFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = MemoryFile(Path(self.mktemp()))

    def test_absent(self) -> None:
        """Without a file the phone is new."""
        self.assertEqual(self.file.load(), Memory())

    def test_kept(self) -> None:
        """What was saved is loaded; the file is the owner's alone, and no draft stays behind."""
        self.file.save(Memory())
        self.file.save(full())
        self.assertEqual(self.file.load(), full())
        self.assertEqual(os.stat(self.file.path).st_mode & 0o777, 0o600)
        self.assertEqual([p.name for p in self.file.path.parent.iterdir() if p.name.endswith(".new")], [])

    def test_damaged(self) -> None:
        """A damaged file is an error, not a new phone."""
        self.file.path.write_text("{")
        with self.assertRaises(ValueError):
            self.file.load()
