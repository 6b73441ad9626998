"""Specs: one spelling for a codec with its settings, and errors that teach."""

import subprocess
import sys

import ml_dtypes
import numcodecs
import numpy as np
import pytest

from tensorcodecs import anycodec, registry
from tensorcodecs.anycodec import codec_spec, codec_version
from tensorcodecs.base import DecodeError, TensorCodec
from tensorcodecs.nested.pipeline import Pipeline
from tensorcodecs.registry import NotInstalledError, UnknownCodecError, get_codec


def test_specs_round_trip(spec):
    codec = get_codec(spec)
    assert codec.spec == spec
    assert codec_spec(get_codec(codec.spec)) == spec
    assert get_codec(spec) == codec


def test_default_specs_are_canonical(golden):
    assert registry.default_specs()
    for spec in registry.default_specs():
        if golden.missing(spec):
            continue
        assert codec_spec(get_codec(spec)) == spec


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("zstd", "zstd:level=3"),
        ("zstd:level=-5", "zstd:level=-5"),
        ("numcodecs.zstd", "numcodecs.zstd:level=0:checksum=false"),
        ("blosc:cname=zstd", "blosc:cname=zstd:clevel=5:shuffle=1:blocksize=0"),
        ("numcodecs.delta:dtype=<u2", 'numcodecs.delta:dtype="<u2":astype="<u2"'),
        (
            'numcodecs.delta:dtype="|u1"|zlib',
            'numcodecs.delta:dtype="|u1":astype="|u1"|zlib:level=6',
        ),
        ("shuffle | zstd", "shuffle|zstd:level=3"),
        ("numcodecs.zstd:checksum=True", "numcodecs.zstd:level=0:checksum=true"),
    ],
)
def test_spellings_become_one(text, canonical):
    assert codec_spec(get_codec(text)) == canonical
    assert codec_spec(get_codec(canonical)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zst", r"no codec 'zst'; did you mean 'zstd'\?"),
        ("shuffle|hufman", r"no codec 'hufman'; did you mean 'huffman'\?"),
        ("", "without a name"),
        ("|zstd", "without a name"),
        ("zstd:levl=3", r"zstd has no setting 'levl'; did you mean 'level'\?"),
        ("raw:level=3", "raw has no setting 'level'; it has none"),
        ("zstd:level", "expected key=value"),
        ("zstd:level=99", "level=99 is not legal: a whole number from -131072 to 22"),
        ("zlib:level=1.5", "level=1.5 is not legal: a whole number from 0 to 9"),
        ("brotli:quality=true", "quality=True is not legal"),
        ("zvc:block_bytes=60", "block_bytes=60 is not legal: one of 64, 128.*nearest is 64"),
        ("zvc:block_bytes=wide", "block_bytes='wide' is not legal"),
        ("bdi:block_bytes=100", "one of 32, 64, 128, 256; nearest is 128"),
        ('delta:dtype="<u2', "is not JSON"),
    ],
)
def test_errors_name_the_value_the_range_and_the_nearest(text, message):
    with pytest.raises(ValueError, match=message):
        get_codec(text)


def test_an_unknown_name_is_an_error_of_its_own():
    with pytest.raises(UnknownCodecError):
        get_codec("numcodecs.nothing-like-it")


def test_a_missing_package_is_said_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setattr(registry, "_PEERS", ("zipnn",))
    monkeypatch.setitem(registry._TABLE, "zipnn", ("no_such_package:ZipNN", ("zipnn",)))
    with pytest.raises(NotInstalledError, match=r"is not installed: pip install 'squeezemark\[peers\]'"):
        get_codec("shuffle|zipnn")
    monkeypatch.setattr(registry, "_PEERS", ())
    with pytest.raises(ModuleNotFoundError):
        get_codec("zipnn")


def test_two_codecs_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two codecs are named 'zvc'"):
        registry._table((("zvc", "a:A", ()), ("zvc", "b:B", ())))


def test_listing_imports_neither_numba_nor_numcodecs():
    code = """
import sys
from tensorcodecs import registry
assert registry.names() and registry.default_specs()
assert not {"numba", "numcodecs", "zstandard"} & set(sys.modules), "listing must stay light"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "foreign",
    ["numcodecs.zstd", "numcodecs.lz4", "blosc", "numcodecs.bz2", "numcodecs.delta:dtype=<u2|numcodecs.lz4"],
)
def test_foreign_codecs_take_types_they_do_not_know(foreign):
    codec = get_codec(foreign)
    array = np.arange(600).astype(ml_dtypes.bfloat16).reshape(20, 30)
    frame = anycodec.encode_array(codec, array)
    assert anycodec.decode_bytes(codec, frame, array.nbytes).tobytes() == array.tobytes()
    turned = np.asfortranarray(array)
    frame = anycodec.encode_array(codec, turned)
    assert anycodec.decode_bytes(codec, frame).tobytes() == turned.tobytes("A")
    with pytest.raises(DecodeError, match="expected 7"):
        anycodec.decode_bytes(codec, frame, 7)


def test_zlib_and_zstd_frames_are_interchangeable_with_numcodecs():
    data = np.arange(5000, dtype=np.uint16)
    for name in ("zlib", "zstd"):
        ours, theirs = get_codec(name), numcodecs.get_codec({"id": name})
        assert not isinstance(theirs, TensorCodec)
        assert ours.codec_id == theirs.codec_id
        assert bytes(theirs.decode(ours.encode(data))) == data.tobytes()
        assert ours.decode(theirs.encode(data)).tobytes() == data.tobytes()
        assert type(ours).from_config({"level": ours.level}) == ours
    with pytest.raises(ValueError, match=r"use numcodecs\.zstd"):
        type(get_codec("zstd")).from_config({"level": 1, "checksum": True})


def test_versions_say_whose_they_are():
    assert codec_version(get_codec("zvc")) == "1"
    assert codec_version(get_codec("numcodecs.lz4")) == f"numcodecs {numcodecs.__version__}"
    assert codec_version(get_codec("shuffle|numcodecs.lz4")) == f"1,numcodecs {numcodecs.__version__}"


def test_lossy_foreign_codecs_are_known():
    assert anycodec.is_lossless(get_codec("shuffle|numcodecs.lz4"))
    assert not anycodec.is_lossless(get_codec("bitround:keepbits=3"))
    assert not anycodec.is_lossless(get_codec("bitround:keepbits=3|zstd"))


def test_pipelines_flatten_and_refuse_to_be_empty():
    nested = Pipeline([get_codec("shuffle|raw"), "zstd:level=1"])
    assert nested.spec == "shuffle|raw|zstd:level=1"
    assert nested.stages == ["shuffle", "raw", "zstd:level=1"]
    with pytest.raises(ValueError, match="at least one stage"):
        Pipeline([])
