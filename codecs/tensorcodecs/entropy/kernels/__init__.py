"""Compiled inner loops of the family `entropy`: numba only, arrays in, arrays out."""
