"""Sections to one HTML page: no network, light and dark, for phones, with a filter over its rows.

The page is what `gapy validate`, `gapy learn` and `gapy inspect` write. Every picture comes with
its numbers: a table where they are few, and a CSV file inside the page.
"""

from __future__ import annotations

import base64
import csv
import html
import importlib.metadata
import io
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

import gapy
from gapy.validation.page_style import SCRIPT, STYLE

PACKAGES = ("ase", "dscribe", "numpy", "numba")
"""Whose versions decide what was computed."""
SHOWN = 60
"""Rows of numbers of a picture that are a table; more are in the file alone."""
SHORT = 14
"""Letters up to which a cell is one line."""
GOOD, BAD = {"pass", "good"}, {"fail", "fails", "failed", "off"}


@dataclass(frozen=True)
class Table:
    """head: names of the columns. rows: of texts. A cell under "verdict" is coloured."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A PNG under a caption. numbers: column -> values (k,), what is drawn."""

    caption: str
    png: bytes
    numbers: Mapping[str, Sequence] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One heading: a verdict in a word or two, prose, facts as (name, text), a table, pictures."""

    title: str
    verdict: str = ""
    prose: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    pictures: tuple[Picture, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing below the heading."""
        rows = self.table.rows if self.table else ()
        return not (self.prose or self.facts or rows or self.pictures)


def page(title: str, subtitle: str, sections: Iterable[Section]) -> str:
    """The page; sections with nothing in them are left out."""
    shown = [s for s in sections if not s.is_empty]
    links = "".join(
        f"<li><a href='#{anchor(s.title)}'>{_text(s.title)}</a> {_chip(s.verdict)}</li>"
        for s in shown
    )
    return "\n".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            "<meta name='color-scheme' content='light dark'>",
            f"<title>{_text(title)}</title><style>{STYLE}</style></head><body>",
            f"<header><h1>{_text(title)}</h1><p>{_text(subtitle)}</p><p>{_text(made())}</p>",
            "<input type='search' id='filter' placeholder='Filter rows' aria-label='Filter rows'>",
            f"<nav><ul>{links}</ul></nav></header><main>",
            *(_section(s) for s in shown),
            f"</main><script>{SCRIPT}</script></body></html>",
            "",
        ]
    )


def made() -> str:
    """Version, date and the packages that matter."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    when = datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z")
    return f"gapy {gapy.__version__}, {when}; Python {platform.python_version()}, {versions}"


def anchor(title: str) -> str:
    """The name of a section in links."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")


def _section(section: Section) -> str:
    parts = [
        f"<section id='{anchor(section.title)}'>{_chip(section.verdict)}"
        f"<h2>{_text(section.title)}</h2>"
    ]
    if section.prose:
        parts.append(f"<p>{_text(section.prose)}</p>")
    if section.facts:
        rows = "".join(f"<tr><th>{_text(n)}</th><td>{_text(v)}</td></tr>" for n, v in section.facts)
        parts.append(f"<div class='wide'><table class='facts'>{rows}</table></div>")
    if section.table and section.table.rows:
        parts.append(_table(section.table))
    parts += [_picture(p) for p in section.pictures]
    return "".join([*parts, "</section>"])


def _table(table: Table) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in table.head)
    judged = table.head.index("verdict") if "verdict" in table.head else -1
    rows = []
    for row in table.rows:
        cells = []
        for k, (name, cell) in enumerate(zip(table.head, row)):
            short = " class='short'" if len(cell) <= SHORT else ""
            inside = _chip(cell) if k == judged else _text(cell)
            cells.append(f"<td data-name='{_text(name)}'{short}>{inside}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    top, body = f"<thead><tr>{head}</tr></thead>", "".join(rows)
    return f"<div class='wide'><table>{top}<tbody>{body}</tbody></table></div>"


def _picture(picture: Picture) -> str:
    image = base64.b64encode(picture.png).decode()
    caption = _text(picture.caption)
    return (
        f"<figure><figcaption>{caption}</figcaption>"
        f"<img alt='{caption}' loading='lazy' src='data:image/png;base64,{image}'>"
        f"{_numbers(picture)}</figure>"
    )


def _numbers(picture: Picture) -> str:
    """The numbers behind a picture, folded away; columns may differ in length."""
    if not picture.numbers:
        return ""
    columns = [[_cell(x) for x in np.asarray(v).ravel().tolist()] for v in picture.numbers.values()]
    n = max(map(len, columns))
    rows = [tuple(c[k] if k < len(c) else "" for c in columns) for k in range(n)]
    text = io.StringIO()
    csv.writer(text).writerows([tuple(picture.numbers), *rows])
    data = base64.b64encode(text.getvalue().encode()).decode()
    name = anchor(picture.caption) or "numbers"
    link = f"<a download='{name}.csv' href='data:text/csv;base64,{data}'>{n} rows as CSV</a>"
    table = _table(Table(tuple(picture.numbers), tuple(rows))) if n <= SHOWN else ""
    return f"<details><summary>Numbers</summary><p>{link}</p>{table}</details>"


def _cell(value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _chip(verdict: str) -> str:
    """A verdict as a word with a colour."""
    if not verdict:
        return ""
    words = set(re.findall("[a-z]+", verdict.lower()))
    kind = "bad" if words & BAD else "good" if words & GOOD else "none"
    return f"<span class='chip {kind}'>{_text(verdict)}</span>"


def _text(text: str) -> str:
    """Text as HTML shows it; control characters, which no page may hold, as question marks."""
    return html.escape(re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "?", str(text)))
