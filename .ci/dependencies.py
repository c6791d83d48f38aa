"""Check what an installation depends on: where it comes from, its licences, and the advisories about it.

`python .ci/dependencies.py` reads `uv.lock` and the metadata of the installed packages, and exits with 1 if a package
is not pinned by its hash, or has a licence that is not on the list. If `OSV_ADVISORIES` names a file (JSON, or the
archive https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip), each advisory about a locked version counts,
too. Nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

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


def advisories(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of an OSV archive, or of a file with one record or a list of them."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json"))
    else:
        records = json.loads(path.read_text("utf-8"))
        yield from records if isinstance(records, list) else [records]


def affected(packages: Iterable[dict[str, Any]], records: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield each locked version that an advisory is about; see the schema of OSV."""
    versions: dict[str, list[str]] = {}
    for package in packages:
        versions.setdefault(canonicalize_name(package["name"]), []).append(package["version"])
    for record in records:
        for one in () if "withdrawn" in record else record.get("affected", ()):
            about = one.get("package", {})
            if about.get("ecosystem") == "PyPI":
                for version in versions.get(canonicalize_name(about["name"]), ()):
                    spans = one.get("ranges", ())
                    if version in one.get("versions", ()) or any(_within(version, span) for span in spans):
                        yield f"{about['name']} {version}: {record['id']} {record.get('summary', '')}".rstrip()


def _within(version: str, span: dict[str, Any]) -> bool:
    """Return True if the events of a range, in their order, leave the version affected."""
    inside = False
    for event in span.get("events", ()) if span.get("type") == "ECOSYSTEM" else ():
        [(kind, at)] = event.items()
        try:
            order = Version(version), Version(at)
        except InvalidVersion:
            continue
        if kind == "introduced" and order[0] >= order[1]:
            inside = True
        elif (kind == "fixed" and order[0] >= order[1]) or (kind == "last_affected" and order[0] > order[1]):
            inside = False
    return inside


def main() -> int:
    """Print what is wrong, and what was not checked."""
    packages = locked()
    names = runtime(packages)
    wrong = [*unpinned(packages), *unfit(names)]
    if source := os.environ.get("OSV_ADVISORIES"):
        wrong += affected(packages, advisories(Path(source)))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(packages)} locked packages, {len(names)} of them for installations, {len(wrong)} findings.")
    if not source:
        print("Not checked against advisories: OSV_ADVISORIES names no file.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
