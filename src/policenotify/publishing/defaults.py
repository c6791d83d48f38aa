"""Filling in what the desk left open, before a message is checked, worded and journalled."""

from __future__ import annotations

from collections.abc import Iterable

from policenotify.model.cap import Precision, Urgency
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.render.locales.category import CategoryProfile
from policenotify.render.redaction import without_house_numbers


def fill_defaults(
    message: Message,
    profile: CategoryProfile,
    *,
    sender: str,
    commune_name: str | None,
    department_name: str | None,
    department: str | None,
    incident: str | None,
    earlier: Iterable[Message] = (),
) -> Message:
    """The message as it is journalled: with the defaults of its category, and its place no finer than may be told.

    Args:
        message: As the desk wrote it.
        profile: What its category means.
        sender: The service's name, unless the message gives one.
        commune_name: Name of the message's commune, as INSEE writes it.
        department_name: Name of its department.
        department: Code of the department, when it follows from the commune.
        incident: Id of the incident that the message opens or belongs to, unless it names one.
        earlier: What was published of that incident.

    Returns:
        The resolved message; resolving it again changes nothing.
    """
    place = message.location
    lifecycle = message.lifecycle
    told = place and _named(place, commune_name, department, department_name).blur(profile.precision)
    precision = told.precision if told and told.precision else profile.precision
    if precision is not Precision.EXACT:
        message = without_house_numbers(message, profile.label, earlier)
    return message.model_copy(
        update={
            "severity": message.severity or profile.severity,
            "urgency": Urgency.PAST if message.stage is Stage.END else message.urgency or profile.urgency,
            "certainty": message.certainty or profile.certainty,
            "location": told,
            "lifecycle": lifecycle.model_copy(update={"incident": lifecycle.incident or incident}),
            "sender": message.sender or sender,
        }
    )


def _named(place: Location, commune: str | None, department: str | None, department_name: str | None) -> Location:
    return place.model_copy(
        update={
            "commune_name": place.commune_name or commune,
            "department": place.department or department,
            "department_name": place.department_name or department_name,
        }
    )
