"""What all commands share: how a user's mistake ends, and what exit codes mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NoReturn

import click

EXIT_UNTRUSTED = 3
EXIT_INTERRUPTED = 130
DEFAULT_CORPUS = "traces"


def fail(error: BaseException | str, code: int = 1) -> NoReturn:
    """End the program with one line on standard error."""
    from suite.safetext import visible

    click.echo(f"error: {visible(error)}", err=True)
    raise SystemExit(code)


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """A user's mistake, a damaged file, a full disk: one line and a non-zero exit, no traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        fail(error)
