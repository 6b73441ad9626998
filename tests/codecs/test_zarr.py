"""Our codecs in Zarr: what is written is read back, whatever the order of chunks in memory."""

import numcodecs
import numpy as np
import pytest

from tensorcodecs import registry

zarr = pytest.importorskip("zarr", reason="the extra `zarr` is not installed")

SPECS = ["raw", "zvc", "zlib", "squeeze", "shuffle|zstd:level=3"]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("codec_spec", SPECS)
def test_version_2_gives_back_arrays_of_either_order(codec_spec, order, monkeypatch):
    codec = registry.get_codec(codec_spec)
    if codec.codec_id.startswith("squeezemark."):  # the others are opened as numcodecs' own
        monkeypatch.setitem(numcodecs.registry.codec_registry, codec.codec_id, type(codec))
    array = np.arange(600, dtype="f4").reshape(20, 30)
    store = zarr.storage.MemoryStore()
    options = {"shape": array.shape, "chunks": (7, 11), "dtype": array.dtype, "order": order}
    zarr.create_array(store, zarr_format=2, compressors=[codec], **options)[...] = array
    assert np.array_equal(zarr.open_array(store, zarr_format=2)[...], array)
