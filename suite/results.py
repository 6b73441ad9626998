"""The results of a run: one row per cell (trace x codec or hardware model), and the fields it has.

`FIELDS` is the one place where a result's field is defined; the parquet file and the journal follow it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
import polars.exceptions

RESULTS_FILE = "results.parquet"
MAX_ROWS = 10_000_000
PROBE_BYTES = 4 << 30
"""Address space for reading the results of a stranger."""
PROBE_REFUSED = 7
_PROBE = f"""
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
from suite import results
try:
    results.read(Path(sys.argv[2]))
except (ValueError, OSError) as error:
    print(error)
    raise SystemExit({PROBE_REFUSED})
"""
Row: TypeAlias = dict[str, Any]
"""A row of results, or of a table made of them: its columns by name."""
STATUSES = ("ok", "skipped", "failed")
OF_TRACE = (
    *("model", "role", "layer", "dtype", "sparsity", "precision", "pruning", "phase", "split", "values"),
)
"""Columns that are attributes of the trace, by the same name."""


@dataclass(frozen=True)
class Field:
    """One column of `results.parquet`."""

    name: str
    dtype: pl.DataType
    meaning: str


_STRING, _INT, _FLOAT, _BOOL = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

FIELDS = (
    Field("trace", _STRING, "name of the trace: model/variant/role/layer, perhaps @point of the training"),
    Field("model", _STRING, "the traced model"),
    Field("role", _STRING, "weights, activations, gradients, errors, updates or kv"),
    Field("layer", _STRING, "layer or parameter inside the model"),
    Field("dtype", _STRING, "what the bits mean, full numpy name"),
    Field("sparsity", _FLOAT, "pruning level of the model, 0 to 1"),
    Field("precision", _STRING, "number format of the model: the dtype, or such as int8-affine or int4"),
    Field("pruning", _STRING, "method of pruning: none, magnitude, block4x4, ...; null in old results"),
    Field("phase", _STRING, "inference, training, or training-start, -middle or -end; null in old results"),
    Field("tensor_kind", _STRING, "what sort of tensor among those of its role, such as relu; may be empty"),
    Field("split", _STRING, "test (judged on), profile (learned on) or control (untrained model)"),
    Field("codec", _STRING, "full spec of the codec or hardware model"),
    Field("kind", _STRING, "software or hardware"),
    Field("lossless", _BOOL, "whether the codec claims to be lossless"),
    Field("status", _STRING, "ok, skipped or failed"),
    Field("reason", _STRING, "why a cell is not ok, or not timed or not fitted; else empty"),
    Field("bit_exact", _BOOL, "whether the decoded bits equalled the trace's"),
    Field("values", _INT, "values in the trace"),
    Field("raw_bits", _INT, "uncompressed size in bits"),
    Field("coded_bits", _INT, "compressed size in bits, everything needed to decode counted"),
    Field("state_bits", _INT, "codecs that learn: of coded_bits, the share of what was learned; else null"),
    Field("effective_bits_32", _INT, "hardware: bits moved at a 32-B access granule"),
    Field("effective_bits_64", _INT, "hardware: bits moved at a 64-B access granule"),
    Field("decompress_cycles", _FLOAT, "hardware: cycles to decompress the whole trace"),
    Field("mse", _FLOAT, "lossy codecs: mean squared error of the values"),
    Field("max_error", _FLOAT, "lossy codecs: largest absolute error of a value"),
    Field("reference_bits", _FLOAT, "zero-aware order-0 reference of the trace, in bits"),
    Field("reference_form", _STRING, "estimate behind the reference: symbols, fields or bytes"),
    Field("zero_fraction", _FLOAT, "share of values whose bits are all zero"),
    Field("encode_s", pl.List(_FLOAT), "every timed repeat of encoding, seconds; empty if not timed"),
    Field("decode_s", pl.List(_FLOAT), "every timed repeat of decoding, seconds; empty if not timed"),
    Field("cold_encode_s", pl.List(_FLOAT), "as encode_s, of inputs that no cache holds; null if old"),
    Field("cold_decode_s", pl.List(_FLOAT), "as decode_s, of inputs that no cache holds; null if old"),
    Field(
        "peak_memory_bytes",
        _INT,
        "growth of resident memory while coding, input aside; null where not counted",
    ),
    Field("codec_cpu_s", _FLOAT, "CPU seconds in the codec during the size phase (not a benchmark)"),
    Field("codec_version", _STRING, "version of the codec's format or of the library behind it"),
    Field("trace_sha256", _STRING, "SHA-256 of the trace's little-endian C-order bytes"),
)

SCHEMA = {field.name: field.dtype for field in FIELDS}

ADDED_LATER = {
    "precision": pl.col("dtype"),
    "split": pl.lit("test"),
    **{name: pl.lit(None, pl.String) for name in ("pruning", "phase", "tensor_kind")},
    **{name: pl.lit(None, pl.Int64) for name in ("state_bits", "peak_memory_bytes")},
    **{name: pl.lit(None, pl.List(pl.Float64)) for name in ("cold_encode_s", "cold_decode_s")},
}
"""What results get that were published before there were these columns."""


def frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Results as a table, sorted by trace and codec; missing fields are null."""
    filled = [{name: row.get(name) for name in SCHEMA} for row in rows]
    return pl.DataFrame(filled, schema=SCHEMA).sort("trace", "codec")


def write(table: pl.DataFrame, folder: Path) -> Path:
    """Write `results.parquet` into a run's folder: beside it first, then renamed over the old one.

    Raises OSError where the disk does not take it.
    """
    path = folder / RESULTS_FILE
    beside = path.with_suffix(".parquet.part")
    # Files and not their names: polars takes none that is not UTF-8.
    try:
        with beside.open("wb") as file:
            table.write_parquet(file)
    except polars.exceptions.PolarsError as error:  # as polars calls a full disk
        raise OSError(f"{path} cannot be written: {str(error).splitlines()[0]}") from error
    beside.replace(path)
    return path


def read(folder: Path) -> pl.DataFrame:
    """Read a run's `results.parquet`; FileNotFoundError or ValueError say what is wrong with it."""
    path = folder / RESULTS_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no results at {folder}: it holds no {RESULTS_FILE}")
    try:
        with path.open("rb") as file:
            stored = pl.read_parquet_schema(file)
            missing = [name for name in SCHEMA if name not in stored]
            if lost := [name for name in missing if name not in ADDED_LATER]:
                raise ValueError(f"{path} lacks the column {lost[0]!r}")
            present = {name: stored[name] for name in SCHEMA if name in stored}
            # A column of nulls alone may have been stored as such.
            other = [name for name, dtype in present.items() if dtype not in (SCHEMA[name], pl.Null)]
            if other:
                raise ValueError(f"{path}: column {other[0]!r} is {stored[other[0]]}, not {SCHEMA[other[0]]}")
            rows = pl.scan_parquet(file).select(pl.len()).collect().item()
            if rows > MAX_ROWS:
                raise ValueError(f"{path} has {rows} rows; {MAX_ROWS} are read")
            table = pl.read_parquet(file, columns=list(present))
    except (polars.exceptions.PolarsError, OSError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    return table.with_columns(**{name: ADDED_LATER[name] for name in missing}).select(*SCHEMA)


def probe(folder: Path) -> None:
    """Read a run's `results.parquet` in a process of bounded memory first: a small file may claim terabytes.

    Raises ValueError where that process could not read it, or as `read` does.
    """
    if not (folder / RESULTS_FILE).is_file():
        return  # `read` says so
    command = [sys.executable, "-c", _PROBE, str(PROBE_BYTES), str(folder)]
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - this Python
    if done.returncode == PROBE_REFUSED:
        raise ValueError(done.stdout.strip())
    if done.returncode:
        raise ValueError(f"{folder / RESULTS_FILE} cannot be read in {PROBE_BYTES >> 20} MiB of memory")
