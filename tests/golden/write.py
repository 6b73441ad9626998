"""Write the codecs' golden files: `python tests/golden/write.py [--overwrite] [NAME ...]`.

A golden file holds the frames that one codec made of the arrays below, each behind its length (4 bytes,
little-endian). A test never writes one. An existing file is a published format and stays unless
--overwrite says that the format's version was raised on purpose.
"""

from __future__ import annotations

import argparse
import pathlib
import struct
import sys

import numpy as np

from tensorcodecs import anycodec, registry
from tensorcodecs.arrays import as_words

FOLDER = pathlib.Path(__file__).parent / "codecs"


def arrays():
    """Return the inputs, from integer arithmetic alone so that they are the same everywhere and for ever."""
    mixed = (np.arange(1500, dtype=np.uint64) * 2654435761 >> 7) % 1009
    sparse = np.where(mixed % 5 < 3, 0, mixed)
    return (
        np.zeros(0, np.uint8),
        np.zeros(700, np.uint16),
        np.full(333, 7, np.uint8),
        sparse.astype(np.uint8),
        (sparse * 37).astype(np.uint16),
        np.repeat(sparse[:200], 9).astype(np.uint32),
        (mixed[:301] + (1 << 40)).astype(np.uint64),
        np.bitwise_count(mixed).astype(np.uint8),
    )


def specs():
    """Return the spec of every golden file: the board's, and each codec of ours at its default settings.

    One that learns tables is there with tables of its own, too.
    """
    defaults = tuple(filter(None, map(default_spec, registry.names())))
    learned = (spec.replace("table=profiled", "table=own") for spec in defaults)
    return tuple(dict.fromkeys((*registry.default_specs(), *defaults, *learned)))


def default_spec(name):
    """Return the spec of our codec `name`, or "" where its package is missing (its board rows are known)."""
    return "" if missing(name) else anycodec.codec_spec(registry.get_codec(name))


def missing(spec):
    """Return what has to be installed before `spec` can be used, or "" where nothing has to be."""
    try:
        registry.get_codec(spec)
    except registry.NotInstalledError as error:
        return str(error)
    return ""


def path(spec):
    """Return the file for `spec`, in a name that every file system takes."""
    return FOLDER / (spec.replace("|", "+").replace(":", "_").replace("=", "-").replace('"', "") + ".bin")


def write(spec):
    codec = registry.get_codec(spec)
    frames = [bytes(anycodec.encode_array(codec, fit(codec, array))) for array in arrays()]
    path(spec).write_bytes(b"".join(struct.pack("<I", len(frame)) + frame for frame in frames))


def fit(codec, array):
    """Return `array`, or for a codec that does not take its numbers its bytes as float32."""
    if not hasattr(codec, "takes") or codec.takes(array):
        return array
    words = np.frombuffer(array, np.uint8) if isinstance(array, bytes) else as_words(array).view(np.uint8)
    return np.resize(words, words.size & -4).view(np.float32)


def read(spec):
    """Return the frames in the golden file for `spec`."""
    data = path(spec).read_bytes()
    frames = []
    while data:
        end = 4 + struct.unpack_from("<I", data)[0]
        frames.append(data[4:end])
        data = data[end:]
    return frames


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("specs", nargs="*", metavar="SPEC", default=specs())
    parser.add_argument("--overwrite", action="store_true", help="replace published files")
    options = parser.parse_args(arguments)
    FOLDER.mkdir(exist_ok=True)
    kept = 0
    for spec in options.specs:
        if path(spec).exists() and not options.overwrite:
            kept += 1
        elif missing(spec):
            sys.stdout.write(f"skipped {spec}: {missing(spec)}\n")
        else:
            write(spec)
            sys.stdout.write(f"wrote {path(spec).name}\n")
    if kept:
        sys.stdout.write(f"kept {kept} existing files; --overwrite replaces them\n")


if __name__ == "__main__":
    main(sys.argv[1:])
