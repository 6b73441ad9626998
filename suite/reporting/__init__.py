"""Reporting: from the records alone to tables, charts and pages."""
