"""What the documentation says is what the code does."""

import re

import pytest
from support import REPOSITORY

from suite.results import FIELDS

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_readme_and_ci_run_the_same_test_command():
    command = next(line for line in README.splitlines() if line.endswith("bin/tox"))
    assert command in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_result_field_is_documented():
    page = (REPOSITORY / "docs" / "results.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", page, flags=re.MULTILINE)
    assert documented == [(field.name, str(field.dtype), field.meaning) for field in FIELDS]


PAGES = [
    page for folder in ("", "docs", "docs/formats", "traces") for page in (REPOSITORY / folder).glob("*.md")
]


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
