"""Finding people among 100,000 in an address file: reading it, sorting it, and asking."""

from __future__ import annotations

import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.gateway import progress, report
from gateway.core.directory import Directory, Index
from gateway.cred.addresses import read_addresses

PEOPLE = 100_000
QUESTIONS = 2000
PAGE = 4096


def write(path: Path, chosen: random.Random) -> list[str]:
    """Write an address file; questions that people would ask of it."""
    questions = []
    with path.open("w") as file:
        file.write("email,name,first_name,last_name,alias,title,office,company,phone,mobile_phone\n")
        for number in range(PEOPLE):
            first, last = f"First{chosen.randrange(2000)}", f"Last{chosen.randrange(30_000)}"
            mail = f"{first}.{last}{number}@example.org".lower()
            phones = f"+49 30 {1_000_000 + number},+49 171 {2_000_000 + number}"
            place = f"Engineer,B {number % 300},Example"
            file.write(f"{mail},{first} {last},{first},{last},{last}{number},{place},{phones}\n")
            if number < QUESTIONS:
                whole = chosen.choice((first, last, f"{first} {last}", mail, "+49171", "example", "f"))
                questions.append(whole[: chosen.randint(1, len(whole))])
    return questions


def resident() -> int:
    """The memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def main() -> None:
    """Measure, and print the figures."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "addresses.csv"
        questions = write(path, random.Random(4))
        before, began = resident(), time.process_time()
        people, _ = read_addresses(path)
        read = time.process_time()
    progress(f"{len(people)} people read")
    index = Index.of(people)
    sorted_at = time.process_time()
    directory, taken = Directory(index), []
    for question in questions:
        start = time.perf_counter()
        directory.find(question, 100)
        taken.append(time.perf_counter() - start)
    taken.sort()
    report(
        "people",
        people=len(people),
        read_s=round(read - began, 2),
        index_s=round(sorted_at - read, 2),
        mib=round((resident() - before) / 2**20),
        find_p50_ms=round(taken[len(taken) // 2] * 1000, 3),
        find_p99_ms=round(taken[len(taken) * 99 // 100] * 1000, 3),
    )


if __name__ == "__main__":
    main()
