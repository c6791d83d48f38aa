"""A foreign alert as the fields of a message. What is not known here is a finding, and never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from policenotify.translation import AnyText, Text

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
    findings: list[Finding] = []
    ends = False
    if kind != "Alert" and not references:
        findings.append(_finding("PN701", "references", Text("The alert changes another one and does not name it.")))
    if infos:
        by_language = _by_language(infos)
        first = language if language in by_language else next(iter(by_language))
        own = by_language.pop(first)
        fields, about = _fields(own, infos, sender=reference.sender)
        fields |= {
            "category": category or _category(own, codes),
            "language": first,
            "translations": [{"language": tag, **_words(info)} for tag, info in by_language.items()],
        }
        findings += about
        if len(by_language) + 1 < len(infos):
            left_out = Text("Some parts of the alert were left out: another one has their language.")
            findings.append(_finding("PN702", "info", left_out))
        ends = fields["urgency"] is Urgency.PAST or ResponseType.ALL_CLEAR in own.many(ResponseType, "responseType")
    return Imported(
        reference=reference,
        kind=kind,
        references=references,
        fields={**fields, "exercise": status == "Exercise"},
        ends=ends,
        findings=tuple(findings),
    )


def _by_language(infos: Sequence[AlertPart]) -> dict[str, AlertPart]:
    """Return the first part in each language, without its region."""
    first: dict[str, AlertPart] = {}
    for info in infos:
        tag = info.text("language").partition("-")[0].lower()
        first.setdefault(tag if _is(_language, tag) else "en", info)  # English is the standard's default
    return first


def _fields(info: AlertPart, infos: Sequence[AlertPart], *, sender: str) -> tuple[dict[str, Any], list[Finding]]:
    """Return the fields of a message in one language, and what the desk should know of them."""
    start, end = info.time("onset") or info.time("effective"), info.time("expires")
    link = info.text("web") or next(filter(None, (each.text("web") for each in infos)), "")
    place, findings = _place(info.parts("area"))
    is_backward, is_long = bool(start and end and start >= end), len(one_line(info.text("headline"))) > _HEADLINE
    fields = {
        "severity": info.one(Severity, "severity"),
        "urgency": info.one(Urgency, "urgency"),
        "certainty": info.one(Certainty, "certainty"),
        "location": place,
        "source": (one_line(info.text("senderName")) or sender)[:_LABEL],
        "starts_at": None if is_backward else start,
        "expires_at": end,
        "link": link if _is(_link, link) else None,
        **_words(info),
    }
    is_cut = any(len(clean(info.text(name))) > _PROSE for name in ("description", "instruction"))
    for applies, code, field, reason in (
        (not link, "PN701", "web", Text("The alert has no link to more information.")),
        (link and not fields["link"], "PN703", "link", Text("The link of the alert is not one that may be published.")),
        (not end, "PN701", "expires", Text("The alert has no end of its validity.")),
        (is_backward, "PN701", "effective", Text("The alert expires before it begins.")),
        (not info.text("description"), "PN701", "description", Text("The alert has no description.")),
        (is_long, "PN704", "headline", Text("The headline of the alert is too long, and was cut.")),
        (is_cut, "PN704", "description", Text("The text of the alert is too long, and was cut.")),
    ):
        if applies:
            findings.append(_finding(code, field, reason))
    return fields, findings


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
        raise InvalidAlert(
            Text(
                "its event belongs to several categories here. Give one: --category {known}",
                known=Text.join(Text(" or "), known),
            )
        )
    if known:
        return known[0]
    of_weather = any(name == "awareness_type" for name, _ in info.pairs("parameter"))
    if of_weather or info.many(CapCategory, "category") == [CapCategory.MET]:
        return Category.WEATHER_RELAY
    raise InvalidAlert(Text("no category here has its event. Give one: --category"))


def _place(areas: Sequence[AlertPart]) -> tuple[dict[str, Any] | None, list[Finding]]:
    """Return the place by its codes and its shape, or else in words."""
    pairs = [(name.upper(), value) for area in areas for name, value in area.pairs("geocode")]
    communes = [value for name, value in pairs if name in {"INSEE", "COG"} and _is(_commune, value)]
    departments = [department_in(code) for code in communes]
    departments += [DEPARTMENTS[value] for name, value in pairs if name.startswith("NUTS") and value in DEPARTMENTS]
    unknown = len(departments) < len(pairs)
    fields: dict[str, Any] = {}
    try:
        fields, more = _shape(areas)
        unknown |= more
    except ValueError:
        unknown = True
    departments = [each for each in dict.fromkeys(departments) if _is(_department, each)]
    if departments:
        fields |= {"department": departments[0], "also_departments": departments[1:]}
    if len(set(communes)) == 1:
        fields["commune"] = communes[0]
    label = one_line(", ".join(dict.fromkeys(filter(None, (area.text("areaDesc") for area in areas)))))
    if not departments and 0 < len(label) <= _LABEL:
        fields["label"] = label
    if not areas:
        return None, [_finding("PN701", "area", Text("The alert has no area."))]
    if not fields:
        return None, [_finding("PN705", "location", Text("No place of the alert is known here."))]
    left_out = Text("A part of the alert's area is not known here, and was left out.")
    return fields, [_finding("PN705", "location", left_out)] if unknown else []


def _shape(areas: Sequence[AlertPart]) -> tuple[dict[str, Any], bool]:
    """Return the area or else the point, and True if another shape was left out.

    Raises:
        ValueError: A shape is not one of numbers, or lies elsewhere.
    """
    rings = [ring for area in areas for text in area.texts("polygon") if len(ring := _ring(text)) > _CORNERS]
    circles = [text for area in areas for text in area.texts("circle")]
    if rings:
        kind, coordinates = ("Polygon", [rings[0]]) if len(rings) == 1 else ("MultiPolygon", [[ring] for ring in rings])
        return {"area": Area.model_validate({"type": kind, "coordinates": coordinates})}, bool(circles)
    if circles:
        centre, radius = circles[0].split()
        latitude, longitude = map(float, centre.split(","))
        point = Point(latitude=latitude, longitude=longitude, accuracy=float(radius) * 1000 or None)
        return {"point": point}, len(circles) > 1
    return {}, False


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


def _finding(code: str, field: str, reason: AnyText) -> Finding:
    """Return an advice: PN701 is an error by Google's profile of CAP."""
    if code == "PN701":
        remedy, source = Text("Complete the draft before you submit it."), "Google Public Alerts CAP v1.0"
    else:
        remedy, source = Text("Compare the draft with the alert before you submit it."), ""
    return Finding(code=code, level=Level.ADVISE, field=field, reason=reason, remedy=remedy, source=source)
