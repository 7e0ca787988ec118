"""Which protocol versions know a tag, by the table of the specification."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from gateway.eas.codepages import TAGS
from gateway.element import Element

DATA = Path(__file__).parent / "data"
#: The words of the table, as the first and the last version; those with a star have been read in later versions, too.
_SPANS = {
    "all": (20, 161),
    "2.0/2.5": (20, 25),
    "2.5*": (20, 161),
    "2.5-12.1": (25, 121),
    "2.5-14.1": (25, 141),
    "12.0+": (120, 161),
    "12.1+": (121, 161),
    "14.0+": (140, 161),
    "14.1+": (141, 161),
    "16.0+": (160, 161),
    "16.1": (161, 161),
}


@cache
def spans() -> dict[str, tuple[int, int]]:
    """The first and the last version that know a tag, as numbers without the point; (0, 0) if it is not used."""
    table = json.loads((DATA / "codepages-versions.json").read_text())
    words = {
        TAGS[int(page)][int(token, 16)] or "": word for page, tokens in table.items() for token, word in tokens.items()
    }
    return {tag: (0, 0) if word.endswith("unused") else _SPANS[word] for tag, word in words.items()}


def unknown_to(version: int, element: Element) -> list[str]:
    """The tags in a document that a client of that version does not know."""
    first, last = spans()[element.tag]
    found = [] if first <= version <= last else [element.tag]
    return found + [tag for child in element for tag in unknown_to(version, child)]
