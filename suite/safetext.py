"""Names come from strangers' files: what they may not do to a terminal or a document."""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that act instead of being shown: controls, directions of writing, line separators."""
_MARKDOWN = re.compile(r"([\\`<\[\]|])")


def visible(text: object) -> str:
    """The text in one line: characters that would act instead of being shown are named, as Python does."""
    return "".join(_escape(c) if unicodedata.category(c) in _HIDDEN else c for c in str(text))


def _escape(character: str) -> str:
    return repr(character)[1:-1] if not character.isprintable() else character


def markdown(text: str) -> str:
    """The text with backslashes before what Markdown takes for code, links, HTML or a table's border."""
    return _MARKDOWN.sub(r"\\\1", text)
