"""The page of a report: one self-contained `index.html`, and its charts as pictures, from records alone."""

from suite.reporting.site.writing import CHARTS_FOLDER, PAGE_FILE, write_site

__all__ = ["CHARTS_FOLDER", "PAGE_FILE", "write_site"]
