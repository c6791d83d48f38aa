"""Fill in what the desk left open, before a message is checked, rendered and stored."""

from __future__ import annotations

from collections.abc import Iterable

from policenotify.model.cap import Precision, Urgency
from policenotify.model.lifecycle import Stage
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
    """Return the message with the defaults of its category.

    Its place becomes no finer than the category allows. Filling in the defaults again changes nothing.

    Args:
        message: The message as the desk wrote it.
        profile: Its category.
        sender: The service's name, unless the message gives one.
        commune_name: Name of the message's commune, as INSEE writes it.
        department_name: Name of its department.
        department: Code of the department, when it follows from the commune.
        incident: Id of the incident, unless the message names one.
        earlier: The publications of that incident.
    """
    place, lifecycle = message.location, message.lifecycle
    if place is not None:
        names = {
            "commune_name": place.commune_name or commune_name,
            "department": place.department or department,
            "department_name": place.department_name or department_name,
        }
        place = place.model_copy(update=names).blur(profile.precision)
    precision = place.precision if place and place.precision else profile.precision
    if precision is not Precision.EXACT:
        message = without_house_numbers(message, profile.label, earlier)
    return message.model_copy(
        update={
            "severity": message.severity or profile.severity,
            "urgency": Urgency.PAST if message.stage is Stage.END else message.urgency or profile.urgency,
            "certainty": message.certainty or profile.certainty,
            "location": place,
            "lifecycle": lifecycle.model_copy(update={"incident": lifecycle.incident or incident}),
            "sender": message.sender or sender,
        }
    )
