"""What the package says that it needs."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent


class DevelopmentTests(SynchronousTestCase):
    def test_judgesAreHeld(self) -> None:
        """A new release of what judges style and types does not turn good code into bad over night."""
        setup = ConfigParser(interpolation=None)
        setup.read(ROOT / "setup.cfg", "utf-8")
        wanted = dict(line.split(maxsplit=1) for line in setup["options.extras_require"]["dev"].split("\n") if line)
        for name in ("mypy", "mypy-zope", "ruff"):
            self.assertTrue(wanted[name].startswith("~= "), name)
