"""Checkpoints as trainings leave them, and the formats that weights come in."""

import io
import json
import struct
import zipfile

import h5py
import ml_dtypes
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tensorcodecs.packing import pack_int4  # noqa: E402 - only where torch is
from tracegen.capturing.weightfiles import Kept, capture_weights  # noqa: E402
from tracegen.corpus import Corpus, CorpusError  # noqa: E402
from tracegen.corpus.recording import Facts  # noqa: E402

nn = torch.nn
RNG = np.random.default_rng(5)
MATRIX = RNG.standard_normal((8, 32)).astype(np.float32)


class Silent:
    def start(self, *_):
        pass

    step = note = start


@pytest.fixture
def read(tmp_path):
    """`read(path)` records a checkpoint: {(precision, role, layer): (array, trace)} and the notes."""

    def read(path, kept=None, **facts):
        out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        options = {"kept": kept or Kept(), "dry_run": False, "report": Silent()}
        notes = capture_weights(path, out, facts=lambda name: Facts(name, **facts), **options).notes
        with Corpus.open(out) as corpus:
            assert [wrong for _, wrong in corpus.verify() if wrong] == []
            return {(t.precision, t.role, t.layer): (corpus.read(t), t) for t in corpus.traces}, notes

    return read


def trained(optimiser_class=torch.optim.AdamW, **options):
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(32, 40), nn.BatchNorm1d(40), nn.Linear(40, 8))
    optimiser = optimiser_class(model.parameters(), **{"lr": 1e-3, **options})
    model(torch.randn(16, 32)).square().sum().backward()
    optimiser.step()
    return model, optimiser


def layouts():
    model, optimiser = trained()
    state, moments = model.state_dict(), optimiser.state_dict()
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    groups = {"state": {0: {"exp_avg": flat * 0.1, "exp_avg_sq": flat.square()}}, "param_groups": [{"lr": 1}]}
    return {
        "plain": {"model": state, "optimizer": moments, "epoch": 3, "loss": torch.tensor(0.5)},
        "plain-flat": {"state_dict": state, **{f"optim_{k}": v for k, v in moments.items()}},
        "lightning": {
            "state_dict": {f"net.{name}": tensor for name, tensor in state.items()},
            "optimizer_states": [moments],
            "lr_schedulers": [{"last_epoch": 1}],
            "callbacks": {"ModelCheckpoint": {"best_model_score": torch.ones(2)}},
            "hyper_parameters": {"table": torch.ones(3)},
        },
        "deepspeed": {
            "module": state,
            "buffer_names": ["1.running_mean", "1.running_var", "1.num_batches_tracked"],
            "optimizer_state_dict": {
                "base_optimizer_state": groups,
                "single_partition_of_fp32_groups": [flat],
            },
        },
        "optimiser-alone": moments,
    }


@pytest.mark.parametrize("layout", layouts())
def test_moments_are_updates_and_never_weights(read, tmp_path, layout):
    torch.save(layouts()[layout], tmp_path / "train.pt")
    found, _ = read(tmp_path / "train.pt")
    roles = {(role, trace.kind) for (_, role, _), (_, trace) in found.items()}
    assert {("updates", "first-moment"), ("updates", "second-moment")} <= roles
    weights = {layer: array for (_, role, layer), (array, _) in found.items() if role == "weights"}
    for layer, array in weights.items():
        assert "moment" not in layer
        assert "exp_avg" not in layer
        assert array.ndim, layer
    names = {layer.split(".", 1)[-1] for layer in weights}
    assert layout == "optimiser-alone" or any("0" in name for name in names)
    assert not any("running" in name or "fp32" in name for name in names)
    phases = {trace.phase for (_, role, _), (_, trace) in found.items() if role == "updates"}
    assert phases == {"training"}


@pytest.mark.parametrize(
    ("optimiser", "options", "kinds"),
    [
        (torch.optim.SGD, {"momentum": 0.9}, {"momentum"}),
        (torch.optim.RMSprop, {}, {"square_avg"}),
        (torch.optim.Adamax, {}, {"first-moment", "exp_inf"}),
        (torch.optim.Adadelta, {}, {"square_avg", "acc_delta"}),
    ],
)
def test_states_of_other_optimisers_are_updates_too(read, tmp_path, optimiser, options, kinds):
    model, made = trained(optimiser, **options)
    torch.save({"model": model.state_dict(), "opt": made.state_dict()}, tmp_path / "train.pt")
    found, _ = read(tmp_path / "train.pt")
    assert {trace.kind for (_, role, _), (_, trace) in found.items() if role == "updates"} == kinds


def test_buffers_are_left_out_in_one_line_and_kept_on_request(read, tmp_path):
    model, _ = trained()
    torch.save(model.state_dict(), tmp_path / "net.pt")
    found, notes = read(tmp_path / "net.pt")
    assert not [layer for _, _, layer in found if "running" in layer]
    assert [note for note in notes if "3 buffers" in note] == notes
    found, notes = read(tmp_path / "net.pt", Kept(buffers=True))
    kinds = {layer: trace.kind for (_, _, layer), (_, trace) in found.items()}
    assert kinds["1.running_mean"] == "buffer"
    assert kinds["0"] == ""


def test_small_tensors_are_left_out_and_counted_in_one_line(call, read, tmp_path):
    model, _ = trained()
    torch.save(model.state_dict(), tmp_path / "net.pt")
    done = call("tracegen", "capture", "--weights", "net.pt", "--out", "mine")
    assert done.returncode == 0, done.stderr
    assert "5 tensors below 4096 bytes (--min-bytes 0 keeps them)" in done.stderr
    with Corpus.open(tmp_path / "mine") as corpus:
        assert {trace.layer for trace in corpus.traces} == {"0"}
    done = call("tracegen", "capture", "--weights", "net.pt", "--out", "all", "--min-bytes", "0")
    with Corpus.open(tmp_path / "all") as corpus:
        assert len(corpus.traces) == 6
    torch.save({"w": torch.ones(4)}, tmp_path / "small.pt")
    found, notes = read(tmp_path / "small.pt", Kept(min_bytes=None))
    assert (len(found), notes) == (1, []), "of a small checkpoint nothing is left out"


def test_a_total_bounds_what_is_written(call, tmp_path):
    np.savez(tmp_path / "net.npz", **{f"w{n}": MATRIX for n in range(6)})
    options = ("--weights", "net.npz", "--out", "mine", "--total-bytes", "2500")
    done = call("tracegen", "capture", *options)
    assert done.returncode == 0, done.stderr
    assert "left out: 4 traces beyond 2500 bytes in all (total_bytes)" in done.stderr
    with Corpus.open(tmp_path / "mine") as corpus:
        assert sum(trace.raw_bytes for trace in corpus.traces) == 2048


def test_npz(read, tmp_path):
    bf16 = MATRIX.astype(ml_dtypes.bfloat16)
    arrays = {"a": MATRIX, "b": MATRIX.astype(">f2"), "c": np.asfortranarray(MATRIX), "d": bf16}
    np.savez_compressed(tmp_path / "net.npz", **arrays, o=np.arange(3))
    found, notes = read(tmp_path / "net.npz")
    np.testing.assert_array_equal(found["float32", "weights", "a"][0], MATRIX)
    np.testing.assert_array_equal(found["float16", "weights", "b"][0], MATRIX.astype(np.float16))
    np.testing.assert_array_equal(found["float32", "weights", "c"][0], MATRIX)
    assert any("weights/d skipped: its type is not told" in note for note in notes)


@pytest.mark.parametrize("suffix", ["ckpt", "CKPT", "PT"])
def test_checkpoints_of_torch_by_other_names(read, tmp_path, suffix):
    torch.save({"state_dict": {"w": torch.from_numpy(MATRIX)}}, tmp_path / f"net.{suffix}")
    found, _ = read(tmp_path / f"net.{suffix}")
    np.testing.assert_array_equal(found["float32", "weights", "state_dict.w"][0], MATRIX)


def safetensors(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_types_without_a_dtype_are_words_with_a_precision(read, tmp_path):
    words, _, _ = pack_int4(MATRIX)
    scales = np.arange(64, dtype=np.uint8)
    tensors = {
        "four": ("I4", (8, 32), words.tobytes()),
        "odd": ("F4", (3, 5), bytes(range(8))),
        "scales": ("F8_E8M0", (8, 8), scales.tobytes()),
    }
    safetensors(tmp_path / "net.SAFETENSORS", tensors)
    found, notes = read(tmp_path / "net.SAFETENSORS")
    assert notes == []
    array, trace = found["int4", "weights", "four"]
    np.testing.assert_array_equal(array, words)
    assert (trace.dtype, trace.shape, dict(trace.attributes)["bits"]) == ("uint8", (8, 16), 4)
    np.testing.assert_array_equal(found["float4_e2m1fn", "weights", "odd"][0], np.arange(8, dtype=np.uint8))
    np.testing.assert_array_equal(found["float8_e8m0fnu", "weights", "scales"][0], scales.reshape(8, 8))


def keras_file():
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        file["layers/dense/vars/0"] = MATRIX
        file["layers/dense/vars/1"] = MATRIX[0].astype(np.float16)
        file["optimizer/vars/2"] = MATRIX * 2
        file["strange"] = ["a text", "another"]
        file["far"] = h5py.ExternalLink("/etc/passwd", "/x")
    return data.getvalue()


@pytest.mark.parametrize("name", ["net.weights.h5", "net.h5", "net.keras"])
def test_keras_weights_without_keras(read, tmp_path, name):
    if name.endswith(".keras"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", keras_file())
    else:
        (tmp_path / name).write_bytes(keras_file())
    found, notes = read(tmp_path / name)
    np.testing.assert_array_equal(found["float32", "weights", "dense.0"][0], MATRIX)
    assert found["float16", "weights", "dense.1"][1].shape == (32,)
    assert {role for _, role, layer in found if layer.startswith("optimizer")} == {"updates"}
    assert any("strange skipped" in note for note in notes)
    assert not any("far" in layer for _, _, layer in found), "no link leads out of the file"


def gguf_file(path):
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(path, "llama")
    kind = gguf.GGMLQuantizationType.Q4_1
    packed = gguf.quants.quantize(MATRIX, kind)
    writer.add_tensor("blk.0.attn_q.weight", packed, raw_dtype=kind)
    writer.add_tensor("norm.weight", MATRIX[0])
    writer.add_tensor("half.weight", MATRIX.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return gguf, packed, gguf.quants.dequantize(packed, kind)


def test_gguf_blocks_are_kept_as_they_are_and_values_never_pass_for_natural_ones(read, tmp_path):
    _, packed, values = gguf_file(tmp_path / "net.gguf")
    found, notes = read(tmp_path / "net.gguf")
    assert notes == []
    array, trace = found["q4_1", "weights", "blk.0.attn_q"]
    np.testing.assert_array_equal(array, packed)
    assert (trace.dtype, list(trace.shape)) == ("uint8", list(packed.shape))
    array, trace = found["q4_1-dequantised", "weights", "blk.0.attn_q"]
    np.testing.assert_array_equal(array, values)
    assert ("float32", "weights", "blk.0.attn_q") not in found
    np.testing.assert_array_equal(found["float16", "weights", "half"][0], MATRIX.astype(np.float16))
    np.testing.assert_array_equal(found["float32", "weights", "norm"][0], MATRIX[0])
    found, _ = read(tmp_path / "net.gguf", max_bytes=256)
    np.testing.assert_array_equal(found["q4_1-dequantised", "weights", "blk.0.attn_q"][0], values[:2])


def test_damaged_files_of_every_format_are_refused_in_one_line(read, tmp_path):
    gguf_file(tmp_path / "net.gguf")
    np.savez(tmp_path / "net.npz", a=MATRIX)
    (tmp_path / "net.h5").write_bytes(keras_file())
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("model.weights.h5", keras_file())
    for name in ("net.gguf", "net.npz", "net.h5", "net.keras"):
        whole = (tmp_path / name).read_bytes()
        for cut in (0, 3, 20, len(whole) // 2, len(whole) - 30):
            (tmp_path / name).write_bytes(whole[:cut])
            with pytest.raises(CorpusError, match=r"net\.") as caught:
                read(tmp_path / name)
            assert "\n" not in str(caught.value)


def test_a_gguf_file_cannot_claim_more_than_it_holds(read, tmp_path):
    pytest.importorskip("gguf")
    (tmp_path / "net.gguf").write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 1 << 60, 1 << 60) + bytes(64))
    with pytest.raises(CorpusError, match="it claims version 3, 1152921504606846976 tensors"):
        read(tmp_path / "net.gguf")


def test_shards_that_name_a_tensor_twice_give_it_once(read, tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    row = ("F32", MATRIX.shape, MATRIX.tobytes())
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    safetensors(folder / one, {"a.weight": row, "b.weight": row})
    safetensors(folder / two, {"b.weight": row})
    index = {"weight_map": {"a.weight": one, "b.weight": two}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    found, notes = read(folder)
    assert {layer for _, _, layer in found} == {"a", "b"}
    assert notes == []


def test_an_array_that_ml_dtypes_saved_is_imported_with_its_dtype_told(call, tmp_path):
    array = MATRIX.astype(ml_dtypes.bfloat16)
    np.save(tmp_path / "w.npy", array)
    row = {"file": "w.npy", "model": "m", "role": "weights", "layer": "l", "dtype": "bf16"}
    (tmp_path / "index.json").write_text(json.dumps([row]))
    done = call("tracegen", "import", "--index", "index.json", "--out", "mine")
    assert done.returncode == 0, done.stderr
    with Corpus.open(tmp_path / "mine") as corpus:
        assert corpus.read(corpus.traces[0]).tobytes() == array.tobytes()
