"""Fill in what the desk left open, before a message is checked, rendered and stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

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
    earlier: Sequence[Message] = (),
    now: datetime | None = None,
) -> Message:
    """Return the message with the defaults of its category.

    Its place becomes no finer than the category allows. An update or correction without an instruction repeats the one
    in force, and a correction also the next update: each post must be of use to those who read no other. Filling in
    the defaults again changes nothing.

    Args:
        message: The message as the desk wrote it.
        profile: Its category.
        sender: The service's name, unless the message gives one.
        commune_name: Name of the message's commune, as INSEE writes it.
        department_name: Name of its department.
        department: Code of the department, when it follows from the commune.
        incident: Id of the incident, unless the message names one.
        earlier: The publications of that incident.
        now: The time of publication. A promise of news that is past by then is not repeated.
    """
    message = _with_instruction(message, earlier)
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
            "next_update_at": message.next_update_at or _promised(message, earlier, now),
        }
    )


def _with_instruction(message: Message, earlier: Sequence[Message]) -> Message:
    """Return an update or correction with the instruction in force, in each language that lacks one."""
    if message.stage not in {Stage.UPDATE, Stage.CORRECTION}:
        return message
    translations = tuple(
        words if words.instruction else words.model_copy(update={"instruction": _in_force(words.language, earlier)})
        for words in message.translations
    )
    instruction = message.instruction or _in_force(message.language, earlier)
    return message.model_copy(update={"instruction": instruction, "translations": translations})


def _in_force(language: str, earlier: Sequence[Message]) -> str:
    """Return the last instruction in a language. An end lifts those before it."""
    for message in reversed(earlier):
        words = next((words for words in message.wordings if words.language == language), None)
        if words and words.instruction:
            return words.instruction
        if message.stage is Stage.END:
            break
    return ""


def _promised(message: Message, earlier: Sequence[Message], now: datetime | None) -> datetime | None:
    """Return the next update that a correction promises again."""
    promised = earlier[-1].next_update_at if earlier and message.stage is Stage.CORRECTION else None
    return promised if promised and now and promised > now else None
