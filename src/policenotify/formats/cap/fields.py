"""A foreign alert as the fields of a message. What is not known here is a finding, and never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from policenotify.errors import InvalidAlert
from policenotify.findings import Finding, Level
from policenotify.formats.cap.french_codes import DEPARTMENTS
from policenotify.formats.cap.reader import EVENT_CODES, AlertPart, Reference, read
from policenotify.model.cap import CapCategory, Certainty, ResponseType, Severity, Urgency
from policenotify.model.location import Area, DepartmentCode, InseeCode, Point, department_in
from policenotify.model.message import Category, Language, Link
from policenotify.text.characters import clean, one_line
from policenotify.translation import Text

_HEADLINE: Final = 160  # characters, as a message has them
_PROSE: Final = 10_000
_LABEL: Final = 200
_REFERENCES: Final = 500  # a year of daily updates has fewer, and each is looked up
_CORNERS: Final = 3  # of a polygon: fewer enclose nothing
_commune: TypeAdapter[str] = TypeAdapter(InseeCode)
_department: TypeAdapter[str] = TypeAdapter(DepartmentCode)
_language: TypeAdapter[str] = TypeAdapter(Language)
_link: TypeAdapter[str] = TypeAdapter(Link)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a message takes from an alert.

    Attributes:
        reference: The alert's name.
        kind: `Alert`, `Update` or `Cancel`.
        references: The alerts that it changes.
        fields: The fields of the message, without its lifecycle. A cancellation without words has no headline.
        ends: The alert is the end of its incident.
        findings: What the desk should know of it.
    """

    reference: Reference
    kind: str
    references: Sequence[Reference]
    fields: Mapping[str, Any]
    ends: bool
    findings: tuple[Finding, ...]


def imported(content: bytes, *, codes: Mapping[str, Sequence[str]], language: str, category: str | None) -> Imported:
    """Return what a message takes from the file of an alert.

    Args:
        content: The file.
        codes: The categories here by their event code.
        language: The language of the message, if the alert has it. The others are translations.
        category: The category, if the officer gives it.

    Raises:
        InvalidAlert: It is not an alert of CAP 1.2, not for the public, answers another system, or its category is
            not known here. The text names the element.
    """
    alert = read(content)
    reference, references, infos = alert.reference, alert.references, alert.parts("info")
    kind, status, scope = (alert.required(name) for name in ("msgType", "status", "scope"))
    if scope != "Public":
        raise InvalidAlert(Text("its scope is {scope}: it is not for the public", scope=scope))
    if status not in {"Actual", "Exercise"}:
        raise InvalidAlert(Text("its status is {status}: it is not for the public", status=status))
    if kind not in {"Alert", "Update", "Cancel"}:
        raise InvalidAlert(Text("its msgType is {kind}, and not Alert, Update or Cancel", kind=kind))
    if len(references) > _REFERENCES:
        raise InvalidAlert(Text("it names more than {references} earlier alerts", references=_REFERENCES))
    if not infos and kind != "Cancel":
        raise InvalidAlert(Text("it has no info"))
    fields: dict[str, Any] = {"description": _prose(alert.text("note"))}
    lacking = [] if kind == "Alert" or references else ["references"]
    left_out: list[str] = []
    ends = False
    if infos:
        by_language = _by_language(infos)
        first = language if language in by_language else next(iter(by_language))
        own = by_language.pop(first)
        place, is_known = _place(own.parts("area"))
        link = next(filter(None, (each.text("web") for each in (own, *infos))), "")
        fields = {
            **_fields(own, link, sender=reference.sender),
            "category": category or _category(own, codes),
            "language": first,
            "translations": [{"language": tag, **_words(info)} for tag, info in by_language.items()],
            "location": place,
        }
        lacking += [] if link else ["web"]
        lacking += [name for name in ("expires", "description", "area") if not own.texts(name)]
        left_out += [*_cut(own, link, fields), *(() if is_known else ["area"])]
        left_out += ["info"] if len(by_language) + 1 < len(infos) else []
        ends = fields["urgency"] is Urgency.PAST or ResponseType.ALL_CLEAR in own.many(ResponseType, "responseType")
    return Imported(
        reference=reference,
        kind=kind,
        references=references,
        fields={**fields, "exercise": status == "Exercise"},
        ends=ends,
        findings=tuple(_findings(lacking, left_out)),
    )


def _by_language(infos: Sequence[AlertPart]) -> dict[str, AlertPart]:
    """Return the first part in each language, without its region."""
    first: dict[str, AlertPart] = {}
    for info in infos:
        tag = info.text("language").partition("-")[0].lower()
        first.setdefault(tag if _is(_language, tag) else "en", info)  # English is the standard's default
    return first


def _fields(info: AlertPart, link: str, *, sender: str) -> dict[str, Any]:
    """Return the fields of a message in one language, but for its place."""
    start, end = info.time("onset") or info.time("effective"), info.time("expires")
    return {
        "severity": info.one(Severity, "severity"),
        "urgency": info.one(Urgency, "urgency"),
        "certainty": info.one(Certainty, "certainty"),
        "source": (one_line(info.text("senderName")) or sender)[:_LABEL],
        "starts_at": None if start and end and start >= end else start,
        "expires_at": end,
        "link": link if _is(_link, link) else None,
        **_words(info),
    }


def _cut(info: AlertPart, link: str, fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the elements that the fields of a message do not hold, or not whole."""
    if link and not fields["link"]:
        yield "web"
    if (info.text("onset") or info.text("effective")) and not fields["starts_at"]:  # it expires before it begins
        yield "effective"
    if len(one_line(info.text("headline"))) > _HEADLINE:
        yield "headline"
    yield from (name for name in ("description", "instruction") if len(clean(info.text(name))) > _PROSE)


def _words(info: AlertPart) -> dict[str, str]:
    lines = (one_line(text)[:_HEADLINE].strip() for text in (info.text("headline"), info.required("event")))
    headline = next(filter(None, lines), "")
    if not headline:
        raise InvalidAlert(Text("a part of it has neither a headline nor an event that can be seen"))
    return {"headline": headline, **{name: _prose(info.text(name)) for name in ("description", "instruction")}}


def _prose(text: str) -> str:
    lines = (" ".join(line.split()) for line in clean(text).splitlines())
    return "\n".join(lines).strip()[:_PROSE]


def _category(info: AlertPart, codes: Mapping[str, Sequence[str]]) -> str:
    own = EVENT_CODES.partition(":")[0]
    named = [value for name, value in info.pairs("eventCode") if name.partition(":")[0] == own]
    known = list(dict.fromkeys(chain.from_iterable(codes.get(code, ()) for code in named)))
    if len(known) > 1:
        one_of = Text.join(Text(" or "), known)
        raise InvalidAlert(
            Text("its event belongs to several categories here. Give one: --category {known}", known=one_of)
        )
    if known:
        return known[0]
    of_weather = any(name == "awareness_type" for name, _ in info.pairs("parameter"))
    if of_weather or info.many(CapCategory, "category") == [CapCategory.MET]:
        return Category.WEATHER_RELAY
    raise InvalidAlert(Text("no category here has its event. Give one: --category"))


def _place(areas: Sequence[AlertPart]) -> tuple[dict[str, Any] | None, bool]:
    """Return the place by its codes and its shape, or else in words, and True if all of it is known here."""
    pairs = [(name.upper(), value) for area in areas for name, value in area.pairs("geocode")]
    communes = [value for name, value in pairs if name in {"INSEE", "COG"} and _is(_commune, value)]
    departments = [department_in(code) for code in communes]
    departments += [DEPARTMENTS[value] for name, value in pairs if name.startswith("NUTS") and value in DEPARTMENTS]
    is_known = len(departments) == len(pairs)
    fields: dict[str, Any] = {}
    try:
        fields, is_whole = _shape(areas)
        is_known &= is_whole
    except ValueError:
        is_known = False
    departments = [each for each in dict.fromkeys(departments) if _is(_department, each)]
    if departments:
        fields |= {"department": departments[0], "also_departments": departments[1:]}
    if len(set(communes)) == 1:
        fields["commune"] = communes[0]
    label = one_line(", ".join(dict.fromkeys(filter(None, (area.text("areaDesc") for area in areas)))))
    if not departments and 0 < len(label) <= _LABEL:
        fields["label"] = label
    return fields or None, is_known and bool(departments or len(label) <= _LABEL)


def _shape(areas: Sequence[AlertPart]) -> tuple[dict[str, Any], bool]:
    """Return the area or else the point, and True if no other shape was left out.

    Raises:
        ValueError: A shape is not one of numbers, or lies elsewhere.
    """
    rings = [ring for area in areas for text in area.texts("polygon") if len(ring := _ring(text)) > _CORNERS]
    circles = [text for area in areas for text in area.texts("circle")]
    if rings:
        kind, coordinates = ("Polygon", [rings[0]]) if len(rings) == 1 else ("MultiPolygon", [[ring] for ring in rings])
        return {"area": Area.model_validate({"type": kind, "coordinates": coordinates})}, not circles
    if circles:
        centre, radius = circles[0].split()
        latitude, longitude = map(float, centre.split(","))
        point = Point(latitude=latitude, longitude=longitude, accuracy=float(radius) * 1000 or None)
        return {"point": point}, len(circles) == 1
    return {}, True


def _ring(text: str) -> list[tuple[float, ...]]:
    """Return a closed ring, longitude first."""
    ring = [tuple(float(part) for part in reversed(pair.split(","))) for pair in text.split()]
    return ring if ring[0] == ring[-1] else [*ring, ring[0]]


def _is(kind: TypeAdapter[str], value: str) -> bool:
    try:
        kind.validate_python(value)
    except ValidationError:
        return False
    return True


def _findings(lacking: Iterable[str], left_out: Iterable[str]) -> Iterator[Finding]:
    for element in lacking:
        reason = Text("The alert has no {element}.", element=element)
        remedy = Text("Complete the draft before you submit it.")
        source = "Google Public Alerts CAP v1.0"  # an error by this profile
        yield Finding(code="PN701", level=Level.ADVISE, field=element, reason=reason, remedy=remedy, source=source)
    for element in left_out:
        reason = Text("The draft does not hold all of the alert's {element}.", element=element)
        remedy = Text("Compare the draft with the alert before you submit it.")
        yield Finding(code="PN702", level=Level.ADVISE, field=element, reason=reason, remedy=remedy)
