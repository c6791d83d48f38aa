"""Fill in what the desk left open, before a message is checked, rendered and stored.

What an incident carries on is one rule, in `carry`; docs/explanation/posts.md has it as a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from policenotify.model.cap import Precision, Urgency
from policenotify.model.history import History, HistoryEntry
from policenotify.model.languages import best_match
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.locale import Locale
from policenotify.model.message import Message, Translation
from policenotify.render.locales.category import CategoryProfile
from policenotify.render.redaction import without_house_numbers

_WHERE: Final = ("commune", "epci", "department", "street", "district", "road", "label", "between", "line")


def fill_defaults(
    message: Message,
    profile: CategoryProfile,
    *,
    sender: str,
    incident: str | None,
    history: History | None = None,
    now: datetime | None = None,
) -> Message:
    """Return the message with the defaults of its category and what its incident carries on.

    Its place, with the names of INSEE, becomes no finer than the category allows. Filling in the defaults again changes
    nothing. The history is that of the incident before it, whose id is *incident*, unless the message names one. A
    promise of news that is past *now*, when it is published, is not repeated.
    """
    history = history or History()
    lifecycle = message.lifecycle
    place = message.location.blur(profile.precision) if message.location else None
    message = message.changed(location=place)
    message = message.changed(**carry(message, history, now))
    precision = place.precision if place and place.precision else profile.precision
    if precision is not Precision.EXACT:
        message = without_house_numbers(message, profile.label, [entry.message for entry in history.entries])
    return message.changed(
        severity=message.severity or profile.severity,
        urgency=Urgency.PAST if message.stage is Stage.END else message.urgency or profile.urgency,
        certainty=message.certainty or profile.certainty,
        lifecycle=lifecycle.changed(incident=lifecycle.incident or incident),
        sender=sender,
    )


def carry(message: Message, history: History, now: datetime | None) -> dict[str, object]:
    """Return what a message carries on from its incident, by field.

    Nothing that was corrected, withdrawn or cancelled is carried. The rest, with its severity, is of `latest`:

    - The severity, unless the message gives one.
    - In a correction, the next update that was promised, if it is still to come.
    - In an update or a correction, while the incident is open, the instruction in force in each language that lacks
      one. It is in force until place, quarter or category change; and a correction that changes the place or the
      headline carries none of what it corrects.

    The message has its place as it will be published.
    """
    if message.stage in {Stage.OPENING, Stage.STANDALONE} or (state := history.latest) is None:
        return {}
    severity, promised = message.severity or state.message.severity, message.next_update_at
    if message.stage is Stage.CORRECTION and promised is None and now:
        earlier = state.message.next_update_at
        promised = earlier if earlier and earlier > now else None
    carried: dict[str, object] = {"severity": severity, "next_update_at": promised}
    is_over = history.status is IncidentStatus.ENDED and not message.lifecycle.reopens
    if message.stage in {Stage.UPDATE, Stage.CORRECTION} and not is_over:
        in_force = _instructions(message, history)
        carried["instruction"] = message.instruction or in_force.get(message.language, "")
        carried["translations"] = tuple(
            words
            if words.instruction or words.untranslated
            else words.changed(instruction=in_force.get(words.language, ""))
            for words in message.translations
        )
    return carried


def _instructions(message: Message, history: History) -> Mapping[str, str]:
    """Return the instruction in force in each language."""
    standing = history.standing
    corrected = history.entry(message.lifecycle.corrects or "")
    if corrected and history.is_end(corrected):  # what it lifted is in force again
        standing.pop(history.corrected(corrected).publication, None)
    elif corrected and corrected.message.headline != message.headline:
        return {}
    wrong: set[tuple[str, str]] = set()
    for entry in history.entries:
        right = standing.get(history.corrected(entry).publication)
        wrong |= _stated(entry) - (_stated(right) if right else set())
    in_force: dict[str, str] = {}
    for entry in reversed(standing.values()):
        if _moved(entry.message, message):
            break
        for language, instruction in () if history.is_end(entry) else _stated(entry) - wrong:
            in_force.setdefault(language, instruction)
        if entry.stage is Stage.CORRECTION and not entry.message.lifecycle.reopens:
            break  # whatever was in force before it
    return in_force


def _stated(entry: HistoryEntry) -> set[tuple[str, str]]:
    return {(words.language, words.instruction) for words in entry.message.wordings if words.instruction}


def _moved(before: Message, after: Message) -> bool:
    """Return True if place, quarter or category differ."""
    old, new = before.location or after.location, after.location or before.location
    return before.category != after.category or any(
        getattr(old, name, None) != getattr(new, name, None) for name in _WHERE
    )


def speak(message: Message, history: History, locales: Mapping[str, Locale]) -> Message:
    """Return an end, correction or cancellation in every language of its incident.

    Where the desk gives no translation, fixed phrases stand in: readers must not be left with the danger.
    """
    if message.stage not in {Stage.END, Stage.CORRECTION, Stage.CANCELLATION}:
        return message
    spoken = [words.language for entry in history.entries if not entry.erased for words in entry.message.wordings]
    spoken += [part.language for part in history.damage.posts] if history.damage else []
    fixed = tuple(
        Translation(language=language, headline=getattr(locale, f"untranslated_{message.stage}"), untranslated=True)
        for language in dict.fromkeys(spoken)
        if message.wording(language) is None and (locale := best_match(language, locales))
    )
    return message.changed(translations=(*message.translations, *fixed)) if fixed else message
