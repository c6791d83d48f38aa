"""A message from options or a JSON file, each field from one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, get_args

from policenotify.cli.keys import default_key
from policenotify.cli.options import OPTIONS, Typed, option_label
from policenotify.cli.place import OPTIONS as PLACE
from policenotify.cli.place import location_of
from policenotify.cli.times import TIMES, parse_future, parse_near
from policenotify.cli.usage import BadParameter, UsageError
from policenotify.cli.words import code_of, words_of
from policenotify.errors import InvalidTransition, PolicenotifyError, UnsupportedVersion
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import SCHEMA_VERSION, Basis, Message, read
from policenotify.model.receipt import Publication
from policenotify.publishing.operations import find_publication
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales import CategoryProfile
from policenotify.translation import AnyText, Text, text_of
from policenotify.validation import did_you_mean, place_in_file

_WHO = get_args(Basis.model_fields["who"].annotation)
_KNOWN = {"known": "confirmed", "not_known": "unconfirmed"}


class InvalidMessage(PolicenotifyError):
    """A file does not hold a message. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class MessageFile:
    """The fields of a message as a JSON file has them, not yet validated."""

    name: AnyText
    fields: dict[str, Any]

    @classmethod
    def read(cls, typed: Typed) -> MessageFile | None:
        """Read the file that was named, or standard input; `None`: no file was named.

        Raises:
            click.UsageError: Two files are named.
            InvalidMessage: It is not JSON, not an object, or names a field twice.
        """
        named: list[BinaryIO] = [typed[name] for name in ("file", "from_file") if typed.get(name) is not None]
        if not named:
            return None
        if len(named) > 1:
            raise UsageError(Text("Give one file: as FILE, or as --file FILE."))
        path = str(getattr(named[0], "name", "<stdin>"))
        name: AnyText = Text("standard input") if path == "<stdin>" else path
        wrong = Text("Nothing was sent. {name} does not hold a message", name=name)
        try:
            fields = json.loads(named[0].read())
        except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are such
            why = Text("is not UTF-8") if isinstance(error, UnicodeDecodeError) else place_in_file(error)
            raise InvalidMessage(Text("{wrong}. Invalid JSON: {why}.", wrong=wrong, why=why)) from None
        except RecursionError:
            raise InvalidMessage(Text("{wrong}: it is nested too deeply.", wrong=wrong)) from None
        if not isinstance(fields, dict):
            raise InvalidMessage(Text("{wrong}: write one JSON object, not a list or a text.", wrong=wrong))
        return cls(name, fields)

    def check_follows(self) -> None:
        """Reject a field that a later message cannot have, and a file that a newer release wrote."""
        version = self.fields.get("schema_version", SCHEMA_VERSION)
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise UnsupportedVersion("message", version, SCHEMA_VERSION)
        if "lifecycle" in self.fields:
            raise UsageError(Text("{name}: leave out lifecycle: the command decides it.", name=self.name))
        for name in [name for name in self.fields if name not in Message.model_fields]:
            hint = did_you_mean(name, Message.model_fields)
            text = Text("Nothing was sent. {file}: {name}: is not known. {hint}", file=self.name, name=name, hint=hint)
            raise InvalidMessage(text)


def first_message(typed: Typed, publisher: Publisher) -> Message:
    """Return an opening or standalone message, or whatever stage the JSON file has.

    A file without `lifecycle` stands alone, as with `policenotify.read`. Options without a file open an incident
    if their category does.

    Raises:
        click.UsageError: There is no message, or a field is given twice.
        InvalidMessage: The file does not hold a message.
        pydantic.ValidationError: A field is wrong.
        SettingsError: The category is not known here.
    """
    file = MessageFile.read(typed)
    fields = _fields(typed, publisher, None)
    category = typed["category"]
    if category:
        words = category_words(publisher.installation.profiles)
        category = fields["category"] = code_of(category, words, param_hint=option_label("--category"))
    lifecycle = _lifecycle(typed)
    if file is None:
        if not typed["category"] or not typed["headline"]:
            raise UsageError(
                Text("Give a message: --category and --headline, or a JSON file (- reads standard input).")
            )
        opens = not typed["standalone"] and publisher.installation.profiles[category].opens_incident
        lifecycle = lifecycle or {"stage": Stage.OPENING if opens else Stage.STANDALONE}
    if lifecycle:
        fields["lifecycle"] = lifecycle
    return read(_merged(file, fields))


def next_message(stage: Stage, name: str, headline: str | None, typed: Typed, publisher: Publisher) -> Message:
    """Return an update or end of an incident, or a correction or cancellation.

    *name* is the incident, for a correction or cancellation also a publication or its key. Without a *headline* the
    file has it.

    Raises:
        IncidentNotFound: There is no such incident or publication.
        click.UsageError: An option is wrong, or a field is given twice.
        InvalidMessage: The file does not hold a message.
        pydantic.ValidationError: A field is wrong.
    """
    file = MessageFile.read(typed)
    if not headline and not (file and file.fields.get("headline")):
        raise UsageError(Text("The {stage} has no headline. Give its HEADLINE, or a --file that has one.", stage=stage))
    last = _followed(stage, name, publisher)
    fields = _fields(typed, publisher, last.message.location)
    if headline:
        fields["headline"] = headline
    merged = _merged(file, fields)
    text = merged.pop("headline")
    if typed.get("reopen"):
        merged["reopens"] = True
    makers = {
        Stage.UPDATE: last.update, Stage.END: last.end, Stage.CORRECTION: last.correct, Stage.CANCELLATION: last.cancel,
    }  # fmt: skip
    if file is not None:
        file.check_follows()
    message = makers[stage](text, **merged)
    again = message.model_copy(update={"lifecycle": last.message.lifecycle})
    if stage is last.message.stage and (typed.get("key") or default_key(again, typed, publisher)) == last.key:
        return again  # typed twice: the incident's last publication is now this very correction
    return message


def _followed(stage: Stage, name: str, publisher: Publisher) -> Publication:
    """Return the publication that the new one follows."""
    if stage in {Stage.UPDATE, Stage.END}:
        return publisher.operations.incident(name)
    publication = find_publication(publisher.journal, name, publisher.installation.zone)
    if stage is Stage.CANCELLATION and publication.incident not in {None, name}:
        raise InvalidTransition(
            Text(
                "Publication {id} belongs to incident {incident!r}, and only a whole incident is cancelled. "
                'All of it: policenotify cancel {incident} "…"; only this: policenotify correct '
                '{name} "…".',
                id=publication.id,
                incident=publication.incident,
                name=name,
            ),
            incident=publication.incident,
        )
    return publication


def category_words(profiles: Mapping[str, CategoryProfile]) -> dict[str, list[str]]:
    """Return the names of each category, in all languages."""
    return {code: list(profile.labels.values()) for code, profile in profiles.items()}


def _lifecycle(typed: Typed) -> dict[str, object]:
    """Return the lifecycle as far as it was typed."""
    if typed["standalone"] and (conflicting := [name for name in ("incident", "follows") if typed[name]]):
        raise UsageError(
            Text("A standalone message belongs to no incident: leave out --{conflicting}.", conflicting=conflicting[0])
        )
    if typed["standalone"]:
        return {"stage": Stage.STANDALONE}
    if typed["incident"] or typed["follows"]:
        return {"stage": Stage.OPENING, "incident": typed["incident"], "follows": typed["follows"]}
    return {}


def _merged(file: MessageFile | None, fields: dict[str, object]) -> dict[str, Any]:
    """Return the fields of the file and of the options; neither overrides the other."""
    if file is None:
        return fields
    if twice := [field for field in file.fields if field in fields]:
        raise UsageError(
            Text(
                "Given twice, in {name} and on the command line: {names}. Give it once.",
                name=file.name,
                names=", ".join(twice),
            )
        )
    return {**file.fields, **fields}


def _fields(typed: Typed, publisher: Publisher, before: Location | None) -> dict[str, object]:
    now = publisher.journal.now()
    fields: dict[str, object] = {name: typed[name] for name in OPTIONS if typed.get(name)}
    for field, option in TIMES.items():
        if typed[option]:
            fields[field] = _moment(option, typed[option], now, publisher)
    if len(typed["images"]) != len(typed["alts"]):
        raise UsageError(Text("Each --image needs its --alt: what it shows, for those who cannot see it."))
    if typed["images"]:
        pairs = zip(typed["images"], typed["alts"], strict=True)
        fields["images"] = [{"path": Path(path), "alt": alt} for path, alt in pairs]
    if known := {field: typed[option] for option, field in _KNOWN.items() if typed[option]}:
        fields["known"] = known
    if typed["bases"]:
        given = [basis.partition(":") for basis in typed["bases"]]
        fields["basis"] = [
            {"who": code_of(who, words_of(_WHO), param_hint="--basis"), "reference": reference.strip()}
            for who, _, reference in given
        ]
    if place := location_of({name: typed[name] for name in PLACE}, before):
        fields["location"] = place
    return fields


def _moment(option: str, typed: str, now: datetime, publisher: Publisher) -> datetime:
    parse = parse_near if option == "starts" else parse_future
    try:
        return parse(typed, now=now, zone=publisher.installation.zone)
    except ValueError as error:
        raise BadParameter(text_of(error), param_hint=option_label("--" + option.replace("_", "-"))) from None
