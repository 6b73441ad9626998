"""Each kernel against a few lines of plain Python that say the same thing slowly."""

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcodecs import kernels, registry
from tensorcodecs.base import FittedCodec
from tensorcodecs.frame import unpack_header
from tensorcodecs.kernels.compact import close_gaps, open_gaps
from tensorcodecs.kernels.huffman_code import CODE_BITS_MAX, canonical_codes, code_lengths

WIDTHS = st.sampled_from([1, 2, 4, 8])
FEW = settings(max_examples=60, derandomize=True)


def sparse_words(width, n, seed, keep=0.4):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << 8 * width, n, np.dtype(f"u{width}"), endpoint=False) | 1
    words[np.repeat(rng.random(n) > keep, rng.integers(1, 30))[:n]] = 0
    return words


def payload(codec, words):
    frame = np.frombuffer(codec.encode(words), np.uint8)
    if isinstance(codec, FittedCodec):  # a mark before the header, and the size of a table in it
        return unpack_header(frame[len(codec.mark) :], 1 << 40, n_parameters=2).payload.tobytes()
    return unpack_header(frame, 1 << 40, n_parameters=int(hasattr(codec, "block_bytes"))).payload.tobytes()


@FEW
@given(WIDTHS, st.integers(0, 300), st.integers(0, 99), st.sampled_from([64, 256]))
def test_zvc_is_masks_and_non_zero_words(width, n, seed, block_bytes):
    words = sparse_words(width, n, seed)
    n_block = block_bytes // width
    expected = b""
    for start in range(0, n, n_block):
        block = words[start : start + n_block]
        mask = sum(int(word != 0) << index for index, word in enumerate(block))
        expected += mask.to_bytes(n_block // 8, "little") + block[block != 0].tobytes()
    assert payload(registry.get_codec(f"zvc:block_bytes={block_bytes}"), words) == expected


def zrle_tokens(words):
    groups = [words[start : start + 8] for start in range(0, words.size, 8)]
    masks = [sum(int(word != 0) << lane for lane, word in enumerate(group)) for group in groups]
    runs = [(key, len(list(run))) for key, run in itertools.groupby(masks)]
    runs = [[key if n >= 3 and key in (0, 255) else "mixed", n] for key, n in runs]
    at = 0
    for kind, pieces in itertools.groupby(runs, key=lambda run: run[0]):
        n = sum(piece[1] for piece in pieces)
        yield kind, masks[at : at + n], np.concatenate(groups[at : at + n])
        at += n


@FEW
@given(WIDTHS, st.integers(0, 900), st.integers(0, 99), st.sampled_from([0.05, 0.4, 0.98]))
def test_zrle_is_runs_of_groups(width, n, seed, keep):
    words = sparse_words(width, n, seed, keep)
    expected = b""
    for kind, masks, run in zrle_tokens(words):
        rest = len(masks) - 1
        code = {0: 0, 255: 1, "mixed": 2}[kind] << 6 | rest & 31
        expected += bytes([code]) if rest < 32 else bytes([code | 32, rest >> 5])
        if kind != 0:
            expected += (bytes(masks) if kind == "mixed" else b"") + run[run != 0].tobytes()
    assert payload(registry.get_codec("zrle"), words) == expected


@FEW
@given(WIDTHS, st.integers(0, 200), st.integers(0, 99))
def test_shuffle_is_a_transposition(width, n, seed):
    words = sparse_words(width, n, seed)
    planes = words.view(np.uint8).reshape(n, width).T.tobytes()
    assert registry.get_codec("shuffle").encode(words) == bytes([width]) + planes


@FEW
@given(st.binary(min_size=8, max_size=8))
def test_gaps_close_and_open(eight):
    kept = bytes(byte for byte in eight if byte)
    mask = np.uint8(sum((byte != 0) << lane for lane, byte in enumerate(eight)))
    closed = close_gaps(np.uint64(int.from_bytes(eight, "little")), mask)
    assert int(closed).to_bytes(8, "little") == kept.ljust(8, b"\0")
    with_rubbish = int.from_bytes(kept.ljust(8, b"\xff"), "little")
    assert int(open_gaps(np.uint64(with_rubbish), mask)).to_bytes(8, "little") == eight


def free_huffman_lengths(counts):
    heap = [(int(count), symbol, {symbol: 0}) for symbol, count in enumerate(counts) if count]
    heapq.heapify(heap)
    while len(heap) > 1:
        (a, tie, left), (b, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, (a + b, tie, {s: n + 1 for s, n in (left | right).items()}))
    return heap[0][2]


@FEW
@given(st.integers(2, 256), st.integers(0, 999), st.sampled_from([1.0, 3.0, 30.0]))
def test_huffman_lengths_are_the_best_within_the_limit(n, seed, skew):
    counts = np.zeros(256, np.int64)
    counts[:n] = 1 + (np.random.default_rng(seed).pareto(1 / skew, n).clip(0, 1e5)).astype(np.int64)
    lengths = np.empty(256, np.uint8)
    assert code_lengths(counts, lengths) == n
    assert lengths.max() <= CODE_BITS_MAX
    assert np.sum(2.0 ** -lengths[lengths > 0].astype(float)) == 1
    free = free_huffman_lengths(counts)
    cost, free_cost = int(counts @ lengths), sum(counts[s] * bits for s, bits in free.items())
    assert cost >= free_cost
    if max(free.values()) <= CODE_BITS_MAX:
        assert cost == free_cost
    codes = np.empty(256, np.uint64)
    assert canonical_codes(lengths, codes)
    words = {format(int(codes[s]), f"0{lengths[s]}b")[::-1] for s in range(256) if lengths[s]}
    assert not any(a != b and b.startswith(a) for a, b in itertools.pairwise(sorted(words)))


def test_the_length_limit_costs_what_the_best_code_costs():
    # Fibonacci counts make the deepest trees; the limited optimum by exhaustion over complete codes.
    counts = np.zeros(256, np.int64)
    counts[:20] = [1, 1] + [round(1.618**k) for k in range(2, 20)]
    lengths = np.empty(256, np.uint8)
    code_lengths(counts, lengths)
    ascending = sorted(counts[:20].tolist())
    best = {(1 << CODE_BITS_MAX, 0): 0}
    for count in ascending[::-1]:  # most frequent first; state: Kraft budget left in units of 2^-max
        step = {}
        for (budget, _), cost in best.items():
            for bits in range(1, CODE_BITS_MAX + 1):
                left = budget - (1 << CODE_BITS_MAX - bits)
                if left >= 0:
                    step[left, 0] = min(step.get((left, 0), 1 << 60), cost + count * bits)
        best = step
    assert int(counts @ lengths) == min(best.values())


def test_huffman_stays_near_the_entropy():
    values = np.random.default_rng(0).normal(0, 9, 400_000).astype(np.int8)
    p = np.bincount(values.view(np.uint8)) / values.size
    entropy_bytes = -(p[p > 0] * np.log2(p[p > 0])).sum() * values.size / 8
    assert entropy_bytes < len(registry.get_codec("huffman").encode(values)) < 1.02 * entropy_bytes


@FEW
@given(WIDTHS, st.integers(0, 600), st.integers(0, 99), st.sampled_from([0.05, 0.4, 0.98]))
@pytest.mark.parametrize("halves", [1, 2])
def test_block_bits_are_what_the_encoder_packs(block_spec, halves, width, n, seed, keep):
    codec = registry.get_codec(block_spec)
    codec = type(codec)(block_bytes=max(codec.block_bytes // halves, 64 if codec.name == "zvc" else 32))
    words = sparse_words(width, n, seed, keep)
    bits = codec.block_bits(words)
    n_block = codec.block_bytes // width
    assert bits.dtype == np.int32
    assert bits.size == -(-n // n_block)
    assert len(payload(codec, words)) == -(-int(bits.sum()) // 8)
    for block in range(bits.size):
        alone = words[block * n_block : (block + 1) * n_block]
        assert codec.block_bits(alone).tolist() == [bits[block]]
        assert len(payload(codec, alone)) == -(-int(bits[block]) // 8)


def test_warm_up_leaves_nothing_to_compile(name, golden):
    codec = registry.get_codec(name)
    codec.warm_up()
    before = kernels.compile_counts()
    for width in (1, 2, 4, 8):
        array = golden.fit(codec, sparse_words(width, 5000, 3))
        codec.decode(codec.encode(array))
        codec.decode(bytearray(codec.encode(array[::2])))
        if hasattr(codec, "block_bits"):
            codec.block_bits(array)
    assert kernels.compile_counts() == before


def test_huffman_gives_planes_and_stretches_codes_of_their_own():
    rng = np.random.default_rng(5)
    codec = registry.get_codec("huffman")
    # Stretches that are best raw, one value, and two skewed codes, at lengths that are no power of two.
    parts = [rng.integers(0, 256, 50_000), np.full(70_000, 9), rng.binomial(20, 0.2, 90_000)]
    parts += [200 + rng.binomial(20, 0.2, 101_234)]
    values = np.concatenate(parts).astype(np.uint8)
    frame = codec.encode(values)
    assert codec.decode(frame).tobytes() == values.tobytes()
    assert len(frame) < 1.02 * (50_000 + 191_234 * 2.9 / 8 + 8192)
    weights = rng.normal(0, 0.02, 1 << 16).astype(np.float32)
    # A Gaussian's 32-bit floats hold 26.46 bits of order-0 information.
    assert len(registry.get_codec("shuffle|huffman").encode(weights)) < 1.015 * weights.size * 26.46 / 8
