"""Our codecs in Zarr: what is written is read back, in both formats, orders of memory, and processes."""

import json
import os
import pickle
import re
import subprocess
import sys
import tomllib

import ml_dtypes
import numcodecs
import numpy as np
import pytest
from support import REPOSITORY

from tensorcodecs import registry
from tensorcodecs.nested.pipeline import Pipeline

zarr = pytest.importorskip("zarr", reason="the extra `zarr` is not installed")
from tensorcodecs.zarr3 import PREFIX, ArrayToBytes, BytesToBytes, codecs  # noqa: E402 - needs zarr

ENTRY_POINTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "entry-points"
]
PAGE = (REPOSITORY / "docs" / "zarr.md").read_text(encoding="utf-8")
KINDS = {"ArrayToBytes": ArrayToBytes, "BytesToBytes": BytesToBytes}
DTYPES = ["bool", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "c16", "M8[s]", ">f4", ">i2"]


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """As an installation of this source does it, whatever is installed."""
    for name, target in ENTRY_POINTS["zarr.codecs"].items():
        zarr.registry.register_codec(name, KINDS[target.partition(":")[2]])
    for codec_id, target in ENTRY_POINTS["numcodecs.codecs"].items():
        monkeypatch.delitem(numcodecs.registry.codec_registry, codec_id, raising=False)
        numcodecs.registry.entries[codec_id] = Entry(target)


class Entry:
    def __init__(self, target):
        self.target = target

    def load(self):
        return registry._load(self.target)


def sample(dtype="f4", shape=(20, 30)):
    count = int(np.prod(shape))
    values = np.arange(count) * (np.arange(count) % 3 > 0)
    return (values % 2 if dtype == "bool" else values).astype(dtype).reshape(shape)


def stored(array, store=None, **options):
    """The array as it comes back from a store, opened anew."""
    store = zarr.storage.MemoryStore() if store is None else store
    options = {"chunks": tuple(max(1, n // 2) for n in array.shape), **options}
    zarr.create_array(store, shape=array.shape, dtype=array.dtype, **options)[...] = array
    opened = zarr.open_array(store, mode="r")
    return opened, opened[...]


def same(found, array):
    """Whether all bits are the same; a big-endian array may come back as a little-endian one."""
    native = array.dtype.newbyteorder("=")
    return np.asarray(found).astype(native).tobytes() == array.astype(native).tobytes()


@pytest.mark.parametrize("order", ["C", "F"])
def test_format_2_takes_every_codec_as_it_is(spec, order):
    codec = registry.get_codec(spec)
    array = sample()
    opened, found = stored(array, zarr_format=2, compressors=[codec], order=order)
    assert same(found, array)
    assert opened.compressors[0].codec_id == codec.codec_id


@pytest.mark.parametrize(
    "how", [{"chunks": (7, 11)}, {"shards": (20, 30), "config": {"order": "F"}}], ids=str
)
def test_format_3_takes_every_codec(spec, how):
    array = sample()
    opened, found = stored(array, **codecs(spec), **how)
    assert same(found, array)
    (described,) = [c for c in ours(opened.metadata.to_dict()["codecs"]) if c["name"].startswith(PREFIX)]
    assert described["configuration"] == registry.get_codec(spec).settings
    assert json.loads(json.dumps(described)) == described


def ours(described):
    """The codecs in an array's metadata, those within shards too."""
    for codec in described:
        yield codec
        yield from ours(codec.get("configuration", {}).get("codecs", ()))


@pytest.mark.parametrize("codec_spec", ["squeeze", "shuffle|zstd:level=3", "exphuff", "lz4"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_number_type_comes_back(codec_spec, dtype):
    array = sample(dtype)
    for how in ({}, {"shards": (20, 30)}):
        opened, found = stored(array, **codecs(codec_spec), **how)
        assert same(found, array)
        assert opened.dtype == array.dtype.newbyteorder("=")
    assert same(stored(array, zarr_format=2, compressors=[registry.get_codec(codec_spec)])[1], array)


@pytest.mark.parametrize(
    "dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2], ids=str
)
def test_types_of_ml_dtypes_come_back_where_zarr_has_them(dtype):
    array = sample().astype(dtype)
    bits = array.view(f"u{array.itemsize}")
    assert stored(bits, **codecs("squeeze"))[1].view(dtype).tobytes() == array.tobytes()
    try:
        zarr.dtype.parse_dtype(array.dtype, zarr_format=3)
    except ValueError as error:
        pytest.skip(f"bits alone: {error}")
    found = stored(array, **codecs("squeeze"))[1]
    assert found.dtype == dtype
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("shape", [(), (1,), (3, 1, 5, 2), (2000,)])
def test_every_shape_comes_back(shape):
    for codec_spec in ("squeeze", "zvc", "lz4"):
        assert same(stored(sample(shape=shape), **codecs(codec_spec))[1], sample(shape=shape))


def test_what_is_in_fortran_order_is_coded_by_its_values():
    """Whoever opens it may have another order of memory."""
    array = np.asfortranarray(sample())
    store = zarr.storage.MemoryStore()
    how = {"shape": array.shape, "chunks": array.shape, "dtype": array.dtype, "config": {"order": "F"}}
    zarr.create_array(store, **how, **codecs("squeeze"))[...] = array
    for order in ("C", "F"):
        assert same(zarr.open_array(store, config={"order": order})[...], array)
    filters = [{"name": "transpose", "configuration": {"order": (1, 0)}}]
    assert same(stored(array, filters=filters, **codecs("squeeze"))[1], array)


def test_a_part_of_a_chunk_can_be_written():
    store = zarr.storage.MemoryStore()
    for codec_spec in ("squeeze", "snappy"):
        array = zarr.create_array(
            store,
            name=codec_spec,
            shape=(9, 9),
            chunks=(4, 4),
            dtype="i4",
            fill_value=7,
            **codecs(codec_spec),
        )
        array[2:5, 1:8] = 3
        expected = np.full((9, 9), 7)
        expected[2:5, 1:8] = 3
        assert np.array_equal(array[...], expected)


def test_a_codec_of_others_is_a_pipeline_of_one():
    array = sample("u2")
    opened, found = stored(array, **codecs("blosc:cname=lz4"))
    assert same(found, array)
    assert opened.serializer.to_dict()["name"] == PREFIX + Pipeline.name


def test_settings_left_out_have_their_default():
    array = sample()
    bare = {"name": PREFIX + "squeeze"}
    opened, found = stored(array, serializer=bare, compressors=None)
    assert same(found, array)
    assert opened.serializer == ArrayToBytes("squeeze") == ArrayToBytes("squeeze:effort=2")
    assert hash(opened.serializer) == hash(ArrayToBytes("squeeze"))
    copied = pickle.loads(pickle.dumps(opened.serializer))  # noqa: S301 - our own
    assert copied == opened.serializer
    assert ArrayToBytes("squeeze") != ArrayToBytes("squeeze:effort=1")
    opened, found = stored(array, compressors={"name": PREFIX + "lz4"})
    assert same(found, array)
    assert opened.compressors == (BytesToBytes("lz4:acceleration=1"),)


@pytest.mark.parametrize(
    ("codec", "message"),
    [
        ({"name": PREFIX + "zvc", "configuration": {"block_byte": 64}}, r"did you mean 'block_bytes'\?"),
        ({"name": PREFIX + "zvc", "configuration": {"block_bytes": 60}}, "nearest is 64"),
        ({"name": PREFIX + "pipeline", "configuration": {"stages": []}}, "at least one stage"),
        ({"name": PREFIX + "pipeline", "configuration": {"stages": ["zst"]}}, "did you mean 'zstd'"),
    ],
)
def test_a_wrong_configuration_is_told_in_our_words(codec, message):
    with pytest.raises(ValueError, match=message):
        stored(sample(), serializer=codec, compressors=None)


@pytest.mark.parametrize(
    ("codec_spec", "dtype"), [("zfp", "i4"), ("squeeze", "S5"), ("squeeze", [("a", "i4")])]
)
def test_what_a_codec_does_not_take_is_refused_when_the_array_is_made(codec_spec, dtype):
    if codec_spec not in registry.names() or codec_spec == "zfp":
        pytest.importorskip("zfpy", reason="zfpy is not installed")
    store = zarr.storage.MemoryStore()
    with pytest.raises(TypeError, match=r"does not take int32|no words in items of type"):
        zarr.create_array(store, shape=(4,), chunks=(2,), dtype=dtype, **codecs(codec_spec))


def test_a_damaged_chunk_is_refused(tmp_path):
    stored(sample(), store=tmp_path, **codecs("squeeze"))
    chunk = tmp_path / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"."):
        zarr.open_array(tmp_path)[...]


class TestEntryPoints:
    def test_every_codec_has_one_of_its_kind(self, name):
        cls = registry.codec_class(name)
        kind = "BytesToBytes" if cls.sees_bytes else "ArrayToBytes"
        assert ENTRY_POINTS["zarr.codecs"][PREFIX + name] == f"tensorcodecs.zarr3:{kind}"

    def test_there_are_no_others(self):
        names = {PREFIX + name for name in (*registry.names(), Pipeline.name)}
        assert set(ENTRY_POINTS["zarr.codecs"]) == names
        assert ENTRY_POINTS["zarr.codecs"][PREFIX + Pipeline.name] == "tensorcodecs.zarr3:ArrayToBytes"

    def test_a_codec_sees_bytes_if_frames_are_those_of_bytes(self, name, golden):
        codec = registry.get_codec(name)
        for dtype in ("f4", "u2", "i8"):
            array = sample(dtype, (60, 70))
            if not hasattr(codec, "takes") or codec.takes(array.view("u1")):
                same_frame = codec.encode(array) == codec.encode(array.reshape(-1).view("u1"))
                assert bool(same_frame) == codec.sees_bytes
            else:
                assert not codec.sees_bytes

    @pytest.fixture
    def installed(self, tmp_path):
        """The environment of a process that finds this source installed."""
        folder = tmp_path / "installed" / "squeezemark-0.1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: squeezemark\nVersion: 0.1.0\n")
        groups = [
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
            for group, entries in ENTRY_POINTS.items()
        ]
        (folder / "entry_points.txt").write_text("\n".join(groups))
        paths = (folder.parent, REPOSITORY / "codecs", os.environ.get("PYTHONPATH", ""))
        return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}

    def run(self, code, folder, environment):
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def test_another_process_opens_what_this_one_wrote(self, tmp_path, installed):
        array = sample()
        specs = ["squeeze", "zvc", "shuffle|zstd:level=3", "lz4", "zstd"]
        for number, codec_spec in enumerate(specs):
            stored(array, store=tmp_path / f"3-{number}", **codecs(codec_spec))
            stored(array, store=tmp_path / f"s-{number}", shards=array.shape, **codecs(codec_spec))
            codec = registry.get_codec(codec_spec)
            stored(array, store=tmp_path / f"2-{number}", zarr_format=2, order="F", compressors=[codec])
        code = """
import zarr
for version in "3s2":
    for number in range(5):
        array = zarr.open_array(f"{version}-{number}", mode="r")
        print(array[...].tobytes("C").hex())
"""
        told = self.run(code, tmp_path, installed).split()
        assert told == [array.tobytes().hex()] * 15

    @pytest.mark.parametrize(
        "block", re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL), ids=["3", "2"]
    )
    def test_the_pages_lines_work(self, block, tmp_path, installed):
        assert len(block.strip().splitlines()) <= 12
        told = self.run(block, tmp_path, installed)
        if "print" in block:
            assert float(told.removeprefix("ratio ")) > 1.1

    def test_the_page_is_linked(self):
        assert "(docs/zarr.md)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_nothing_but_its_module_imports_zarr():
    code = """
import importlib, pkgutil, sys, tensorcodecs
for module in pkgutil.walk_packages(tensorcodecs.__path__, "tensorcodecs."):
    if module.name != "tensorcodecs.zarr3" and ".peers" not in module.name:
        importlib.import_module(module.name)
assert "zarr" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
