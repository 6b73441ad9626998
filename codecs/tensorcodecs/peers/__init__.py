"""Codecs of others, each around its own library; the extra `peers` installs these."""
