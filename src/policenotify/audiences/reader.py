"""Read a row of any source: an address and what the source knows about its person."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from policenotify.audiences.model import Consent, Row, Subscriber, WrongRow
from policenotify.errors import SettingsError
from policenotify.model import places
from policenotify.model.cap import Severity
from policenotify.translation import AnyText, Text, text_of
from policenotify.validation import did_you_mean

COLUMNS: Final = (
    "address",
    "language",
    "areas",
    "longitude",
    "latitude",
    "categories",
    "severity",
    "consent_at",
    "consent_source",
    "consent_purpose",
)
"""The columns of a table of subscribers. Only `address` is required."""

_ALSO_MEANT: Final = {"lang": "language", "category": "categories"}  # names too far from the column's to be found
_LONGEST: Final = 320  # characters of a mail address: 64 before the @ and 255 behind it (RFC 5321, section 4.5.3.1)
_DIGITS: Final = range(4, 16)  # digits of a number: a short code has 4 or more, ITU-T E.164 allows 15
UNDECODED: Final = re.compile(r"[\udc80-\udcff]")
"""What Python makes of bytes that are not UTF-8."""

NOT_UTF8: Final = Text("is not UTF-8. Save the file as UTF-8 (in Excel: CSV UTF-8).")

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# One @ with something on both sides that is no separator of a list. The channel checks the rest.
_MAIL: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>.]+(?:\.[^@\s,;<>.]+)*")
_NUMBER: Final = re.compile(r"\+?[\d\s.\-/()\u2010-\u2015]+", re.ASCII)
_SHORTENED: Final = re.compile(r"\d[.,]\d+E\+\d+", re.IGNORECASE)  # 3,36E+10 of a spreadsheet
_LANGUAGE: Final = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{4}))?(?:[-_]([a-z]{2}|[0-9]{3}))?", re.IGNORECASE)
_LISTED: Final = re.compile(r"[\s,;]+")
_FRENCH_DATE: Final = re.compile(r"(\d{2})/(\d{2})/(\d{4})(?: (\d{2}:\d{2}(?::\d{2})?))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReader:
    """Makes subscribers of the rows of a source.

    Attributes:
        checked: An address must be a mail address or a telephone number. Otherwise it may be that of another network.
        known_categories: The categories of the installation. Empty: any code is one.
        areas: Those of rows that have neither areas nor a position. The other values are for rows that name none.
    """

    checked: bool = True
    known_categories: Collection[str] = frozenset()
    language: str = ""
    areas: tuple[str, ...] = ()
    categories: frozenset[str] = frozenset()
    severity: Severity | None = None
    purpose: str = ""

    def address(self, text: str, *, position: int) -> Row:
        """Return the row of an address about whose person nothing is known."""
        return self.mapping({"address": text}, position=position)

    def mapping(self, values: Mapping[str, object], *, position: int) -> Row:
        """Return the row of a mapping from some of `COLUMNS` to texts, or to lists, numbers and dates.

        Any other name in the mapping is ignored.

        Raises:
            SettingsError: A name is misspelt. Without its areas, everybody would get everything.
        """
        if misspelt := misspelt_column(tuple(values)):
            raise SettingsError(Text("a row {misspelt}", misspelt=misspelt))
        try:
            address = _text(values.get("address"))
            if wrong := self._wrong_address(address):
                return WrongRow(position=position, reason=wrong)
            areas, point = _areas(values.get("areas")), _point(values.get("longitude"), values.get("latitude"))
            return Subscriber(
                position=position,
                address=address,
                language=_language(_text(values.get("language"))) or self.language,
                areas=areas if areas or point else self.areas,
                point=point,
                categories=self._categories(_listed(values.get("categories"))) or self.categories,
                severity=_severity(_text(values.get("severity"))) or self.severity,
                consent=self._consent(values),
            )
        except ValueError as error:
            return WrongRow(position=position, reason=text_of(error))

    def _categories(self, codes: Sequence[str]) -> frozenset[str]:
        unknown = next((code for code in codes if self.known_categories and code not in self.known_categories), "")
        if unknown:
            raise ValueError(
                Text(
                    "categories: {code!r} is not a category here. {did_you_mean}",
                    code=unknown[:30],
                    did_you_mean=did_you_mean(unknown[:30], self.known_categories),
                )
            )
        return frozenset(codes)

    def _consent(self, values: Mapping[str, object]) -> Consent | None:
        at = values.get("consent_at")
        if at is None or at == "":
            return None
        purpose = _text(values.get("consent_purpose")) or self.purpose
        return Consent(at=_moment(at), source=_text(values.get("consent_source")), purpose=purpose)

    def _wrong_address(self, text: str) -> AnyText:
        """Return what is wrong with an address, without the address."""
        if not text:
            return Text("address: is missing.")
        if UNDECODED.search(text):
            return NOT_UTF8
        if len(text) > _LONGEST or _UNPRINTABLE.search(text):
            return Text("address: is too long, or has characters that no address has. One line holds one address.")
        return "" if not self.checked or _MAIL.fullmatch(text) else _wrong_number(text)


@lru_cache(maxsize=64)  # all rows of a list have the same names
def misspelt_column(names: tuple[object, ...]) -> AnyText:
    """Return which of some names seems to mean a column that is not among them, and what to do. Empty if none does."""
    missing = [column for column in COLUMNS if column not in names]
    for name in names:
        key = str(name).casefold()  # a function's own mapping may have other keys
        key = _ALSO_MEANT.get(key, key)
        meant = get_close_matches(key, missing, n=1, cutoff=0.8)
        if meant and name not in COLUMNS:
            return Text(
                "has a column {name!r}. Call it {meant!r} if it is that, or something else if it is not.",
                name=str(name),
                meant=meant[0],
            )
    return ""


def _wrong_number(text: str) -> AnyText:
    if "@" in text:
        return Text("address: is not a mail address.")
    if _SHORTENED.fullmatch(text):
        return Text("address: a spreadsheet has shortened the number. Format the column as text, and enter it again.")
    if not _NUMBER.fullmatch(text):
        return Text("address: is neither a mail address nor a telephone number.")
    digits = sum(map(str.isdigit, text))
    if digits not in _DIGITS:
        return Text("address: a telephone number of {digits} digits does not exist.", digits=digits)
    return ""


def _text(value: object) -> str:
    """Return a cell as a text without spaces around it."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(Text("a cell is neither a text nor a whole number."))


def _listed(value: object) -> tuple[str, ...]:
    """Return a list of codes, or a text with several of them."""
    text = " ".join(map(_text, value)) if isinstance(value, list | tuple | set | frozenset) else _text(value)
    return tuple(filter(None, _LISTED.split(text)))


def _areas(value: object) -> tuple[str, ...]:
    areas = _listed(value)
    if wrong := next((area for area in areas if not places.exists(area)), ""):
        raise ValueError(
            Text(
                "areas: {area!r} is not an area of the COG {cog_year}. Write commune:34172 (the code of INSEE, not a "
                "postcode), epci:243400017 or dept:34.",
                area=wrong[:30],
                cog_year=places.COG_YEAR,
            )
        )
    return areas


def _language(text: str) -> str:
    if not text:
        return ""
    found = _LANGUAGE.fullmatch(text)
    if found is None:
        raise ValueError(
            Text("language: {text!r} is not a language. Write one such as 'fr', 'en' or 'pt-BR'.", text=text[:20])
        )
    language, script, region = found.groups(default="")
    return "-".join(filter(None, (language.lower(), script.title(), region.upper())))


def _severity(text: str) -> Severity | None:
    try:
        return Severity(text.capitalize()) if text else None
    except ValueError:
        reason = Text(
            "severity: {text!r} is not a severity. {did_you_mean}",
            text=text[:20],
            did_you_mean=did_you_mean(text[:20], Severity),
        )
        raise ValueError(reason) from None


def _point(longitude: object, latitude: object) -> tuple[float, float] | None:
    if all(value is None or value == "" for value in (longitude, latitude)):  # one may be a list, which has no hash
        return None
    east, north = _degrees(longitude, 180, "longitude"), _degrees(latitude, 90, "latitude")
    return east, north


def _degrees(value: object, limit: int, name: str) -> float:
    text = value.strip().replace(",", ".") if isinstance(value, str) else value
    try:
        degrees = float("nan" if isinstance(text, bool) else text)  # type: ignore[arg-type]  # a TypeError is an answer
    except (TypeError, ValueError, OverflowError):
        degrees = float("nan")
    if not -limit <= degrees <= limit:
        raise ValueError(Text("{name}: is not a number of degrees from -{limit} to {limit}.", name=name, limit=limit))
    return degrees


def _moment(value: object) -> datetime:
    """Return a date, or a text in ISO 8601 or as a French spreadsheet writes it. Without an offset, it is in UTC."""
    text = value.isoformat() if isinstance(value, date) else _text(value)
    if french := _FRENCH_DATE.fullmatch(text):
        day, month, year, time = french.groups(default="00:00")
        text = f"{year}-{month}-{day}T{time}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            Text("consent_at: is not a date. Write 2026-03-14, 2026-03-14T10:30+01:00 or 14/03/2026.")
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
