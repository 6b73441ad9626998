"""What the contract tests cannot see of the codecs around Huffman."""

import contextlib

import ml_dtypes
import numpy as np
import pytest

from tensorcodecs import registry
from tensorcodecs.base import DecodeError
from tensorcodecs.frame import unpack_header

FLOATS = [
    ml_dtypes.bfloat16,
    np.float16,
    np.float32,
    np.float64,
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e5m2,
]
SPECS = ["exphuff", "dfloat11", "ecf8", "csr", "csr:index_bits=8", "csr-huffman", "csr-huffman:index_bits=3"]
SPECS += ["codebook"]


def weights(dtype, n=70_000, kept=1.0):
    rng = np.random.default_rng(4)
    values = rng.normal(0, 0.02, n)
    values[rng.random(n) >= kept] = 0
    return values.astype(dtype)


def entropy_bits(values):
    p = np.unique(values, return_counts=True)[1] / values.size
    return float(-(p * np.log2(p)).sum())


@pytest.mark.parametrize("kept", [1.0, 0.3, 0.02, 0.0])
@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("family_spec", SPECS)
def test_gives_back_floats(family_spec, dtype, kept):
    codec = registry.get_codec(family_spec)
    array = weights(dtype, kept=kept).reshape(-1, 350)
    frame = codec.encode(array)
    assert codec.decode(frame).tobytes() == array.tobytes()
    assert len(frame) < array.nbytes + 20


@pytest.mark.parametrize("family_spec", SPECS)
def test_damaged_floats_are_survived(family_spec):
    codec = registry.get_codec(family_spec)
    rng = np.random.default_rng(6)
    for dtype in FLOATS:
        frame = bytearray(codec.encode(weights(dtype, n=2000, kept=0.5)))
        for _ in range(60):
            damaged = frame.copy()
            damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
            end = rng.integers(len(damaged)) if rng.random() < 0.2 else None
            with contextlib.suppress(DecodeError):
                codec.decode(damaged[:end])


def test_exponents_cost_their_entropy():
    array = weights(ml_dtypes.bfloat16, n=1 << 18)
    bits = 8 * len(registry.get_codec("exphuff").encode(array)) / array.size
    floor = 8 + entropy_bits(array.view(np.uint16) >> 7 & 0xFF)
    assert floor < bits < floor + 0.06


def test_pruned_mantissas_cost_nothing():
    array = weights(ml_dtypes.bfloat16, n=1 << 18, kept=0.1)
    bits = 8 * len(registry.get_codec("exphuff").encode(array)) / array.size
    assert bits < 0.1 * 8 + entropy_bits(array.view(np.uint16) >> 7 & 0xFF) + 0.7  # a bit for each zero
    array[0] = -0.0  # a zero that is not all zeros keeps them in, and comes back
    frame = registry.get_codec("exphuff").encode(array)
    assert registry.get_codec("exphuff").decode(frame).tobytes() == array.tobytes()


def test_dfloat11_holds_what_its_decoder_needs():
    array = weights(ml_dtypes.bfloat16, n=100_000)
    header = unpack_header(np.frombuffer(registry.get_codec("dfloat11").encode(array), np.uint8), 2, 2)
    n_tables, n_bytes = header.parameters
    n_blocks = -(-n_bytes // 4096)
    assert header.payload.size == 256 * n_tables + n_blocks * 320 + 4 * (n_blocks + 1) + n_bytes + array.size
    tables = header.payload[: 256 * n_tables].reshape(n_tables, 256)
    exponents = array.view(np.uint16) >> 7 & 0xFF
    stream = header.payload[256 * n_tables + n_blocks * 320 + 4 * (n_blocks + 1) :][:n_bytes]
    bits = "".join(format(byte, "08b") for byte in stream[:200].tolist())
    at = 0
    for exponent in exponents[:300].tolist():  # read by the tables alone
        entry = tables[0, int(bits[at : at + 8], 2)]
        if entry >= 240:
            entry = tables[256 - int(entry), int(bits[at + 8 : at + 16], 2)]
        assert entry == exponent
        at += int(tables[-1, entry])


def test_csr_is_pointers_indices_and_values():
    # EIE's example (section III): a column 0 0 1 2, 18 zeros, 3 is v = [1, 2, 0, 3] and z = [2, 0, 15, 2].
    row = np.array([[0, 0, 1, 2, *[0] * 18, 3, *[0] * 60]], np.uint16)
    payload = unpack_header(
        np.frombuffer(registry.get_codec("csr").encode(row), np.uint8), 1 << 16, 2
    ).payload
    expected = (4).to_bytes(4, "little") + bytes([4, 0x02, 0x2F]) + np.array([1, 2, 0, 3], "<u2").tobytes()
    assert payload.tobytes() == expected


def test_csr_rows_are_the_last_axis():
    array = np.zeros((3, 4, 90), np.float32)
    array[1, 2, 50] = 1
    header = unpack_header(
        np.frombuffer(registry.get_codec("csr:index_bits=8").encode(array), np.uint8), 1 << 16, 2
    )
    assert header.parameters == (90, 1)
    assert header.payload[: 4 * 12].view("<u4").tolist() == [0] * 6 + [1] * 6


def test_codebook_costs_the_indices():
    rng = np.random.default_rng(8)
    shared = rng.normal(0, 1, 16).astype(np.float32)
    array = shared[rng.binomial(15, 0.5, 100_000)]
    bits = 8 * len(registry.get_codec("codebook").encode(array)) / array.size
    assert entropy_bits(array) < bits < entropy_bits(array) + 0.08
