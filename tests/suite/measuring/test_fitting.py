"""Codecs that learn, through the command line: on profile traces alone, once, and for a price."""

import contextlib
import json
import re

import h5py
import numpy as np
import pytest
from support import sample_traces, write_corpus

from suite import plan, results
from suite.journal import JOURNAL_FILE
from suite.measuring import fitting
from tensorcodecs import registry
from tensorcodecs.base import DecodeError
from tracegen.corpus import Corpus

pytestmark = pytest.mark.timeout(600)
SPEC = "zstd-dict:level=3:dict_bytes=4096"
PLAIN = "zstd:level=3"


def phrases(seed, n_bytes):
    """Noise made of forty phrases, the same for every seed: what a dictionary can learn."""
    book = np.random.default_rng(1).integers(0, 256, (40, 64), np.uint8)
    return book[np.random.default_rng(seed).integers(0, 40, n_bytes // 64)].reshape(-1)


def lessons(split="profile"):
    layers = {f"lesson{seed}": phrases(seed, 1 << 16) for seed in (2, 3)}
    return [(array, {"role": "kv", "layer": layer, "split": split}) for layer, array in layers.items()]


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """The sample corpus with two profile traces and a test trace that resembles them."""
    test = (phrases(4, 2048), {"role": "kv", "layer": "exam"})
    return write_corpus(tmp_path_factory.mktemp("school"), traces=[*sample_traces(), *lessons(), test])


@pytest.fixture
def run(call, tmp_path):
    def run(corpus, *options, out=tmp_path / "out"):
        done = call(
            *("suite", "run", "--corpus", corpus, "--out", out, "--no-timing", "--no-page"),
            *("--codecs", f"{PLAIN},{SPEC}", *options),
        )
        assert done.returncode == 0, done.stderr
        return out, done

    return run


def rows_of(out, spec=SPEC):
    return {row["trace"]: row for row in results.read(out).to_dicts() if row["codec"] == spec}


def test_a_codec_learns_on_profile_traces_and_every_trace_pays_its_share(school, run):
    out, done = run(school)
    assert re.search(r"learning: 1 codecs learned on 2 traces in", done.stderr)
    (file,) = (out / fitting.STATES_FOLDER).iterdir()
    state = file.read_bytes()
    with Corpus.open(school) as corpus:
        arrays = {t.name: corpus.read(t) for t in corpus.traces}
        learned_on = [
            arrays[t.name] for t in sorted(corpus.traces, key=lambda t: t.name) if t.split == "profile"
        ]
    codec = registry.get_codec(SPEC)
    assert state == codec.fit(learned_on), "no other trace may be learned from"
    codec = codec.with_state(state)

    rows, plain = rows_of(out), rows_of(out, PLAIN)
    paying = sum(row["raw_bits"] for row in rows.values() if row["split"] == "test")
    assert {row["split"] for row in rows.values()} == {"test", "profile"}
    for name, row in rows.items():
        assert row["state_bits"] == -(-8 * len(state) * row["raw_bits"] // paying)
        assert row["coded_bits"] == 8 * len(codec.encode(arrays[name])) + row["state_bits"]
        assert (row["status"], row["reason"]) == ("ok", "")
        assert row["codec_version"].endswith(file.stem.rpartition("-")[2])
    assert {row["state_bits"] for row in plain.values()} == {None}
    charged = sum(row["state_bits"] for row in rows.values() if row["split"] == "test")
    assert 0 <= charged - 8 * len(state) < len(rows)
    (exam,) = (name for name in rows if name.endswith("exam"))
    assert rows[exam]["coded_bits"] - rows[exam]["state_bits"] < plain[exam]["coded_bits"] / 4
    assert "## Codecs that learn" in (out / "leaderboard.md").read_text()


def test_a_second_start_and_other_traces_use_the_state_that_is_there(school, run):
    out, _ = run(school, "--select", "role=kv")
    first, journal = rows_of(out), (out / JOURNAL_FILE).read_text()
    _, again = run(school, "--select", "role=kv")
    assert "learning" not in again.stderr
    assert (out / JOURNAL_FILE).read_text() == journal
    _, more = run(school)
    assert "learning" not in more.stderr
    assert {name: rows_of(out)[name]["coded_bits"] for name in first} == {
        name: row["coded_bits"] for name, row in first.items()
    }, "a size does not depend on what else is selected"


def test_a_damaged_state_is_learned_anew(school, run):
    out, _ = run(school)
    (file,) = (out / fitting.STATES_FOLDER).iterdir()
    state = file.read_bytes()
    file.write_bytes(state[:-1])
    before = rows_of(out)
    _, done = run(school)
    assert "learning" in done.stderr
    assert file.read_bytes() == state
    assert rows_of(out) == before


def test_other_lessons_are_another_state_and_another_key(school, run, tmp_path):
    traces = [*sample_traces(), *lessons()[:1]]
    out, other = run(school)[0], run(write_corpus(tmp_path / "c", traces=traces), out=tmp_path / "other")[0]
    versions = [{row["codec_version"] for row in rows_of(folder).values()} for folder in (out, other)]
    assert all(len(found) == 1 for found in versions)
    assert versions[0] != versions[1]


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ([], "not fitted: the corpus has no profile traces"),
        (
            [(np.arange(9), {"role": "kv", "layer": "a", "split": "profile"})],
            "not fitted: nothing could be learned on the profile traces",
        ),
    ],
    ids=["none", "too-few"],
)
def test_a_codec_that_could_not_learn_runs_unfitted_and_says_so(run, tmp_path, extra, reason):
    out, _ = run(write_corpus(tmp_path / "c", traces=[*sample_traces(), *extra]))
    rows, plain = rows_of(out), rows_of(out, PLAIN)
    assert {(row["status"], row["reason"], row["state_bits"]) for row in rows.values()} == {("ok", reason, 0)}
    # One byte more than zstd itself: the mark that nothing was learned.
    assert {row["coded_bits"] - plain[name]["coded_bits"] for name, row in rows.items()} == {8}


def test_a_lesson_that_cannot_be_read_fails_the_codec_until_it_is_mended(run, tmp_path):
    corpus = write_corpus(tmp_path / "c", traces=[*sample_traces(), *lessons()])
    path = corpus / "net.h5"
    whole = path.read_bytes()
    with h5py.File(path, "a") as file:
        file["/traces/uint8-s0/kv/lesson2"][0] ^= 1
    out, done = run(corpus, "--select", "split=test")
    assert {row["status"] for row in rows_of(out).values()} == {"failed"}
    assert all(row["reason"].startswith("not fitted: CorpusError") for row in rows_of(out).values())
    assert f"failed: {SPEC}" in done.stdout
    journal = (out / JOURNAL_FILE).read_text().splitlines()
    assert SPEC not in {json.loads(line).get("codec") for line in journal}
    path.write_bytes(whole)
    run(corpus, "--select", "split=test")
    assert {row["status"] for row in rows_of(out).values()} == {"ok"}


def test_who_learns_is_known_by_what_it_can_do():
    assert plan.make_subject(SPEC).learns
    assert not any(plan.make_subject(spec).learns for spec in ("raw", "lz4", "hw/bdi"))


def test_a_stage_of_a_pipeline_says_that_it_is_not_fitted():
    subject = plan.make_subject(f"shuffle|{SPEC}")
    assert not subject.learns
    assert subject.unfitted == "not fitted: stages of a pipeline do not learn"


def test_shares_of_a_state_are_exact_and_never_lost():
    assert fitting.state_bits(0, 5, 9) == 0
    assert fitting.state_bits(3, 1, 1 << 60) == 1
    assert fitting.state_bits(3, 1 << 60, 1 << 60) == 24


class TestCodec:
    """What the suite relies on: a state in the instance and not in its settings, frames that name it."""

    codec = registry.get_codec(SPEC)
    lesson = phrases(2, 1 << 16)
    state = codec.fit([lesson])

    def test_learning_is_deterministic_and_the_state_is_no_setting(self):
        fitted = self.codec.with_state(self.state)
        assert self.state
        assert self.state == self.codec.fit(iter([self.lesson]))
        assert fitted.get_config() == self.codec.get_config()
        assert fitted.spec == self.codec.spec == SPEC
        assert self.codec.mark == b"\0", "the codec that learned is unchanged"

    def test_frames_are_refused_by_whoever_has_another_state(self):
        fitted, array = self.codec.with_state(self.state), phrases(5, 4096)
        other = self.codec.with_state(self.codec.fit([phrases(6, 1 << 16)]))
        frame = fitted.encode(array)
        assert fitted.decode(frame).tobytes() == array.tobytes()
        for decoder in (self.codec, other):
            with pytest.raises(DecodeError, match="another learned state"):
                decoder.decode(frame)
        unfitted = self.codec.encode(array)
        assert len(frame) < len(unfitted) / 4
        assert fitted.decode(unfitted).tobytes() == array.tobytes(), "it needs no state"

    @pytest.mark.parametrize("samples", [[], [np.zeros(0)], [np.zeros(100)], [np.arange(500)]])
    def test_too_few_samples_teach_nothing(self, samples):
        assert self.codec.with_state(self.codec.fit(samples)).mark == b"\0"

    def test_a_state_of_something_else_is_refused(self):
        with pytest.raises(ValueError, match="not a zstd dictionary"):
            self.codec.with_state(b"\x37\xa4\x30\xec" + bytes(50))

    def test_damaged_frames_of_a_fitted_codec_end(self):
        fitted = self.codec.with_state(self.state)
        frame = fitted.encode(phrases(5, 4096))
        rng = np.random.default_rng(3)
        for length in range(len(frame)):
            with pytest.raises(DecodeError):
                fitted.decode(frame[:length])
        for _ in range(2000):
            damaged = bytearray(frame)
            damaged[rng.integers(len(frame))] ^= 1 << rng.integers(8)
            with contextlib.suppress(DecodeError):
                assert fitted.decode(damaged).nbytes < 1 << 24
