"""Canonical Huffman codes of limited length for alphabets of any size, and their part of a kernel's book."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tensorcodecs.lines.kernels.canonical import LENGTH_BITS_MAX

Numbers = npt.NDArray[np.int64]


def limited_lengths(weights: Numbers) -> Numbers:
    """Return the lengths of the best code of at most LENGTH_BITS_MAX bits, int64[n].

    Package-merge (Larmore and Hirschberg, J. ACM 1990) over int64[n] weights, two at least. Of equal weights
    the later ones have the shorter codes.
    """
    order = np.argsort(weights, kind="stable")
    leaves = weights[order]
    previous, flags = leaves, [np.ones(leaves.size, np.bool_)]
    for _ in range(LENGTH_BITS_MAX - 1):
        packages = previous[: previous.size // 2 * 2].reshape(-1, 2).sum(axis=1)
        both = np.concatenate((leaves, packages))
        merged = np.argsort(both, kind="stable")
        flags.append(merged < leaves.size)
        previous = both[merged]
    lengths = np.zeros(leaves.size, np.int64)
    n_items = 2 * leaves.size - 2
    for is_leaf in reversed(flags):
        n_leaves = int(np.count_nonzero(is_leaf[:n_items]))
        lengths[order[:n_leaves]] += 1
        n_items = 2 * (n_items - n_leaves)
    return lengths


def code_infos(lengths: Numbers) -> Numbers:
    """Return code | length << 32 for ascending int64[n] lengths; a code's first bit is its lowest.

    Raises ValueError where the lengths are no complete prefix code.
    """
    ascend = lengths.size >= 2 and bool((np.diff(lengths) >= 0).all())
    if not ascend or lengths[0] < 1 or lengths[-1] > LENGTH_BITS_MAX:
        raise ValueError(f"code lengths must ascend from 1 to at most {LENGTH_BITS_MAX} bits")
    shares = np.int64(1) << (LENGTH_BITS_MAX - lengths)
    ends = np.cumsum(shares)
    if ends[-1] != 1 << LENGTH_BITS_MAX:
        raise ValueError("the table's code lengths are no complete prefix code")
    codes = ends - shares  # as LENGTH_BITS_MAX bits, the first one highest
    reverse = np.zeros_like(codes)
    for bit in range(LENGTH_BITS_MAX):
        reverse |= (codes >> (LENGTH_BITS_MAX - 1 - bit) & 1) << bit
    infos: Numbers = reverse | lengths << 32
    return infos


def length_counts(lengths: Numbers) -> Numbers:
    """Return how many codes there are of 0 to LENGTH_BITS_MAX bits: what `kernels.canonical` decodes with."""
    return np.bincount(lengths, minlength=LENGTH_BITS_MAX + 1).astype(np.int64)
