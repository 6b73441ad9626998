"""Kill runs at random moments and take them up again: `python tests/torture/run.py [--kills N] [--seed S]`.

Every kill is a SIGKILL, of the whole run or of one of its workers. After each, the journal must hold every
record that it held before and none twice; in the end, results and boards must be those of a run that nobody
disturbed. The first thing that is lost, doubled or other is reported, and the exit status is 1.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import command, environment, write_corpus

from suite import results

CODECS = "faulty.slow,zlib:level=1,zvc"
KILLS_PER_RUN = 8
WORKER_SHARE = 0.3
"""Of all kills, those that hit a worker."""


class BrokenError(Exception):
    """What a kill has broken."""


def start(folder, out):
    arguments = ("--corpus", folder / "corpus", "--out", out, "--codecs", CODECS, "--jobs", 2)
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command("suite", "run", *arguments, "--no-timing", "--no-page"),
            env=environment(),
            stdout=log,
            stderr=log,
            cwd=folder,
        )


def journal(out):
    """The journal's whole lines; a last one cut short is the next start's to drop."""
    path = out / "journal.jsonl"
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def check(before, out):
    """The journal only ever grows, and has no record twice."""
    now = journal(out)
    if now[: len(before)] != before:
        raise BrokenError(f"{out}: records of before the kill are gone")
    keys = [tuple(json.loads(line).get(key) for key in ("record", "trace", "codec")) for line in now]
    if len(set(keys)) != len(keys):
        raise BrokenError(f"{out}: a record is there twice")
    return now


def final(out):
    """What must not depend on kills: all results but CPU seconds, and the boards' bytes."""
    boards = {path.name: path.read_bytes() for path in sorted(out.glob("leaderboard.*"))}
    return results.read(out).drop("codec_cpu_s", "peak_memory_bytes"), boards


def workers_of(process):
    """The processes that the run's own process has started, as Linux knows them."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    found = [int(pid) for path in tasks for pid in path.read_text().split()]
    return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def kill_worker(process, rng):
    """Kill one of the run's workers; False where there is none to kill."""
    try:
        if workers := workers_of(process):
            victim = rng.choice(workers)
            os.kill(victim, signal.SIGKILL)
            return True
    except OSError:  # it has just ended
        pass
    return False


def one_run(folder, number, kills, seconds, rng):
    """One run, killed up to `kills` times while it lacks records, then left alone; which kills hit."""
    out, before, hits = folder / f"run-{number}", [], {"run": 0, "worker": 0}
    n_records = len(journal(folder / "undisturbed"))
    for _ in range(kills):
        if len(before) == n_records:
            break
        process = start(folder, out)
        try:
            process.wait(rng.uniform(0.0, seconds))
        except subprocess.TimeoutExpired:
            if rng.random() < WORKER_SHARE and kill_worker(process, rng):
                hits["worker"] += 1
                if process.wait(300):
                    raise BrokenError(f"{out}: a killed worker ended the run, see {folder / 'log'}") from None
            else:
                process.kill()
                process.wait()
                hits["run"] += 1
        before = check(before, out)
    if start(folder, out).wait(300):
        raise BrokenError(f"{out} does not go on after a kill, see {folder / 'log'}")
    check(before, out)
    return hits


def torture(folder, n_kills, seed):
    """Kill until `n_kills` kills have hit; tells of each run, and returns a sentence."""
    rng = random.Random(seed)  # noqa: S311 - moments, not secrets
    hits, number = {"run": 0, "worker": 0}, 0
    write_corpus(folder / "corpus")
    for name in ("first", "undisturbed"):  # the first one compiles kernels
        began = time.monotonic()
        if start(folder, folder / name).wait(300):
            raise BrokenError(f"the {name} run failed, see {folder / 'log'}")
        seconds = time.monotonic() - began
    table, boards = final(folder / "undisturbed")
    while (done := sum(hits.values())) < n_kills:
        number += 1
        found = one_run(folder, number, min(KILLS_PER_RUN, n_kills - done), seconds, rng)
        hits = {what: count + found[what] for what, count in hits.items()}
        result, result_boards = final(folder / f"run-{number}")
        if not result.equals(table) or result_boards != boards:
            raise BrokenError(f"{folder / f'run-{number}'}: not the results of the undisturbed run")
        click.echo(f"run {number}: {hits} hit so far", err=True)
    return (
        f"{sum(hits.values())} kills ({hits['run']} of runs, {hits['worker']} of workers) over {number} runs "
        f"of {len(table)} cells: none lost, none doubled, results identical"
    )


@click.command()
@click.option("--kills", default=100, show_default=True, type=click.IntRange(1), help="Kills that must hit.")
@click.option("--seed", default=0, show_default=True, help="Of the moments and victims.")
def main(kills, seed):
    """Kill runs at random moments and compare what they end in with an undisturbed run."""
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        click.echo(torture(folder, kills, seed))
    except BrokenError as error:
        click.echo(f"broken: {error}", err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
