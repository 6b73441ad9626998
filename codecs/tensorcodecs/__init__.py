"""Codecs for tensors: every one is a `numcodecs.abc.Codec`; start at `tensorcodecs.registry.get_codec`."""
