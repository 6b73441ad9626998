"""Arguing with results: verify, compare, merge."""
