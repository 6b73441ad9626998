"""SC2 and byte Huffman by lines, against codes that are made and read in plain Python."""

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcodecs import registry
from tensorcodecs.lines._canonical import code_infos, limited_lengths
from tensorcodecs.lines._sc2_tables import VALUES_MAX

SPECS = ["sc2:table=own", "bytehuff:table=own"]


def huffman_bits(weights):
    """Bits of the best code without a limit: the sum of all inner nodes."""
    heap, total = list(weights), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        inner = heapq.heappop(heap) + heapq.heappop(heap)
        total += inner
        heapq.heappush(heap, inner)
    return total


def canonical(symbols_and_lengths):
    """symbol -> code as a text of bits, as the pages define it."""
    codes, code, before = {}, -1, 0
    for symbol, length in sorted(symbols_and_lengths, key=lambda pair: (pair[1], pair[0])):
        code = (code + 1) << (length - before)
        codes[symbol], before = format(code, f"0{length}b"), length
    return codes


def sc2_by_definition(table, data):
    counts = np.frombuffer(table, "<u2", 15)
    lengths = [length + 1 for length, count in enumerate(counts.tolist()) for _ in range(count)]
    values = np.frombuffer(table, "<u4", offset=31).tolist()
    values.insert(sum(length <= table[30] for length in lengths) - 1, 1 << 32)
    codes = canonical(zip(values, lengths, strict=True))
    words = np.frombuffer(data, "<u4").tolist()
    return [codes.get(word) or codes[1 << 32] + format(word, "032b")[::-1] for word in words]


def bytehuff_by_definition(table, data):
    table = table.ljust(128, b"\0")
    lengths = [(value, table[value // 2] >> value % 2 * 4 & 15) for value in range(256)]
    codes = canonical(pair for pair in lengths if pair[1])
    return [codes[byte] for byte in data]


DEFINITIONS = {"sc2": (sc2_by_definition, 4), "bytehuff": (bytehuff_by_definition, 1)}


def skewed(n_words=4096):
    rng = np.random.default_rng(3)
    frequent = rng.integers(0, 1 << 32, 40, dtype=np.uint32)
    words = frequent[np.minimum(rng.geometric(0.2, n_words) - 1, 39)]
    return np.where(rng.random(n_words) < 0.03, rng.integers(0, 1 << 32, n_words, dtype=np.uint32), words)


@pytest.mark.parametrize("codec_spec", SPECS)
def test_frames_are_the_codes_that_their_pages_define(codec_spec):
    codec, words = registry.get_codec(codec_spec), skewed()
    by_definition, word_bytes = DEFINITIONS[codec.name]
    frame, table_bytes = bytes(codec.encode(words)), codec.block_and_table_bits(words)[1] // 8
    assert table_bytes > 0
    codes = by_definition(codec.learn(codec._lines_of(words)[0], word_bytes, complete=True), words.tobytes())
    bits = "".join(codes)
    payload = int(bits[::-1], 2).to_bytes(-(-len(bits) // 8), "little")
    assert frame.endswith(payload)
    assert len(frame) - len(payload) - table_bytes < 12, "the mark and the header"
    per_line = 64 // word_bytes
    sizes = [sum(map(len, codes[at : at + per_line])) for at in range(0, len(codes), per_line)]
    assert codec.block_bits(words).tolist() == sizes


@given(st.lists(st.integers(0, 1 << 20), min_size=2, max_size=60))
def test_code_lengths_are_as_good_as_huffmans(weights):
    lengths = limited_lengths(np.array(weights, np.int64))
    code_infos(np.sort(lengths))  # complete
    if max(weights) < 50 * (min(weights) + 1):  # no code of Huffman's is longer than the limit
        assert int((lengths * weights).sum()) == huffman_bits(weights)


def test_code_lengths_stay_in_their_limit():
    lengths = limited_lengths(1 << np.arange(40, dtype=np.int64))
    assert lengths.max() == 15
    code_infos(np.sort(lengths))


@pytest.mark.parametrize("codec_name", ["sc2", "bytehuff"])
def test_a_profiled_table_codes_what_no_sample_had(codec_name):
    codec, words = registry.get_codec(codec_name), skewed()
    fitted = codec.with_state(codec.fit([words]))
    assert codec.fit([words]) == codec.fit([words.copy()])
    assert fitted.block_bits(words).sum() < 0.75 * 8 * words.nbytes
    strange = np.random.default_rng(8).integers(0, 1 << 32, 500, dtype=np.uint32)
    assert fitted.decode(fitted.encode(strange)).tobytes() == strange.tobytes()
    assert fitted.block_bits(strange).sum() > 8 * strange.nbytes, "what grows is the model's to bypass"


def test_sc2_holds_as_many_values_as_pay():
    few, many = (
        np.tile(np.arange(3, dtype=np.uint32) << 20, 400),
        np.repeat(np.arange(3000, dtype=np.uint32), 9),
    )
    codec = registry.get_codec("sc2:table=own")
    assert codec.block_and_table_bits(few)[1] == 8 * (31 + 4 * 3)
    assert codec.block_and_table_bits(many)[1] <= 8 * (31 + 4 * VALUES_MAX)
    assert codec.block_and_table_bits(np.arange(4096, dtype=np.uint32))[1] == 0, "no value occurs twice"


@pytest.mark.parametrize(
    ("codec_name", "change", "message"),
    [
        ("sc2", lambda table: table[:-1], "no table of 1 to 1024 values"),
        ("sc2", lambda table: table[:31] + table[-4:] + table[35:], "do not ascend|twice"),
        ("sc2", lambda table: b"\xff" + table[1:], "not as many"),
        ("bytehuff", lambda table: table + b"\0", "129 bytes are no table"),
        ("bytehuff", lambda table: b"\x11" + table[1:], "no complete prefix code"),
        ("bytehuff", lambda _: b"\x11", "every byte value"),
    ],
)
def test_states_that_are_no_tables_are_refused(codec_name, change, message):
    codec = registry.get_codec(codec_name)
    table = change(codec.fit([skewed()])[4:])
    with pytest.raises(ValueError, match=message):
        codec.with_state(len(table).to_bytes(4, "little") + table)
