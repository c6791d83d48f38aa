"""Communes, departments and EPCI of France, as INSEE codes and names them.

The *Code officiel géographique* (COG) of one year is shipped with the package; nothing is asked of the network.
The key of a place is its **code**, always text: `"01001"`, `"2A004"`, `"97411"`. A name is not a key: there are
twelve communes named Sainte-Colombe.

```python
>>> commune("34172").name
'Montpellier'
>>> [c.code for c in communes_named("st jean de vedas")]
['34270']
>>> contains("epci:243400017", "34172")
True

```

A code that the COG has dropped is not a commune any more: `commune` answers `None`. But an incident may outlive the
first of January, when communes merge, and its end is owed to whoever got its opening. So `department_of` and
`contains` read a dropped code as the commune that has taken it in.

Sources, licence and what was left out: `data/SOURCE.md`, beside the data.
"""

from __future__ import annotations

import difflib
import gzip
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final, Literal, cast

COG_YEAR: Final = 2026
"""The year of the *Code officiel géographique*, as it stood on 1 January, that the data follows."""

Kind = Literal["COM", "ARM", "COMD", "COMA"]
"""What a commune's code stands for, in INSEE's own words (COG, variable TYPECOM): `COM` a commune, `ARM` an
*arrondissement municipal* (of Paris, Lyon or Marseille), `COMD` a *commune déléguée*, `COMA` a *commune associée*."""

# INSEE, COG: two characters name the department (20 was Corsica until 1976), or three overseas. Kept as text: `re`
# compiles at the first use and remembers.
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
        kind: What the code stands for.
        department: Code of the department. For a part it is the whole's, which the code's first characters may
            not tell: 02285 Escaufourt lies in 59.
        epci: SIREN of the EPCI with its own taxation, a part's being the whole's. `None` for the few islands and the
            overseas collectivities that belong to none.
        postcodes: The postcodes of La Poste. Empty for *communes déléguées* and *associées*, and where no post goes.
        population: The municipal population in force in the COG's year; Mayotte's is that of 2017. `None` where the
            source gives none.
        part_of: Code of the commune it is a part of; `None` for a commune.
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
    """A department, or an overseas collectivity.

    Attributes:
        code: `"34"`, `"2A"`, `"974"`.
        name: Its name as INSEE writes it.
        region: The **name** of its region; a collectivity's is its own.
    """

    code: str
    name: str
    region: str


@dataclass(frozen=True, slots=True)
class Epci:
    """An intercommunality with its own taxation (*EPCI à fiscalité propre*); the DGCL counts the Métropole de Lyon in.

    Attributes:
        code: Its SIREN, nine digits.
        name: Its name as the DGCL writes it, with its abbreviations: `CC du Clermontais`.
    """

    code: str
    name: str


def commune(code: str) -> Commune | None:
    """The commune, or part of a commune, with this INSEE code; `None` if the COG has none."""
    row = _cog().communes.row(code)
    return _commune(row) if row else None


def department(code: str) -> Department | None:
    """The department or overseas collectivity with this code; `None` if there is none."""
    row = _cog().departments.row(code)
    return Department(*row) if row else None


def epci(code: str) -> Epci | None:
    """The EPCI with this SIREN; `None` if there is none."""
    row = _cog().epcis.row(code)
    return Epci(*row) if row else None


def communes_named(name: str, department: str | None = None) -> tuple[Commune, ...]:
    """All communes of this name; capitals, accents, hyphens, apostrophes and `St`/`Ste` make no difference.

    A merged commune is also found by the name of its seat where that has kept no code of its own
    (`Bellegarde-sur-Valserine` finds Valserhône), and the two Château-Chinon without `(Ville)` or `(Campagne)`.

    Args:
        name: The whole name. For the beginning of one, or a name that may be misspelt, use `suggest`.
        department: Only those in the department with this code.

    Returns:
        Communes before parts of communes, each by code. Empty if there is none.
    """
    key = _key(name)
    found = _read(_having(f"\n{key}\t"), department) if key else []
    return tuple(sorted(found, key=lambda place: (place.kind != "COM", place.code)))


def suggest(name_or_code: str, department: str | None = None, limit: int = 3) -> tuple[Commune, ...]:
    """What somebody may have meant by a name or a code.

    A code is understood as itself, with the leading zero that a spreadsheet took, as a postcode, or as one that the COG
    has dropped; failing these, as one with two neighbouring characters swapped. A name is understood as a whole one,
    the beginning of one (`Lyon 7`) or some words of one (`Vedas`); failing these, as one nearly so (`Monpelier`).

    Made for an error's text: the first name asked for, and each that is not found, may cost a tenth of a second.

    Args:
        name_or_code: What was typed.
        department: Only those in the department with this code.
        limit: How many at most.

    Returns:
        The likeliest first; among the equally likely the most populous first. Empty if nothing is near.
    """
    code = name_or_code.strip().upper()
    if re.fullmatch(r"\d[\dAB]\d{2,3}", code, re.ASCII):
        sure, near = _meant_by_code(code.zfill(5)), _near_code(code)
    else:
        key = _key(name_or_code)
        sure, near = _meant_by_name(key), _near_name(key, department)
    found: dict[str, Commune] = {}
    for ways in (sure, near):
        for codes in ways:
            for place in sorted(_read(codes, department), key=lambda place: (-(place.population or 0), place.code)):
                found.setdefault(place.code, place)
            if len(found) >= limit:
                break
        if found:
            break
    return tuple(found.values())[: max(limit, 0)]


def communes_of(code: str) -> tuple[Commune, ...]:
    """The communes of a department or an EPCI, by code; without the parts of communes.

    Args:
        code: A department's code or an EPCI's SIREN.

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
            f"{code!r} is no department and no EPCI in the COG {COG_YEAR}. "
            "Give a department's code, such as '34', '2A' or '974', or the nine digits of an EPCI's SIREN."
        )
    return tuple(_commune(row) for row in rows if row[_KIND] == "COM")


def department_of(commune_code: str) -> str:
    """The code of a commune's department: `"34"` for `"34172"`, `"2A"` for `"2A004"`, `"974"` for `"97411"`.

    A code that this year's COG does not know is answered by its first characters.

    Raises:
        ValueError: The text has not the form of a commune's code.
    """
    _check_commune_code(commune_code)
    row = _cog().communes.row(commune_code)
    return _department_in(row[_PART_OF] or commune_code if row else _today(commune_code))


def contains(area: str, commune_code: str) -> bool:
    """Whether an area contains a commune, by the tables of the COG.

    A commune contains its parts; a part does not contain the whole. Whether an area *exists* is not asked here: an
    EPCI that was dissolved in January contains nothing.

    Args:
        area: `commune:34172`, `epci:243400017` or `dept:34`.
        commune_code: The INSEE code of a commune or of a part of one.

    Raises:
        ValueError: The area is of another kind, or one of the codes has not its form.
    """
    kind, _, code = area.partition(":")
    form = _AREA_FORMS.get(kind)
    if form is None:
        raise ValueError(f"Area {area!r} is of no kind known here. Write commune:34172, epci:243400017 or dept:34.")
    if not re.fullmatch(form, code, re.ASCII):
        raise ValueError(f"Area {area!r} has not the form of its kind, as {_AREA_EXAMPLES[kind]} has.")
    _check_commune_code(commune_code)
    if kind == "dept":
        return department_of(commune_code) == code
    here = commune(_today(commune_code))
    if kind == "epci":
        return here is not None and here.epci == code
    if here is None:
        return code == commune_code
    return _today(code) in {here.code, here.part_of}


class _Table:
    """Lines of `code TAB column TAB …`, sorted by code and searched by halving.

    Nothing is built from them beforehand: the first look-up costs no more than reading the file, and the memory is
    that of the text.
    """

    def __init__(self, lines: bytes) -> None:
        self._lines = lines

    def __str__(self) -> str:
        return self._lines.decode()

    def row(self, code: str) -> list[str] | None:
        """The columns of the line with this code."""
        row = next(self._from(self._seek(code)), None)
        return row if row and row[0] == code else None

    def beginning(self, code: str) -> Iterator[list[str]]:
        """The lines whose code begins so."""
        for row in self._from(self._seek(code)):
            if not row[0].startswith(code):
                return
            yield row

    def holding(self, text: str) -> Iterator[list[str]]:
        """The lines in which this text stands anywhere, be it within a longer one."""
        sought, at = text.encode(), 0
        while (at := self._lines.find(sought, at)) >= 0:
            start = self._lines.rfind(b"\n", 0, at) + 1
            yield next(self._from(start))
            at = self._lines.index(b"\n", at)

    def _from(self, start: int) -> Iterator[list[str]]:
        while start < len(self._lines):
            end = self._lines.index(b"\n", start)
            yield self._lines[start:end].decode().split("\t")
            start = end + 1

    def _seek(self, code: str) -> int:
        """Where the first line begins whose code does not come before this one."""
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
        each = map(_Table, tables.split(b"\f\n"))
        self.departments, self.epcis, self.communes, self.other_names, self.dropped = each


@cache  # two threads that come first at once may both read; they read the same, and no lock is held over a fork
def _cog() -> _Cog:
    packed = resources.files("policenotify").joinpath("data", f"cog_{COG_YEAR}.tsv.gz").read_bytes()
    return _Cog(gzip.decompress(packed))


@cache
def _names() -> str:
    """A line `key TAB code` for each name, the first of them after an empty line."""
    named = re.findall(r"(?m)^(\w+)\t([^\t\n]+)", f"{_cog().communes}{_cog().other_names}")
    keys = _fold("\n".join(name for _, name in named)).split("\n")
    return "\n" + "".join(f"{key}\t{code}\n" for key, (code, _) in zip(keys, named, strict=True))


def _fold(names: str) -> str:
    """Names, one a line, without all that is written in more than one way."""
    plain = unicodedata.normalize("NFKD", names.casefold().replace("œ", "oe").replace("æ", "ae"))
    words = re.sub(r"[^a-z0-9\n]+", " ", re.sub(r"[\u0300-\u036f]+", "", plain))
    return re.sub(r"\bst(e?s?)\b", r"saint\1", re.sub(r"(?m)^ | $", "", words))


def _key(name: str) -> str:
    return _fold(" ".join(name.split()))


def _having(text: str) -> list[str]:
    """The codes of the names in whose line, from the line break before it, this text stands."""
    names, codes, at = _names(), [], 0
    while (at := names.find(text, at)) >= 0:
        end = names.index("\n", at + 1)
        codes.append(names[names.rindex("\t", at, end) + 1 : end])
        at = end
    return codes


def _read(codes: Iterable[str], department: str | None) -> list[Commune]:
    found = [place for code in dict.fromkeys(codes) if (place := commune(code))]
    return [place for place in found if department in {None, place.department}]


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


def _today(code: str) -> str:
    """The commune that has taken a dropped code in; any other code as it is."""
    row = _cog().dropped.row(code)
    return row[1] if row else code


def _check_commune_code(code: str) -> None:
    if not re.fullmatch(_AREA_FORMS["commune"], code, re.ASCII):
        raise ValueError(
            f"{code!r} is no INSEE code of a commune: those have five characters, as 01001, 2A004 or 97411 have. "
            "A postcode is another thing."
        )


def _meant_by_code(code: str) -> Iterator[Iterable[str]]:
    yield [code]
    yield [row[_CODE] for row in _cog().communes.holding(code) if code in row[_POSTCODES].split()]
    yield [_today(code)]


def _near_code(code: str) -> Iterator[Iterable[str]]:
    yield [code[:i] + code[i + 1] + code[i] + code[i + 2 :] for i in range(len(code) - 1)]


def _meant_by_name(key: str) -> Iterator[Iterable[str]]:
    if key:
        yield _having(f"\n{key}\t")
        yield _having(f"\n{key}")
        yield _having(f" {key}")


def _near_name(key: str, department: str | None) -> Iterator[Iterable[str]]:
    if not key:
        return
    lines = (line.split("\t") for line in _names().split("\n")[1:-1])
    # By the code's beginning, which is not the department of five hamlets; asking each for it would take 0.3 s.
    keys = {name for name, code in lines if code.startswith(department or "")}
    for near in difflib.get_close_matches(key, keys, n=3, cutoff=0.75):
        yield _having(f"\n{near}\t")
