"""What subjects learn before they are judged: on `profile` traces alone, and its bytes are counted.

A state is a file in the run's folder, named by what it was learned from and by the digest of its bytes. So a
resumed run finds it, and one that was cut short or altered is learned anew. The digest is also part of the
subject's version, and so of the key of each of its cells.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from suite.plan import Subject
from tracegen.corpus import Corpus, TraceInfo

STATES_FOLDER = "states"
LEARNED_ON, PAID_BY = "profile", "test"
_DIGEST_DIGITS = 16


def lessons(corpus: Corpus) -> list[TraceInfo]:
    """The traces to learn on, in the order of their names."""
    return sorted((t for t in corpus.traces if t.split == LEARNED_ON), key=lambda t: t.name)


def kept(corpus: Corpus, subject: Subject, folder: Path) -> Subject | None:
    """The subject with the state that the run in `folder` keeps; None where it has yet to learn.

    One that does not learn is returned as it is, and one that has nothing to learn on says so.
    """
    if not subject.learns:
        return subject
    if not lessons(corpus):
        return replace(subject, unfitted=f"not fitted: the corpus has no {LEARNED_ON} traces")
    for path in sorted((folder / STATES_FOLDER).glob(f"{_stem(corpus, subject)}-*.bin")):
        state = path.read_bytes()
        if path == _path(corpus, subject, folder, state):
            return _fitted(subject, path, state)
    return None


def keep(corpus: Corpus, subject: Subject, folder: Path, state: bytes) -> Subject:
    """Write the state into the run's folder, beside it first; returns the subject with it."""
    path = _path(corpus, subject, folder, state)
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(state)
    beside.replace(path)
    return _fitted(subject, path, state)


def with_state(judged: Any, subject: Subject) -> Any:  # noqa: ANN401 - a codec, or a hardware model
    """The subject's instance as it is to be measured: with what it learned."""
    if not subject.state_file:
        return judged
    state = subject.state_file.read_bytes()
    if not subject.version.endswith(_digest(state)):
        raise ValueError(f"{subject.state_file} is damaged: its bytes do not have the digest in its name")
    return judged.with_state(state)


def paying_bytes(corpus: Corpus) -> int:
    """Raw bytes of the traces that pay for states: all of the split `test`, or all where there are none."""
    by_split = [(t.split, t.raw_bytes) for t in corpus.traces]
    return sum(n for split, n in by_split if split == PAID_BY) or sum(n for _, n in by_split) or 1


def state_bits(state_bytes: int, raw_bytes: int, of_bytes: int) -> int:
    """A trace's share of a state, rounded up to a bit: as its raw bytes are to `paying_bytes`.

    All test traces together pay for the whole state, whichever of them a run selects.
    """
    return -(-8 * state_bytes * raw_bytes // of_bytes)


def _fitted(subject: Subject, path: Path, state: bytes) -> Subject:
    return replace(
        subject,
        version=f"{subject.version}+state-{_digest(state)}",
        state_file=path,
        state_bytes=len(state),
        unfitted="" if state else f"not fitted: nothing could be learned on the {LEARNED_ON} traces",
    )


def _path(corpus: Corpus, subject: Subject, folder: Path, state: bytes) -> Path:
    return folder / STATES_FOLDER / f"{_stem(corpus, subject)}-{_digest(state)}.bin"


def _stem(corpus: Corpus, subject: Subject) -> str:
    """Who learns, by name, and a digest of all that the state depends on."""
    learned_from = [subject.spec, subject.version, *(f"{t.name} {t.sha256}" for t in lessons(corpus))]
    name = re.sub(r"[^\w.-]", "-", subject.spec.partition(":")[0])
    return f"{name}-{_digest(chr(10).join(learned_from).encode())}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGEST_DIGITS]
