"""What the first pages promise, and where their links lead."""

from __future__ import annotations

import re
from pathlib import Path

PROMISE = (
    "Never lost; never twice where the network gives a key or a readable timeline; otherwise your documented choice."
)


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a Markdown page, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
