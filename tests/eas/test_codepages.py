"""The code pages against the table of the specification."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gateway.eas.codepages import TAGS, TOKENS
from gateway.element import Element
from tests.versions import spans, unknown_to

DATA = Path(__file__).parent.parent / "data"


class CodePageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = json.loads((DATA / "codepages.json").read_text())

    def test_namespaces(self) -> None:
        """The 26 pages have the namespaces of the specification, in its order."""
        found = [sorted({tag.partition(":")[0] for tag in tags if tag is not None}) for tags in TAGS]
        self.assertEqual(found, [[self.table[str(page)]["namespace"]] for page in range(26)])
        self.assertEqual(len(self.table), 26)

    def test_tokens(self) -> None:
        """Each page holds exactly the tokens of the specification, under its names."""
        for page, tags in enumerate(TAGS):
            expected = self.table[str(page)]
            found = {f"0x{token:02X}": tag for token, tag in enumerate(tags) if tag is not None}
            tagged = {token: f"{expected['namespace']}:{name}" for token, name in expected["tokens"].items()}
            self.assertEqual(found, tagged)

    def test_bothDirections(self) -> None:
        """Each of the 644 tags leads to the page and the token that lead to it."""
        self.assertEqual(len(TOKENS), 644)
        self.assertEqual([tag for tag, (page, token) in TOKENS.items() if TAGS[page][token] != tag], [])

    def test_everyPageHasRoomForEveryToken(self) -> None:
        """A page can be indexed by any of the 64 tokens."""
        self.assertEqual({len(tags) for tags in TAGS}, {64})


class VersionTests(SynchronousTestCase):
    """The table that answers are held to: which version knows which tag."""

    def test_everyTag(self) -> None:
        """Each of the tags has its versions, and only eleven are not used in any."""
        self.assertEqual(set(spans()), set(TOKENS))
        unused = [tag for tag, span in spans().items() if span == (0, 0)]
        self.assertEqual(len(unused), 11)

    def test_unknown(self) -> None:
        """A tag that is newer than the version, or older, is found wherever it stands."""
        body = Element("AirSyncBase:Body", Element("AirSyncBase:Preview", "x"))
        tree = Element("AirSync:ApplicationData", Element("Email:Location", "x"), body)
        for version, unknown in {
            25: ["AirSyncBase:Body", "AirSyncBase:Preview"],
            121: ["AirSyncBase:Preview"],
            141: [],
            161: ["Email:Location"],
        }.items():
            self.assertEqual(unknown_to(version, tree), unknown)
