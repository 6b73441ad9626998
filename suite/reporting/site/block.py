"""What a section of a report's page is made of."""

from __future__ import annotations

from dataclasses import dataclass

from suite.reporting.site.charts import Chart
from suite.reporting.tables import Section


@dataclass(frozen=True)
class Block:
    """One section of the page."""

    id: str
    """What its address ends in, `index.html#id`; letters and hyphens, never changed once published."""
    title: str
    lead: tuple[str, ...] = ()
    """Paragraphs that say what is seen and how to read it."""
    charts: tuple[Chart, ...] = ()
    tables: tuple[Section, ...] = ()
    folded: bool = False
    """Whether each table stands behind its title until it is opened."""
    widget: str = ""
    """A template of its own between lead and charts, such as `board.html`."""
    menu: str = ""
    """A shorter title for the page's menu."""
    parts: tuple[Block, ...] = ()
    """Below the rest, each under its own heading."""

    def every_chart(self) -> list[Chart]:
        """Its charts and those of its parts."""
        return [*self.charts, *(chart for part in self.parts for chart in part.every_chart())]
