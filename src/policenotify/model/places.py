"""Communes, departments and EPCI of France, as INSEE codes and names them.

The *Code officiel géographique* (COG) of one year is part of the package, and no server is asked. The key of a place is
its **code**, always text: `"01001"`, `"2A004"`, `"97411"`. A name is not a key: twelve communes are named
Sainte-Colombe.

```python
>>> find("Montpellier").code
'34172'
>>> commune("34172").name
'Montpellier'
>>> contains("epci:243400017", "34172")
True

```

For a code that the COG has dropped, `commune` returns `None`. But an incident may stay open over the first of January,
when communes merge, and its end goes to the readers of its opening. So `department_of` and `contains` read a dropped
code as the commune that it was merged into.

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
    "Department",
    "Epci",
    "commune",
    "communes_named",
    "communes_of",
    "contains",
    "department",
    "department_of",
    "epci",
    "exists",
    "find",
    "suggest",
]

COG_YEAR: Final = 2026
"""The year of the *Code officiel géographique*, as of 1 January."""

Kind = Literal["COM", "ARM", "COMD", "COMA"]
"""The kind of a commune's code (COG, variable TYPECOM): `COM` a commune, `ARM` an *arrondissement municipal* (of Paris,
Lyon or Marseille), `COMD` a *commune déléguée*, `COMA` a *commune associée*."""

# INSEE, COG: two characters name the department (20 was Corsica until 1976), or three overseas.
_TWO: Final = r"0[1-9]|1\d|2[1-9AB]|[3-8]\d|9[0-5]"
_AREA_FORMS: Final = {"commune": rf"(?:{_TWO})\d{{3}}|9[78]\d{{3}}", "epci": r"\d{9}", "dept": rf"{_TWO}|9[78]\d"}
_AREA_EXAMPLES: Final = {"commune": "commune:34172", "epci": "epci:243400017", "dept": "dept:34"}

_KEY: Final = "code IN (SELECT code FROM name WHERE key LIKE ?)"
_POSTCODE: Final = "' ' || postcodes || ' ' LIKE ?"

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


@dataclass(frozen=True, slots=True)
class Department:
    """A department or an overseas collectivity, with the **name** of its region."""

    code: str
    name: str
    region: str


@dataclass(frozen=True, slots=True)
class Epci:
    """An *EPCI à fiscalité propre*, or the Métropole de Lyon, as the DGCL names it."""

    code: str
    name: str


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


def department(code: str) -> Department | None:
    """Return the department or overseas collectivity with this code."""
    return next((Department(*row) for row in _rows("SELECT * FROM department WHERE code = ?", code)), None)


def epci(code: str) -> Epci | None:
    """Return the EPCI with this SIREN."""
    return next((Epci(*row) for row in _rows("SELECT * FROM epci WHERE code = ?", code)), None)


def communes_named(name: str, department: str | None = None) -> tuple[Commune, ...]:
    """Return all communes of this name.

    Case, accents, hyphens, apostrophes and `St` for `Saint` make no difference.

    A merged commune is also found by the name of its seat if the seat has no code of its own
    (`Bellegarde-sur-Valserine` finds Valserhône), and the two Château-Chinon without `(Ville)` or `(Campagne)`. For the
    beginning of a name, or a misspelt one, use `suggest`. Communes come before parts of communes.
    """
    condition = "code IN (SELECT code FROM name WHERE key = ?) ORDER BY kind != 'COM', code"
    return tuple(_communes(condition, fold(name), department))


def is_shared(name: str) -> bool:
    """Return True if several communes are spelt so, and the name alone is ambiguous."""
    return sum(place.name == name and place.kind == "COM" for place in communes_named(name)) > 1


def is_name(text: str) -> bool:
    """Return True for the name of a commune, as `communes_named` finds it."""
    return bool(_rows("SELECT 1 FROM name WHERE key = ? LIMIT 1", fold(text)))


def suggest(name_or_code: str, department: str | None = None, limit: int = 3) -> tuple[Commune, ...]:
    """Return the communes that a name or a code may mean.

    A code matches as it is, with the leading zero that a spreadsheet drops, as a postcode, or as a code that the COG
    has dropped. If none matches, two neighbouring characters may be swapped. A name matches as a whole, by its
    beginning (`Lyon 7`) or by some of its words (`Vedas`). If none matches, a similar name does (`Monpelier`).

    The likeliest come first, then the most populous. For error texts: a name without a match may cost a tenth of a
    second.
    """
    code, key = name_or_code.strip().upper(), fold(name_or_code)
    if re.fullmatch(r"\d[\dAB]\d{2,3}", code, re.ASCII):
        full = code.zfill(5)
        found = _steps([("code = ?", full), (_POSTCODE, f"% {full} %"), ("code = ?", _successor(full))], department)
        swapped = [code[:i] + code[i + 1] + code[i] + code[i + 2 :] for i in range(len(code) - 1)]
        found = found or _steps([("instr(?, code)", " ".join(swapped))], department)
    else:
        found = _steps([(_KEY, like) for like in (key, f"{key}%", f"% {key}%") if key], department)
        found = found or _steps([(_KEY, each) for each in _similar(key, department)], department)
    return tuple(found.values())[: max(limit, 0)]


def communes_of(code: str) -> tuple[Commune, ...]:
    """Return the communes of a department or an EPCI, without parts of communes.

    Raises:
        ValueError: There is no such department or EPCI.
    """
    if not department(code) and not epci(code):
        raise ValueError(
            Text(
                "{code!r} is neither a department nor an EPCI in the COG {cog_year}. Give a department's "
                "code, such as '34', '2A' or '974', or the nine digits of an EPCI's SIREN.",
                code=code,
                cog_year=COG_YEAR,
            )
        )
    return tuple(_communes("? IN (department, epci) AND kind = 'COM' ORDER BY code", code))


def department_of(commune_code: str) -> str:
    """Return the department of a commune: `"34"` for `"34172"`, `"974"` for `"97411"`.

    For an unknown code, the first characters decide.

    Raises:
        ValueError: The text does not have the form of a commune's code.
    """
    code = _successor(_commune_code(commune_code))
    place = commune(code)
    return place.department if place else code[:3] if code.startswith(("97", "98")) else code[:2]


def contains(area: str, commune_code: str) -> bool:
    """Return True if an area contains a commune, by the tables of the COG.

    A commune contains its parts, but a part does not contain the whole. An area that does not exist, such as an EPCI
    dissolved in January, contains nothing. An area is `commune:34172`, `epci:243400017` or `dept:34`.

    Raises:
        ValueError: The area is of another kind, or a code does not have the form of its kind.
    """
    kind, _, code = area.partition(":")
    if kind not in _AREA_FORMS:
        raise ValueError(
            Text("Area {area!r} is of no kind known here. Write commune:34172, epci:243400017 or dept:34.", area=area)
        )
    if not re.fullmatch(_AREA_FORMS[kind], code, re.ASCII):
        raise ValueError(
            Text(
                "Area {area!r} does not have the form of its kind, such as {area_examples}.",
                area=area,
                area_examples=_AREA_EXAMPLES[kind],
            )
        )
    if kind == "dept":
        return department_of(commune_code) == code
    place = commune(_successor(_commune_code(commune_code)))
    if place is None:
        return area == f"commune:{commune_code}"
    return place.epci == code if kind == "epci" else _successor(code) in {place.code, place.part_of}


def exists(area: str) -> bool:
    """Return True if the COG has an area, or a commune of an earlier year that it was merged into another.

    An area is `commune:34172`, `epci:243400017` or `dept:34`. Any other text is none.
    """
    kind, _, code = area.partition(":")
    if kind == "commune":
        return commune(_successor(code)) is not None
    look_up = {"epci": epci, "dept": department}.get(kind)
    return look_up is not None and look_up(code) is not None


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


def _steps(steps: Iterable[tuple[str, str]], department: str | None) -> dict[str, Commune]:
    """Return what several conditions find, the communes of the first before those of the next."""
    found: dict[str, Commune] = {}
    for condition, value in steps:
        for place in _communes(f"{condition} ORDER BY population DESC, code", value, department):
            found.setdefault(place.code, place)
    return found


def _similar(key: str, department: str | None) -> list[str]:
    rows = _rows("SELECT key, department FROM name JOIN commune USING (code) WHERE key > ?", "")
    return difflib.get_close_matches(key, {key for key, its in rows if department in {None, its}}, n=3, cutoff=0.75)


def _listed(found: Sequence[Commune]) -> str:
    return ", ".join(f"{place.code} {place.name} ({place.department})" for place in found[:_NAMED])


def _successor(code: str) -> str:
    """Return the commune that a dropped code was merged into, or the code itself."""
    return next((code for (code,) in _rows("SELECT code FROM dropped WHERE former = ?", code)), code)


def _commune_code(code: str) -> str:
    if re.fullmatch(_AREA_FORMS["commune"], code, re.ASCII):
        return code
    raise ValueError(
        Text(
            "{code!r} is not the INSEE code of a commune. Give its five characters, such as 01001, 2A004 "
            "or 97411, not a postcode.",
            code=code,
        )
    )
