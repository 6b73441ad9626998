import numpy as np
import pytest
from click.testing import CliRunner
from support import REPOSITORY

from suite import cli, plan
from suite.measuring import measure
from tensorcodecs import registry
from tracegen.corpus import Corpus, TraceInfo


def specs(patterns):
    return [subject.spec for subject in plan.choose_subjects(patterns)]


def test_the_board_has_software_and_hardware_and_no_codec_twice():
    board = plan.choose_subjects(None)
    assert len({s.spec for s in board}) == len(board)
    assert {s.kind for s in board} == {"software", "hardware"}
    assert {"raw", "zstd:level=19", "shuffle|zstd:level=3", "hw/bdi:line_bytes=64"} <= {s.spec for s in board}


def test_every_board_spec_is_canonical():
    for spec in plan.board_specs():
        assert plan.make_subject(spec).spec == spec


def test_the_memcpy_row_is_always_there_and_globs_pick_from_the_board():
    assert specs("zstd:*") == ["raw", "zstd:level=1", "zstd:level=3", "zstd:level=19"]
    assert specs("hw/?[dv]?:line_bytes=64, zstd:level=7") == [
        "raw",
        "hw/bdi:line_bytes=64",
        "hw/zvc:line_bytes=64",
        "zstd:level=7",
    ]


def test_any_numcodecs_codec_runs_by_its_name():
    assert plan.make_subject("numcodecs.zlib:level=9").spec == "numcodecs.zlib:level=9"
    assert plan.make_subject("bitround:keepbits=4").lossless is False


def test_a_codec_whose_package_is_missing_gets_skipped_rows(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_PEERS", (*registry._PEERS, "absent"))
    monkeypatch.setattr(
        registry, "_TABLE", registry._TABLE | {"absent": ("no_such_module.peers.absent:A", ("absent",))}
    )
    subject = plan.choose_subjects("abs*")[-1]
    assert subject == plan.Subject("absent", "software", plan.NOT_INSTALLED, lossless=True)
    assert subject in plan.choose_subjects(None)
    monkeypatch.setattr(measure, "_load", lambda root, trace: np.zeros(3))
    cell = measure.measure_size(tmp_path, None, subject)
    assert cell == {
        "status": "skipped",
        "reason": "no_such_module is not installed: pip install 'squeezemark[peers]'",
    }
    assert measure.warm_up(subject)[:2] == (0, 0)
    listed = CliRunner().invoke(cli.main, ["list", "codecs"], env={"COLUMNS": "200"})
    assert "no_such_module is not installed" in listed.output


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ("zst", "did you mean 'zstd'"),
        ("zstd:levle=3", "did you mean 'level'"),
        ("zstd:level=99", "99"),
        ("nothing*", "no codec matches 'nothing\\*'"),
        ("hw/bdj", "did you mean 'hw/bdi'"),
        ("hw/bdi:line=3", "did you mean 'line_bytes'"),
        ("hw/bdi:line_bytes=63", "63"),
        ("hw/bdi:line_bytes=abc", "'abc' is not legal: one of 32, 64"),
    ],
)
def test_a_codec_that_is_not_there_is_named_with_the_nearest(patterns, message):
    with pytest.raises(ValueError, match=message):
        plan.choose_subjects(patterns)


@pytest.mark.parametrize(
    ("select", "count"),
    [
        (None, 6),
        ("role=weights", 2),
        ("role=weights|gradients", 3),
        ("dtype=fp32", 2),
        ("dtype=bf16,role=gradients", 1),
        ("sparsity=0.8", 1),
        ("sparsity=0", 5),
        ("dtype=*int*", 2),
        ("name=net/*/activations/*", 2),
        ("precision=fp32", 2),
        ("precision=bf16|int8", 2),
        ("precision=*float*", 4),
        ("split=test", 6),
        ("pruning=none,phase=training", 1),
    ],
)
def test_selecting_traces(corpus_folder, select, count):
    assert len(plan.choose_traces(Corpus.open(corpus_folder).traces, select)) == count


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("rolle=weights", "did you mean 'role'"),
        ("role", "KEY=VALUE"),
        ("role=wieghts", "the corpus has activations, gradients, updates, weights"),
        ("sparsity=80%", "not a number"),
        ("dtype=fp31", "fp3"),
        ("precision=fp31", "no trace has precision=fp31; the corpus has bfloat16, float16"),
        ("split=tset", "the corpus has test"),
    ],
)
def test_a_selection_that_means_nothing_is_explained(corpus_folder, select, message):
    with pytest.raises(ValueError, match=message):
        plan.choose_traces(Corpus.open(corpus_folder).traces, select)


IDENTITY = {"name": "net/x-s0/weights/fc1", "model": "net", "role": "weights", "layer": "fc1"}
IDENTITY |= {"dtype": "uint8", "sparsity": 0.0, "pruning": "none", "phase": "inference", "shape": (4,)}
IDENTITY |= {"sha256": "0" * 64}


def test_a_precision_need_not_be_a_dtype_and_kinds_and_splits_can_be_selected():
    traces = [
        TraceInfo(**{**IDENTITY, "precision": precision, "kind": kind, "split": split})
        for precision, kind, split in [("int4", "relu", "test"), ("int8-affine", "", "profile")]
    ]
    for select in ("precision=int4", "kind=relu", "kind=re*", "split=test", "precision=int4|fp32"):
        assert plan.choose_traces(traces, select) == traces[:1]
    assert plan.choose_traces(traces, "precision=int*") == traces


def test_peaks_are_told_by_the_largest_trace_of_each_model_and_dtype():
    traces = [t for t in Corpus.open(REPOSITORY / "traces").traces if t.role == "weights"]
    peaks = plan.peak_traces(traces)
    groups = {(t.model, t.dtype): t for t in traces if t.name in peaks}
    assert len(groups) == len(peaks)
    assert set(groups) == {(t.model, t.dtype) for t in traces}
    for trace in traces:
        largest = groups[trace.model, trace.dtype]
        assert (trace.raw_bytes, -trace.sparsity) <= (largest.raw_bytes, -largest.sparsity)


@pytest.mark.parametrize("patterns", ["", " ", "zvc,", ",zvc"])
def test_an_empty_choice_is_no_choice_of_everything(patterns):
    with pytest.raises(plan.PlanError, match=r"--codecs .* has an empty part; leave the option out for all"):
        plan.choose_subjects(patterns)
    with pytest.raises(plan.PlanError, match=r"--select .* has an empty part"):
        plan.choose_traces([], patterns.replace("zvc", "role=weights"))


@pytest.mark.parametrize("command", [cli.main, *cli.main.commands.values()], ids=lambda c: c.name)
def test_no_help_shows_marks_of_its_own_markup(command):
    shown = CliRunner().invoke(command, ["--help"]).output
    assert "Usage" in shown
    assert "\\b" not in shown
    assert "\b" not in shown
