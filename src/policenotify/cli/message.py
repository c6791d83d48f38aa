"""A message from the command line: from its options, from a JSON file, or from both, each field from one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policenotify.cli import times
from policenotify.cli.lookup import meant
from policenotify.cli.message_file import Given, given_file
from policenotify.cli.options import OPTIONS, beginning, both, following, option_of
from policenotify.cli.place import OPTIONS as PLACE
from policenotify.cli.place import location_of
from policenotify.errors import InvalidTransition
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Message, read
from policenotify.model.receipt import Publication
from policenotify.render.locales import profile_of

if TYPE_CHECKING:
    from policenotify.publishing.publisher import Publisher

__all__ = ["TIMES", "Typed", "beginning", "default_key", "first_message", "following", "next_message", "spans_of"]

Typed = Mapping[str, Any]
"""What was typed, by the names of the commands' parameters."""

_TEXTS = ("description", "instruction", "severity", "link", "language")
TIMES = {"starts_at": "starts", "expires_at": "expires", "next_update_at": "next_update"}
"""The parameter of each time of the message."""


def first_message(typed: Typed, publisher: Publisher) -> Message:
    """An opening or a standalone message, or whatever the JSON file holds.

    A file without `lifecycle` stands alone, as `policenotify.read` has it; options without a file open an incident
    where their category does.

    Raises:
        click.UsageError: There is no message, or a field is given twice.
        InvalidMessage: The file holds no message.
        pydantic.ValidationError: A field is wrong.
        SettingsError: The category is not known here.
    """
    file = given_file(typed)
    fields = {name: typed[name] for name in ("category", "headline") if typed[name]}
    fields |= _fields(typed, publisher, None)
    if typed["exercise"]:
        fields["exercise"] = True
    lifecycle = _beginning(typed)
    if file is None:
        if not typed["category"] or not typed["headline"]:
            raise click.UsageError(
                "Give a message: --category and --headline, or a JSON file (- reads standard input)."
            )
        opens = not typed["standalone"] and profile_of(typed["category"], publisher.profiles).opens_incident
        lifecycle = lifecycle or {"stage": Stage.OPENING if opens else Stage.STANDALONE}
    if lifecycle:
        fields["lifecycle"] = lifecycle
    return read(_together(file, fields, typed))


def next_message(stage: Stage, which: str, headline: str | None, typed: Typed, publisher: Publisher) -> Message:
    """What follows: an update or end, a correction or cancellation.

    Args:
        stage: Where it stands.
        which: The incident; for a correction or cancellation also a publication or its key.
        headline: What it says; `None`: the file says it.
        typed: What else was typed.
        publisher: The installation's.

    Raises:
        InvalidTransition: There is no such incident or publication.
        click.UsageError: An option is wrong, or a field is given twice.
        InvalidMessage: The file holds no message.
        pydantic.ValidationError: A field is wrong.
    """
    file = given_file(typed)
    if not headline and not (file and file.fields.get("headline")):
        raise click.UsageError(f"What does the {stage} say? Give its HEADLINE, or a --file that has one.")
    last = _followed(stage, which, publisher)
    fields = _fields(typed, publisher, last.message.location)
    if headline:
        fields["headline"] = headline
    made = _together(file, fields, typed)
    says, stated = made.pop("headline"), made.pop("lifecycle", None)
    makers = {
        Stage.UPDATE: last.update, Stage.END: last.end, Stage.CORRECTION: last.correct, Stage.CANCELLATION: last.cancel,
    }  # fmt: skip
    if file is None:
        return makers[stage](says, **made)
    file.check_names()
    message = makers[stage](says, **made)
    file.check_agrees(stated, message.lifecycle)
    return message


def _followed(stage: Stage, which: str, publisher: Publisher) -> Publication:
    """The publication that the new one follows."""
    if stage in {Stage.UPDATE, Stage.END}:
        return publisher.incident(which)
    found = meant(publisher.journal, which, publisher.zone)
    if stage is Stage.CANCELLATION and found.incident is not None and found.incident != which:
        raise InvalidTransition(
            f"Publication {found.id} belongs to incident {found.incident!r}, and a cancellation takes a whole incident "
            f'back. All of it: policenotify cancel {found.incident} "…"; only this: policenotify correct {which} "…".',
            incident=found.incident,
        )
    return found


def spans_of(typed: Typed) -> dict[str, str]:
    """The fields whose time was typed as counting from now, and what was typed."""
    return {
        field: typed[option].strip()
        for field, option in TIMES.items()
        if typed[option] and times.is_span(typed[option])
    }


def default_key(message: Message, spans: Mapping[str, str]) -> str:
    """The key of a message that was given none: the same words in the same incident and stage, the same key.

    Args:
        message: What is to be said.
        spans: See `spans_of`: `+30m` typed again a second later is still the same message.
    """
    stable = message.model_copy(update=dict.fromkeys(spans))
    pictures = [_content(image.path) for image in message.images if image.path]
    typed = sorted(map("=".join, spans.items()))
    said = "\n".join((message.incident or "", message.stage, stable.digest(), *typed, *pictures))
    return f"cli-{hashlib.sha256(said.encode()).hexdigest()[:40]}"


def _content(path: str) -> str:
    place = Path(path)
    try:
        return hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else ""
    except OSError:
        return ""  # the publisher tells it better


def _beginning(typed: Typed) -> dict[str, object]:
    """The lifecycle, as far as it was typed."""
    if typed["standalone"] and (both_ways := [name for name in ("incident", "follows") if typed[name]]):
        raise click.UsageError(f"A standalone message belongs to no incident: leave out --{both_ways[0]}.")
    if typed["standalone"]:
        return {"stage": Stage.STANDALONE}
    if typed["incident"] or typed["follows"]:
        return {"stage": Stage.OPENING, "incident": typed["incident"], "follows": typed["follows"]}
    return {}


def _together(file: Given | None, fields: dict[str, object], typed: Typed) -> dict[str, Any]:
    """The fields of the file and of the options; neither overrides the other."""
    if file is None:
        return fields
    if twice := [field for field in file.fields if field in fields]:
        told = ", ".join(f"{field} ({_typed_as(field, typed)})" for field in twice)
        raise click.UsageError(f"Given twice, in {file.name} and on the command line: {told}. Give it once.")
    return {**file.fields, **fields}


def _typed_as(field: str, typed: Typed) -> str:
    """How a field was given on the command line."""
    if field == "headline" and not typed.get("headline"):
        return "HEADLINE"
    if field in OPTIONS:
        return option_of(field)
    within = [option for path, option in OPTIONS.items() if path.startswith(f"{field}.")]
    return ", ".join(dict.fromkeys(option for option in within if typed.get(option[2:])))


def _fields(typed: Typed, publisher: Publisher, before: Location | None) -> dict[str, object]:
    now = publisher.journal.now()
    fields: dict[str, object] = {name: typed[name] for name in _TEXTS if typed[name]}
    for field, option in TIMES.items():
        if typed[option]:
            fields[field] = _moment(option, typed[option], now, publisher)
    if len(typed["images"]) != len(typed["alts"]):
        raise click.UsageError("Each --image needs its --alt: what it shows, for those who cannot see it.")
    if typed["images"]:
        pairs = zip(typed["images"], typed["alts"], strict=True)
        fields["images"] = [{"path": path, "alt": alt} for path, alt in pairs]
    if typed["hashtags"]:
        fields["hashtags"] = typed["hashtags"]
    if place := location_of({name: typed[name] for name in PLACE}, before):
        fields["location"] = place
    return fields


def _moment(option: str, typed: str, now: datetime, publisher: Publisher) -> datetime:
    meaning = times.about_now if option == "starts" else times.coming
    try:
        return meaning(typed, now=now, zone=publisher.zone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=both("--" + option.replace("_", "-"))) from None
