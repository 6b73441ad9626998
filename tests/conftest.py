import subprocess

import pytest
from hypothesis import settings
from support import command, environment, write_corpus

# No deadline: the first example of a kernel pays for its compilation.
settings.register_profile("squeezemark", deadline=None)
settings.load_profile("squeezemark")


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def own_corpus(tmp_path):
    """A corpus that the test may damage."""
    return write_corpus(tmp_path / "own")


@pytest.fixture
def call(tmp_path):
    """`call("suite", "run", ...)` as a user would, from an empty folder; faulty codecs can be found."""

    def call(*arguments, timeout=240):
        return subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=timeout,
            check=False,
        )

    return call
