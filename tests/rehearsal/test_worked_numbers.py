"""The worked numbers of the source documents come out of the rehearsals that the page of them names."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from gateway.commands.rehearse import rehearse
from gateway.rehearsal.measures import MONTH
from tests.commandline import CommandCase

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "worked-numbers.md"


class WorkedNumberTests(CommandCase):
    def played(self, heading: str) -> dict[str, Any]:
        """What comes out of the command below a heading, by version."""
        section = PAGE.read_text("utf-8").partition(f"## {heading}")[2].partition("\n## ")[0]
        (line,) = re.findall(r"^\$ pushgw rehearse (.*)$", section, re.MULTILINE)
        outcome = self.run_(rehearse, *shlex.split(line), "--json", "-")
        return {one["version"]: one for one in json.loads(outcome.stdout)["versions"]}

    def test_heartbeats(self) -> None:
        """The story of 15, 8, 12 and 16 minutes ends at 12."""
        found = self.played("Heartbeats of 15, 8, 12 and 16 minutes")["direct-push"]
        self.assertEqual(found["heartbeats"], {"720": 1})
        self.assertEqual(found["counts"]["lost_parks"], 2)

    def test_megabyte(self) -> None:
        """Heartbeats alone cost on the order of 1 MB a month at 15 minutes, and the page says what is counted."""
        total = self.played("Heartbeats alone cost")["direct-push"]["plain"]["total"]
        months = [total[level]["value"] * MONTH / 1e6 for level in ("application", "tls", "wire")]
        for month, said in zip(months, (1.43, 1.59, 2.19), strict=True):
            self.assertApproximates(month, said, 0.03 * said)

    def test_batching(self) -> None:
        """However much comes, there is no more than one SMS for each batching time of a phone that does not come."""
        sms = self.played("An SMS for each batching time")["sms"]["sms_month"]["value"]
        self.assertLessEqual(sms, 2880)
        self.assertGreater(sms, 2500)

    def test_both(self) -> None:
        """Both together miss nothing that either alone tells of, and are late no more often than either."""
        found = self.played("Both together")
        self.assertEqual(found["both"]["never"]["value"], 0)
        for alone in ("sms", "direct-push"):
            self.assertGreaterEqual(found[alone]["never"]["value"], found["both"]["never"]["value"])
            self.assertGreaterEqual(found[alone]["late"]["value"], found["both"]["late"]["value"])
        self.assertGreater(found["sms"]["never"]["value"], 0)

    def test_gzip(self) -> None:
        """Gzip takes what Syncs cost to two thirds, as the page says, and nothing off heartbeats."""
        found = self.played("Gzip halves")["direct-push"]
        plain, zipped = found["plain"], found["gzip"]
        for traffic, said in ((plain, 92.1), (zipped, 62.9)):
            self.assertApproximates(traffic["syncs"]["application"] / 1000, said, 0.03 * said)
        self.assertEqual(plain["heartbeats"], zipped["heartbeats"])
