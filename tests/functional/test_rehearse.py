"""A rehearsal as an operator starts it: a process of its own, a page with plots, a table, progress."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from twisted.trial.unittest import SkipTest, SynchronousTestCase

COMMAND = (sys.executable, "-c", "from gateway.cli import main; main(prog_name='pushgw')", "rehearse")


class RehearseTests(SynchronousTestCase):
    def rehearse(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=True, timeout=120)

    def test_page(self) -> None:
        """The page has a plot for each figure and needs nothing from anywhere."""
        if find_spec("matplotlib") is None:
            raise SkipTest("matplotlib is not installed")
        page = Path(self.mktemp()).absolute()
        done = self.rehearse("--users", "4", "--days", "1", "--network", "carrier-13min", "--html", str(page))
        text = page.read_text()
        self.assertEqual(text.count("<svg"), 5)
        for part in text.split("<svg")[1:]:
            ElementTree.fromstring("<svg" + part.partition("</svg>")[0] + "</svg>")
        for word in ("<script", "<link", "<img", "@import"):
            self.assertNotIn(word, text)
        self.assertIn("Time from change to synchronised", text)
        self.assertIn("both", done.stdout)
        self.assertIn("sms (24 device-days in all)", done.stderr)

    def test_withoutPlots(self) -> None:
        """Without the extra there is a page all the same, and a word about what is missing."""
        page = Path(self.mktemp()).absolute()
        hidden = f"import sys; sys.modules['matplotlib'] = None; {COMMAND[2]}"
        words = [sys.executable, "-c", hidden, "rehearse", "--users", "2", "--days", "0.2", "--html", str(page)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
        self.assertIn("install pushgw[rehearsal]", done.stderr)
        self.assertNotIn("<svg", page.read_text())
        self.assertIn("<table>", page.read_text())
