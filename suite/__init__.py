"""Squeezemark's suite: plan, measure, verify, record, rank and render."""
