"""Every codec gives back every bit, of every type and layout of array."""

import json
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numcodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorcodecs import anycodec
from tensorcodecs.base import TensorCodec

DTYPES = [
    *(
        "bool",
        "int8",
        "uint16",
        "int32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    ),
    *(">i2", ">f4", ">u8"),
    *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4),
]
SHAPES = [(), (0,), (1,), (7,), (8,), (9,), (63,), (65,), (600,), (3, 5), (2, 0, 3), (4, 3, 5), (2, 3, 2, 9)]
SHAPES += [(2, 1, 3, 2, 40)]
PATTERNS = ["zero", "equal", "random", "sparse", "runs"]
LAYOUTS = {
    "plain": lambda array: array,
    "strided": lambda array: array[..., ::2] if array.ndim else array,
    "transposed": lambda array: array.T,
    "fortran": np.asfortranarray,
    "unaligned": lambda array: unaligned(array.shape, array.dtype, array),
    "reversed": lambda array: array[::-1] if array.ndim else array,
}


OUTS = {
    "C": np.empty,
    "F": lambda shape, dtype: np.empty(shape, dtype, order="F"),
    "flat": lambda shape, dtype: np.empty(np.empty(shape, dtype).nbytes, np.uint8),
    "unaligned": lambda shape, dtype: unaligned(shape, dtype),
    "bytearray": lambda shape, dtype: bytearray(np.empty(shape, dtype).nbytes),
}


def unaligned(shape, dtype, values=None):
    """Return an array at an odd address, which holds `values`."""
    n_bytes = np.empty(shape, dtype).nbytes
    array = np.empty(n_bytes + 1, np.uint8)[1:].view(dtype).reshape(shape)
    if values is not None:
        array[...] = values
    return array


def in_memory(array):
    """Return an array's bytes as numcodecs' codecs take them: in the order of its memory, if it has one."""
    return array.tobytes("A")


def random_bits(dtype, shape, pattern, seed):
    """Return an array of any bits at all: NaN payloads, -0.0 and infinities come by themselves."""
    rng = np.random.default_rng(seed)
    n_items = int(np.prod(shape))
    raw = rng.integers(0, 256, (n_items, np.dtype(dtype).itemsize), np.uint8)
    if pattern == "zero":
        raw[:] = 0
    elif pattern == "equal":
        raw[:] = raw[:1]
    elif pattern == "sparse":
        raw[rng.random(n_items) < 0.6] = 0
    elif pattern == "runs":
        raw[np.arange(n_items) // 40 % 2 == 0] = 0
    return raw.view(dtype).reshape(shape)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.sampled_from(SHAPES),
    pattern=st.sampled_from(PATTERNS),
    layout=st.sampled_from(sorted(LAYOUTS)),
    out=st.sampled_from(sorted(OUTS)),
    read_only=st.booleans(),
    seed=st.integers(0, 1 << 32),
)
def test_gives_back_every_bit(codec, dtype, shape, pattern, layout, out, read_only, seed):
    array = LAYOUTS[layout](random_bits(dtype, shape, pattern, seed))
    array.flags.writeable = not read_only
    before = in_memory(array)
    if hasattr(codec, "takes") and not codec.takes(array):
        with pytest.raises(TypeError, match="takes"):
            codec.encode(array)
        return
    frame = codec.encode(array)
    assert in_memory(array) == before, "encoding modified its input"
    decoded = codec.decode(frame)
    assert decoded.dtype == np.uint8
    assert decoded.tobytes() == before
    filled = OUTS[out](array.shape, array.dtype)
    assert codec.decode(frame, out=filled) is filled
    assert bytes(in_memory(filled) if isinstance(filled, np.ndarray) else filled) == before


@pytest.mark.parametrize("dtype", ["float32", "uint8", ml_dtypes.bfloat16], ids=str)
def test_an_array_in_fortran_order_is_coded_in_the_order_of_its_memory(codec, dtype):
    array = np.asfortranarray(random_bits(dtype, (6, 5, 40), "sparse", 11))
    if hasattr(codec, "takes") and not codec.takes(array):
        pytest.skip("it takes no such numbers")
    frame = codec.encode(array)
    assert frame == codec.encode(array.T), "the transposed array is the same memory in C order"
    out = np.empty_like(array)
    assert out.flags.f_contiguous
    codec.decode(frame, out=out)
    assert out.tobytes() == array.tobytes()


def test_gives_back_a_large_array(codec, golden):
    rng = np.random.default_rng(1)
    parts = [np.zeros(70_001), np.full(70_000, 3), rng.integers(0, 200, 9_000), rng.integers(0, 2, 140_000)]
    words = golden.fit(codec, np.concatenate(parts).astype(np.uint8))
    assert codec.decode(codec.encode(words)).tobytes() == words.tobytes()


@pytest.mark.parametrize("pattern", ["zero", "random"])
def test_a_frame_is_read_only_bytes_that_hold_no_more_than_twice_their_memory(codec, golden, pattern):
    frame = codec.encode(golden.fit(codec, random_bits("uint8", (5000,), pattern, 9)))
    if isinstance(codec, TensorCodec) and not isinstance(frame, bytes):
        assert isinstance(frame, memoryview)
        assert (frame.readonly, frame.format, frame.ndim, frame.c_contiguous) == (True, "B", 1, True)
        assert frame.obj.base.nbytes <= 2 * frame.nbytes


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_takes_buffers(codec, kind):
    data = bytes(range(50)) + bytes(50)
    if hasattr(codec, "takes") and not codec.takes(data):
        pytest.skip("it takes no bytes")
    assert codec.decode(kind(codec.encode(kind(data)))).tobytes() == data


@pytest.mark.parametrize("array", [np.array([None]), np.array(["a"]), np.zeros(2, "i4,i4")], ids=str)
def test_refuses_what_has_no_words(codec, array):
    with pytest.raises(TypeError, match="no words"):
        codec.encode(array)


def test_decodes_into_out(codec):
    array = random_bits("float32", (5, 60), "sparse", 3)
    frame = codec.encode(array)
    out = np.empty_like(array)
    assert codec.decode(frame, out=out) is out
    assert out.tobytes() == array.tobytes()
    buffer = bytearray(array.nbytes)
    assert codec.decode(frame, out=buffer) is buffer
    assert buffer == array.tobytes()
    turned = memoryview(np.empty((60, 5), "float32").T)
    assert codec.decode(frame, out=turned) is turned
    assert turned.tobytes("A") == array.tobytes()


def test_takes_a_buffer_in_fortran_order(codec):
    array = np.asfortranarray(random_bits("float32", (5, 60), "sparse", 3))
    buffer = memoryview(array)
    if hasattr(codec, "takes") and not codec.takes(buffer):
        pytest.skip("it takes no bytes")
    assert codec.decode(codec.encode(buffer)).tobytes() == in_memory(array)


@pytest.mark.parametrize(
    "out",
    [np.empty(3, np.uint8), np.empty((10, 20), np.uint8)[:, ::2], bytes(100)],
    ids=["short", "strided", "read-only"],
)
def test_refuses_an_out_that_does_not_fit(codec, golden, out):
    frame = codec.encode(golden.fit(codec, np.ones(100, np.uint8)))
    with pytest.raises(ValueError, match=r"^out "):
        codec.decode(frame, out=out)


def test_an_out_without_memory_of_its_own_is_refused(codec, golden):
    frame = codec.encode(golden.fit(codec, np.ones(100, np.uint8)))
    with pytest.raises(TypeError, match="bytes-like"):
        codec.decode(frame, out=[0] * 100)


def test_config_survives_json_and_numcodecs(codec, golden, monkeypatch):
    if codec.codec_id.startswith("squeezemark."):
        monkeypatch.setitem(numcodecs.registry.codec_registry, codec.codec_id, type(codec))
    config = json.loads(json.dumps(codec.get_config()))
    twin = numcodecs.get_codec(config)
    array = golden.fit(codec, random_bits("float16", (999,), "sparse", 5))
    decoded = anycodec.decode_bytes(twin, codec.encode(array), array.nbytes)
    assert decoded.tobytes() == array.tobytes()
    if isinstance(twin, TensorCodec):
        assert twin == codec
        assert twin.spec == codec.spec
        assert repr(twin) == repr(codec)


def test_threads_do_not_disturb_each_other(codec, golden):
    arrays = [golden.fit(codec, random_bits("uint16", (4000,), pattern, 7)) for pattern in PATTERNS] * 3
    expected = [codec.encode(array) for array in arrays]
    with ThreadPoolExecutor(4) as threads:
        frames = list(threads.map(codec.encode, arrays))
        decoded = list(threads.map(codec.decode, frames))
    assert frames == expected
    assert [part.tobytes() for part in decoded] == [array.tobytes() for array in arrays]
