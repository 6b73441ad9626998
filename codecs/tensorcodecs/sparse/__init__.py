"""Codecs of arrays with many zeros, or few different values."""
