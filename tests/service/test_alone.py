"""One gateway at a time on a data folder."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from gateway.service.alone import Taken, take


class TakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory(prefix="pushgw test ")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_oneAtATime(self) -> None:
        """Who comes second is told which folder is taken; when the first is gone it may come."""
        first = take(self.folder)
        error = self.assertRaises(Taken, take, self.folder)
        self.assertIn(str(self.folder), str(error))
        os.close(first)
        os.close(take(self.folder))

    def test_noFolder(self) -> None:
        """A folder that is not there is named, with the key that says so, and what makes one."""
        (self.folder / "file").touch()
        for missing in (self.folder / "none" / "data", self.folder / "file"):
            error = self.assertRaises(Taken, take, missing)
            for word in (f"no folder {missing}", "data.folder", "pushgw init"):
                self.assertIn(word, str(error))
