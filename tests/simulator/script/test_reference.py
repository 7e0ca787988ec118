"""The page about scripts says what is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.simulator.script.expecting import EXPECTATIONS
from gateway.simulator.script.reading import MOST_STEPS, read_script
from gateway.simulator.script.steps import KINDS

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "device-scripts.md").read_text("utf-8")
ROWS = re.findall(r"^\| (`[^|]+) \|(.*)\|$", PAGE, re.MULTILINE)


def words(text: str) -> set[str]:
    """The words in code."""
    return {word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"[A-Za-z_]+", code)}


class PageTests(SynchronousTestCase):
    def test_everyStep(self) -> None:
        """Each kind of step has a row of its own, with all its keys and its versions."""
        rows = {name: row for names, row in ROWS for name in words(names)}
        self.assertLessEqual(set(KINDS), set(rows))
        for name in KINDS.keys() - {"Sync", "SendMail", "SmartReply", "SmartForward"}:
            self.assertEqual(sorted(KINDS[name].fields.keys() - words(rows[name])), [], name)
            self.assertEqual([key for key in KINDS[name].needed if f"**`{key}`**" not in rows[name]], [], name)
        for name in ("SendMail", "SmartReply"):
            missing = set(KINDS[name].fields) - words(rows["SendMail"]) - words(rows["SmartReply"])
            self.assertEqual(missing, set())
        described = {name for names, _ in ROWS for name in words(names)}
        self.assertEqual(sorted(set(KINDS["Sync"].fields) - described), [])

    def test_versions(self) -> None:
        """A step that not every version has says which."""
        for name, kind in KINDS.items():
            first, last = kind.versions
            if (first, last) == ("2.5", "16.1"):
                continue
            (said,) = re.findall(rf"^\| `{name}` \(([^)]*)\)", PAGE, re.MULTILINE)
            wanted = f"to {last}" if first == "2.5" else first if first == last else f"{first} on"
            self.assertEqual(said, wanted, name)

    def test_everyExpectation(self) -> None:
        """Each expectation has a row."""
        described = {name for names, _ in ROWS for name in words(names)}
        self.assertEqual(sorted(set(EXPECTATIONS.fields) - described), [])

    def test_example(self) -> None:
        """The example of the page is a script that can be played; the bound on steps is the one that holds."""
        (first, *_) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
        self.assertEqual(
            [step.name for step in read_script(first, "lunch.toml").steps], ["FolderSync", "Sync", "SmartReply"]
        )
        for part in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
            tomllib.loads(part)
        self.assertIn(f"at most {MOST_STEPS}", PAGE)
