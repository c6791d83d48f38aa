"""Read the file of an alert: strict about what it means, tolerant about how it is written.

Real files put elements in another order, leave values empty, end polygons with a space and write times as other
standards do. All of that has one meaning, and is read. A value that the standard does not have is refused.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple, NoReturn, TypeVar
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser, fromstring

from policenotify.errors import InvalidAlert
from policenotify.translation import Text

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"

EVENT_CODES: Final = "OET:v1.2"
"""The list of event codes: OASIS Event Terms List 1.2."""

MAX_BYTES: Final = 1_000_000
"""A file of this size or more is not read."""

_SHOWN: Final = 100  # characters of a name in an error
_NAME: Final = re.compile(r"[^\s,&<]+")  # section 3.2.1: `identifier` and `sender`

_Enum = TypeVar("_Enum", bound=StrEnum)


class Reference(NamedTuple):
    """The name of an alert: one triplet of `references`."""

    sender: str
    identifier: str
    sent: datetime


class AlertPart:
    """An element and what stands in it, by the names of the standard."""

    def __init__(self, element: Element, name: str) -> None:
        self._element, self._name = element, name

    def parts(self, name: str) -> list[AlertPart]:
        """Return the elements of a name."""
        return [AlertPart(child, name) for child in self._element.iterfind(f"{{{NAMESPACE}}}{name}")]

    def texts(self, name: str) -> list[str]:
        """Return the texts of a name that are not empty."""
        found = self._element.iterfind(f"{{{NAMESPACE}}}{name}")
        texts = ("".join(child.itertext()).strip() for child in found)
        return [text for text in texts if text]

    def text(self, name: str) -> str:
        """Return the first text of a name, or an empty one."""
        return next(iter(self.texts(name)), "")

    def required(self, name: str) -> str:
        """Return the first text of a name.

        Raises:
            InvalidAlert: There is none.
        """
        if text := self.text(name):
            return text
        raise InvalidAlert(Text("{name} has no {name_2}", name=self._name, name_2=name))

    def one(self, kind: type[_Enum], name: str) -> _Enum:
        """Return a value of an enumeration. Raises as `required`, and for any other value."""
        self.required(name)
        return self.many(kind, name)[0]

    def many(self, kind: type[_Enum], name: str) -> list[_Enum]:
        """Return the different values of an enumeration.

        Raises:
            InvalidAlert: The standard does not have one of them.
        """
        try:
            return list(dict.fromkeys(map(kind, self.texts(name))))
        except ValueError:
            raise InvalidAlert(Text("{name} is none of {kind}", name=name, kind=", ".join(kind))) from None

    def time(self, name: str) -> datetime | None:
        """Return a time, if there is one."""
        text = self.text(name)
        return _time(text, name) if text else None

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """Return the names and values of an `eventCode`, `parameter` or `geocode`."""
        return [(each.text("valueName"), each.text("value")) for each in self.parts(name) if each.text("valueName")]

    @property
    def reference(self) -> Reference:
        """The name of the alert that it is."""
        for name in ("identifier", "sender"):
            if not _NAME.fullmatch(self.required(name)):
                raise InvalidAlert(Text("{name} holds a space, a comma, or one of < and &", name=name))
        return Reference(self.text("sender"), self.text("identifier"), _time(self.required("sent"), "sent"))

    @property
    def references(self) -> list[Reference]:
        """The alerts that it names."""
        triplets = [text.split(",") for text in self.text("references").split()]
        if not all(len(parts) == len(Reference._fields) and all(parts) for parts in triplets):
            raise InvalidAlert(Text("references are not triplets of sender, identifier and time"))
        return [Reference(sender, identifier, _time(sent, "references")) for sender, identifier, sent in triplets]


def _time(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        moment.astimezone(UTC)
        if moment.tzinfo:
            return moment
    except (ValueError, OverflowError):  # the latter: outside the years 1 to 9999 in UTC
        pass
    raise InvalidAlert(Text("{name} is not a time with its offset, such as 2026-07-26T14:05:00+02:00", name=name))


class _Tree(TreeBuilder):
    """A tree without a document type, whose entities could read files or grow without end."""

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> NoReturn:
        raise InvalidAlert(Text("it is a web page, or has a document type (DOCTYPE), which an alert must not have"))


def read(content: bytes) -> AlertPart:
    """Read an alert.

    Raises:
        InvalidAlert: It is too large, not well formed, or no alert of CAP 1.2.
    """
    if len(content) >= MAX_BYTES:
        raise InvalidAlert(Text("it has 1 MB or more"))
    try:
        top = fromstring(content, XMLParser(target=_Tree()))  # noqa: S314 - what defusedxml refuses is refused above
    except InvalidAlert:
        raise
    except (ParseError, ValueError, LookupError) as error:  # the last two: of an encoding
        line = error.position[0] if isinstance(error, ParseError) else 1
        raise InvalidAlert(Text("it is not well-formed XML (line {line})", line=line)) from None
    if top.tag != f"{{{NAMESPACE}}}alert":
        name = top.tag.lstrip("{").replace("}", " ")[:_SHOWN]
        raise InvalidAlert(Text("its top element is {name!r}, and only an alert of CAP 1.2 is read", name=name))
    return AlertPart(top, "alert")
