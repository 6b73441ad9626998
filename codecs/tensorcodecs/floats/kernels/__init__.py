"""Compiled inner loops of the family `floats`: numba only, arrays in, arrays out."""
