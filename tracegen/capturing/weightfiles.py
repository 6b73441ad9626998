"""Reading a checkpoint's tensors; nothing in it is unpickled.

A checkpoint is a file of one of the formats in `formats`, or a Hugging Face folder with one file or with
shards and their index. What is in it is told by where it lies: weights, an optimiser's state, buffers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from tracegen.capturing._roles import BUFFER, OTHER
from tracegen.capturing.formats import READERS, reader_of
from tracegen.capturing.formats.base import Stored
from tracegen.corpus import CorpusError
from tracegen.corpus.checks import check_content
from tracegen.corpus.recording import Captured, Facts, Recorder, legal_name, matching, recording
from tracegen.progress import Report

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""The weights in a Hugging Face folder, the preferred first."""
INDEX_SUFFIX = ".index.json"
MAX_INDEX_BYTES = 100_000_000
MIN_BYTES = 4096
"""Smaller tensors of a checkpoint are left out unless asked for: biases and norms, many, of few bytes."""


@dataclass(frozen=True)
class Kept:
    """Which tensors of a checkpoint are kept: by patterns of their names, by size, and whether buffers are.

    `min_bytes` None: those of `MIN_BYTES`, where any tensor is so large.
    """

    layers: tuple[str, ...] = ("*",)
    min_bytes: int | None = 0
    buffers: bool = False


def capture_weights(
    path: Path,
    out: Path,
    *,
    kept: Kept,
    facts: Callable[[str], Facts],
    dry_run: bool,
    report: Report,
) -> Recorder:
    """Record the tensors of a checkpoint that `kept` says, weights as `weights`, moments as `updates`.

    `path` is a file or a Hugging Face folder. `facts` gets the model's default name, the file's or the
    folder's. Raises CorpusError for what is no checkpoint, incomplete or damaged, and for what `recording`
    refuses.
    """
    if path.is_dir():
        file, index = _in_folder(path)
    else:
        file, index = _checked(path), None
    default_name = legal_name(path.resolve().name if path.is_dir() else path.stem)
    with recording(out, facts(default_name), dry_run=dry_run) as recorder:
        reading = _Reading(recorder, kept, report)
        if index is None:
            reading.record(file, None)
        else:
            reading.choose(list(index))
            for shard in dict.fromkeys(index.values()):
                wanted = [name for name, of in index.items() if of == shard]
                reading.record(path / shard, wanted)
        reading.note_left_out()
    return recorder


def _checked(path: Path) -> Path:
    come = f"weights come as {', '.join(READERS)}, not as {path.suffix or 'no suffix'!r}"
    is_known = reader_of(path) is not None
    if not path.exists():
        hint = f"; {come}" if path.suffix and not is_known else ""
        raise CorpusError(f"{path}: there is no such file or folder{hint}")
    if not is_known:
        raise CorpusError(f"{path}: {come}")
    if not path.is_file():
        raise CorpusError(f"{path} is no regular file")
    return path


class _Reading:
    """One checkpoint, file by file: what is chosen, and how much was left out and why."""

    def __init__(self, recorder: Recorder, kept: Kept, report: Report) -> None:
        self._recorder = recorder
        self._kept = kept
        self._report = report
        self._chosen: frozenset[str] | None = None
        self._left_out: Counter[str] = Counter()

    def choose(self, names: Sequence[str]) -> None:
        """Choose among all names of a checkpoint of several files."""
        chosen = matching(self._kept.layers, names)
        self._chosen = frozenset(chosen)
        self._recorder.choose_profile([name.removesuffix(".weight") for name in chosen])

    def record(self, file: Path, wanted: Sequence[str] | None) -> None:
        """Record a file's tensors; of a shard, those that the index says are there."""
        if wanted is not None and self._chosen is not None and self._chosen.isdisjoint(wanted):
            return
        reader = reader_of(file)
        assert reader is not None  # noqa: S101 - names of shards were checked
        check_content(file)
        with reader(file) as stored:
            names = [one.name for one in stored]
            for name in wanted or ():
                if name not in names:
                    raise CorpusError(f"{file} lacks the tensor {name!r}, which the index says is there")
            if self._chosen is None:
                self.choose(list(dict.fromkeys(names)))
            chosen = self._chosen or frozenset()
            ours = [one for one in stored if one.name in chosen and (wanted is None or one.name in wanted)]
            self._record(self._large_enough([one for one in ours if self._has_role(one)]), file)

    def _has_role(self, one: Stored) -> bool:
        role = one.place.role
        if role == OTHER:
            self._left_out["tensors of the training loop"] += 1
        elif role == BUFFER and not self._kept.buffers:
            self._left_out["buffers (running statistics, tables; --buffers keeps them)"] += 1
        else:
            return True
        return False

    def _large_enough(self, stored: Sequence[Stored]) -> list[Stored]:
        least = self._kept.min_bytes
        if least is None:
            least = MIN_BYTES if any(one.n_bytes >= MIN_BYTES for one in stored) else 0
        kept = [one for one in stored if one.dtype is None or one.n_bytes >= least]
        if len(kept) < len(stored):
            what = f"tensors below {least} bytes (--min-bytes 0 keeps them)"
            self._left_out[what] += len(stored) - len(kept)
        return kept

    def _record(self, stored: Iterable[Stored], file: Path) -> None:
        stored = list(stored)
        first_names: dict[object, str] = {}
        self._report.start(f"capturing {file.name}", len(stored))
        for one in stored:
            first = first_names.setdefault((one.identity, one.precision), one.name)
            role = "weights" if one.place.role == BUFFER else one.place.role
            if not one.shape:
                self._left_out["single numbers"] += 1
            elif first != one.name:
                self._recorder.note(f"{one.name} shares {first}")
            elif one.dtype is None:
                self._recorder.note(f"{role}/{one.place.layer} skipped: {one.refusal}")
            else:
                part, cut = self._recorder.cut(one.shape, one.dtype.itemsize)
                trace = Captured(
                    *(one.read(part), role, one.place.layer),
                    "training" if role == "updates" else "inference",
                    {**cut, **one.attributes},
                    one.place.kind,
                    precision=one.precision,
                )
                self._recorder.add(trace)
            self._report.step()

    def note_left_out(self) -> None:
        """Note, in one line, what was left out on purpose."""
        if self._left_out:
            parts = (f"{count} {what}" for what, count in self._left_out.items())
            self._recorder.note(f"left out: {', '.join(parts)}")


def _in_folder(folder: Path) -> tuple[Path, dict[str, str] | None]:
    """The one file of weights or, where there are shards, their index and what `_read_index` gives."""
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name, None
        if (index := folder / f"{name}{INDEX_SUFFIX}").is_file():
            return index, _read_index(index)
    message = f"{folder} holds none of {', '.join(f'{name}[{INDEX_SUFFIX}]' for name in WEIGHT_FILES)}"
    others = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in READERS)
    raise CorpusError(f"{message}{f'; give a file in it, such as {others[0]}' if others else ''}")


def _read_index(path: Path) -> dict[str, str]:
    """The shard of each tensor, a file beside the index. Raises CorpusError where one is not there."""
    suffix = Path(path.name.removesuffix(INDEX_SUFFIX)).suffix
    if path.stat().st_size > MAX_INDEX_BYTES:
        raise CorpusError(f"{path} is no index of shards: {path.stat().st_size} bytes are too many")
    try:
        index = {str(name): str(shard) for name, shard in json.loads(path.read_bytes())["weight_map"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CorpusError(f"{path} is no index of shards: {type(error).__name__} {error}") from error
    if not index:
        raise CorpusError(f"{path} names no tensor")
    shards = sorted(set(index.values()))
    for shard in shards:
        # By its text alone: in the hub's cache a shard is a link that leads out of the folder.
        if not shard.endswith(suffix) or any(
            k(shard).name != shard for k in (PurePosixPath, PureWindowsPath)
        ):
            raise CorpusError(f"{path}: shard {shard!r} is no {suffix} file's name in the same folder")
    missing = [shard for shard in shards if not (path.parent / shard).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CorpusError(f"{path.parent} lacks {missing[0]}{more}, which {path.name} names")
    return index
