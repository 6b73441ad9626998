"""Codecs that learn tables: their lines against plain Python's, their tables, and who pays for them."""

import heapq

import numpy as np
import pytest

import hwmodels
from suite.plan import make_subject
from tensorcodecs import registry
from tensorcodecs.base import DecodeError
from tensorcodecs.lines._value_tables import code_lengths, learn_values, read_table

NAMES = ["apack-like", "lane-like", "hycomp", "history-huffman-like"]
LINE_BYTES = 64


def samples(seed=0):
    """Words of every width as models have them: small integers, floats, zeros, and noise."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(0, 0.05, 600)
    relu = np.where(normal > 0, normal, 0)
    return [
        (normal * 300).astype(np.int8),
        relu.astype(np.float16),
        relu.astype(np.float32),
        normal.astype(np.float64),
        rng.integers(-9, 9, 500),
        (rng.integers(0, 3, 300) + (1 << 40)).astype(np.uint64),
        rng.integers(0, 256, 700).astype(np.uint8),
        np.zeros(99, np.int32),
        np.full(40, -1, np.int16),
    ]


@pytest.fixture(scope="module", params=NAMES)
def fitted(request):
    codec = registry.get_codec(request.param)
    return codec.with_state(codec.fit(samples(1)))


def lines_of(array):
    raw = array.tobytes()
    raw += bytes(-len(raw) % LINE_BYTES)
    return [raw[at : at + LINE_BYTES] for at in range(0, len(raw), LINE_BYTES)]


def apack_bits(line, width, table):
    """Bits of one line by the page: an arithmetic coder that shifts one bit at a time, and the offsets."""
    low, high, bits = 0, 65535, 2
    for at, value in enumerate(line):
        part = table[at % width * 38 :][:38]
        starts = [*part[:16], 256]
        packed = int.from_bytes(part[16:], "little")
        shares = [packed >> 11 * index & 2047 for index in range(16)]
        symbol = max(index for index in range(16) if starts[index] <= value)
        assert shares[symbol] > 0
        below, size = sum(shares[:symbol]), high - low + 1
        low, high = low + size * below // 1024, low + size * (below + shares[symbol]) // 1024 - 1
        bits += (starts[symbol + 1] - starts[symbol] - 1).bit_length()
        while high < 32768 or low >= 32768 or (low >= 16384 and high < 49152):
            offset = 0 if high < 32768 else 32768 if low >= 32768 else 16384
            low, high, bits = (low - offset) * 2, (high - offset) * 2 + 1, bits + 1
    return bits


def lane_bits(line, width, table):
    """Bits of one line by the page, on lists of zeros and ones."""
    words = [int.from_bytes(line[at : at + width], "little") for at in range(0, len(line), width)]
    lanes = [[word >> lane & 1 for word in words] for lane in range(8 * width)] + [[0] * len(words)]
    bits = 0
    for lane, choice in enumerate(table):
        view, code = divmod(choice, 6)
        mine = lanes[lane]
        if view:
            other = lanes[lane + 1] if view == 1 else [0, *mine[:-1]]
            mine = [a ^ b for a, b in zip(mine, other, strict=True)]
        n, any_bit = len(mine), any(mine)
        if code == 0:
            bits += n
        elif code == 2:
            bits += sum(5 if any(mine[at : at + 4]) else 1 for at in range(0, n, 4))
        elif code == 1 or not any_bit:
            bits += 1 + n * any_bit
        else:
            rice = (1, 3, 5)[code - 3]
            ends = [index for index, bit in enumerate(mine) if bit] + [n]
            gaps = [end - begin - 1 for begin, end in zip([-1, *ends], ends, strict=False)]
            bits += 1 + sum((gap >> rice) + 1 + rice for gap in gaps)
    return bits


def value_codes(table):
    """The four tables of HyComp, each {value: bits, None: bits of the escape}."""
    codes = []
    for width, value_bits in ((4, 32), (2, 11), (3, 20), (4, 32)):
        n = int.from_bytes(table[:2], "little")
        lengths = [table[2 + index // 2] >> 4 * (index % 2) & 15 for index in range(n + 1)]
        table = table[2 + (n + 2) // 2 :]
        values = [int.from_bytes(table[at * width : (at + 1) * width], "little") for at in range(n)]
        codes.append(dict(zip(values, lengths, strict=False)) | {None: lengths[n] + value_bits})
        table = table[n * width :]
    assert not table
    return codes


def hycomp_bits(line, _width, table):
    """Bits of one line by the page; BDI's from its own codec, whose definition has a test of its own."""
    chunks = [int.from_bytes(line[at : at + 8], "little") for at in range(0, len(line), 8)]
    votes = {"integer": 0, "pointer": 0, "float": 0}
    for index, chunk in enumerate(chunks):
        beside = [chunks[i] for i in (index - 1, index + 1) if 0 <= i < len(chunks)]
        if chunk == 0:
            continue
        if chunk >> 32 in (0, 0xFFFFFFFF):
            votes["integer"] += 1
        elif chunk >> 48 == 0:
            votes["pointer"] += 1
        elif any(chunk >> 56 & 127 == other >> 56 & 127 for other in beside):
            votes["float"] += 1
    if not any(chunks):
        return 5
    values, exponents, highs, lows = value_codes(table)
    winner = max(votes, key=votes.get)
    if winner == "pointer":
        return 5 + int(registry.get_codec("bdi").block_bits(line)[0]) - 4
    if winner == "integer":
        words = [chunk >> shift & 0xFFFFFFFF for chunk in chunks for shift in (0, 32)]
        return 5 + sum(values.get(word, values[None]) for word in words)
    parts = [(exponents, 52, 2047), (highs, 32, 0xFFFFF), (lows, 0, 0xFFFFFFFF)]
    found = [(codes, chunk >> shift & mask) for chunk in chunks for codes, shift, mask in parts]
    return 5 + len(chunks) + sum(codes.get(value, codes[None]) for codes, value in found)


def history_bits(lines, width, table):
    """Bits of every line by the page; the buffer goes on from line to line."""
    codes = []
    for _ in range(width):
        n = int.from_bytes(table[:2], "little")
        lengths = [table[2 + index // 2] >> 4 * (index % 2) & 15 for index in range(n + 1)]
        values = table[2 + (n + 2) // 2 :][:n]
        codes.append(dict(zip(values, lengths, strict=False)) | {None: lengths[n] + 8})
        table = table[2 + (n + 2) // 2 + n :]
    buffer, n_pushed, bits = [None] * 16, 0, []
    for line in lines:
        bits.append(0)
        for at in range(0, len(line), width):
            word = line[at : at + width]
            miss = 1 + sum(code.get(byte, code[None]) for code, byte in zip(codes, word, strict=True))
            bits[-1] += min(miss, 5) if word in buffer else miss
            if word not in buffer:
                buffer[n_pushed % 16], n_pushed = word, n_pushed + 1
    return bits


REFERENCES = {"apack-like": apack_bits, "lane-like": lane_bits, "hycomp": hycomp_bits}


@pytest.mark.parametrize("array", samples(2), ids=lambda array: f"{array.dtype}-{array.size}")
def test_bits_are_those_of_the_page_and_every_bit_comes_back(fitted, array):
    width = fitted.word_bytes or array.itemsize
    table = fitted._tables[width]
    bits = fitted.block_bits(array)
    if fitted.name == "history-huffman-like":
        expected = history_bits(lines_of(array), width, table)
    else:
        expected = [REFERENCES[fitted.name](line, width, table) for line in lines_of(array)]
    assert bits.tolist() == expected
    frame = fitted.encode(array)
    assert fitted.decode(frame).tobytes() == array.tobytes()
    header_bytes = len(frame) - len(fitted.mark) - -(-int(bits.sum()) // 8)
    assert 4 <= header_bytes <= 5


@pytest.mark.parametrize("scheme", NAMES)
def test_a_table_of_its_own_stands_in_the_frame_only_where_it_pays(scheme):
    own = registry.get_codec(f"{scheme}:table=own")
    like = np.tile(samples(3)[0], 20)
    table_bits = own.block_and_table_bits(like)[1]
    assert table_bits > 0
    assert np.minimum(own.block_bits(like), 512).sum() + table_bits < 8 * like.nbytes
    assert own.decode(own.encode(like)).tobytes() == like.tobytes()
    noise = np.random.default_rng(5).integers(0, 256, 999).astype(np.uint8)
    assert own.block_and_table_bits(noise)[1] == 0
    assert own.block_bits(noise).tolist() == [512] * 16


@pytest.mark.parametrize("scheme", NAMES)
def test_one_state_for_the_same_samples_and_no_decoding_without_it(scheme):
    codec = registry.get_codec(scheme)
    state = codec.fit(samples(1))
    assert state == codec.fit(samples(1))
    assert codec.fit([]) == b""
    array = samples(1)[0]
    frame = codec.with_state(state).encode(array)
    with pytest.raises(DecodeError, match="another learned state"):
        codec.decode(frame)
    own = registry.get_codec(f"{scheme}:table=own")
    assert own.fit(samples(1)) == b""
    assert codec.with_state(state).decode(own.encode(array)).tobytes() == array.tobytes()
    for damaged in (state[:-1], state + b"\1", b"\xff" * 40, bytes(4) + state[4:]):
        with pytest.raises(ValueError, match="table"):
            codec.with_state(damaged)


def test_damaged_frames_of_a_fitted_codec_end(fitted):
    rng = np.random.default_rng(6)
    for array in samples(4)[:3]:
        frame = fitted.encode(array)
        for length in range(0, len(frame), 7):
            with pytest.raises(DecodeError):
                fitted.decode(frame[:length])
        for _ in range(60):
            damaged = bytearray(frame)
            damaged[rng.integers(len(frame))] ^= 1 << rng.integers(8)
            try:
                assert fitted.decode(bytes(damaged)).nbytes < 1 << 20
            except DecodeError:
                continue


@pytest.mark.parametrize("scheme", NAMES)
def test_a_setting_that_is_not_legal_is_named_with_the_nearest(scheme):
    with pytest.raises(ValueError, match="table='profile' is not legal; did you mean 'profiled'"):
        registry.get_codec(f"{scheme}:table=profile")


@pytest.mark.parametrize("scheme", NAMES)
def test_a_model_learns_what_its_codec_learns_and_counts_a_table_of_its_own(scheme):
    profiled, own = (hwmodels.get_model(f"hw/{scheme}:table={table}") for table in ("profiled", "own"))
    assert make_subject(profiled.spec).learns
    assert not make_subject(own.spec).learns
    state = profiled.fit(samples(1))
    assert state == registry.get_codec(scheme).fit(samples(1))
    fitted, array = profiled.with_state(state), np.tile(samples(3)[0], 20)
    assert fitted.spec == profiled.spec
    sizes = {model: model.sizes(array) for model in (profiled, fitted, own)}
    assert sizes[fitted].coded_bits < sizes[profiled].coded_bits
    assert sizes[fitted].shared_bits == 0
    assert sizes[own].shared_bits == own.codec.block_and_table_bits(array)[1] > 0
    assert fitted.decode(fitted.encode(array)).tobytes() == array.tobytes()


class TestValueCodes:
    def test_lengths_are_as_short_as_huffmans_where_these_fit(self):
        rng = np.random.default_rng(8)
        for n in (2, 3, 17, 300):
            counts = rng.integers(1, 1000, n).tolist()
            heap, total = list(counts), 0
            heapq.heapify(heap)
            while len(heap) > 1:
                merged = heapq.heappop(heap) + heapq.heappop(heap)
                total += merged
                heapq.heappush(heap, merged)
            lengths = code_lengths(counts)
            assert sum(c * length for c, length in zip(counts, lengths, strict=True)) == total

    def test_long_codes_are_cut_and_stay_complete(self):
        lengths = code_lengths([1 << min(place, 60) for place in range(40)])
        assert max(lengths) == 15
        assert sum(2.0**-length for length in lengths) == 1

    def test_a_table_is_read_back_and_a_damaged_one_refused(self):
        values = np.repeat(np.arange(50), np.arange(50))
        table = learn_values(values, 11, 30, 3)
        assert read_table(table, 0, 11)[1] == len(table)
        for damaged in (table[:-1], table[:3] + b"\0" + table[4:], table[:-2] + table[-4:-2]):
            with pytest.raises(ValueError, match="table"):
                read_table(damaged, 0, 11)
