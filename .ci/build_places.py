"""Build `src/policenotify/data/cog_<year>.tsv.gz`, the places that `policenotify.model.places` reads.

Run from anywhere in the checkout; needs the standard library and, unless `--from` is given, npm:

```
python .ci/build_places.py                  fetch the pinned npm package and write the file
python .ci/build_places.py --check          fetch it, write nothing, fail if the committed file differs
python .ci/build_places.py --from DIRECTORY read an unpacked package (a directory with data/communes.json)
```

For another year: change `VERSION`, `INTEGRITY` and `YEAR` below and `COG_YEAR` in `places.py`, run, delete the old
file, correct the years in `data/SOURCE.md` and the figures in the tests.

The file is gzip around UTF-8 text: five tables with a form-feed line between them, each sorted by code, one tab
between columns:

```
departments   code, name, region's name
EPCI          code, name
communes      code, name, kind (INSEE's TYPECOM), EPCI, postcodes, population, part of
other names   code of a commune, what else it may be called
dropped       code that is no longer in the COG, the commune it belongs to now
```

A *commune déléguée* with the code of its commune (they share it at the seat) has no row: its name, where it is another,
is the commune's other name; so is `Bors` for `Bors (Canton de Tude-et-Lavalette)`. Left out of the last table are the
codes changed when Corsica (20), Seine (75) and Seine-et-Oise (78) were divided: 75001 means a postcode today, and not
Alfortville.

The same input and the same Python give the same bytes. zlib and zlib-ng pack differently, so `--check` compares texts.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = "@etalab/decoupage-administratif"
VERSION: Final = "6.0.0"
INTEGRITY: Final = "XavYsFlbcM/prKr8hNHPKER94IHw/dsxNM4nxjWMYk6PLFACpEedvn/7wK8Baozm0dCYhWWcf+7bcWpA5pmCaQ=="  # SHA-512
YEAR: Final = 2026

TARGET: Final = Path(__file__).parents[1] / "src" / "policenotify" / "data" / f"cog_{YEAR}.tsv.gz"
KINDS: Final = {
    "commune-actuelle": "COM",
    "arrondissement-municipal": "ARM",
    "commune-deleguee": "COMD",
    "commune-associee": "COMA",
}


def fetch(directory: Path) -> Path:
    """Have npm fetch the pinned package into a directory, and unpack it there; none of its code is run."""
    command = ["npm", "pack", "--ignore-scripts", "--silent", f"{PACKAGE}@{VERSION}"]
    subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - constants only
    (archive,) = directory.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        raise SystemExit(f"{archive.name} is not the package that was pinned: its SHA-512 is {digest}.")
    with tarfile.open(archive) as packed:
        packed.extractall(directory, filter="data")
    return directory / "package"


def text(package: Path) -> str:
    """Return the five tables of an unpacked package."""
    departments, regions, epcis, communes = (
        json.loads((package / "data" / f"{name}.json").read_text("utf-8"))
        for name in ("departements", "regions", "epci", "communes")
    )
    region_names = {region["code"]: region["nom"] for region in regions}
    return "\f\n".join(
        (
            table([it["code"], it["nom"], region_names[it["region"]]] for it in departments),
            table([it["code"], it["nom"]] for it in epcis),
            table(commune_rows(communes, epcis)),
            table(other_names(communes)),
            table(dropped_rows(communes)),
        )
    )


def commune_rows(communes: list[dict[str, Any]], epcis: list[dict[str, Any]]) -> Iterable[list[str]]:
    """Return one row for each code."""
    epci_of = {member["code"]: it["code"] for it in epcis for member in it["membres"]}
    own = {it["code"]: it for it in communes if it["type"] == "commune-actuelle"}
    parts = [it for it in communes if it["code"] not in own]
    for it in (*own.values(), *parts):
        whole = it.get("commune") or it.get("chefLieu", "")
        if it["departement"] != department_in(whole or it["code"]):
            raise SystemExit(f"The source has changed: {it['code']} lies in {it['departement']}.")
        yield [
            it["code"],
            it["nom"],
            KINDS[it["type"]],
            epci_of.get(it["code"], ""),
            " ".join(it.get("codesPostaux", [])),
            str(it.get("population", "")),
            whole,
        ]


def other_names(communes: list[dict[str, Any]]) -> Iterable[list[str]]:
    """Return other names of a commune: that of its seat, or without INSEE's words in brackets."""
    own = {it["code"]: it for it in communes if it["type"] == "commune-actuelle"}
    for it in communes:
        named = own.get(it["code"], it)
        if it["nom"] != named["nom"]:
            yield [it["code"], it["nom"]]
        elif it is named and " (" in it["nom"]:
            yield [it["code"], it["nom"].partition(" (")[0]]


def dropped_rows(communes: list[dict[str, Any]]) -> Iterable[list[str]]:
    """Return the codes that are no longer used, with their successors."""
    known = {it["code"] for it in communes}
    for it in communes:
        for code in it.get("anciensCodes", []):
            divided = code[:2] in {"20", "75", "78"} and department_in(code) != department_in(it["code"])
            if code not in known and not divided:
                yield [code, it["code"]]


def department_in(code: str) -> str:
    """Return the department that a commune's code begins with."""
    return code[:3] if code.startswith(("97", "98")) else code[:2]


def table(rows: Iterable[list[str]]) -> str:
    """Return lines sorted by code. A repeated code, or a column that would break the line, is an error."""
    lines: dict[str, str] = {}
    for row in rows:
        code, *columns = (re.sub(" +", " ", column).strip() for column in row)
        line = "\t".join((code, *columns))
        if code in lines or line.count("\t") != len(row) - 1 or not line.replace("\t", " ").isprintable():
            raise SystemExit(f"The source has changed: code {code!r} comes twice or holds a control character.")
        lines[code] = line + "\n"
    return "".join(lines[code] for code in sorted(lines))


def pack(content: str) -> bytes:
    """Compress with gzip, without a time or a name."""
    return gzip.compress(content.encode(), compresslevel=9, mtime=0)


def main(arguments: list[str] | None = None) -> None:
    """Build, or check, the file."""
    parser = argparse.ArgumentParser(description="Build the places that policenotify reads.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file differs")
    parser.add_argument("--from", dest="package", type=Path, help="read this unpacked package; do not fetch")
    parser.add_argument("--to", dest="target", type=Path, default=TARGET, help="the file (default: the package's own)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        content = text(options.package or fetch(Path(directory)))
    if not options.check:
        options.target.write_bytes(pack(content))
    elif gzip.decompress(options.target.read_bytes()).decode() != content:
        raise SystemExit(f"{options.target} is not what {PACKAGE} {VERSION} gives. Run: python .ci/build_places.py")
    size = options.target.stat().st_size
    sys.stdout.write(f"{options.target.name}: {content.count(chr(10)) - 4} rows, {size} bytes\n")


if __name__ == "__main__":
    main()
