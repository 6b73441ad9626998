"""Decode damaged frames with every codec: `python tests/fuzz/run.py [--frames N] [--codec GLOB] [--seed S]`.

A frame may be refused or decode to something. A crash, a hang, an allocation without bound or any error but
DecodeError is a finding: its frame is saved, and the exit status is 1.
"""

from __future__ import annotations

import fnmatch
import itertools
import tempfile
from collections import Counter
from pathlib import Path

import click
import fuzzing
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from suite.machine import usable_cores
from suite.measuring.workers import Limits, run_cells, worker_pool
from tensorcodecs import registry

TIMEOUT_S = 60.0
BATCH_S = 1.0
"""A batch is meant to take this long, far less than the time after which it counts as hanging."""
SHARE_MIN = 0.1
"""Of an even share of the frames: what the slowest codec gets at least."""


def chosen(pattern):
    """The specs of the board and of every codec at its defaults that match; or `pattern` itself, a spec."""
    board = registry.default_specs()
    others = [n for n in registry.names() if not any(s == n or s.startswith(f"{n}:") for s in board)]
    known = [*board, *others]
    return [spec for spec in known if fnmatch.fnmatchcase(spec, pattern)] or [pattern]


def budgets(rates, frames):
    """Frames for each codec, by its speed, lest a slow one hold up all; at least `frames` in sum."""
    total = sum(rates.values())
    floor = SHARE_MIN * frames / max(1, len(rates))
    return {spec: max(1, round(max(floor, frames * rate / total + 1))) for spec, rate in rates.items()}


def batches(rates, frames, seed, folder):
    """Every batch as (cell, arguments), one codec after the other."""
    numbers = itertools.count()
    for spec, count in budgets(rates, frames).items():
        size = max(1, min(count, int(rates[spec] * BATCH_S)))
        for batch, start in enumerate(range(0, count, size)):
            n_frames = min(size, count - start)
            slot = folder / str(next(numbers))
            slot.write_bytes(bytes(fuzzing.SLOT_BYTES))
            yield (spec, batch, n_frames, slot), (spec, seed, batch, n_frames, slot)


def save(findings, spec, seed, batch, reason, frame):
    """Keep the frame of a finding under a name that says whose it is; returns the file."""
    findings.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() or c in "-=." else "_" for c in spec)
    path = findings / f"{name}-seed{seed}-batch{batch}-{len(list(findings.iterdir()))}.bin"
    path.write_bytes(frame or b"")
    return f"{spec}, seed {seed}, batch {batch}: {reason}; {len(frame or b'')} bytes in {path}"


@click.command()
@click.option("--frames", type=click.IntRange(1), default=1_000_000, show_default=True, help="In all.")
@click.option("--codec", "pattern", default="*", show_default=True, help="Glob over the specs, or one spec.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=usable_cores, help="Processes.  [default: cores]")
@click.option("--timeout", "timeout_s", type=float, default=TIMEOUT_S, show_default=True, help="Of a batch.")
@click.option(
    "--findings", type=click.Path(path_type=Path), default="runs/fuzz", show_default=True, help="Folder."
)
def main(frames, pattern, seed, jobs, timeout_s, findings):
    """Decode damaged frames with every codec; exit 1 where one does worse than refuse them."""
    console = Console(stderr=True)
    found, done, refused = [], Counter(), 0
    bar = (*Progress.get_default_columns()[:1], BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory() as slots,
        worker_pool(jobs) as pool,
        Progress(*bar, TimeRemainingColumn(), console=console) as progress,
    ):
        specs = chosen(pattern)
        rates = {}
        task = progress.add_task("compile", total=len(specs))
        cells = [(spec, (spec,)) for spec in specs]
        for spec, rate, reason, _ in run_cells(
            pool, jobs, fuzzing.measure_rate, cells, Limits(4 * timeout_s)
        ):
            progress.advance(task)
            if rate is not None:
                rates[spec] = rate
            elif "NotInstalled" in reason:
                console.print(f"left out: {spec}: {reason}", markup=False, highlight=False)
            else:
                found.append(save(findings, spec, seed, "-", f"undamaged: {reason}", None))
        rates = {spec: rates[spec] for spec in specs if spec in rates}
        task = progress.add_task("frames", total=sum(budgets(rates, frames).values()))
        todo = list(batches(rates, frames, seed, Path(slots)))
        for cell, result, reason, _ in run_cells(pool, jobs, fuzzing.run_batch, todo, Limits(timeout_s)):
            spec, batch, count, slot = cell
            progress.advance(task, count)
            done[spec] += count
            problems = [(reason, fuzzing.frame_in(slot))] if result is None else result[1]
            refused += result[0] if result else 0
            for problem, frame in problems:
                found.append(save(findings, spec, seed, batch, problem, frame))
                console.print(found[-1], markup=False, highlight=False)
            slot.write_bytes(b"")
    for spec, count in done.items():
        click.echo(f"{count:>9,}  {spec}")
    click.echo(f"{sum(done.values()):,} damaged frames, {refused:,} refused, {len(found)} findings")
    for finding in found:
        click.echo(f"finding: {finding}")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
