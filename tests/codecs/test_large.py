"""Arrays larger than a codec's library takes at once: cut into pieces, or refused with the limit."""

import numpy as np
import pytest

from suite.measuring import measure
from suite.plan import make_subject
from tensorcodecs import registry
from tensorcodecs.base import DecodeError, TooLargeError
from tensorcodecs.floats.dfloat11 import DFloat11
from tensorcodecs.frame import Cut
from tensorcodecs.registry import NotInstalledError, get_codec


@pytest.fixture(params=["lz4", "lz4hc", "blosc2", "openzl"])
def cutting(request, monkeypatch):
    """A codec whose library seems to take 3000 bytes at most; pieces are of 1000."""
    try:
        codec = get_codec(request.param)
    except NotInstalledError as error:
        pytest.skip(str(error))
    assert codec.cut.above_bytes >= codec.cut.piece_bytes
    monkeypatch.setattr(type(codec), "cut", Cut(3000, 1000))
    return codec


def words(n_bytes, dtype):
    return (np.arange(n_bytes // np.dtype(dtype).itemsize) % 37).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "f2", "f4", "u8"])
@pytest.mark.parametrize("n_bytes", [3008, 4000, 4008, 12344])
def test_what_is_too_large_is_cut(cutting, dtype, n_bytes):
    array = words(n_bytes, dtype)
    coded = cutting.encode(array)
    assert cutting.decode(coded).tobytes() == array.tobytes()


def test_what_is_not_too_large_keeps_its_frame(cutting, monkeypatch):
    array = words(3000, "f4")
    coded = bytes(cutting.encode(array))
    assert cutting.decode(coded).tobytes() == array.tobytes()
    monkeypatch.undo()
    assert bytes(cutting.encode(array)) == coded
    assert cutting.decode(coded).tobytes() == array.tobytes()


def test_pieces_are_whole_and_end_where_the_frame_does(cutting):
    coded = bytes(cutting.encode(words(4000, "u1")))
    for damaged in (coded[:-1], coded + b"\0", coded[: len(coded) // 2], coded[:3]):
        with pytest.raises(DecodeError):
            cutting.decode(damaged)


def test_a_piece_of_another_size_is_refused(cutting, monkeypatch):
    coded = bytes(cutting.encode(words(4000, "u1")))
    monkeypatch.setattr(type(cutting), "cut", Cut(3000, 992))
    with pytest.raises(DecodeError):
        cutting.decode(coded)


def test_a_limit_is_said_before_encoding(name, monkeypatch):
    codec = get_codec(name)
    monkeypatch.setattr(type(codec), "bytes_max", 1000)
    monkeypatch.setattr(type(codec), "pack", None)
    monkeypatch.setattr(type(codec), "pack_typed", None, raising=False)
    expected = rf"^{name} takes arrays of at most 1000 bytes, not 1004; 'blocks:codec={name}' takes any$"
    with pytest.raises(TooLargeError, match=expected):
        codec.encode(np.zeros(251, "f4"))


def test_a_run_says_the_limit_in_the_row(tmp_path, monkeypatch):
    subject = make_subject("snappy")
    monkeypatch.setattr(measure, "_load", lambda root, trace: np.zeros(251, "f4"))
    monkeypatch.setattr(measure, "_warm_instance", lambda subject: get_codec(subject.spec))
    monkeypatch.setattr(registry.codec_class("snappy"), "bytes_max", 1000)
    assert measure.measure_size(tmp_path, None, subject) == {
        "status": "skipped",
        "reason": "snappy takes arrays of at most 1000 bytes, not 1004; 'blocks:codec=snappy' takes any",
    }
    codec = get_codec("blocks:block_bytes=256:codec=snappy")
    assert codec.decode(codec.encode(np.zeros(251, "f4"))).size == 1004


def test_snappys_limit_is_its_librarys():
    limit = registry.codec_class("snappy").bytes_max
    cramjam = pytest.importorskip("cramjam")
    # Untouched pages. From too much on it wants no room at all, and then fails.
    assert limit < cramjam.snappy.compress_raw_max_len(np.zeros(limit, np.uint8).data) < 1 << 32
    assert cramjam.snappy.compress_raw_max_len(np.zeros(limit + 1, np.uint8).data) == 0


def test_words_that_positions_cannot_count_are_stored(monkeypatch):
    class Few(DFloat11):
        position_dtype = "<u2"

    codec = Few()
    for n, is_stored in ((65_535, False), (65_536, True)):
        array = np.full(n, 0x3F80, np.uint16)
        coded = codec.pack_typed(array, codec.numbers, array.shape)
        assert codec.decode(coded).tobytes() == array.tobytes()
        assert (len(coded) > array.nbytes) == is_stored


def test_a_library_out_of_memory_is_out_of_memory(monkeypatch):
    openzl = pytest.importorskip("tensorcodecs.peers.openzl", reason="openzl is not installed")

    class Context:
        def set_parameter(self, *arguments):
            pass

        def ref_compressor(self, *arguments):
            pass

        def compress(self, inputs):
            raise RuntimeError("OpenZL error code: 70\nOpenZL error string: Allocation\nand many lines more")

    monkeypatch.setattr(openzl.zl, "CCtx", Context)
    with pytest.raises(MemoryError, match="OpenZL could not allocate"):
        openzl.OpenZL().encode(np.zeros(9, "f4"))


LARGE = ["lz4", "lz4hc", "blosc2", "snappy", "zstd:level=1", "pcodec:level=1"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("large", LARGE)
def test_more_than_two_gib_come_back(large):
    codec = get_codec(large)
    array = np.zeros((1 << 31) + 4096, np.uint8)  # its pages are never touched
    array[-1] = array[1 << 30] = 7
    decoded = codec.decode(codec.encode(array))
    assert decoded.size == array.size
    for at in range(0, array.size, 1 << 28):
        part = slice(at, at + (1 << 28))
        assert np.array_equal(decoded[part], array[part])
