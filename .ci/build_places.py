"""Build `src/policenotify/data/cog_<year>.sqlite`, the places that `policenotify.model.places` reads.

Run from anywhere in the checkout; needs the standard library and, unless `--from` is given, npm:

```
python .ci/build_places.py                  fetch the pinned npm package and write the file
python .ci/build_places.py --check          fetch it, write nothing, fail if the committed file differs
python .ci/build_places.py --from DIRECTORY read an unpacked package (a directory with data/communes.json)
```

For another year: change `VERSION`, `INTEGRITY` and `YEAR` below and `COG_YEAR` in `places.py`, run, delete the old
file, correct the years in `data/SOURCE.md` and the figures in the tests.

The file is a database of SQLite, with the tables of `SCHEMA`.

A *commune déléguée* with the code of its commune (they share it at the seat) has no row: its name, where it is another,
is the commune's other name; so is `Bors` for `Bors (Canton de Tude-et-Lavalette)`. Left out of the last table are the
codes changed when Corsica (20), Seine (75) and Seine-et-Oise (78) were divided: 75001 means a postcode today, and not
Alfortville.

The same input and the same SQLite give the same bytes. Releases of SQLite differ, so `--check` compares rows.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from policenotify.model.places import fold  # noqa: E402  the folding of names that look-ups use

PACKAGE: Final = "@etalab/decoupage-administratif"
VERSION: Final = "6.0.0"
INTEGRITY: Final = "XavYsFlbcM/prKr8hNHPKER94IHw/dsxNM4nxjWMYk6PLFACpEedvn/7wK8Baozm0dCYhWWcf+7bcWpA5pmCaQ=="  # SHA-512
YEAR: Final = 2026

TARGET: Final = ROOT / "src" / "policenotify" / "data" / f"cog_{YEAR}.sqlite"
SCHEMA: Final = """
PRAGMA encoding = 'UTF-8';
CREATE TABLE department (code TEXT PRIMARY KEY, name TEXT NOT NULL, region TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE epci (code TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
-- kind: INSEE's TYPECOM; department and EPCI of a part are those of the whole; postcodes: a space between two
CREATE TABLE commune (code TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, department TEXT NOT NULL,
    epci TEXT, postcodes TEXT NOT NULL, population INTEGER, part_of TEXT) WITHOUT ROWID;
-- each name of a commune, its own and others, without what has several spellings
CREATE TABLE name (key TEXT, code TEXT, PRIMARY KEY (key, code)) WITHOUT ROWID;
-- codes that are no longer in the COG, and the commune each belongs to now
CREATE TABLE dropped (former TEXT PRIMARY KEY, code TEXT NOT NULL) WITHOUT ROWID;
"""
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


def tables(package: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of the tables, from an unpacked package."""
    departments, regions, epcis, communes = (
        json.loads((package / "data" / f"{name}.json").read_text("utf-8"))
        for name in ("departements", "regions", "epci", "communes")
    )
    region_names = {region["code"]: region["nom"] for region in regions}
    rows = list(commune_rows(communes, epcis))
    names = {(fold(name), code) for code, name in [*((row[0], row[1]) for row in rows), *other_names(communes)]}
    found: dict[str, Iterable[tuple[Any, ...]]] = {
        "department": ((it["code"], it["nom"], region_names[it["region"]]) for it in departments),
        "epci": ((it["code"], it["nom"]) for it in epcis),
        "commune": rows,
        "name": names,
        "dropped": dropped_rows(communes),
    }
    return {table: sorted(map(clean, rows), key=lambda row: row[:2]) for table, rows in found.items()}


def commune_rows(communes: list[dict[str, Any]], epcis: list[dict[str, Any]]) -> Iterable[tuple[Any, ...]]:
    """Return one row for each code."""
    epci_of = {member["code"]: it["code"] for it in epcis for member in it["membres"]}
    own = {it["code"]: it for it in communes if it["type"] == "commune-actuelle"}
    parts = [it for it in communes if it["code"] not in own]
    for it in (*own.values(), *parts):
        whole = it.get("commune") or it.get("chefLieu", "")
        if it["departement"] != department_in(whole or it["code"]):
            raise SystemExit(f"The source has changed: {it['code']} lies in {it['departement']}.")
        yield (
            it["code"],
            it["nom"],
            KINDS[it["type"]],
            it["departement"],
            epci_of.get(whole or it["code"]),
            " ".join(it.get("codesPostaux", [])),
            it.get("population"),
            whole or None,
        )


def other_names(communes: list[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    """Return other names of a commune: that of its seat, or without INSEE's words in brackets."""
    own = {it["code"]: it for it in communes if it["type"] == "commune-actuelle"}
    for it in communes:
        named = own.get(it["code"], it)
        if it["nom"] != named["nom"]:
            yield it["code"], it["nom"]
        elif it is named and " (" in it["nom"]:
            yield it["code"], it["nom"].partition(" (")[0]


def dropped_rows(communes: list[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    """Return the codes that are no longer used, with their successors."""
    known = {it["code"] for it in communes}
    for it in communes:
        for code in it.get("anciensCodes", []):
            divided = code[:2] in {"20", "75", "78"} and department_in(code) != department_in(it["code"])
            if code not in known and not divided:
                yield code, it["code"]


def department_in(code: str) -> str:
    """Return the department that a commune's code begins with."""
    return code[:3] if code.startswith(("97", "98")) else code[:2]


def clean(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row with single spaces in its texts. A control character is an error."""
    cleaned = tuple(re.sub(" +", " ", value).strip() if isinstance(value, str) else value for value in row)
    if not all(value.isprintable() for value in cleaned if isinstance(value, str)):
        raise SystemExit(f"The source has changed: {row!r} holds a control character.")
    return cleaned


def write(content: dict[str, list[tuple[Any, ...]]], target: Path) -> None:
    """Write the database. A repeated code is an error."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target, isolation_level=None)) as database:
        database.executescript(SCHEMA)
        database.execute("BEGIN")
        for table, rows in content.items():
            places = ", ".join("?" * len(rows[0]))
            try:
                database.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 - our own names
            except sqlite3.IntegrityError as error:
                raise SystemExit(f"The source has changed: {error}.") from None
        database.execute("COMMIT")
        database.execute("VACUUM")


def read(target: Path, names: Iterable[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of tables of a database, as `tables` orders them."""
    with closing(sqlite3.connect(f"{target.absolute().as_uri()}?mode=ro", uri=True)) as database:
        return {name: list(database.execute(f"SELECT * FROM {name} ORDER BY 1, 2")) for name in names}  # noqa: S608 - our own names


def main(arguments: list[str] | None = None) -> None:
    """Build, or check, the file."""
    parser = argparse.ArgumentParser(description="Build the places that policenotify reads.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file differs")
    parser.add_argument("--from", dest="package", type=Path, help="read this unpacked package; do not fetch")
    parser.add_argument("--to", dest="target", type=Path, default=TARGET, help="the file (default: the package's own)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        content = tables(options.package or fetch(Path(directory)))
    if not options.check:
        write(content, options.target)
    elif read(options.target, content) != content:
        raise SystemExit(f"{options.target} is not what {PACKAGE} {VERSION} gives. Run: python .ci/build_places.py")
    size = options.target.stat().st_size
    sys.stdout.write(f"{options.target.name}: {sum(map(len, content.values()))} rows, {size} bytes\n")


if __name__ == "__main__":
    main()
