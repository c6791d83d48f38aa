"""A message from the command line: the options, what they make of it, and its default key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

from policenotify.cli import times
from policenotify.cli.place import OPTIONS as PLACE
from policenotify.cli.place import location_of
from policenotify.lifecycle import Stage
from policenotify.location import Location
from policenotify.message import Message, read
from policenotify.scales import Severity
from policenotify.words import profile_of

if TYPE_CHECKING:
    from policenotify.publisher import Publisher

_Command = TypeVar("_Command", bound=Callable[..., Any])
Typed = Mapping[str, Any]
"""What was typed, by the names of the commands' parameters."""

_COMMON = (
    click.option("--description", metavar="TEXT", help="More about it."),
    click.option("--instruction", metavar="TEXT", help="What readers should do, in the imperative."),
    click.option("--commune", metavar="COMMUNE", help="INSEE code (34172), or a name that only one has."),
    click.option("--department", metavar="CODE", help="34, 2A, 974: alone, or to tell communes of one name apart."),
    click.option("--street", metavar="TEXT", help="Without a house number."),
    click.option("--district", metavar="TEXT"),
    click.option("--road", metavar="ROAD", help="A9, N113, D612E7."),
    click.option("--direction", metavar="TEXT", help="On the road: Béziers → Montpellier."),
    click.option("--label", metavar="TEXT", help="The place in your own words, instead of street and road."),
    click.option("--point", metavar="LAT,LON", help="WGS 84, decimal degrees."),
    click.option(
        "--severity",
        type=click.Choice([str(one) for one in Severity], case_sensitive=False),
        metavar="LEVEL",
        help=f"{', '.join(Severity)}.  [default: as the category has it]",
    ),
    click.option("--starts", metavar="TIME", help="Since or from when; of an end, when it was over."),
    click.option("--expires", metavar="TIME", help="Nothing of it is sent after that."),
    click.option("--next-update", metavar="TIME", help="When you will say more."),
    click.option("--link", metavar="URL", help="A page with more."),
    click.option("--image", "images", metavar="FILE", multiple=True, help="A picture; each with its --alt."),
    click.option("--alt", "alts", metavar="TEXT", multiple=True, help="What the picture shows, in the same order."),
    click.option("--hashtag", "hashtags", metavar="WORD", multiple=True, help="One more; may be repeated."),
    click.option("--language", metavar="TAG", help="Of your words: fr, oc, pt-BR.  [default: fr]"),
)
_FIRST = (
    click.argument("file", required=False, type=click.File("rb")),
    click.option("--category", metavar="CODE", help="traffic_accident, fire, scam_cyber …"),
    click.option("--headline", metavar="TEXT", help="What happens, in one line."),
    click.option("--incident", metavar="ID", help="Opens an incident of this id.  [default: a new id]"),
    click.option("--follows", metavar="ID", help="The earlier incident whose danger has returned."),
    click.option("--standalone", is_flag=True, help="Open no incident, whatever the category."),
    click.option("--exercise", is_flag=True, help="It is an exercise: only to channels for exercises."),
)
_TEXTS = ("description", "instruction", "severity", "link", "language")
_BEGINS = ("category", "headline", "incident", "follows", "standalone", "exercise")
_TIMES = {"starts_at": "starts", "expires_at": "expires", "next_update_at": "next_update"}


def following(command: _Command) -> _Command:
    """The options for what is said in an incident."""
    for option in reversed(_COMMON):
        command = option(command)
    return command


def beginning(command: _Command) -> _Command:
    """The options for a first message, and the argument for its JSON file."""
    command = following(command)
    for option in reversed(_FIRST):
        command = option(command)
    return command


def first_message(typed: Typed, publisher: Publisher) -> Message:
    """An opening or a standalone message, or whatever the JSON file holds.

    Raises:
        click.UsageError: There is no message, or two.
        pydantic.ValidationError: A field is wrong.
        SettingsError: The category is not known here.
    """
    file: BinaryIO | None = typed["file"]
    if file is not None:
        if both := [name for name in (*_BEGINS, *_names()) if typed[name]]:
            raise click.UsageError(f"Give a file or options, not both: {', '.join(map(_option, both))}.")
        return read(file.read())
    if not typed["category"] or not typed["headline"]:
        raise click.UsageError("Give a message: --category and --headline, or a JSON file (- reads standard input).")
    opens = typed["incident"] or typed["follows"] or profile_of(typed["category"], publisher.profiles).opens_incident
    if typed["standalone"] and (both := [name for name in ("incident", "follows") if typed[name]]):
        raise click.UsageError(f"A standalone message belongs to no incident: leave out {_option(both[0])}.")
    stage = Stage.OPENING if opens and not typed["standalone"] else Stage.STANDALONE
    return Message.model_validate(
        {
            "category": typed["category"],
            "headline": typed["headline"],
            "exercise": typed["exercise"],
            "lifecycle": {"stage": stage, "incident": typed["incident"], "follows": typed["follows"]},
            **_fields(typed, publisher, None),
        }
    )


def next_message(stage: Stage, incident: str, headline: str, typed: Typed, publisher: Publisher) -> Message:
    """The update or end of an incident.

    Raises:
        IllegalCourse: There is no such incident.
        click.UsageError: An option is wrong.
        pydantic.ValidationError: A field is wrong.
    """
    last = publisher.incident(incident)
    fields = _fields(typed, publisher, last.message.location)
    return last.end(headline, **fields) if stage is Stage.END else last.update(headline, **fields)


def spans_of(typed: Typed) -> dict[str, str]:
    """The fields whose time was typed as counting from now, and what was typed."""
    return {
        field: typed[option].strip()
        for field, option in _TIMES.items()
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
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""  # the publisher tells it better


def _fields(typed: Typed, publisher: Publisher, before: Location | None) -> dict[str, object]:
    now = publisher.clock.now()
    fields: dict[str, object] = {name: typed[name] for name in _TEXTS if typed[name]}
    for field, option in _TIMES.items():
        if typed[option]:
            fields[field] = _moment(option, typed[option], now, publisher)
    if len(typed["images"]) != len(typed["alts"]):
        raise click.UsageError("Each --image needs its --alt: what it shows, for those who cannot see it.")
    if typed["images"]:
        pairs = zip(typed["images"], typed["alts"], strict=True)
        fields["images"] = [{"path": path, "alt": alt} for path, alt in pairs]
    if typed["hashtags"]:
        fields["hashtags"] = typed["hashtags"]
    if place := location_of(typed, before):
        fields["location"] = place
    return fields


def _moment(option: str, typed: str, now: datetime, publisher: Publisher) -> datetime:
    meaning = times.about_now if option == "starts" else times.coming
    try:
        return meaning(typed, now=now, zone=publisher.zone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=_option(option)) from None


def _names() -> tuple[str, ...]:
    return (*PLACE, *_TEXTS, *_TIMES.values(), "images", "alts", "hashtags")


def _option(name: str) -> str:
    return "--" + {"images": "image", "alts": "alt", "hashtags": "hashtag"}.get(name, name).replace("_", "-")
