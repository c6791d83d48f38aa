"""Communes, departments and EPCI of France, as INSEE codes and names them.

The *Code officiel géographique* (COG) of one year is part of the package, and no server is asked. The key of a place is
its **code**, always text: `"01001"`, `"2A004"`, `"97411"`. A name is not a key: twelve communes are named
Sainte-Colombe.

```python
>>> commune("34172").name
'Montpellier'
>>> [c.code for c in communes_named("st jean de vedas")]
['34270']
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
import gzip
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Final, Literal, cast

from policenotify.translation import Text

COG_YEAR: Final = 2026
"""The year of the *Code officiel géographique*, as of 1 January."""

Kind = Literal["COM", "ARM", "COMD", "COMA"]
"""The kind of a commune's code (COG, variable TYPECOM): `COM` a commune, `ARM` an *arrondissement municipal* (of Paris,
Lyon or Marseille), `COMD` a *commune déléguée*, `COMA` a *commune associée*."""

# INSEE, COG: two characters name the department (20 was Corsica until 1976), or three overseas. They stay text, because
# `re` compiles a pattern at its first use and caches it.
_TWO: Final = r"0[1-9]|1\d|2[1-9AB]|[3-8]\d|9[0-5]"
_AREA_FORMS: Final = {"commune": rf"(?:{_TWO})\d{{3}}|9[78]\d{{3}}", "epci": r"\d{9}", "dept": rf"{_TWO}|9[78]\d"}
_AREA_EXAMPLES: Final = {"commune": "commune:34172", "epci": "epci:243400017", "dept": "dept:34"}

_CODE, _NAME, _KIND, _EPCI, _POSTCODES, _POPULATION, _PART_OF = range(7)  # the columns of a commune's row


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


def commune(code: str) -> Commune | None:
    """Return the commune, or part of a commune, with this INSEE code."""
    row = _cog().communes.row(code)
    return _commune(row) if row else None


def department(code: str) -> Department | None:
    """Return the department or overseas collectivity with this code."""
    row = _cog().departments.row(code)
    return Department(*row) if row else None


def epci(code: str) -> Epci | None:
    """Return the EPCI with this SIREN."""
    row = _cog().epcis.row(code)
    return Epci(*row) if row else None


def communes_named(name: str, department: str | None = None) -> tuple[Commune, ...]:
    """Return all communes of this name.

    Case, accents, hyphens, apostrophes and `St` for `Saint` make no difference.

    A merged commune is also found by the name of its seat if the seat has no code of its own
    (`Bellegarde-sur-Valserine` finds Valserhône), and the two Château-Chinon without `(Ville)` or `(Campagne)`. For the
    beginning of a name, or a misspelt one, use `suggest`. Communes come before parts of communes.
    """
    key = _fold_name(name)
    places = _read(_codes_of(f"\n{key}\t"), department) if key else []
    return tuple(sorted(places, key=lambda place: (place.kind != "COM", place.code)))


@lru_cache(maxsize=256)
def is_shared(name: str) -> bool:
    """Return True if several communes are spelt so, and the name alone is ambiguous."""
    rows = _cog().communes.holding(f"\t{name}\t")
    return sum(row[_NAME] == name and row[_KIND] == "COM" for row in rows) > 1


def is_name(text: str) -> bool:
    """Return True for the name of a commune, as `communes_named` finds it.

    The first call may cost a tenth of a second.
    """
    key = _fold_name(text)
    return bool(key) and f"\n{key}\t" in _names()


def suggest(name_or_code: str, department: str | None = None, limit: int = 3) -> tuple[Commune, ...]:
    """Return the communes that a name or a code may mean.

    A code matches as it is, with the leading zero that a spreadsheet drops, as a postcode, or as a code that the COG
    has dropped. If none matches, two neighbouring characters may be swapped. A name matches as a whole, by its
    beginning (`Lyon 7`) or by some of its words (`Vedas`). If none matches, a similar name does (`Monpelier`).

    The likeliest come first, then the most populous. For error texts: the first name, and each without a match, may
    cost a tenth of a second.
    """
    code = name_or_code.strip().upper()
    if re.fullmatch(r"\d[\dAB]\d{2,3}", code, re.ASCII):
        exact, similar = _by_code(code.zfill(5)), _by_swapped_code(code)
    else:
        key = _fold_name(name_or_code)
        exact, similar = _by_name(key), _by_similar_name(key, department)
    places: dict[str, Commune] = {}
    for steps in (exact, similar):
        for codes in steps:
            for place in sorted(_read(codes, department), key=lambda place: (-(place.population or 0), place.code)):
                places.setdefault(place.code, place)
            if len(places) >= limit:
                break
        if places:
            break
    return tuple(places.values())[: max(limit, 0)]


def communes_of(code: str) -> tuple[Commune, ...]:
    """Return the communes of a department or an EPCI, without parts of communes.

    Raises:
        ValueError: There is no such department or EPCI.
    """
    cog = _cog()
    if cog.departments.row(code):
        rows = cog.communes.beginning(code)
    elif cog.epcis.row(code):
        rows = cog.communes.holding(code)
    else:
        raise ValueError(
            Text(
                "{code!r} is neither a department nor an EPCI in the COG {cog_year}. Give a department's "
                "code, such as '34', '2A' or '974', or the nine digits of an EPCI's SIREN.",
                code=code,
                cog_year=COG_YEAR,
            )
        )
    return tuple(_commune(row) for row in rows if row[_KIND] == "COM")


def department_of(commune_code: str) -> str:
    """Return the department of a commune: `"34"` for `"34172"`, `"974"` for `"97411"`.

    For an unknown code, the first characters decide.

    Raises:
        ValueError: The text does not have the form of a commune's code.
    """
    _check_commune_code(commune_code)
    row = _cog().communes.row(commune_code)
    return _department_in(row[_PART_OF] or commune_code if row else _successor(commune_code))


def contains(area: str, commune_code: str) -> bool:
    """Return True if an area contains a commune, by the tables of the COG.

    A commune contains its parts, but a part does not contain the whole. An area that does not exist, such as an EPCI
    dissolved in January, contains nothing. An area is `commune:34172`, `epci:243400017` or `dept:34`.

    Raises:
        ValueError: The area is of another kind, or a code does not have the form of its kind.
    """
    kind, _, code = area.partition(":")
    form = _AREA_FORMS.get(kind)
    if form is None:
        raise ValueError(
            Text("Area {area!r} is of no kind known here. Write commune:34172, epci:243400017 or dept:34.", area=area)
        )
    if not re.fullmatch(form, code, re.ASCII):
        raise ValueError(
            Text(
                "Area {area!r} does not have the form of its kind, such as {area_examples}.",
                area=area,
                area_examples=_AREA_EXAMPLES[kind],
            )
        )
    _check_commune_code(commune_code)
    if kind == "dept":
        return department_of(commune_code) == code
    place = commune(_successor(commune_code))
    if kind == "epci":
        return place is not None and place.epci == code
    if place is None:
        return code == commune_code
    return _successor(code) in {place.code, place.part_of}


def exists(area: str) -> bool:
    """Return True if the COG has an area, or a commune of an earlier year that it was merged into another.

    An area is `commune:34172`, `epci:243400017` or `dept:34`. Any other text is none.
    """
    kind, _, code = area.partition(":")
    form = _AREA_FORMS.get(kind)
    if form is None or not re.fullmatch(form, code, re.ASCII):
        return False
    if kind == "commune":
        return commune(_successor(code)) is not None
    return (epci(code) if kind == "epci" else department(code)) is not None


class _Table:
    """Lines of `code TAB column TAB …`, sorted by code, for a binary search.

    Without an index, the first look-up costs no more than reading the file, and the memory is that of the text.
    """

    def __init__(self, lines: bytes) -> None:
        self._lines = lines

    def __str__(self) -> str:
        return self._lines.decode()

    def row(self, code: str) -> list[str] | None:
        """Return the columns of the line with this code."""
        row = next(self._from(self._seek(code)), None)
        return row if row and row[0] == code else None

    def beginning(self, code: str) -> Iterator[list[str]]:
        """Yield the lines whose code begins with this one."""
        for row in self._from(self._seek(code)):
            if not row[0].startswith(code):
                return
            yield row

    def holding(self, text: str) -> Iterator[list[str]]:
        """Yield the lines that hold this text anywhere."""
        needle, at = text.encode(), 0
        while (at := self._lines.find(needle, at)) >= 0:
            start = self._lines.rfind(b"\n", 0, at) + 1
            yield next(self._from(start))
            at = self._lines.index(b"\n", at)

    def _from(self, start: int) -> Iterator[list[str]]:
        while start < len(self._lines):
            end = self._lines.index(b"\n", start)
            yield self._lines[start:end].decode().split("\t")
            start = end + 1

    def _seek(self, code: str) -> int:
        """Return the start of the first line whose code is this one or a later one."""
        low, high = 0, len(self._lines)
        while low < high:
            start = self._lines.rfind(b"\n", 0, (low + high) // 2) + 1
            if self._lines[start : self._lines.index(b"\t", start)].decode() < code:
                low = self._lines.index(b"\n", start) + 1
            else:
                high = start
        return low


class _Cog:
    def __init__(self, tables: bytes) -> None:
        parts = map(_Table, tables.split(b"\f\n"))
        self.departments, self.epcis, self.communes, self.other_names, self.dropped = parts


@cache  # two threads at once may both read the same, but no lock is held over a fork
def _cog() -> _Cog:
    packed = resources.files("policenotify").joinpath("data", f"cog_{COG_YEAR}.tsv.gz").read_bytes()
    return _Cog(gzip.decompress(packed))


@cache
def _names() -> str:
    """Return a line `key TAB code` for each name, after an empty line."""
    named = re.findall(r"(?m)^(\w+)\t([^\t\n]+)", f"{_cog().communes}{_cog().other_names}")
    keys = _fold("\n".join(name for _, name in named)).split("\n")
    return "\n" + "".join(f"{key}\t{code}\n" for key, (code, _) in zip(keys, named, strict=True))


def _fold(names: str) -> str:
    """Return names, one a line, without the details that have several spellings."""
    plain = unicodedata.normalize("NFKD", names.casefold().replace("œ", "oe").replace("æ", "ae"))
    words = re.sub(r"[^a-z0-9\n]+", " ", re.sub(r"[\u0300-\u036f]+", "", plain))
    return re.sub(r"\bst(e?s?)\b", r"saint\1", re.sub(r"(?m)^ | $", "", words))


def _fold_name(name: str) -> str:
    return _fold(" ".join(name.split()))


@lru_cache(maxsize=1024)
def _codes_of(text: str) -> tuple[str, ...]:
    """Return the codes of the lines of `_names` that hold this text."""
    names, codes, at = _names(), [], 0
    while (at := names.find(text, at)) >= 0:
        end = names.index("\n", at + 1)
        codes.append(names[names.rindex("\t", at, end) + 1 : end])
        at = end
    return tuple(codes)


def _read(codes: Iterable[str], department: str | None) -> list[Commune]:
    places = [place for code in dict.fromkeys(codes) if (place := commune(code))]
    return [place for place in places if department in {None, place.department}]


def _commune(row: list[str]) -> Commune:
    whole = _cog().communes.row(row[_PART_OF]) if row[_PART_OF] else None
    return Commune(
        code=row[_CODE],
        name=row[_NAME],
        kind=cast("Kind", row[_KIND]),
        department=_department_in(row[_PART_OF] or row[_CODE]),
        epci=(whole or row)[_EPCI] or None,
        postcodes=tuple(row[_POSTCODES].split()),
        population=int(row[_POPULATION]) if row[_POPULATION] else None,
        part_of=row[_PART_OF] or None,
    )


def _department_in(code: str) -> str:
    return code[:3] if code.startswith(("97", "98")) else code[:2]


def _successor(code: str) -> str:
    """Return the commune that a dropped code was merged into, or the code itself."""
    row = _cog().dropped.row(code)
    return row[1] if row else code


def _check_commune_code(code: str) -> None:
    if not re.fullmatch(_AREA_FORMS["commune"], code, re.ASCII):
        raise ValueError(
            Text(
                "{code!r} is not the INSEE code of a commune. Give its five characters, such as 01001, 2A004 "
                "or 97411, not a postcode.",
                code=code,
            )
        )


def _by_code(code: str) -> Iterator[Iterable[str]]:
    yield [code]
    yield [row[_CODE] for row in _cog().communes.holding(code) if code in row[_POSTCODES].split()]
    yield [_successor(code)]


def _by_swapped_code(code: str) -> Iterator[Iterable[str]]:
    yield [code[:i] + code[i + 1] + code[i] + code[i + 2 :] for i in range(len(code) - 1)]


def _by_name(key: str) -> Iterator[Iterable[str]]:
    if key:
        yield _codes_of(f"\n{key}\t")
        yield _codes_of(f"\n{key}")
        yield _codes_of(f" {key}")


def _by_similar_name(key: str, department: str | None) -> Iterator[Iterable[str]]:
    if not key:
        return
    lines = (line.split("\t") for line in _names().split("\n")[1:-1])
    # By the code's beginning, which is wrong for five hamlets only. A look-up of each department would take 0.3 s.
    keys = {name for name, code in lines if code.startswith(department or "")}
    for similar in difflib.get_close_matches(key, keys, n=3, cutoff=0.75):
        yield _codes_of(f"\n{similar}\t")
