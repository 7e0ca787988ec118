"""A report as text for a terminal and as one page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isinf

from attrs import frozen

from gateway.rehearsal.statistics import Estimate


@frozen
class Table:
    """Rows of text under a head; all columns but the first C{left} are aligned to the right."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    left: int = 1


@frozen
class Picture:
    """A plot as SVG."""

    caption: str
    svg: str


@frozen
class Document:
    """Title, paragraphs, tables and plots."""

    title: str
    lead: Sequence[str]
    tables: Sequence[Table]
    pictures: Sequence[Picture] = ()
    notes: Sequence[str] = ()


def duration(seconds: float) -> str:
    """A time as people read it: C{"1.5 s"}, C{"14 min"}, C{"never"}."""
    if isinf(seconds):
        return "never"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def plain(value: float) -> str:
    """A number with three significant digits and no exponent."""
    if isinf(value) or value == 0:
        return "-" if isinf(value) else "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def estimated(estimate: Estimate) -> str:
    """A value and half the width of its interval."""
    return plain(estimate.value) if estimate.error == 0 else f"{plain(estimate.value)} ±{plain(estimate.error)}"


def percent(value: float) -> str:
    """A share; what is not nothing is not shown as 0."""
    return "0" if value == 0 else f"{100 * value:.2g} %" if value < 0.1 else f"{100 * value:.0f} %"


def as_text(document: Document) -> str:
    """For a terminal; plots are left out."""
    parts = [f"{document.title}\n{'=' * len(document.title)}", *document.lead]
    parts += [_text_table(table) for table in document.tables]
    parts += [f"* {note}" for note in document.notes]
    return "\n\n".join(parts) + "\n"


def _text_table(table: Table) -> str:
    rows = [table.head, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < table.left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([f"{table.caption}:", *lines, *([f"({table.note})"] if table.note else [])])


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 70rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th.l, td.l { text-align: left; } thead th { border-bottom: 2px solid #888; }
.note, footer { color: #555; font-size: .85rem; } figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
"""


def as_html(document: Document) -> str:
    """One page with everything in it: no script, nothing is loaded."""
    body = [f"<h1>{escape(document.title)}</h1>", *(f"<p>{escape(text)}</p>" for text in document.lead)]
    tables = [_html_table(table) for table in document.tables]
    pictures = [f"<figure><h2>{escape(picture.caption)}</h2>{picture.svg}</figure>" for picture in document.pictures]
    body += [*tables[:1], *pictures, *tables[1:]]
    if document.notes:
        body.append("<h2>What was counted</h2><ul>")
        body += [f"<li>{escape(note)}</li>" for note in document.notes]
        body.append("</ul>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(document.title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _html_table(table: Table) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f'<{tag} class="l">{escape(cell)}</{tag}>' if column < table.left else f"<{tag}>{escape(cell)}</{tag}>"
            for column, cell in enumerate(row)
        )

    rows = "".join(f"<tr>{cells('td', row)}</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<h2>{escape(table.caption)}</h2><div class="scroll"><table><thead><tr>{cells("th", table.head)}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{note}"
    )
