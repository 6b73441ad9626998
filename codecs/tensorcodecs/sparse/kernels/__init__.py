"""Compiled inner loops of the family `sparse`: numba only, arrays in, arrays out."""
