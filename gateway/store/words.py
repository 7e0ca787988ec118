"""The words of a text as the index knows them, the same on every database.

Capitals, accents and punctuation do not count. What is written without blanks between the words (Chinese, Japanese,
Thai) is cut into its characters, so that any part of it can be found: words that are looked for have to follow one
another just as those of the mail do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from unicodedata import normalize

LONGEST = 40
"""Characters of a word that count; what is longer is hardly ever one."""

_ACCENTS = re.compile("[\u0300-\u036f]+")
_SINGLE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_SINGLE}]|[^\W_{_SINGLE}]+")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_KEY = 7


def words(text: str, most: int = 100) -> list[str]:
    """The first words of a text, in order."""
    return list(islice(_words(text), most))


def _words(text: str) -> Iterator[str]:
    plain = text.lower() if text.isascii() else _ACCENTS.sub("", normalize("NFKD", text.casefold())).casefold()
    return (found[0][:LONGEST] for found in _WORD.finditer(plain))


def key_of(owner: int) -> str:
    """What is put before every word of one user, so that nobody's search meets, or is slowed by, the words of others:
    digits and letters, always as many."""
    found = ""
    while owner:
        owner, digit = divmod(owner, len(_DIGITS))
        found = _DIGITS[digit] + found
    return found.rjust(_KEY, "0")
