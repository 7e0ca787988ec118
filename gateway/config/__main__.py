"""C{python -m gateway.config sample} and C{reference}: the generated files, on the standard output."""

from __future__ import annotations

import sys

from gateway.config.render import render_reference, render_sample


def main(arguments: list[str]) -> str:
    """What to print; exits with usage unless asked for one of the two files."""
    pages = {"sample": render_sample, "reference": render_reference}
    if len(arguments) != 1 or arguments[0] not in pages:
        raise SystemExit("usage: python -m gateway.config sample|reference")
    return pages[arguments[0]]()


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]))
