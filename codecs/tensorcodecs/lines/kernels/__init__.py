"""Compiled inner loops of the family `lines`: numba only, arrays in, arrays out."""
