"""A foreign alert as the fields of a message. What is not known here is a finding, and never a guess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from policenotify.errors import InvalidAlert
from policenotify.findings import Finding, Level
from policenotify.formats.cap.alert import Alert, AlertArea, AlertStatus, Info, MessageType, Scope
from policenotify.formats.cap.export import EVENT_CODES
from policenotify.formats.cap.french_codes import DEPARTMENTS
from policenotify.formats.cap.profile import missing
from policenotify.model.cap import CapCategory, ResponseType, Urgency
from policenotify.model.location import Area, DepartmentCode, InseeCode, Location, Point
from policenotify.model.message import Category, Language, Link
from policenotify.text.characters import clean, one_line
from policenotify.translation import AnyText, Text

_HEADLINE: Final = 160  # characters, as a message has them
_PROSE: Final = 10_000
_LABEL: Final = 200
_REFERENCES: Final = 500  # a year of daily updates has fewer, and each is looked up
_commune: TypeAdapter[str] = TypeAdapter(InseeCode)
_department: TypeAdapter[str] = TypeAdapter(DepartmentCode)
_language: TypeAdapter[str] = TypeAdapter(Language)
_link: TypeAdapter[str] = TypeAdapter(Link)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a message takes from an alert.

    Attributes:
        fields: The fields of the message, without its lifecycle.
        ends: The alert is the end of its incident.
        findings: What the desk should know of it.
    """

    fields: Mapping[str, Any]
    ends: bool
    findings: tuple[Finding, ...]


def imported(alert: Alert, *, codes: Mapping[str, Sequence[str]], language: str, category: str | None) -> Imported:
    """Return the fields of a message.

    Args:
        alert: The alert.
        codes: The categories here by their event code.
        language: The language of the message, if the alert has it. The others are translations.
        category: The category, if the officer gives it.

    Raises:
        InvalidAlert: It is not for the public, answers another system, or its category is not known here.
    """
    _refuse(alert)
    infos, left_out = _by_language(alert.infos)
    own = infos.get(language) or next(iter(infos.values()))
    place, about_place = _place(own.areas)
    link = own.web if _is(_link, own.web) else None
    findings = [
        *missing(alert),
        *about_place,
        *(
            _finding("PN702", "info", Text("Some parts of the alert were left out: another one has their language."))
            for _ in left_out
        ),
        *(_cut(own) if infos else ()),
    ]
    if own.web and link is None:
        findings.append(_finding("PN703", "link", Text("The link of the alert is not one that may be published.")))
    starts = own.onset or own.effective
    if starts and own.expires and starts >= own.expires:
        starts = None
    first = next(tag for tag, info in infos.items() if info is own)
    fields = {
        "category": category or _category(own, codes),
        "severity": own.severity,
        "urgency": own.urgency,
        "certainty": own.certainty,
        "location": place,
        "source": one_line(own.sender_name)[:_LABEL] or alert.sender[:_LABEL],
        "starts_at": starts,
        "expires_at": own.expires,
        "link": link,
        "language": first,
        **_words(own),
        "translations": [{"language": tag, **_words(info)} for tag, info in infos.items() if info is not own],
        "exercise": alert.status is AlertStatus.EXERCISE,
    }
    over = own.urgency is Urgency.PAST or ResponseType.ALL_CLEAR in own.responses
    return Imported(fields=fields, ends=over, findings=tuple(findings))


def _refuse(alert: Alert) -> None:
    if alert.scope is not Scope.PUBLIC:
        raise InvalidAlert(Text("its scope is {scope}: it is not for the public", scope=alert.scope))
    if alert.status not in {AlertStatus.ACTUAL, AlertStatus.EXERCISE}:
        raise InvalidAlert(Text("its status is {status}: it is not for the public", status=alert.status))
    if alert.message_type in {MessageType.ACK, MessageType.ERROR}:
        raise InvalidAlert(
            Text("its msgType is {message_type}: it is an answer to another system", message_type=alert.message_type)
        )
    if not alert.infos:
        raise InvalidAlert(Text("it has no info"))
    if len(alert.references) > _REFERENCES:
        raise InvalidAlert(Text("it names more than {references} earlier alerts", references=_REFERENCES))


def _by_language(infos: Sequence[Info]) -> tuple[dict[str, Info], list[Info]]:
    """Return the first part in each language, without its region, and the others."""
    first: dict[str, Info] = {}
    others = []
    for info in infos:
        tag = info.language.partition("-")[0].lower()
        if not _is(_language, tag):
            tag = "en"  # the standard's default
        if tag in first:
            others.append(info)
        first.setdefault(tag, info)
    return first, others


def _words(info: Info) -> dict[str, str]:
    headline = next((line for text in (info.headline, info.event) if (line := one_line(text)[:_HEADLINE].strip())), "")
    if not headline:
        raise InvalidAlert(Text("a part of it has neither a headline nor an event that can be seen"))
    return {
        "headline": headline,
        "description": _prose(info.description),
        "instruction": _prose(info.instruction),
    }


def _prose(text: str) -> str:
    lines = (" ".join(line.split()) for line in clean(text).splitlines())
    return "\n".join(lines).strip()[:_PROSE]


def _cut(info: Info) -> Iterator[Finding]:
    if len(one_line(info.headline)) > _HEADLINE:
        yield _finding("PN704", "headline", Text("The headline of the alert is too long, and was cut."))
    if max(len(clean(info.description)), len(clean(info.instruction))) > _PROSE:
        yield _finding("PN704", "description", Text("The text of the alert is too long, and was cut."))


def _category(info: Info, codes: Mapping[str, Sequence[str]]) -> str:
    named = [pair.value for pair in info.event_codes if pair.name.partition(":")[0] == EVENT_CODES.partition(":")[0]]
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
    if info.categories == (CapCategory.MET,) or any(pair.name == "awareness_type" for pair in info.parameters):
        return Category.WEATHER_RELAY
    raise InvalidAlert(Text("no category here has its event. Give one: --category"))


def _place(areas: Sequence[AlertArea]) -> tuple[dict[str, Any] | None, Iterator[Finding]]:
    communes, departments, unknown = [], [], False
    for pair in chain.from_iterable(area.geocodes for area in areas):
        if pair.name.upper() in {"INSEE", "COG"} and _is(_commune, pair.value):
            communes.append(pair.value)
        elif pair.name.upper().startswith("NUTS") and pair.value in DEPARTMENTS:
            departments.append(DEPARTMENTS[pair.value])
        else:
            unknown = True
    communes = list(dict.fromkeys(communes))
    departments = [*(code[:3] if code[:2] in {"97", "98"} else code[:2] for code in communes), *departments]
    departments = [each for each in dict.fromkeys(departments) if _is(_department, each)]
    shape, shape_unknown = _shape(areas)
    fields: dict[str, Any] = {**shape}
    if departments:
        fields |= {"department": departments[0], "also_departments": departments[1:]}
    if len(communes) == 1:
        fields["commune"] = communes[0]
    label = one_line(", ".join(dict.fromkeys(area.description for area in areas if area.description)))
    if not departments and 0 < len(label) <= _LABEL:
        fields["label"] = label
    return fields or None, _about_place(unknown=unknown or shape_unknown, known=bool(fields))


def _about_place(*, unknown: bool, known: bool) -> Iterator[Finding]:
    if not known:
        yield _finding("PN705", "location", Text("No place of the alert is known here."))
    elif unknown:
        yield _finding("PN705", "location", Text("A part of the alert's area is not known here, and was left out."))


def _shape(areas: Sequence[AlertArea]) -> tuple[dict[str, Any], bool]:
    """Return the area or else the point, and True if one could not be used."""
    rings = [[[x, y] for y, x in ring] for area in areas for ring in area.polygons]
    circles = [circle for area in areas for circle in area.circles]
    try:
        if rings:
            one = len(rings) == 1
            coordinates = [rings[0]] if one else [[ring] for ring in rings]
            area = Area.model_validate({"type": "Polygon" if one else "MultiPolygon", "coordinates": coordinates})
            Location(area=area)
            return {"area": area}, bool(circles)
        if circles:
            first = circles[0]
            radius = first.radius * 1000 or None
            return {"point": Point(latitude=first.latitude, longitude=first.longitude, accuracy=radius)}, len(
                circles
            ) > 1
    except ValidationError:
        return {}, True
    return {}, False


def _is(kind: TypeAdapter[str], value: str) -> bool:
    try:
        kind.validate_python(value)
    except ValidationError:
        return False
    return True


def _finding(code: str, field: str, reason: AnyText) -> Finding:
    remedy = Text("Compare the draft with the alert before you submit it.")
    return Finding(code=code, level=Level.ADVISE, field=field, reason=reason, remedy=remedy)
