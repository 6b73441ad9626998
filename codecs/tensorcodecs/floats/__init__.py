"""Codecs of floating-point numbers: exponents and mantissas apart, or neighbours against each other."""
