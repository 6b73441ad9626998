"""The page of a report, without a browser."""

import html
import html.parser
import json
import math
import shutil

import pytest
from site_runs import HOSTILE, PUBLISHED, SIZES, small_cells, write_run

from suite import results, runfile
from suite.reporting import leaderboard, questions, report, site, tracks
from suite.reporting.site import charts, payload, sections, writing

MAX_PAGE_BYTES = 4 << 20
MAX_CHARTS_BYTES = 2 << 20


class Page(html.parser.HTMLParser):
    """Elements by tag, the text of each script, and the text that a reader sees."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self.inside = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "script":
            self.inside = dict(attributes).get("id", f"script {len(self.scripts)}")
            self.scripts[self.inside] = ""

    def handle_endtag(self, tag):
        self.inside = None if tag == "script" else self.inside

    def handle_data(self, data):
        if self.inside:
            self.scripts[self.inside] += data


def read(folder):
    return Page((folder / site.PAGE_FILE).read_text(encoding="utf-8"))


def unpacked(folder):
    return payload.unpack(read(folder).scripts["payload"])


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (path.name == site.PAGE_FILE or path.parent.name == site.CHARTS_FOLDER)
    }


def test_writing_again_gives_the_same_bytes(small, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(small, copy)
    before = files(copy)
    (copy / site.CHARTS_FOLDER / "no-longer-drawn.svg").write_text("old")
    site.write_site(report.load(copy), copy)
    assert files(copy) == before
    assert {"index.html", "charts/heatmap.svg", "charts/heatmap.png"} <= before.keys()


def test_no_address_on_the_network_is_loaded(small):
    page = read(small)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), (tag, name, value)
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_names_cannot_leave_their_places(small):
    page = read(small)
    assert len(page.scripts) == 4  # themes, payload, Vega, ours
    assert not any("alert(1)" in text for text in page.scripts.values())
    assert HOSTILE in unpacked(small)["codecs"]["codec"]
    for path in (small / site.CHARTS_FOLDER).glob("*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8"), path.name


def test_json_in_a_script_cannot_end_it():
    text = writing._json({"a": HOSTILE})
    assert "<" not in text
    assert json.loads(text) == {"a": HOSTILE}


def test_every_cell_of_the_records_is_in_the_page(small):
    content, table = unpacked(small), results.read(small)
    codecs, traces = content["codecs"]["codec"], content["traces"]["name"]
    assert sorted(codecs) == sorted(table["codec"].unique())
    for row in table.iter_rows(named=True):
        codec, trace = codecs.index(row["codec"]), traces.index(row["trace"])
        sizes = content["cells"]["coded_bits"][codec]
        assert (sizes[trace] if sizes else None) == (row["coded_bits"] if row["status"] == "ok" else None)
    reasons = {(codecs[c], content["reasons"][r]) for c, _, r in content["problems"]}
    assert reasons == {("bad", "out of luck")}
    times = content["cells"]["decode_ns"][codecs.index("raw")]
    assert times[0] == pytest.approx(1200)  # the median of 0.8 and 1.6 microseconds


def test_the_published_cells_add_up_to_the_published_board(current):
    content, board = unpacked(current), leaderboard.build(results.read(current))
    codecs, traces = content["codecs"], content["traces"]
    test = [n for n, of in enumerate(traces["split"]["of"]) if traces["split"]["names"][of] == "test"]
    raw = sum(traces["raw_bits"][n] for n in test)
    assert codecs["codec"][: len(board.rows)] == [row["codec"] for row in board.rows]
    assert codecs["rank"][: len(board.rows)] == [row["rank"] for row in board.rows]
    for sizes, row in zip(content["cells"]["coded_bits"], board.rows, strict=False):
        if row["complete"]:
            assert raw / sum(sizes[n] for n in test) == row["total_ratio"]


def test_a_published_report_stays_small(current):
    assert (current / site.PAGE_FILE).stat().st_size < MAX_PAGE_BYTES
    pictures = list((current / site.CHARTS_FOLDER).iterdir())
    assert sum(path.stat().st_size for path in pictures) < MAX_CHARTS_BYTES
    stems = {path.stem for path in pictures}
    of_the_board = {"speed-encode", "speed-decode", "pruning", "precision", "phase", "heatmap"}
    assert of_the_board | {"track-storage", "q1", "q4", "q6"} <= stems


def test_tracks_and_questions_are_those_of_the_documents(current):
    text = html.unescape((current / site.PAGE_FILE).read_text(encoding="utf-8"))
    table, facts = results.read(current), runfile.read_run_file(current)
    answers = [questions.answer(question, table, facts) for question in questions.QUESTIONS]
    assert len(answers) == 8
    assert all(f"{found.question.key}. {found.question.text}" in text for found in answers)
    assert all(found.sentence in text for found in answers)
    standings = {row["track"] for row in tracks.rows(table, facts)}
    assert len(standings) >= 3
    assert all(f">{name}</h3>" in text for name in standings)


# One of each form that reports have had; later ones have that of today.
@pytest.mark.parametrize("folder", PUBLISHED[:3], ids=lambda path: path.name)
def test_older_reports_have_pages_too(folder):
    old = report.load(folder)
    found = {block.id for block in sections.blocks(old)}
    assert {"board", "speed", "precision", "pruning", "heatmap", "tables", "traces", "about"} <= found
    assert payload.unpack(payload.pack(payload.records(old)))["traces"]["name"]


def test_hardware_charts_stand_where_models_have_areas_and_energies(small, tmp_path):
    drawn = {chart.name: chart for chart in charts.hardware(report.load(small))}
    assert set(drawn) == {"hardware-decompressor-area-ge", "hardware-decompress-pj-per-byte"}
    assert "hw/bdi:line_bytes=64 1200" in drawn["hardware-decompressor-area-ge"].description
    assert not charts.hardware(report.load(write_run(tmp_path / "bare", small_cells())))


def test_a_run_of_one_codec_and_trace_has_a_page(tmp_path):
    lone = [c for c in small_cells() if c["codec"] == "zvc"][:1]
    folder = write_run(tmp_path / "lone", [c | {"encode_s": [], "decode_s": []} for c in lone])
    page = read(site.write_site(report.load(folder), folder).parent)
    shown = {attributes.get("id") for tag, attributes in page.elements if tag == "section"}
    assert shown == {"board", "tables", "traces", "about"}
    assert list((folder / site.CHARTS_FOLDER).iterdir()) == []


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises((runfile.RunError, FileNotFoundError), match="nowhere"):
        report.load(tmp_path / "nowhere")


def test_the_frontier_is_what_nothing_beats_in_both():
    points = [
        {"codec": name, "speed": speed, "ratio": ratio}
        for name, speed, ratio in (
            ("a", 10, 2.0),
            ("b", 20, 1.5),
            ("c", 15, 1.4),
            ("d", 20, 1.2),
            ("e", 30, 1.0),
        )
    ]
    assert charts.frontier(points) == ["e", "b", "a"]


def test_hidden_labels_are_those_that_would_collide_or_repeat():
    near = [{"codec": name, "x": 1 + n / 100, "y": 1.5} for n, name in enumerate(("one", "two"))]
    far = {"codec": "far", "x": 9, "y": 1.0}
    assert set(charts.label_apart([*near, far], str)) == {"one", "far"}
    rows = [{"codec": "hw/a:line_bytes=64", "x": 0, "y": 0}, {"codec": "hw/a:line_bytes=32", "x": 9, "y": 9}]
    assert charts.label_apart(rows, charts.model_name) == {"hw/a:line_bytes=64": "a"}


def test_numbers_are_rounded_to_significant_digits():
    assert payload.rounded(123456.7, 4) == 123500
    assert isinstance(payload.rounded(123456.7, 4), int)
    assert payload.rounded(0.00123456, 4) == 0.001235
    assert payload.rounded(math.nan, 4) is None
    assert payload.rounded(None, 4) is None


def test_levels_and_formats_stand_in_their_order(small):
    traces = unpacked(small)["traces"]
    assert traces["pruning"]["names"] == ["s0", "s50", "s90"]
    assert traces["role"]["names"] == ["weights", "activations"]
    assert traces["precision"]["names"] == ["float32", "int8"]


def test_the_citation_names_the_records(small):
    text = writing.citation(report.load(small))
    assert text.startswith("@misc{")
    assert results.RESULTS_FILE
    assert report.load(small).records_sha256[:16] in text
    assert text.count("{") == text.count("}")
    assert len(SIZES) == 5
