"""Entropy coders: values by how often they come, without repeats."""
