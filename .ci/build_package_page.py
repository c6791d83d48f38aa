"""Write the page of a package index from the README: its links lead to the repository, since an index holds one file.

`--check` compares instead, and exits with 1 if the page is old.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / ".ci" / "package_page.md"
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?!https?:)(?P<target>[^)\s]+)\)")


def page() -> str:
    """Return the README with absolute links, below the repository's address in `pyproject.toml`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    repository = project["urls"]["Repository"]

    def absolute(link: re.Match[str]) -> str:
        kind = "raw" if link["picture"] else "blob"
        return f"{link['picture']}[{link['text']}]({repository}/{kind}/main/{link['target']})"

    return _LINK.sub(absolute, (ROOT / "README.md").read_text("utf-8"))


def main() -> int:
    """Write or compare the page."""
    written = page()
    if PAGE.exists() and PAGE.read_text("utf-8") == written:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{PAGE.relative_to(ROOT)} is not the README of today. Run: python .ci/build_package_page.py")
        return 1
    PAGE.write_text(written, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
