"""A hook of MkDocs: a link to a file outside `docs/` becomes that file's path, since the site does not hold it."""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>(?:\.\./)+[^)#\s]*)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401 - a class of MkDocs
    """Replace links that leave the documentation."""

    def replacement(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_uri), link["target"]))
        return link[0] if target.startswith("docs/") else f"{link['text']} (`{target}`)"

    return _LINK.sub(replacement, markdown)
