"""A document's tables as LaTeX: booktabs rules, broken over pages, in ASCII."""

from __future__ import annotations

import textwrap

from tabulate import tabulate

from suite.reporting.tables import ABSENT, Document, Section

PACKAGES = ("booktabs", "longtable")
PREAMBLE = (
    *(f"% needs \\usepackage{{{name}}}" for name in PACKAGES),
    "% and \\usepackage[T1]{fontenc}; wide tables fit a landscape page",
)
HEADING_WIDTH = 13
"""Characters of a heading's line."""
_SIGNS = str.maketrans(
    {
        ABSENT: "--",
        "×": "$\\times$",
        "µ": "$\\mu$",
        "²": "\\textsuperscript{2}",
        "ᵖ": "\\textsuperscript{p}",
        "ˢ": "\\textsuperscript{s}",
        "ᵐ": "\\textsuperscript{m}",
        "ᵉ": "\\textsuperscript{e}",
    }
)


def latex(document: Document) -> str:
    """The document as a LaTeX fragment: one `longtable` for each section, its note in a comment before it."""
    parts = [*PREAMBLE, f"% {document.title}", *(f"% {line}" for line in document.intro)]
    for section in document.sections:
        parts += [f"% {section.note}", _longtable(section)]
    parts += [f"% {note}" for note in document.footnotes]
    return "\n".join(parts) + "\n"


def _longtable(section: Section) -> str:
    """The section as a table whose headings are repeated on every page."""
    align = section.alignment()
    text = tabulate(
        section.body(), section.header(), tablefmt="latex_booktabs", colalign=align, disable_numparse=True
    )
    begin, top, titles, middle, *rows, bottom, _ = text.translate(_SIGNS).splitlines()
    cells = titles.removesuffix("\\\\").split(" & ")
    heading = " & ".join(map(_stacked, cells, align))
    return "\n".join(
        (
            "{\\scriptsize\\setlength{\\tabcolsep}{3pt}",
            begin.replace("tabular", "longtable"),
            f"\\caption{{{section.title}}} \\\\",
            *(top, f"{heading} \\\\", middle, "\\endhead", bottom, "\\endfoot"),
            *rows,
            "\\end{longtable}}",
        )
    )


def _stacked(title: str, side: str) -> str:
    """A heading in lines of few characters, set to the side that its column is."""
    lines = textwrap.wrap(title.strip(), HEADING_WIDTH, break_long_words=False, break_on_hyphens=False)
    text = "\\\\".join(lines)
    return f"\\shortstack[{side[0]}]{{{text}}}" if len(lines) > 1 else text
