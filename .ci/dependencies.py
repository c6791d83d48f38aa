"""Check what an installation depends on: where it comes from, and its licences.

`python .ci/dependencies.py` reads `uv.lock` and the metadata of the installed packages, and exits with 1 if a package
is not pinned by its hash, or has a licence that is not on the list. Nothing is downloaded. `uv audit --locked` compares
the versions with known vulnerabilities.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "uv.lock"
INDEX = "https://pypi.org/simple"

# Licences under which a library may be part of an installation of a work under EUPL-1.2: permissive ones, and those
# with a copyleft of the library or file alone. GPL, AGPL and unknown ones are not among them.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "EUPL-1.2", "ISC", "LGPL-2.0-or-later",
    "LGPL-3.0-only", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense",
}  # fmt: skip
# The names of classifiers and older metadata.
SPDX = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}


def locked(lock: Path = LOCK) -> list[dict[str, Any]]:
    """Return the packages of the lock file, without ours."""
    packages: list[dict[str, Any]] = tomllib.loads(lock.read_text("utf-8"))["package"]
    return [package for package in packages if package["name"] != "policenotify"]


def runtime(packages: Iterable[dict[str, Any]], lock: Path = LOCK) -> set[str]:
    """Return the names of those that an installation may hold, whichever extras it has."""
    edges = {package["name"]: _needs(package) for package in packages}
    found: set[str] = set()
    [ours] = [one for one in tomllib.loads(lock.read_text("utf-8"))["package"] if one["name"] == "policenotify"]
    waiting = _needs(ours)
    while waiting:
        name = waiting.pop()
        if name not in found and name in edges:
            found.add(name)
            waiting |= edges[name]
    return found


def _needs(package: dict[str, Any]) -> set[str]:
    optional = package.get("optional-dependencies", {}).values()
    return {one["name"] for each in (package.get("dependencies", []), *optional) for one in each}


def unpinned(packages: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield each package that does not come from the index, or has a file without a SHA-256."""
    for package in packages:
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else ())]
        if package["source"] != {"registry": INDEX} or not files:
            yield f"{package['name']}: does not come from {INDEX}"
        elif not all(re.fullmatch(r"sha256:[0-9a-f]{64}", file.get("hash", "")) for file in files):
            yield f"{package['name']}: a file has no SHA-256"


def licence(head: metadata.PackageMetadata | Message) -> str:
    """Return the licence of a package's metadata as an SPDX expression, as well as it is known."""
    if expression := head.get("License-Expression"):
        return str(expression)
    classes = [name.split(" :: ")[-1] for name in head.get_all("Classifier") or () if name.startswith("License ::")]
    named = [SPDX.get(name, name) for name in classes if name != "OSI Approved"]
    return " AND ".join(named) or str(head.get("License") or "unknown").strip().partition("\n")[0]


def fits(expression: str) -> bool:
    """Return True if an SPDX expression without brackets can be met by licences of the list."""
    return any(all(part.strip() in ALLOWED for part in choice.split(" AND ")) for choice in expression.split(" OR "))


def unfit(names: Iterable[str]) -> Iterator[str]:
    """Yield each installed package whose licence is not on the list."""
    for name in sorted(names):
        try:
            found = licence(metadata.metadata(name))
        except metadata.PackageNotFoundError:  # for another system or Python
            continue
        if not fits(found):
            yield f"{name}: its licence is {found!r}, which is not on the list of .ci/dependencies.py"


def main() -> int:
    """Print what is wrong."""
    packages = locked()
    names = runtime(packages)
    wrong = [*unpinned(packages), *unfit(names)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(packages)} locked packages, {len(names)} of them for installations, {len(wrong)} findings.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
