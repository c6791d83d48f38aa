"""An alert of CAP 1.2, as it stands in its file.

Names and values are those of the standard's section 3.2.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from policenotify.model.cap import CapCategory, Certainty, ResponseType, Severity, Urgency
from policenotify.model.lifecycle import FrozenModel
from policenotify.model.location import Latitude, Longitude
from policenotify.translation import Text

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"


class AlertStatus(StrEnum):
    """How an alert is to be handled (`status`)."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    SYSTEM = "System"
    TEST = "Test"
    DRAFT = "Draft"


class MessageType(StrEnum):
    """What an alert is (`msgType`)."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"
    ACK = "Ack"
    ERROR = "Error"


class Scope(StrEnum):
    """Who may read an alert (`scope`)."""

    PUBLIC = "Public"
    RESTRICTED = "Restricted"
    PRIVATE = "Private"


Identifier = Annotated[str, StringConstraints(pattern=r"^[^\s,&<]+$")]
"""An `identifier` or `sender`: no white space, no comma, none of `<` and `&`."""

Words = Annotated[str, StringConstraints(min_length=1)]


class Reference(FrozenModel):
    """An earlier alert: one triplet of `references`."""

    sender: Identifier
    identifier: Identifier
    sent: AwareDatetime


class Pair(FrozenModel):
    """A name and a value: `eventCode`, `parameter` or `geocode`."""

    name: str
    value: str


class Circle(FrozenModel):
    """A circle, whose radius is in kilometres."""

    latitude: Latitude
    longitude: Longitude
    radius: float = Field(ge=0, allow_inf_nan=False)


def _closed(value: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if value[0] != value[-1]:
        raise ValueError(Text("the last point of a polygon is its first one"))
    return value


Polygon = Annotated[tuple[tuple[Latitude, Longitude], ...], Field(min_length=4), AfterValidator(_closed)]
"""A closed ring, latitude before longitude: the other way round than GeoJSON."""


class AlertArea(FrozenModel):
    """A part of the area that an alert is for (`area`)."""

    description: str
    polygons: tuple[Polygon, ...] = ()
    circles: tuple[Circle, ...] = ()
    geocodes: tuple[Pair, ...] = ()

    @property
    def is_coded(self) -> bool:
        """True if a program can find it."""
        return bool(self.polygons or self.circles or self.geocodes)


class Resource(FrozenModel):
    """A file that belongs to an alert (`resource`)."""

    description: str
    mime_type: str
    uri: str = ""


class Info(FrozenModel):
    """An alert in one language (`info`)."""

    language: str = "en-US"
    categories: tuple[CapCategory, ...] = Field(min_length=1)
    event: str
    responses: tuple[ResponseType, ...] = ()
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    event_codes: tuple[Pair, ...] = ()
    effective: AwareDatetime | None = None
    onset: AwareDatetime | None = None
    expires: AwareDatetime | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    parameters: tuple[Pair, ...] = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[AlertArea, ...] = ()


class Alert(FrozenModel):
    """A whole alert (`alert`)."""

    identifier: Identifier
    sender: Identifier
    sent: AwareDatetime
    status: AlertStatus
    message_type: MessageType
    source: str = ""
    scope: Scope
    restriction: str = ""
    codes: tuple[str, ...] = ()
    note: str = ""
    references: tuple[Reference, ...] = ()
    incidents: str = ""
    infos: tuple[Info, ...] = ()

    @property
    def reference(self) -> Reference:
        """The triplet by which later alerts name this one."""
        return Reference(sender=self.sender, identifier=self.identifier, sent=self.sent)


def kilometres(metres: float | None, *, least: int = 100) -> float:
    """Return a radius in kilometres, rounded up to a metre. The area of an alert is never empty."""
    return math.ceil(max(metres or 0, least)) / 1000
