"""Codecs of a memory's lines, each line by itself and exact to the bit: what hardware models are made of."""
