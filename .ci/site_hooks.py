"""Hooks of MkDocs: files outside `docs/`, and the changelog's fragments, become part of the site.

- `<!-- include: PATH -->` becomes the text of that file.
- A link to a file outside `docs/` becomes its path, since the site does not hold it.
- The changelog shows the fragments of the next release.
- A built page that loads anything from another host fails the build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

ROOT = Path(__file__).parents[1]
_INCLUDE = re.compile(r"^<!-- include: (\S+) -->$", re.MULTILINE)
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^):#\s]+)(?P<anchor>#[^)\s]*)?\)")
_FOREIGN = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>|class=[\"']?mermaid"
)
_FRAGMENTS = "<!-- towncrier release notes start -->"


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401 - a class of MkDocs
    """Include files and fragments, and replace links that leave the documentation."""
    place = posixpath.join("docs", page.file.src_uri)
    markdown = _inside(markdown, place, place)
    if _FRAGMENTS in markdown:
        markdown = markdown.replace(_FRAGMENTS, _unreleased())
    return _INCLUDE.sub(lambda found: _inside((ROOT / found[1]).read_text("utf-8"), found[1], place), markdown)


def on_post_page(output: str, page: Any, **_: object) -> str:  # noqa: ANN401 - a class of MkDocs
    """Refuse a page whose reader would be seen by another server, or that looks different without it.

    Raises:
        PluginError: It loads something from there.
    """
    if foreign := _FOREIGN.search(output):
        raise PluginError(f"{page.file.src_uri} loads from another host: {foreign[0]}")
    return output


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
