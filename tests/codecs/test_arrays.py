"""Arrays as words, and the names of element types."""

import ml_dtypes
import numpy as np
import pytest

from tensorcodecs.arrays import as_words, dtype_name, in_memory_order, number_format, raw_bytes, resolve_dtype


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        *(
            ("bool", "u1"),
            ("int8", "u1"),
            ("float16", "u2"),
            (">f4", "u4"),
            ("float64", "u8"),
            ("M8[s]", "u8"),
        ),
        *(("complex64", "u8"), ("complex128", "u8"), ("longdouble", "u8")),
        *((ml_dtypes.bfloat16, "u2"), (ml_dtypes.float8_e5m2, "u1"), (ml_dtypes.int4, "u1")),
    ],
)
def test_words_are_as_wide_as_the_items(dtype, words):
    array = np.ones((3, 4), dtype)
    assert as_words(array).dtype == np.dtype(words)
    assert as_words(array).ndim == 1
    assert as_words(array).tobytes() == raw_bytes(array).tobytes() == array.tobytes()
    assert as_words(array[:, ::2]).tobytes() == array[:, ::2].tobytes()
    assert as_words(array[0, 0]).nbytes == array.itemsize


def test_words_are_a_view_where_they_can_be():
    array = np.zeros((3, 4), np.float32)
    assert np.shares_memory(as_words(array), array)
    unaligned = np.frombuffer(bytes(9), np.uint8)[1:].view(np.float32)
    assert as_words(unaligned).flags.aligned
    assert np.shares_memory(raw_bytes(unaligned), unaligned)


def test_the_order_of_memory_is_a_view_of_all_that_is_contiguous():
    array = np.arange(12, dtype=ml_dtypes.bfloat16).reshape(3, 4)
    assert in_memory_order(array) is array
    turned = in_memory_order(array.T)
    assert turned.shape == array.shape
    assert np.shares_memory(turned, array)
    strided = array[:, ::2]
    assert in_memory_order(strided) is strided
    assert raw_bytes(in_memory_order(strided.T)).tobytes() == strided.T.tobytes()
    for data in (b"ab", bytearray(b"ab"), memoryview(b"ab")):
        assert in_memory_order(data) is data
    buffer = in_memory_order(memoryview(np.zeros((3, 4)).T))
    assert buffer.c_contiguous
    assert raw_bytes(memoryview(np.zeros((3, 0)))).size == raw_bytes(memoryview(np.zeros((0, 3)))).size == 0
    assert raw_bytes(memoryview(np.array(1.5))).view(float) == 1.5


@pytest.mark.parametrize(
    ("alias", "full"),
    [
        ("fp32", "float32"),
        ("bf16", "bfloat16"),
        ("fp8_e4m3", "float8_e4m3fn"),
        ("int8", "int8"),
        ("int4", "int4"),
    ],
)
def test_names_resolve(alias, full):
    assert dtype_name(resolve_dtype(alias)) == full
    assert resolve_dtype(full) == resolve_dtype(alias)


def test_unknown_names_say_the_nearest():
    with pytest.raises(ValueError, match=r"no element type 'bflot16'; did you mean 'bfloat16'\?"):
        resolve_dtype("bflot16")


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", ("float", 8, 23)),
        ("float16", ("float", 5, 10)),
        (ml_dtypes.bfloat16, ("float", 8, 7)),
        (ml_dtypes.float8_e4m3fn, ("float", 4, 3)),
        (ml_dtypes.float8_e8m0fnu, ("unsigned", 0, 0)),
        (ml_dtypes.float4_e2m1fn, ("unsigned", 0, 0)),
        (ml_dtypes.int4, ("signed", 0, 0)),
        (ml_dtypes.uint4, ("unsigned", 0, 0)),
        ("int16", ("signed", 0, 0)),
        (">f4", ("unsigned", 0, 0)),
        ("complex64", ("unsigned", 0, 0)),
        ("bool", ("unsigned", 0, 0)),
    ],
)
def test_number_formats(dtype, expected):
    assert number_format(np.zeros(3, dtype)) == expected


def test_a_buffer_is_unsigned_bytes():
    assert number_format(b"abc").kind == "unsigned"
