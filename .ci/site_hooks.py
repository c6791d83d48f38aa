"""Hooks of MkDocs: files outside `docs/`, and the changelog's fragments, become part of the site.

- `<!-- include: PATH -->` becomes the text of that file.
- A link to a file outside `docs/` becomes its path, since the site does not hold it.
- The changelog shows the fragments of the next release.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_INCLUDE = re.compile(r"^<!-- include: (\S+) -->$", re.MULTILINE)
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^):#\s]+)(?P<anchor>#[^)\s]*)?\)")
_FRAGMENTS = "<!-- towncrier release notes start -->"


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401 - a class of MkDocs
    """Include files and fragments, and replace links that leave the documentation."""
    place = posixpath.join("docs", page.file.src_uri)
    markdown = _inside(markdown, place, place)
    if _FRAGMENTS in markdown:
        markdown = markdown.replace(_FRAGMENTS, _unreleased())
    return _INCLUDE.sub(lambda found: _inside((ROOT / found[1]).read_text("utf-8"), found[1], place), markdown)


def _inside(markdown: str, source: str, place: str) -> str:
    """Make the links of *source* right on the page at *place*."""

    def replacement(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["target"]))
        if not target.startswith("docs/"):
            return f"{link['text']} (`{target}`)"
        relative = posixpath.relpath(target, posixpath.dirname(place))
        return f"[{link['text']}]({relative}{link['anchor'] or ''})"

    return _LINK.sub(replacement, markdown)


def _unreleased() -> str:
    fragments = sorted((ROOT / "docs" / "changes").glob("*.*.md"), key=lambda path: path.suffixes[-2])
    if not fragments:
        return ""
    return "\n".join(("## Not released", "", *(f"- {path.read_text('utf-8').strip()}" for path in fragments), ""))
