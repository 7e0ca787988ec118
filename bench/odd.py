"""Odd and hostile mails through Sync, Fetch and Search, in every body type and version: how many, and how long."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from bench.gateway import progress, report
from gateway.eas.call import Version
from tests.convert import odd, oddities
from tests.eas.oddpost import Figures, play

GENERATED = 1000


def measure(name: str, mails: Iterable[tuple[str, bytes]], versions: Iterable[Version] = Version) -> dict[str, object]:
    """The figures of some mails; times are CPU seconds."""
    figures: Figures = play(mails, versions)
    answers = figures.synced + figures.fetched + figures.found + figures.attachments
    progress(f"{name}: {figures.mails} mails, {answers} times, {figures.seconds:.0f} s")
    return {
        "mails": figures.mails,
        "synced": figures.synced,
        "fetched": figures.fetched,
        "found": figures.found,
        "attachments": figures.attachments,
        "failed": 0,
        "cpu_s": round(figures.seconds, 1),
        "ms_each": round(1000 * figures.seconds / max(1, answers), 2),
        "slowest_answer_ms": round(1000 * figures.slowest),
    }


def main(generated: int = GENERATED) -> None:
    """Play them all, and print the line; a mail that fails ends it with a traceback."""
    report(
        "odd",
        table=measure("table", [*odd.mails(), *oddities.mails()]),
        generated=measure("generated", oddities.generated(generated, seed=1), (Version.V2_5, Version.V16_1)),
        large=measure("large", oddities.large(), (Version.V14_1,)),
    )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
