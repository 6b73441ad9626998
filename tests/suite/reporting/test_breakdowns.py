import pytest
from support import cell, trace_fields

from suite import results
from suite.reporting import leaderboard, tables

CORE = ("float32", "float16", "bfloat16", "int8")
FACTS = {"corpus": {"name": "c", "version": "2", "digest": "0" * 64, "traces": 99}}


def board_of(traces, sizes):
    """A board of `traces` (name: fields) by codecs (name: coded bits of each trace, or of all alike)."""
    cells = [
        cell(codec, name, coded if isinstance(coded, int | None) else coded[name], **fields)
        for codec, coded in sizes.items()
        for name, fields in traces.items()
    ]
    return leaderboard.build(results.frame(cells))


def headings(board, name):
    return [group.heading for group in board.breakdowns[name].groups]


def members(board, name):
    return {group.heading: sorted(group.traces) for group in board.breakdowns[name].groups}


def document(board):
    return tables.leaderboard(board, FACTS)


def titles(board):
    return [section.title for section in document(board).sections]


def test_precisions_stand_in_a_sensible_order_and_wide_tables_are_split():
    shuffled = ("int8-stochastic", "binary", "int8", "bfloat16-stochastic", "int4", "float8_e5m2", "ternary")
    shuffled += ("float16", "int8-affine", "float32")
    board = board_of({p: trace_fields("weights", p, dtype="uint8") for p in shuffled}, {"c": 100})
    expected = ["float32", "float16", "float8_e5m2", "int8", "int8-affine", "int4", "ternary", "binary"]
    assert headings(board, "precision") == [*expected, "bfloat16-stochastic", "int8-stochastic"]
    first, second = (s for s in document(board).sections if s.title.startswith("By precision"))
    assert (first.title, second.title) == ("By precision (1 of 2)", "By precision (2 of 2)")
    assert [c.title for c in (*first.columns, *second.columns) if c.format is tables.ratio] == [
        *("total ratio", *expected[:5], "total ratio", *expected[5:]),
        *("bfloat16-stochastic", "int8-stochastic"),
    ]


def test_nine_columns_still_fit_one_table():
    board = board_of({str(n): trace_fields("weights", f"p{n}") for n in range(9)}, {"c": 100})
    assert "By precision" in titles(board)


def test_prunings_go_from_dense_over_levels_to_other_methods():
    traces = {
        "block": trace_fields("weights", "int8", 0.8, pruning="block4x4"),
        "s90": trace_fields("weights", "int8", 0.9),
        "2of4": trace_fields("weights", "int8", 0.5, pruning="2of4"),
        "s50": trace_fields("weights", "int8", 0.5),
        "dense": trace_fields("weights", "int8"),
    }
    board = board_of(traces, {"c": 100})
    expected = ["dense", "50 % pruned", "90 % pruned", "2of4 50 %", "block4x4 80 %"]
    assert headings(board, "level") == expected
    keys = [group.key for group in board.breakdowns["level"].groups]
    assert keys == [f"pruning={name}" for name in ("s0", "s50", "s90", "2of4-s50", "block4x4-s80")]


def test_the_same_tensors_in_all_core_precisions_are_compared():
    traces = {f"fc1 {p}": trace_fields("weights", p, raw_bits=3200 if p == "float32" else 800) for p in CORE}
    traces |= {f"fc2 {p}": trace_fields("weights", p, layer="fc2") for p in CORE[:3]}  # not in int8
    traces |= {f"pruned {p}": trace_fields("weights", p, 0.9) for p in CORE}
    traces["fc1 int4"] = trace_fields("weights", "int4")
    traces["fc1 s50"] = trace_fields("weights", "int8", 0.5)
    sizes = dict.fromkeys(traces, 400) | {"pruned int8": 100}
    board = board_of(traces, {"c": sizes})
    assert members(board, "paired_precision") == {p: [f"fc1 {p}", f"pruned {p}"] for p in CORE}
    (row,) = board.rows
    assert row["paired precision=float32"] == (3200 + 8000) / 800
    assert row["paired precision=int8"] == (800 + 8000) / 500


def test_a_comparison_says_how_much_it_is_over():
    mib = 8 * 2**20
    traces = {
        f"{layer} {p}": trace_fields("weights", p, layer=layer, raw_bits=3 * mib)
        for layer in ("fc1", "fc2")
        for p in CORE
    }
    traces["fc3"] = trace_fields("weights", "int8", layer="fc3", raw_bits=50 * mib)
    note = board_of(traces, {"c": mib}).breakdowns["paired_precision"].note
    assert "(2 of them, 24.00 MiB over all columns)" in note


def test_a_value_that_few_layers_have_does_not_shrink_a_comparison():
    layers = ("fc1", "fc2", "fc3")
    traces = {
        f"{layer} {level}": trace_fields("weights", "int8", level, layer=layer)
        for layer in layers
        for level in (0.0, 0.5, 0.9)
    }
    traces["fc1 0.95"] = trace_fields("weights", "int8", 0.95)
    traces["fc1 block"] = trace_fields("weights", "int8", 0.8, pruning="block4x4")
    board = board_of(traces, {"c": 100})
    assert members(board, "paired_level") == {
        heading: [f"{layer} {level}" for layer in layers]
        for heading, level in {"dense": 0.0, "50 % pruned": 0.5, "90 % pruned": 0.9}.items()
    }


def test_weights_have_a_comparison_of_their_own_where_they_have_more_levels():
    traces = {f"w {s}": trace_fields("weights", "int8", s, raw_bits=1000) for s in (0.0, 0.5, 0.9)}
    for role in ("activations", "gradients", "errors"):
        traces |= {f"{role} {s}": trace_fields(role, "int8", s, raw_bits=1000) for s in (0.0, 0.9)}
    sizes = {name: 100 if name.startswith("w") else 500 for name in traces}
    board = board_of(traces, {"c": sizes})
    assert list(members(board, "paired_level")) == ["dense", "90 % pruned"]
    assert list(members(board, "paired_weights")) == ["dense", "50 % pruned", "90 % pruned"]
    keys = [group.key for breakdown in board.breakdowns.values() for group in breakdown.groups]
    assert len(keys) == len(set(keys)), "columns of two tables must not overwrite each other"
    bodies = {section.title: section.body() for section in document(board).sections}
    assert bodies["Same tensors, other pruning"][0][-2:] == ["2.500", "2.500"]
    assert bodies["Same weights, other pruning"][0][-3:] == ["10.000"] * 3
    only_weights = {name: fields for name, fields in traces.items() if name.startswith("w")}
    assert "paired_weights" not in board_of(only_weights, {"c": 100}).breakdowns, "it would be the same table"


def test_activations_of_training_and_inference_are_compared_where_both_were_traced():
    end = {"phase": "training-end"}
    traces = {
        "relu1": trace_fields("activations", "float32", layer="relu1"),
        "relu1@end": trace_fields("activations", "float32", layer="relu1", **end),
        "relu2": trace_fields("activations", "float32", layer="relu2"),
        "relu1 int8": trace_fields("activations", "int8", layer="relu1"),
        "fc1": trace_fields("weights", "float32"),
        "fc1@end": trace_fields("weights", "float32", **end),
    }
    board = board_of(traces, {"c": 100})
    assert members(board, "paired_phase") == {"inference": ["relu1"], "training-end": ["relu1@end"]}
    assert headings(board, "phase") == ["inference", "training-end"]


def test_nothing_is_compared_where_no_tensor_is_in_all_columns():
    traces = {
        "a": trace_fields("weights", "float32"),
        "b": trace_fields("weights", "int8", layer="fc2"),
        "c": trace_fields("activations", "float32", layer="relu", tensor_kind="relu"),
    }
    board = board_of(traces, {"c": 100})
    assert titles(board) == ["Overall", "By role", "By precision", "By pruning"]


def test_layers_that_never_share_all_values_give_no_table():
    # Both layers have float32 and another, but none of the two has both others.
    traces = {
        f"{layer} {p}": trace_fields("weights", p, layer=layer)
        for layer, precisions in {"fc1": ("float32", "float16"), "fc2": ("float32", "int8")}.items()
        for p in precisions
    }
    assert "paired_precision" not in board_of(traces, {"c": 100}).breakdowns


def test_kinds_are_of_activations_that_say_theirs():
    traces = {
        "a": trace_fields("activations", "int8", layer="x", tensor_kind="softmax"),
        "b": trace_fields("activations", "int8", layer="y", tensor_kind="relu"),
        "c": trace_fields("activations", "int8", layer="z"),
        "d": trace_fields("updates", "float32", tensor_kind="first-moment"),
    }
    assert members(board_of(traces, {"c": 100}), "kind") == {"relu": ["b"], "softmax": ["a"]}


SPLITS = {
    "a": trace_fields("weights", "float32"),
    "b": trace_fields("weights", "float32", layer="fc2", split="profile"),
    "c": trace_fields("weights", "float32", model="chaos", split="control"),
}


def test_only_test_traces_rank_and_the_others_have_their_own_table():
    sizes = {
        "learnt": {"a": 4000, "b": 100, "c": 8000},
        "plain": {"a": 2000, "b": 2000, "c": 8000},
    }
    board = board_of(SPLITS, sizes)
    assert [(row["codec"], row["rank"], row["total_ratio"]) for row in board.rows] == [
        ("plain", 1, 4),
        ("learnt", 2, 2),
    ]
    assert [board.rows[1][f"split={split}"] for split in ("test", "profile", "control")] == [2, 80, 1]
    assert members(board, "role") == {"weights": ["a"]}
    assert members(board, "precision") == {"float32": ["a"]}
    assert members(board, "model") == {"net": ["a"], "chaos (control)": ["c"]}
    assert headings(board, "split") == ["test", "profile", "control"]
    assert (board.traces, board.judged) == (3, 1)
    (rule,) = (line for line in document(board).intro if line.startswith("Ranked on"))
    assert rule.startswith(
        "Ranked on the 1 test traces alone, 0.0 MiB; profile and control traces are measured"
    )
    assert rule.endswith("but enter only 'By split' and 'By model'.")
    assert [row[-1] for row in document(board).sections[0].body()] == ["3 / 3", "3 / 3"]


@pytest.mark.parametrize("lost", ["b", "c"])
def test_a_codec_that_fails_outside_the_ranking_is_not_ranked_either(lost):
    board = board_of(SPLITS, {"whole": 4000, "holed": dict.fromkeys(SPLITS, 1000) | {lost: None}})
    assert [(row["codec"], row["rank"], row["verified"]) for row in board.rows] == [
        ("whole", 1, 3),
        ("holed", None, 2),
    ]


def test_a_codec_without_any_ranked_size_has_no_row_but_its_reason():
    board = board_of(SPLITS, {"whole": 4000, "none": {"a": None, "b": 1, "c": 1}})
    assert [row["codec"] for row in board.rows] == ["whole"]
    assert [(row["codec"], row["trace"]) for row in board.not_ok] == [("none", "a")]


def test_without_test_traces_the_board_ranks_on_what_there_is_and_says_so():
    board = board_of({name: SPLITS[name] for name in "bc"}, {"c": {"b": 100, "c": 300}})
    assert board.rows[0]["total_ratio"] == 16000 / 400
    assert board.rows[0]["rank"] == 1
    rule = "No test trace was measured: ranked on the 2 profile and control traces."
    assert rule in document(board).intro


def test_a_board_of_test_traces_alone_says_nothing_of_splits():
    board = board_of({"a": SPLITS["a"]}, {"c": 100})
    assert len(document(board).intro) == 2
    assert "split" not in board.breakdowns
    assert tables.judged_traces(board) == "1 traces"


def test_a_ratio_over_other_traces_than_the_columns_is_a_dash():
    board = board_of(
        SPLITS | {"d": trace_fields("weights", "int8")}, {"c": dict.fromkeys("abc", 100) | {"d": None}}
    )
    (row,) = board.rows
    assert row["precision=float32"] == 80
    assert row["precision=int8"] is None
    assert row["role=weights"] is None


def test_results_of_before_keep_their_sections_and_columns(tmp_path):
    traces = {
        "a": trace_fields("weights", "float32", model="one"),
        "b": trace_fields("activations", "int8", 0.9, phase="training"),
    }
    table = results.frame(cell("c", name, 100, **fields) for name, fields in traces.items())
    table.drop(results.ADDED_LATER).write_parquet(tmp_path / results.RESULTS_FILE)
    read = results.read(tmp_path)
    assert read.columns == list(results.SCHEMA)
    assert dict(read.schema) == results.SCHEMA
    assert read["precision"].to_list() == ["float32", "int8"]
    assert set(read["split"]) == {"test"}
    assert read.select("pruning", "phase", "tensor_kind").null_count().row(0) == (2, 2, 2)
    board = leaderboard.build(read)
    assert titles(board) == ["Overall", "By role", "By precision", "By pruning level"]
    keys = [group.key for breakdown in board.breakdowns.values() for group in breakdown.groups]
    assert keys == [
        *("role=weights", "role=activations", "dtype=float32", "dtype=int8"),
        *("sparsity=0.0", "sparsity=0.9"),
    ]


def test_results_that_lack_what_they_always_had_are_refused(tmp_path):
    table = results.frame([cell("c", "a", 100)])
    table.drop("raw_bits").write_parquet(tmp_path / results.RESULTS_FILE)
    with pytest.raises(ValueError, match="lacks the column 'raw_bits'"):
        results.read(tmp_path)
