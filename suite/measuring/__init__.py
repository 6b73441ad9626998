"""Measuring: from a plan to a folder of records, on one machine or many."""
