"""Charsets: bytes of a mail to Unicode that XML can hold, and the Windows code page that names the charset.

Charset names come from strangers. They are looked up in a table made once: C{codecs.lookup} would import a module per
name, remember every failure for ever, and know codecs that take quadratic time (C{punycode}, C{idna}).
"""

from __future__ import annotations

import re
from encodings.aliases import aliases

ASCII = 20127
UTF8 = 65001

_PAGES: dict[str, int] = {
    "ascii": ASCII,
    "utf_8": UTF8,
    "utf_7": 65000,
    "utf_16": 1200,
    "utf_16_le": 1200,
    "utf_16_be": 1201,
    "utf_32": 12000,
    "utf_32_le": 12000,
    "utf_32_be": 12001,
    **{f"cp125{n}": 1250 + n for n in range(9)},
    "latin_1": 28591,
    **{f"iso8859_{n}": 28590 + n for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    "koi8_r": 20866,
    "koi8_u": 21866,
    "gb2312": 936,
    "gbk": 936,
    "gb18030": 54936,
    "hz": 52936,
    "big5": 950,
    "big5hkscs": 951,
    "cp950": 950,
    "shift_jis": 932,
    "cp932": 932,
    "euc_jp": 51932,
    "iso2022_jp": 50220,
    "iso2022_jp_1": 50220,
    "iso2022_jp_2": 50220,
    "iso2022_kr": 50225,
    "euc_kr": 51949,
    "cp949": 949,
    "johab": 1361,
    "cp437": 437,
    "cp850": 850,
    "cp852": 852,
    "cp866": 866,
    "cp874": 874,
    "tis_620": 874,
    "mac_roman": 10000,
    "mac_cyrillic": 10007,
}

# What senders write where the alias table of Python knows nothing, or a narrower set than the senders use.
_OWN_NAMES: dict[str, tuple[str, int]] = {
    "utf8mb4": ("utf_8", UTF8),
    "unicode_1_1_utf_7": ("utf_7", 65000),
    "iso_8859_6_i": ("iso8859_6", 28596),
    "iso_8859_8_e": ("iso8859_8", 28598),
    "iso_8859_8_i": ("iso8859_8", 38598),
    "iso_2022_jp": ("iso2022_jp_2", 50220),
    **dict.fromkeys(("shift_jis", "sjis", "x_sjis"), ("cp932", 932)),
    **dict.fromkeys(("gb2312", "gb_2312_80", "gbk", "x_gbk"), ("gb18030", 936)),
    **dict.fromkeys(("big5", "x_x_big5"), ("cp950", 950)),
    **dict.fromkeys(("ks_c_5601_1987", "ks_c_5601_1989", "ksc5601"), ("cp949", 949)),
    "euc_kr": ("cp949", 51949),
    **dict.fromkeys(("macintosh", "x_mac_roman"), ("mac_roman", 10000)),
    **dict.fromkeys(("windows_874", "tis_620", "dos_874"), ("cp874", 874)),
    **{f"windows_125{n}": (f"cp125{n}", 1250 + n) for n in range(9)},
    **{f"x_cp125{n}": (f"cp125{n}", 1250 + n) for n in range(9)},
}
_NAMES: dict[str, tuple[str, int]] = {
    **{codec: (codec, page) for codec, page in _PAGES.items()},
    **{alias: (codec, _PAGES[codec]) for alias, codec in aliases.items() if codec in _PAGES},
    **_OWN_NAMES,
}

_PUNCTUATION = str.maketrans("-. :", "____")
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """The text with every character that XML 1.0 does not allow replaced by U+FFFD."""
    return text if text.isprintable() else _UNFIT.sub("\ufffd", text)


def decoded(data: bytes, charset: str) -> tuple[str, int]:
    """Text of the octets, and the code page of the charset that was used.

    A charset that is missing, unknown or does not fit is replaced by the first of UTF-8 and windows-1252 that does;
    what fits in none gets U+FFFD. Characters that XML does not allow may still be in the text (L{clean}).
    """
    codec, page = _NAMES.get(charset.strip(" \t'\"").lower().translate(_PUNCTUATION), ("ascii", ASCII))
    if data.isascii() and codec in ("ascii", "utf_8", "latin_1", "cp1252"):
        return data.decode("ascii"), page
    if codec == "latin_1":
        # A mail that says Latin-1 and uses the octets of C1 controls was written in windows-1252.
        return data.decode("cp1252", "replace") if _has_c1(data) else data.decode("latin_1"), page
    try:
        return data.decode(codec), page
    except UnicodeDecodeError:
        return _guessed(data, codec, page)


def _guessed(data: bytes, codec: str, page: int) -> tuple[str, int]:
    try:
        return data.decode("utf_8"), UTF8
    except UnicodeDecodeError:
        if codec in ("ascii", "utf_8"):
            return data.decode("cp1252", "replace"), 1252
        return data.decode(codec, "replace"), page


def _has_c1(data: bytes) -> bool:
    return len(data.translate(None, _C1)) != len(data)


_C1 = bytes(range(0x80, 0xA0))


def crlf(text: str) -> str:
    """The text with CRLF at the end of each line."""
    if text.count("\n") == text.count("\r\n") == text.count("\r"):
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
