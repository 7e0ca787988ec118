"""The same as C{park} for Syncs that hang: memory of each, and CPU while nothing happens."""

from __future__ import annotations

import sys

from bench.fleet import Phone
from bench.park import measure


def main(number: int = 10_000) -> None:
    """Park that many and print the line."""
    measure("hang", Phone.hang, number)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
