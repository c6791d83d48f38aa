"""Read the file of an alert: strict about what it means, tolerant about how it is written.

Real files put elements in another order, leave values empty, end polygons with a space and write times as other
standards do. All of that has one meaning, and is read. A value that the standard does not have is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NoReturn, TypeVar
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from pydantic import ValidationError

from policenotify.errors import InvalidAlert
from policenotify.formats.cap.alert import (
    NAMESPACE,
    Alert,
    AlertArea,
    AlertStatus,
    Circle,
    Info,
    MessageType,
    Pair,
    Reference,
    Resource,
    Scope,
)
from policenotify.model.cap import CapCategory, Certainty, ResponseType, Severity, Urgency
from policenotify.translation import Text

MAX_BYTES: Final = 1_000_000
"""A file of this size or more is not read."""

_DEEPEST: Final = 12  # levels: an alert has 5, and a signature, which is not read, more
_RING: Final = 4  # points, with the first one again at the end
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.\d+)?(Z|[+-]\d\d:?\d\d)")
_OLD: Final = re.compile(r"urn:oasis:names:tc:emergency:cap:(1\.[01])|http://www\.incident\.com/cap/(1\.0)")

_Enum = TypeVar("_Enum", bound=StrEnum)


class _Tree(TreeBuilder):
    """A tree without a document type, whose entities could read files or grow without end."""

    depth = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> NoReturn:  # noqa: ARG002 - the parser's call
        raise InvalidAlert(Text("it has a document type (DOCTYPE), which an alert must not have"))

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        """Open an element."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise InvalidAlert(Text("its elements are nested too deeply"))
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        """Close an element."""
        self.depth -= 1
        return super().end(tag)


def read(content: bytes) -> Alert:
    """Read an alert.

    Raises:
        InvalidAlert: It is not an alert of CAP 1.2. The text names the element.
    """
    return read_element(parse(content))


def parse(content: bytes) -> Element:
    """Return the top element of a file, without a document type.

    Raises:
        InvalidAlert: It is too large or not well formed.
    """
    if len(content) >= MAX_BYTES:
        raise InvalidAlert(Text("it has 1 MB or more"))
    parser = XMLParser(target=_Tree())  # noqa: S314 - without a document type there are no entities
    try:
        parser.feed(content)
        top: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:  # the last two: of an encoding
        if isinstance(error, InvalidAlert):
            raise
        line = error.position[0] if isinstance(error, ParseError) else 1
        raise InvalidAlert(Text("it is not well-formed XML (line {line})", line=line)) from None
    return top


def read_element(top: Element) -> Alert:
    """Read an alert from its element, as `read`."""
    space, _, name = top.tag[1:].rpartition("}")
    if old := _OLD.fullmatch(space):
        raise InvalidAlert(Text("it is CAP {old}, and only CAP 1.2 is read", old=old[1] or old[2]))
    if space != NAMESPACE or name != "alert":
        raise InvalidAlert(Text("its top element is not the alert of CAP 1.2"))
    into = _Reader(top, "alert")
    try:
        return Alert(
            identifier=into.required("identifier"),
            sender=into.required("sender"),
            sent=_time(into.required("sent"), "sent"),
            status=into.one(AlertStatus, "status"),
            message_type=into.one(MessageType, "msgType"),
            source=into.text("source"),
            scope=into.one(Scope, "scope"),
            restriction=into.text("restriction"),
            codes=tuple(filter(None, into.texts("code"))),
            note=into.text("note"),
            references=tuple(map(_reference, into.text("references").split())),
            incidents=into.text("incidents"),
            infos=tuple(_info(each) for each in into.children("info")),
        )
    except ValidationError as error:
        # The words of the error show no value: a value may be anything.
        names = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InvalidAlert(f"{names}: {error.errors()[0]['msg']}") from None


class _Reader:
    """The children of one element."""

    def __init__(self, element: Element, name: str) -> None:
        self._name = name
        self._children: dict[str, list[Element]] = {}
        for child in element:
            space, _, local = child.tag[1:].rpartition("}")
            if space == NAMESPACE:
                self._children.setdefault(local, []).append(child)

    def children(self, name: str) -> Iterator[_Reader]:
        for child in self._children.get(name, ()):
            yield _Reader(child, name)

    def texts(self, name: str) -> list[str]:
        return ["".join(child.itertext()).strip() for child in self._children.get(name, ())]

    def text(self, name: str) -> str:
        return next(iter(self.texts(name)), "")

    def required(self, name: str) -> str:
        if text := self.text(name):
            return text
        raise InvalidAlert(Text("{name} has no {name_2}", name=self._name, name_2=name))

    def one(self, kind: type[_Enum], name: str) -> _Enum:
        return _member(kind, name, self.required(name))

    def many(self, kind: type[_Enum], name: str) -> tuple[_Enum, ...]:
        return tuple(dict.fromkeys(_member(kind, name, text) for text in self.texts(name) if text))

    def time(self, name: str) -> datetime | None:
        text = self.text(name)
        return _time(text, name) if text else None

    def pairs(self, name: str) -> tuple[Pair, ...]:
        pairs = (Pair(name=each.text("valueName"), value=each.text("value")) for each in self.children(name))
        return tuple(pair for pair in pairs if pair.name)


def _info(of: _Reader) -> Info:
    categories = of.many(CapCategory, "category")
    if not categories:
        raise InvalidAlert(Text("info has no category"))
    return Info(
        language=of.text("language") or "en-US",
        categories=categories,
        event=of.required("event"),
        responses=of.many(ResponseType, "responseType"),
        urgency=of.one(Urgency, "urgency"),
        severity=of.one(Severity, "severity"),
        certainty=of.one(Certainty, "certainty"),
        event_codes=of.pairs("eventCode"),
        effective=of.time("effective"),
        onset=of.time("onset"),
        expires=of.time("expires"),
        sender_name=of.text("senderName"),
        headline=of.text("headline"),
        description=of.text("description"),
        instruction=of.text("instruction"),
        web=of.text("web"),
        contact=of.text("contact"),
        parameters=of.pairs("parameter"),
        resources=tuple(
            Resource(
                description=each.text("resourceDesc"),
                mime_type=each.text("mimeType") or _ANY_TYPE,
                uri=each.text("uri"),
            )
            for each in of.children("resource")
        ),
        areas=tuple(
            AlertArea(
                description=each.text("areaDesc"),
                polygons=tuple(filter(None, map(_polygon, each.texts("polygon")))),
                circles=tuple(_circle(text) for text in each.texts("circle") if text),
                geocodes=each.pairs("geocode"),
            )
            for each in of.children("area")
        ),
    )


_ANY_TYPE: Final = "application/octet-stream"  # RFC 2046, section 4.5.1: what is known of it without a type


def _member(kind: type[_Enum], name: str, text: str) -> _Enum:
    try:
        return kind(text)
    except ValueError:
        raise InvalidAlert(Text("{name} is none of {kind}", name=name, kind=", ".join(kind))) from None


def _time(text: str, name: str) -> datetime:
    if match := _TIME.fullmatch(text):
        try:
            moment = datetime.fromisoformat(f"{match[1]}{match[2] or ':00'}{match[3].replace('Z', '+00:00')}")
            moment.astimezone(UTC)
        except (ValueError, OverflowError):  # the latter: outside the years 1 to 9999 in UTC
            pass
        else:
            return moment
    raise InvalidAlert(Text("{name} is not a time with its offset, such as 2026-07-26T14:05:00+02:00", name=name))


def _reference(text: str) -> Reference:
    parts = text.split(",")
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - sender, identifier and time
        raise InvalidAlert(Text("references are not triplets of sender, identifier and time"))
    return Reference(sender=parts[0], identifier=parts[1], sent=_time(parts[2], "references"))


def _polygon(text: str) -> tuple[tuple[float, float], ...]:
    """Return a closed ring, or an empty one for fewer than three corners: they enclose nothing."""
    points = tuple(_numbers(pair, "polygon") for pair in text.split())
    if not all(len(point) == 2 for point in points):  # noqa: PLR2004 - latitude and longitude
        raise InvalidAlert(Text("polygon is not a list of latitude,longitude"))
    ring = tuple((point[0], point[1]) for point in points)
    ring = ring if ring[:1] == ring[-1:] else (*ring, ring[0])
    return ring if len(ring) >= _RING else ()


def _circle(text: str) -> Circle:
    centre, _, radius = text.partition(" ")
    numbers = (*_numbers(centre, "circle"), *_numbers(radius.strip(), "circle"))
    if len(numbers) != 3:  # noqa: PLR2004 - latitude, longitude and radius
        raise InvalidAlert(Text("circle is not latitude,longitude and a radius"))
    return Circle(latitude=numbers[0], longitude=numbers[1], radius=numbers[2])


def _numbers(text: str, name: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InvalidAlert(Text("{name} holds something else than numbers", name=name)) from None
