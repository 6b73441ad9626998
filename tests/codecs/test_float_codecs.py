"""Gorilla, Chimp, ALP and ALP_rd against slow encoders in plain Python; differences from a named tensor."""

import contextlib
import itertools

import numpy as np
import pytest

from tensorcodecs.base import DecodeError
from tensorcodecs.nested import provided
from tensorcodecs.registry import get_codec

WORDS = ["u1", "u2", "u4", "u8"]


def samples(dtype):
    rng = np.random.default_rng(6)
    width = 8 * np.dtype(dtype).itemsize
    yield np.zeros(40, dtype)
    yield (
        rng.integers(0, 1 << width, 500, dtype="u8", endpoint=False).astype(dtype)
        if width < 64
        else (rng.integers(0, 1 << 63, 500).astype(dtype) * np.uint64(2))
    )
    yield rng.integers(0, 7, 900).astype(dtype) << np.dtype(dtype).type(width - 6)
    yield np.cumsum(rng.integers(0, 2, 900)).astype(dtype)
    if width >= 32:
        yield np.cumsum(rng.normal(0, 1, 700)).astype(f"f{width // 8}").view(dtype)


def low_first(value, n_bits):
    return [value >> place & 1 for place in range(n_bits)]


def packed(bits):
    return np.packbits(np.array(bits, np.uint8), bitorder="little").tobytes()


def zeros_of(xor, width):
    text = f"{xor:0{width}b}"
    return width - len(text.lstrip("0")), len(text) - len(text.rstrip("0"))


def gorilla_by_definition(words, width):
    leading_bits, length_bits = {64: (5, 6), 32: (5, 5), 16: (4, 4), 8: (3, 3)}[width]
    bits = low_first(words[0], width)
    window = None
    for before, word in itertools.pairwise(words):
        xor = before ^ word
        if not xor:
            bits += [0]
            continue
        leading, trailing = zeros_of(xor, width)
        leading = min(leading, 2**leading_bits - 1)
        if window and leading >= window[0] and trailing >= window[1]:
            bits += [1, 0]
        else:
            window = leading, trailing
            bits += [1, 1, *low_first(leading, leading_bits)]
            bits += low_first(width - leading - trailing - 1, length_bits)
        bits += low_first(xor >> window[1], width - sum(window))
    return packed(bits)


ROUNDED = {8: list(range(8)), 16: [0, 1, 2, 3, 4, 6, 8, 10]}


def chimp_by_definition(words, width, previous):
    rounded = ROUNDED.get(width, [0, 8, 12, 16, 18, 20, 22, 24])
    length_bits = {8: 3, 16: 4, 32: 5, 64: 6}[width]
    distance_bits = 7 if previous == 128 else 0
    threshold = length_bits + distance_bits
    bits = low_first(words[0], width)
    stored = None
    for at in range(1, len(words)):
        distance = 1
        if previous == 128:
            key = 2 ** (threshold + 1)
            like = (d for d in range(1, at + 1) if words[at - d] % key == words[at] % key)
            near = next(like, 999)
            if near <= 128:
                xor = words[at] ^ words[at - near]
                if not xor or zeros_of(xor, width)[1] > threshold:
                    distance = near
        xor = words[at] ^ words[at - distance]
        place = low_first(distance - 1, distance_bits)
        if not xor:
            bits, stored = [*bits, 0, 0, *place], None
            continue
        leading, trailing = zeros_of(xor, width)
        code = max(c for c in range(8) if rounded[c] <= leading)
        length = width - rounded[code]
        if trailing > threshold:
            length -= trailing
            bits += [1, 0, *place, *low_first(code, 3), *low_first(length, length_bits)]
            bits += low_first(xor >> trailing, length)
            stored = None
        elif code == stored:
            bits += [0, 1, *low_first(xor, length)]
        else:
            bits += [1, 1, *low_first(code, 3), *low_first(xor, length)]
            stored = code
    return packed(bits)


@pytest.mark.parametrize("dtype", WORDS)
def test_xor_coders_are_their_definitions(dtype):
    width = 8 * np.dtype(dtype).itemsize
    for words in samples(dtype):
        values = words.tolist()
        assert get_codec("gorilla").encode(words).endswith(gorilla_by_definition(values, width))
        for previous in (1, 128):
            expected = chimp_by_definition(values, width, previous)
            frame = get_codec(f"chimp:previous={previous}").encode(words)
            assert frame.endswith(expected)
            assert len(frame) - len(expected) in (3, 4, 5)


def test_the_gorilla_pages_example():
    assert get_codec("gorilla").encode(bytes([5, 5, 4])).hex() == "0003053e02"


def alp_rd_bytes_by_definition(words, width, left_bits, n_entries):
    """Return the bytes of one group at this cut, with the dictionary of the most frequent left parts."""
    lefts = [word >> width - left_bits for word in words]
    entries = sorted(set(lefts), key=lambda left: (-lefts.count(left), left))[:n_entries]
    code_bits = (len(entries) - 1).bit_length()
    total = 2 + 2 * len(entries)
    for first in range(0, len(words), 1024):
        part = lefts[first : first + 1024]
        n_exceptions = sum(left not in entries for left in part)
        total += 2 + -(-(len(part) * (code_bits + width - left_bits) + 32 * n_exceptions) // 8)
    return total


@pytest.mark.parametrize(("dtype", "width"), [("f4", 32), ("f2", 16)])
def test_alp_rd_takes_the_shortest_cut(dtype, width):
    words = np.random.default_rng(3).normal(0, 0.02, 1500).astype(dtype).view(f"u{width // 8}")
    best = min(
        alp_rd_bytes_by_definition(words.tolist(), width, left_bits, n_entries)
        for left_bits in range(1, 17 if width == 32 else 16)
        for n_entries in range(1, 9)
    )
    payload = len(get_codec("alp-rd").encode(words)) - 3
    assert best <= payload <= best + 4


def alp_payload_by_definition(values, e, f):
    """Return the bytes of one vector of float64 at this scale."""
    low_integers = [round(value * float(f"1e{e}") * float(f"1e-{f}")) for value in values]
    fits = [i * float(f"1e{f}") * float(f"1e-{e}") == v for i, v in zip(low_integers, values, strict=True)]
    kept = [integer for integer, fit in zip(low_integers, fits, strict=True) if fit]
    if not kept:
        return 1 << 40
    n_bits = (max(kept) - min(kept)).bit_length()
    return 13 + -(-len(values) * n_bits // 8) + 10 * fits.count(False)


@pytest.mark.parametrize("decimals", [0, 1, 2, 5])
def test_alp_finds_the_scale_of_decimals(decimals):
    rng = np.random.default_rng(4)
    values = np.round(rng.uniform(1, 900, 1000), decimals)
    scales = [(e, f) for e in range(16) for f in range(e + 1)]
    best = min(alp_payload_by_definition(values.tolist(), *scale) for scale in scales)
    payload = len(get_codec("alp").encode(values)) - 4
    assert best <= payload <= best + 60  # the scale is chosen by a sample


def test_alp_keeps_what_is_no_decimal():
    values = np.tile([0.25, -0.0, np.nan, np.inf, -np.inf, 1e300, 5e-324, -7.5], 300)
    for dtype in ("f8", "f4"):
        with np.errstate(over="ignore"):
            array = values.astype(dtype)
        assert get_codec("alp").decode(get_codec("alp").encode(array)).tobytes() == array.tobytes()


def test_fvc_costs_codes_table_and_escapes():
    words = np.array([9, 9, 9, 4, 4, 70, 9, 9] * 10, np.uint32)
    words[5::8] = np.arange(100, 110)
    # Header, table of 7, 80 codes of 3 bits, and the 5 words that found no place in the table.
    assert len(get_codec("fvc").encode(words)) == 3 + 7 * 4 + 80 * 3 // 8 + 5 * 4


@pytest.fixture
def base():
    before = np.random.default_rng(5).normal(0, 0.02, 3000).astype(np.float32)
    provided.provide("w@1", before)
    yield before
    provided.forget("w@1")


@pytest.mark.parametrize("mode", ["xor", "difference"])
def test_a_checkpoint_costs_what_changed(base, mode):
    after = base.copy().view(np.uint32)
    after[::3] += 1
    after[1::3] -= 1
    codec = get_codec(f'delta-base:mode={mode}:base="w@1"')
    frame = codec.encode(after)
    assert codec.decode(frame).tobytes() == after.tobytes()
    assert len(frame) < after.nbytes / 7
    unlike = after[:-1]
    assert codec.decode(codec.encode(unlike)).tobytes() == unlike.tobytes()
    assert codec.encode(unlike)[0] == 0


def test_a_base_in_fortran_order_is_the_one_of_an_array_in_fortran_order():
    array = np.asfortranarray(np.random.default_rng(6).normal(0, 1, (30, 40)))
    provided.provide("turned", array)
    frame = get_codec("delta-base:base=turned").encode(array)
    assert len(frame) < array.nbytes / 7
    assert get_codec("delta-base").decode(frame).tobytes() == array.tobytes("A")
    provided.forget("turned")


def test_a_missing_or_different_base_is_refused(base):
    codec = get_codec('delta-base:base="w@1"')
    frame = codec.encode(base)
    provided.provide("w@1", base + 1)
    with pytest.raises(DecodeError, match="is not the array that the frame was made with"):
        codec.decode(frame)
    provided.forget("w@1")
    with pytest.raises(DecodeError, match="no base 'w@1'"):
        codec.decode(frame)
    with pytest.raises(KeyError, match="no base 'w@1'"):
        codec.encode(base)


@pytest.mark.parametrize("mode", ["xor", "difference"])
@pytest.mark.parametrize("dtype", WORDS)
def test_damaged_differences_are_survived(mode, dtype):
    words = np.arange(200).astype(dtype)
    provided.provide("b", words[::-1])
    codec = get_codec(f"delta-base:mode={mode}:base=b")
    frame = codec.encode(words)
    assert codec.decode(frame).tobytes() == words.tobytes()
    for at in range(len(frame)):
        for damaged in (frame[:at], frame[:at] + bytes([frame[at] ^ 16]) + frame[at + 1 :]):
            with contextlib.suppress(DecodeError):
                assert codec.decode(damaged).nbytes <= 1 << 20
    provided.forget("b")
