"""The news of a release can be put together from the fragments."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from tests.functional.running import ROOT


class NewsTests(SynchronousTestCase):
    @skipUnless(find_spec("towncrier"), "towncrier is not installed")
    def test_draft(self) -> None:
        """The entry of a release bears the name of the product, and tells each fragment."""
        ran = subprocess.run(
            [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "7.8.9"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("# pushgw 7.8.9 (", ran.stdout)
        told = " ".join(ran.stdout.split())
        for fragment in (ROOT / "newsfragments").glob("*.*"):
            if fragment.suffix != ".misc":
                self.assertIn(" ".join(fragment.read_text("utf-8").split()), told, fragment.name)
