"""Compiled inner loops of the family `squeeze`: numba only, arrays in, arrays out."""
