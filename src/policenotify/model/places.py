"""Communes, departments and EPCI of France, as INSEE codes and names them.

The *Code officiel géographique* (COG) of one year is part of the package, as a read-only SQLite file, and no server is
asked. The key of a place is its **code**, always text: `"01001"`, `"2A004"`, `"97411"`. A name is not a key: twelve
communes are named Sainte-Colombe.

```python
>>> find("Montpellier").code
'34172'
>>> commune("34172").name
'Montpellier'
>>> contains("epci:243400017", "34172")
True

```

For a code that the COG has dropped, `commune` returns `None`. But an incident may stay open over the first of January,
when communes merge, and its end goes to the readers of its opening. So `contains` and `exists` read a dropped code as
the commune that it was merged into.

`data/SOURCE.md`, beside the data, lists the sources, their licence and the omissions.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final, Literal

from policenotify.translation import Text

__all__ = [
    "COG_YEAR",
    "Commune",
    "commune",
    "communes_named",
    "communes_of",
    "contains",
    "department_name",
    "exists",
    "find",
    "meant_by",
    "suggest",
]

COG_YEAR: Final = 2026
"""The year of the *Code officiel géographique*, as of 1 January."""

Kind = Literal["COM", "ARM", "COMD", "COMA"]
"""The kind of a commune's code (COG, variable TYPECOM): `COM` a commune, `ARM` an *arrondissement municipal* (of Paris,
Lyon or Marseille), `COMD` a *commune déléguée*, `COMA` a *commune associée*."""

_SHOWN: Final = 60  # characters of what was typed, in an error
_NAMED: Final = 15  # communes that an error lists; more do not fit on a screen


@dataclass(frozen=True, slots=True)
class Commune:
    """A commune, or a part of one that has a code of its own.

    Attributes:
        code: Its INSEE code, five characters.
        name: Its name as INSEE writes it: `Saint-Étienne`, `L'Haÿ-les-Roses`.
        department: Code of the department. For a part, that of the whole commune, which may differ from the first
            characters of the part's code: 02285 Escaufourt lies in 59.
        epci: SIREN of the EPCI with its own taxation. For a part, that of the whole commune. `None` for the few islands
            and overseas collectivities without one.
        postcodes: The postcodes of La Poste. Empty for *communes déléguées* and *associées*, and without a delivery
            of mail.
        population: The municipal population in force in the COG's year, for Mayotte that of 2017. `None` if the source
            has none.
        part_of: Code of the commune that it is a part of, or `None` for a commune.
    """

    code: str
    name: str
    kind: Kind
    department: str
    epci: str | None
    postcodes: tuple[str, ...]
    population: int | None
    part_of: str | None


def find(name_or_code: str, department: str | None = None) -> Commune:
    """Return the one commune that a name, or an INSEE code, means.

    Args:
        name_or_code: Spelt as `communes_named` takes it. A part of a commune is meant only where no whole commune has
            the name.
        department: Code of the department to look in; `None`: everywhere.

    Raises:
        ValueError: None is named so, or several are. The text lists the nearest.
    """
    if place := commune(name_or_code.strip().upper()):
        return place
    shown = name_or_code[:_SHOWN]
    named = communes_named(name_or_code, department)
    found = [place for place in named if place.kind == "COM"] or list(named)
    if len(found) == 1:
        return found[0]
    if found:
        problem = Text(
            "{number} communes are named {name!r}. Give the code, or the department as well: {nearest}",
            number=len(found),
            name=shown,
            nearest=_listed(found),
        )
    elif near := suggest(name_or_code, department):
        problem = Text("There is no commune {name!r}. Did you mean {nearest}?", name=shown, nearest=_listed(near))
    else:
        problem = Text("There is no commune {name!r}. Give its INSEE code, such as 34172.", name=shown)
    raise ValueError(problem)


def commune(code: str) -> Commune | None:
    """Return the commune, or part of a commune, with this INSEE code."""
    return next(_communes("code = ?", code), None)


def department_name(code: str) -> str | None:
    """Return the name of the department or overseas collectivity with this code."""
    return next((name for (name,) in _rows("SELECT name FROM department WHERE code = ?", code)), None)


def communes_named(name: str, department: str | None = None) -> tuple[Commune, ...]:
    """Return all communes of this name, parts of communes last.

    Case, accents, hyphens, apostrophes and `St` for `Saint` make no difference. A merged commune is also found by the
    name of its seat (`Bellegarde-sur-Valserine` finds Valserhône), and the two Château-Chinon without `(Ville)` or
    `(Campagne)`. For the beginning of a name, or a misspelt one, use `suggest`.
    """
    condition = "code IN (SELECT code FROM name WHERE key = ?) ORDER BY kind != 'COM', code"
    return tuple(_communes(condition, fold(name), department))


def is_shared(name: str) -> bool:
    """Return True if several communes are spelt so, and the name alone is ambiguous."""
    return sum(place.name == name and place.kind == "COM" for place in communes_named(name)) > 1


def suggest(name_or_code: str, department: str | None = None, limit: int = 3) -> tuple[Commune, ...]:
    """Return the communes that a name or a code may mean, the likeliest first, then the most populous.

    A code matches as it is, with the leading zero that a spreadsheet drops, as a postcode, or as a code that the COG
    has dropped. A name matches as a whole, by its beginning (`Lyon 7`) or by some of its words (`Vedas`). If none
    matches, a similar name does (`Monpelier`), which may cost a tenth of a second.
    """
    code, key = name_or_code.strip().upper(), fold(name_or_code)

    def search(condition: str, values: Iterable[str]) -> dict[str, Commune]:
        steps = (_communes(f"{condition} ORDER BY population DESC, code", each, department) for each in values)
        return {place.code: place for step in steps for place in step}

    if re.fullmatch(r"\d[\dAB]\d{2,3}", code, re.ASCII):
        full = code.zfill(5)
        by_postcode = search("' ' || postcodes || ' ' LIKE ?", [f"% {full} %"])
        found = search("code = ?", [full]) | by_postcode | search("code = ?", [_successor(full)])
    else:
        named = "code IN (SELECT code FROM name WHERE key LIKE ?)"
        found = search(named, (key, f"{key}%", f"% {key}%") if key else ())
        found = found or search(named, _similar(key, department))
    return tuple(found.values())[: max(limit, 0)]


def meant_by(code: str) -> str:
    """Return the communes that a code may mean as a postcode, in one line with their INSEE codes. Perhaps none."""
    return ", ".join(f"{place.code} {place.name}" for place in suggest(code, limit=_NAMED))


def communes_of(code: str) -> tuple[Commune, ...]:
    """Return the communes of a department or an EPCI, without parts of communes. There are none of an unknown one."""
    return tuple(_communes("? IN (department, epci) AND kind = 'COM' ORDER BY code", code))


def contains(area: str, commune_code: str) -> bool:
    """Return True if an area contains a commune, by the tables of the COG.

    An area is `commune:34172`, `epci:243400017` or `dept:34`. A commune contains its parts, but a part does not contain
    the whole. An area that does not exist, such as an EPCI dissolved in January, contains nothing but itself. For an
    unknown commune, the first characters of its code name the department.
    """
    kind, _, code = area.partition(":")
    place = commune(_successor(commune_code))
    if kind == "dept":
        return code == (place.department if place else department_in(commune_code))
    if kind == "commune":
        return commune_code == code or (place is not None and _successor(code) in {place.code, place.part_of})
    return kind == "epci" and place is not None and place.epci == code


def exists(area: str) -> bool:
    """Return True if the COG has an area, or a commune of an earlier year that it was merged into another.

    An area is `commune:34172`, `epci:243400017` or `dept:34`. Any other text is none.
    """
    kind, _, code = area.partition(":")
    if kind == "commune":
        return commune(_successor(code)) is not None
    if kind == "dept":
        return department_name(code) is not None
    return kind == "epci" and bool(_rows("SELECT 1 FROM epci WHERE code = ?", code))


def department_in(commune_code: str) -> str:
    """Return the department that the first characters of a commune's code name."""
    return commune_code[:3] if commune_code.startswith(("97", "98")) else commune_code[:2]


def fold(name: str) -> str:
    """Return a name without the details that have several spellings, as the table of names has it.

    >>> fold("L’Haÿ-les-Roses"), fold("Ste.-Menehould")
    ('l hay les roses', 'sainte menehould')
    """
    plain = unicodedata.normalize("NFKD", name.casefold().replace("œ", "oe").replace("æ", "ae"))
    words = re.sub(r"[^a-z0-9]+", " ", re.sub(r"[\u0300-\u036f]+", "", plain)).strip()
    return re.sub(r"\bst(e?s?)\b", r"saint\1", words)


@lru_cache(maxsize=1024)
def _rows(query: str, value: str) -> tuple[tuple[Any, ...], ...]:
    """Return what a query finds.

    A connection lives for one query only, so that no thread, and no process after a fork, shares one.
    """
    if not value.isascii():  # no code and no folded name
        return ()
    with resources.as_file(resources.files("policenotify").joinpath("data", f"cog_{COG_YEAR}.sqlite")) as path:
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return tuple(connection.execute(query, (value,)))


def _communes(condition: str, value: str, within: str | None = None) -> Iterator[Commune]:
    for row in _rows(f"SELECT * FROM commune WHERE {condition}", value):  # noqa: S608 - our own words
        code, name, kind, department, epci, postcodes, population, part_of = row
        if within in {None, department}:
            yield Commune(code, name, kind, department, epci, tuple(postcodes.split()), population, part_of)


def _similar(key: str, department: str | None) -> list[str]:
    rows = _rows("SELECT key, department FROM name JOIN commune USING (code) WHERE key > ?", "")
    return difflib.get_close_matches(key, {key for key, its in rows if department in {None, its}}, n=3, cutoff=0.75)


def _listed(found: Sequence[Commune]) -> str:
    return ", ".join(f"{place.code} {place.name} ({place.department})" for place in found[:_NAMED])


def _successor(code: str) -> str:
    """Return the commune that a dropped code was merged into, or the code itself."""
    return next((code for (code,) in _rows("SELECT code FROM dropped WHERE former = ?", code)), code)
