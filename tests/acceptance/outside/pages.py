"""A page of the docs as the script of a reader who follows it from the first block to the last."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_INCLUDE = re.compile(r"^<!-- include: (\S+) -->$", re.MULTILINE)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\S+)\n")
_PART = re.compile(r"# (\S+) holds:\n")


def script(page: Path) -> str:
    """The blocks as one script for bash.

    `sh` is run. Any other block begins with the name of its file, which it becomes (`# src/a.py`), or of which it must
    be a part (`# pyproject.toml holds:`). A file that the page includes stands in its place, as on the site.
    """
    text = page.read_text(encoding="utf-8")
    return "\n".join(_steps(_INCLUDE.sub(lambda found: (_ROOT / found[1]).read_text("utf-8").rstrip("\n"), text)))


def _steps(text: str) -> Iterator[str]:
    yield "set -euo pipefail"
    for language, block in _FENCE.findall(text):
        if language == "sh":
            yield block
        elif part := _PART.match(block):
            lines = [line for line in block[part.end() :].splitlines() if line]
            yield from (f"grep -qF {_quoted(line)} {part[1]}" for line in lines)
        else:
            named = _FILE.match(block)
            assert named, f"A block of {language} does not say in which file it stands:\n{block}"
            yield f"cat > {named[1]} <<'END OF THE BLOCK'\n{block[named.end() :]}END OF THE BLOCK"


def _quoted(line: str) -> str:
    return "'" + line.replace("'", "'\\''") + "'"
