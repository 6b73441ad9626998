"""Compiled inner loops of the family `filters`: numba only, arrays in, arrays out."""
