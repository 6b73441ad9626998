import json
import shutil

import ml_dtypes
import numpy as np
import pytest

from tracegen.corpus import Corpus

VALUES = np.linspace(-2, 2, 24).reshape(4, 6)
BF16 = VALUES.astype(ml_dtypes.bfloat16)
E4M3 = VALUES.astype(ml_dtypes.float8_e4m3fn)
E5M2 = VALUES.astype(ml_dtypes.float8_e5m2)

# The index's dtype, the array in the file, the array that must come back.
DTYPES = [
    *((name, VALUES.astype(np.float32), VALUES.astype(np.float32)) for name in ("fp32", "float32")),
    *((name, VALUES.astype(np.float16), VALUES.astype(np.float16)) for name in ("fp16", "float16")),
    *((name, VALUES, VALUES) for name in ("fp64", "float64")),
    *((name, BF16.view(np.uint16), BF16) for name in ("bf16", "bfloat16")),
    *((name, E4M3.view(np.uint8), E4M3) for name in ("fp8_e4m3", "float8_e4m3fn")),
    *((name, E5M2.view(np.uint8), E5M2) for name in ("fp8_e5m2", "float8_e5m2")),
    *(
        (name, np.arange(12, dtype=name), np.arange(12, dtype=name))
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    ),
]


@pytest.fixture
def importing(call, tmp_path):
    """`importing(rows, arrays)` writes the files and the index, then runs the import."""

    def importing(rows, arrays, *options):
        for name, array in arrays.items():
            np.save(tmp_path / name, array)
        text = rows if isinstance(rows, str) else json.dumps(rows)
        (tmp_path / "index.json").write_text(text)
        return call("tracegen", "import", "--index", "index.json", "--out", "mine", *options)

    return importing


def row(**changes):
    entry = {"file": "w.npy", "model": "net", "role": "weights", "layer": "fc1", "dtype": "fp32"}
    return {key: value for key, value in {**entry, "sparsity": 0.5, **changes}.items() if value is not ...}


def check_one_line_error(result, *parts, code=1):
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    for part in parts:
        assert part in lines[0]


def test_every_dtype_name_and_shape_comes_back_to_the_bit(importing, tmp_path):
    rows = [row(file=f"{n}.npy", layer=f"layer{n}", dtype=name) for n, (name, _, _) in enumerate(DTYPES)]
    result = importing(rows, {f"{n}.npy": array for n, (_, array, _) in enumerate(DTYPES)})
    assert result.returncode == 0, result.stderr
    assert f"{len(DTYPES)} traces" in result.stdout
    with Corpus.open(tmp_path / "mine") as corpus:
        assert [problem for _, problem in corpus.verify()] == [None] * len(DTYPES)
        by_layer = {trace.layer: corpus.read(trace) for trace in corpus.traces}
    for n, (_, _, expected) in enumerate(DTYPES):
        read = by_layer[f"layer{n}"]
        assert read.dtype == expected.dtype
        assert read.shape == expected.shape
        assert read.tobytes() == expected.tobytes()


def test_layouts_that_numpy_saves(importing, tmp_path):
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = {"big.npy": array.astype(">f4"), "fortran.npy": np.asfortranarray(array), "w.npy": array}
    rows = [row(file=name, layer=name.split(".")[0]) for name in arrays]
    assert importing(rows, arrays).returncode == 0
    with Corpus.open(tmp_path / "mine") as corpus:
        assert len({trace.sha256 for trace in corpus.traces}) == 1


def test_optional_keys_names_and_several_models(importing, tmp_path):
    array = np.ones((4, 4), np.float32)
    rows = [
        row(sparsity=..., phase="training", role="gradients"),
        row(model="other", sparsity=0.75, pruning="random"),
    ]
    result = importing(rows, {"w.npy": array}, "--name", "ours", "--origin", "lab", "--licence", "CC0-1.0")
    assert result.returncode == 0, result.stderr
    corpus = Corpus.open(tmp_path / "mine")
    assert [trace.name for trace in corpus.traces] == [
        "net/float32-s0/gradients/fc1",
        "other/float32-random-s75/weights/fc1",
    ]
    assert [trace.phase for trace in corpus.traces] == ["training", "inference"]
    assert corpus.traces[1].pruning == "random"
    assert (corpus.name, corpus.models["net"].origin, corpus.models["net"].licence) == (
        "ours",
        "lab",
        "CC0-1.0",
    )


FLOATS = np.ones((4, 4), np.float32)
BAD_ROWS = {
    "no such file": ([row(file="gone.npy")], ("entry 1", "gone.npy", "No such file")),
    "suffix": ([row(file="w.csv")], ("w.csv", ".npy")),
    "dtype differs": ([row(dtype="fp16")], ("index says float16", "file holds float32")),
    "bf16 from float32": ([row(dtype="bf16")], ("bfloat16", "float32", "uint16")),
    "dtype unknown": ([row(dtype="fp31")], ("'fp31'", "did you mean 'fp32'")),
    "dtype not for traces": ([row(dtype="complex64")], ("'complex64'", "float32")),
    "role": ([row(role="weight")], ("'weight'", "did you mean 'weights'", "activations")),
    "phase": ([row(phase="trainin")], ("'trainin'", "did you mean 'training'")),
    "sparsity above 1": ([row(sparsity=50)], ("sparsity 50", "[0, 1]")),
    "sparsity below 0": ([row(sparsity=-0.1)], ("sparsity -0.1", "[0, 1]")),
    "sparsity text": ([row(sparsity="half")], ("'half'", "[0, 1]")),
    "sparsity NaN": ([row(sparsity=float("nan"))], ("nan", "[0, 1]")),
    "layer name": ([row(layer="a/b")], ("'a/b'", "letters")),
    "model name": ([row(model="../up")], ("'../up'", "letters")),
    "key missing": ([row(layer=...)], ("entry 1", "lacks 'layer'")),
    "key unknown": ([row(sparsty=0.5)], ("'sparsty'", "did you mean 'sparsity'")),
    "value of another kind": ([row(layer=3)], ("layer", "string", "number")),
    "twice": ([row(), row()], ("entry 2", "twice")),
    "entry is no object": ([[]], ("entry 1", "object")),
    "no list": ({}, ("list", "object")),
    "empty list": ([], ("at least one",)),
    "no JSON": ("[{", ("index.json", "no JSON")),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_index(importing, tmp_path, case):
    rows, parts = BAD_ROWS[case]
    check_one_line_error(importing(rows, {"w.npy": FLOATS}), *parts)
    assert not (tmp_path / "mine" / "manifest.json").exists()
    assert not list(tmp_path.glob("mine/**/*.h5"))


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (np.ones((0, 4), np.float32), ("empty", "(0, 4)")),
        (np.float32(1), ("a single number", "()", "at least one axis")),
        (np.ones((1,) * 33, np.float32), ("33 axes", "at most 32 are legal")),
        (
            np.array([1, np.nan, np.inf], np.float32),
            ("2 of 3 values are NaN or infinite", "--allow-nonfinite"),
        ),
        (np.array([True, False]), ("bool", "float32")),
        (np.array(["a"]), ("float32",)),
    ],
)
def test_bad_arrays(importing, tmp_path, array, parts):
    check_one_line_error(importing([row()], {"w.npy": array}), "w.npy", *parts)
    assert not (tmp_path / "mine" / "manifest.json").exists()


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 128\n"


def test_a_pointer_of_git_lfs_is_told_as_one(importing, tmp_path):
    (tmp_path / "w.npy").write_text(POINTER)
    check_one_line_error(importing([row()], {}), "w.npy", "Git LFS pointer", "git lfs pull")


def test_an_index_with_a_byte_order_mark_is_read(importing, tmp_path):
    assert importing("\ufeff" + json.dumps([row()]), {"w.npy": FLOATS}).returncode == 0


def test_nonfinite_values_stay_on_request(importing, tmp_path):
    array = np.array([1, np.nan, -np.inf, -0.0], np.float32)
    assert importing([row()], {"w.npy": array}, "--allow-nonfinite").returncode == 0
    with Corpus.open(tmp_path / "mine") as corpus:
        assert corpus.read(corpus.traces[0]).tobytes() == array.tobytes()


def test_files_that_are_no_arrays(importing, tmp_path):
    (tmp_path / "w.npy").write_bytes(b"not an array")
    check_one_line_error(importing([row()], {}), "w.npy", "no readable .npy file")
    np.save(tmp_path / "w.npy", np.array([{}], object), allow_pickle=True)
    check_one_line_error(importing([row()], {}), "w.npy", "no readable .npy file")
    np.save(tmp_path / "w.npy", FLOATS)
    (tmp_path / "w.npy").write_bytes((tmp_path / "w.npy").read_bytes()[:-5])
    check_one_line_error(importing([row()], {}), "w.npy", "no readable .npy file")


def test_a_folder_that_holds_a_corpus_is_left_alone(importing, tmp_path):
    assert importing([row()], {"w.npy": FLOATS}).returncode == 0
    before = (tmp_path / "mine" / "manifest.json").read_bytes()
    check_one_line_error(importing([row()], {"w.npy": FLOATS * 2}), "mine", "holds a corpus already", "--out")
    assert (tmp_path / "mine" / "manifest.json").read_bytes() == before


def test_missing_index_and_options(call, tmp_path):
    check_one_line_error(call("tracegen", "import", "--index", "no.json", "--out", "mine"), "no.json")
    check_one_line_error(call("tracegen", "import", "--index", "no.json"), "--out", code=2)
    shutil.rmtree(tmp_path / "mine", ignore_errors=True)
    (tmp_path / "mine").write_text("a file")
    (tmp_path / "index.json").write_text(json.dumps([row()]))
    np.save(tmp_path / "w.npy", FLOATS)
    check_one_line_error(call("tracegen", "import", "--index", "index.json", "--out", "mine"), "mine")


def test_of_many_layers_some_are_to_learn_from_unless_the_index_says_splits(importing, tmp_path):
    rows = [row(layer=f"fc{n}", role=role) for n in range(9) for role in ("weights", "gradients")]
    result = importing(rows, {"w.npy": FLOATS})
    assert "4 of 18 arrays, every fourth layer, are for codecs to learn from" in result.stderr
    with Corpus.open(tmp_path / "mine") as corpus:
        assert {t.layer for t in corpus.traces if t.split == "profile"} == {"fc3", "fc7"}
    (tmp_path / "mine").rename(tmp_path / "first")
    assert importing([rows[0] | {"split": "profile"}, *rows[1:]], {}).returncode == 0
    with Corpus.open(tmp_path / "mine") as corpus:
        assert [t.layer for t in corpus.traces if t.split == "profile"] == ["fc0"]
