"""All measurements, one JSON line each on standard output; progress goes to standard error.

python bench/run.py            everything
python bench/run.py park sync  only these
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ALL = (
    "park",
    "hang",
    "wake",
    "reconnect",
    "cycle",
    "sync",
    "fetch",
    "odd",
    "people",
    "search",
    "start",
    "smpp",
    "policy",
    "rehearse",
)


def main() -> int:
    """Run the chosen ones, each in a process of its own; the worst exit status."""
    chosen = sys.argv[1:] or ALL
    unknown = [name for name in chosen if name not in ALL]
    if unknown:
        print(f"no such measurement: {', '.join(unknown)}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    worst = 0
    for name in chosen:
        print(f"{name}:", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=Path(__file__).parents[1], check=False)
        worst = max(worst, done.returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
