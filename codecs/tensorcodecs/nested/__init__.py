"""Codecs of codecs: stages, blocks, and what is left beside a base."""
