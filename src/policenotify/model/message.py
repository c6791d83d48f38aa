"""The message of the desk: typed, frozen, JSON in and out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from policenotify.errors import UnsupportedVersion
from policenotify.model.cap import Certainty, Severity, Urgency
from policenotify.model.languages import best_match
from policenotify.model.lifecycle import KNOWN, STANDALONE, FrozenModel, Lifecycle, PublicationId, Stage
from policenotify.model.location import ONE_LINE, PRINTABLE, Location, ShortText
from policenotify.translation import Text
from policenotify.validation import wrong_at

SCHEMA_VERSION = 1
"""The version of the message's JSON that this release writes."""

MAX_IMAGES = 10
"""Images of one message: more than any of our networks shows, and few enough to be read at once."""


class Category(StrEnum):
    """The built-in codes. Other codes are allowed, each with a CategoryProfile."""

    TRAFFIC_ACCIDENT = "traffic_accident"
    ROAD_CLOSURE = "road_closure"
    TRAFFIC_DISRUPTION = "traffic_disruption"
    BOMB_DISPOSAL = "bomb_disposal"
    POLICE_OPERATION = "police_operation"
    ARMED_THREAT = "armed_threat"
    ARREST = "arrest"
    FIRE = "fire"
    DEMONSTRATION = "demonstration"
    PLANNED_EVENT = "planned_event"
    MISSING_PERSON = "missing_person"
    WITNESS_APPEAL = "witness_appeal"
    CHILD_ABDUCTION_RELAY = "child_abduction_relay"
    WEATHER_RELAY = "weather_relay"
    SCAM_CYBER = "scam_cyber"
    BURGLARY_PREVENTION = "burglary_prevention"
    ROAD_SAFETY = "road_safety"
    RECRUITMENT = "recruitment"
    FACT_CHECK = "fact_check"


def _lines(value: object) -> object:
    """Normalise line ends to line feeds and strip the text."""
    return "\n".join(value.splitlines()).strip() if isinstance(value, str) else value


def _tag(value: object) -> object:
    return value.strip().lstrip("#＃").lstrip() if isinstance(value, str) else value


def _one_tag(value: str) -> str:
    if any(character.isspace() or character in "#＃" for character in value):
        raise ValueError(Text("a hashtag is one word: write SécuritéRoutière, and each hashtag for itself"))
    if not any(character.isalpha() for character in value):
        raise ValueError(Text("a hashtag needs a letter: networks do not link digits and signs alone"))
    return value


def _web_address(value: str) -> str:
    if not _LINK.fullmatch(value):
        raise ValueError(
            Text('a link begins with https:// or http:// and holds no white space and none of < > " {{ }} | \\ ^ `')
        )
    if "@" in urlsplit(value).netloc:
        raise ValueError(Text("a link holds no user name and no password"))
    _URL.validate_python(value)
    return value


# As RFC 3986, section 2, with the letters of RFC 3987. Some programs read a backslash as the end of the host.
_LINK = re.compile(r"(?i:https?)://[^\s<>\"{}|\\^`]+")
_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


def _written_time(value: object) -> object:
    """Reject a bare number: `20260726` would become a day of 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        raise ValueError(Text("write the time as RFC 3339 has it, with its zone: 2026-07-26T14:05:00+02:00"))
    return value


def _in_utc(value: datetime) -> datetime:
    """Return the moment in UTC: in a zone's fold, a time is unequal to itself."""
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(Text("this time lies outside the years 1 to 9999 in UTC")) from error


_NUMBER = re.compile(r"[+-]?[\d.,_]+")


def _file_bytes(value: object) -> object:
    """Decode a text from Base64, and return bytes unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise ValueError(Text("not Base64 (RFC 4648, section 4)")) from error


class PathLike(Protocol):
    """A path in Python, such as `pathlib.Path`. It cannot come from JSON."""

    def __fspath__(self) -> str: ...


def _python_path(value: object) -> object:
    """Reject a text: another system would publish any file that this one may read."""
    path = getattr(value, "__fspath__", str)()
    if not path or not isinstance(path, str):
        raise ValueError(
            Text("an image in JSON is given by its data or its digest; your program gives a file as pathlib.Path")
        )
    if not path.isprintable():
        raise ValueError(Text("a path holds only characters that can be read"))
    return value


CategoryCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?$")]
"""A BCP 47 tag of language, script and region: `fr`, `oc`, `zh-Hant`, `pt-BR`."""

Headline = Annotated[str, StringConstraints(min_length=1, max_length=160), ONE_LINE, PRINTABLE]
"""One line of at most 160 characters: CAP 1.2, section 3.2.2 (`headline`)."""

Prose = Annotated[str, StringConstraints(max_length=10_000), BeforeValidator(_lines), PRINTABLE]
Alt = Annotated[str, StringConstraints(min_length=1, max_length=1_500), ONE_LINE, PRINTABLE]
Hashtag = Annotated[str, StringConstraints(max_length=64), BeforeValidator(_tag), PRINTABLE, AfterValidator(_one_tag)]
Link = Annotated[
    str,
    StringConstraints(max_length=2_000),
    PRINTABLE,
    AfterValidator(_web_address),
    Field(json_schema_extra={"format": "iri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}),
]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_time), AfterValidator(_in_utc)]
"""A time with any zone, stored in UTC."""

FileBytes = Annotated[
    bytes,
    Field(min_length=1),
    BeforeValidator(_file_bytes),
    PlainSerializer(lambda value: base64.b64encode(value).decode(), return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "minLength": 4}),
]
FilePath = Annotated[
    PathLike,
    PlainValidator(_python_path, json_schema_input_type=str),
    PlainSerializer(lambda value: value.__fspath__(), return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "minLength": 1}),
]


class Image(FrozenModel):
    """An image, given by exactly one of a path, its bytes or its digest.

    Attributes:
        alt: The description for readers who cannot see it. Required: French law counts a service's posts among
            its online communication (loi n° 2005-102, art. 47; RGAA 4, criterion 1.1).
        path: A file that the publisher can read, as `pathlib.Path`. A text is refused, and so is a path in JSON:
            another system would publish any file of this machine.
        data: The file's bytes. As text, and in JSON, in Base64 (RFC 4648, section 4).
        digest: SHA-256 of the image in the journal.
    """

    alt: Alt
    path: FilePath | None = None
    data: FileBytes | None = Field(default=None, repr=False)
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.path, self.data, self.digest)) != 1:
            raise wrong_at("path", Text("an image is given by exactly one of path, data or digest"))
        return self


class Known(FrozenModel):
    """What is known of an event and what is not yet, in one short sentence each.

    Attributes:
        confirmed: What is established: `Deux personnes sont légèrement blessées.`
        unconfirmed: What readers ask and is not known yet: `L'origine du feu.`
    """

    confirmed: ShortText | None = None
    unconfirmed: ShortText | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not (self.confirmed or self.unconfirmed):
            raise wrong_at(
                "confirmed", Text("give what is known, or unconfirmed, what is not yet; else leave known out")
            )
        return self


class Translation(FrozenModel):
    """The message's words in another language.

    Attributes:
        language: BCP 47.
        headline: As in the message.
        description: As in the message.
        instruction: As in the message.
        known: As in the message.
        alts: The descriptions of the images, in the message's order. Empty for those of the message.
        untranslated: The words are fixed phrases, because the desk gave none in this language. Filled in at
            publication.
    """

    language: Language
    headline: Headline
    description: Prose = ""
    instruction: Prose = ""
    known: Known | None = None
    alts: tuple[Alt, ...] = ()
    untranslated: bool = False


class Basis(FrozenModel):
    """Who agreed that something of a person is published. It is kept in the journal, and no post shows it.

    Attributes:
        who: The prosecutor, the guardian of a minor, the family, or the person (`consent`).
        at: The time of the agreement.
        reference: What it can be found by: a case number, the name of the file.
    """

    who: Literal["prosecutor", "guardian", "family", "consent"]
    at: Moment | None = None
    reference: Annotated[str, StringConstraints(max_length=200), PRINTABLE] = ""


class Message(FrozenModel):
    """A message, as the desk publishes it once on every network.

    White space and line ends are normalised. A control character is an error. An invisible one stays in the message,
    and no post shows it. Field names and meanings are those of CAP 1.2 where CAP has the field.

    Attributes:
        schema_version: The version of this JSON form.
        category: The subject: an open code with a CategoryProfile in the installation.
        severity: `None` for that of the category's profile.
        urgency: `None` for that of the profile and the stage.
        certainty: `None` for that of the profile.
        location: The place.
        lifecycle: The link to an incident. Without one, the message stands alone.
        headline: The event in one line.
        description: More about it.
        instruction: What readers should do, in the imperative.
        known: What is known and what not yet, after the description.
        source: Who a relayed message comes from: `Météo-France`. `None` for that of the category's profile.
        starts_at: The beginning of the event. For an END, the end of the intervention.
        expires_at: The end of the message's validity. Nothing of it is sent after that.
        next_update_at: The time of the next message that the desk promises.
        link: A page with more: `https` or `http`, kept as written.
        images: The images, in order. At most 10.
        hashtags: Hashtags besides those of category and place, with or without `#`. Each is one word with a letter.
        language: The language of the words, BCP 47.
        translations: The words in other languages.
        exercise: It is an exercise.
        sender: The service's name. Filled in from the settings at publication, whatever it is.
        basis: Who agreed to the publication. What they cover is checked one level lower.
    """

    # FastAPI, whose bodies it is, warns of one that is built at its first use.
    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=False)

    schema_version: Literal[1] = 1
    category: CategoryCode
    severity: Severity | None = None
    urgency: Urgency | None = None
    certainty: Certainty | None = None
    location: Location | None = None
    lifecycle: Lifecycle = STANDALONE
    headline: Headline
    description: Prose = ""
    instruction: Prose = ""
    known: Known | None = None
    source: ShortText | None = None
    starts_at: Moment | None = None
    expires_at: Moment | None = None
    next_update_at: Moment | None = None
    link: Link | None = None
    images: Annotated[tuple[Image, ...], Field(max_length=MAX_IMAGES)] = ()
    hashtags: tuple[Hashtag, ...] = ()
    language: Language = "fr"
    translations: tuple[Translation, ...] = ()
    exercise: bool = False
    sender: ShortText | None = None
    basis: tuple[Basis, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.starts_at and self.expires_at and self.expires_at <= self.starts_at:
            raise wrong_at("expires_at", Text("must be later than starts_at"))
        languages = [self.language, *(translation.language for translation in self.translations)]
        if len(set(languages)) < len(languages):
            raise wrong_at("translations", Text("each language once, and not the message's own"))
        for translation in self.translations:
            if translation.alts and len(translation.alts) != len(self.images):
                raise wrong_at("translations", Text("alts: one for each image, in the same order, or none"))
        return self

    @property
    def stage(self) -> Stage:
        """The stage of its lifecycle."""
        return self.lifecycle.stage

    @property
    def incident(self) -> str | None:
        """The id of its incident, if it has one."""
        return self.lifecycle.incident

    def wording(self, language: str) -> Translation | None:
        """Return the words in a language, if any. For `de-CH`, also those in `de`."""
        return best_match(language, {words.language: words for words in self.wordings})

    @property
    def wordings(self) -> tuple[Translation, ...]:
        """The words in each language, its own first."""
        words = {name: getattr(self, name) for name in Translation.model_fields if name in Message.model_fields}
        alts = tuple(image.alt for image in self.images)
        return (Translation.model_construct(**words, alts=alts), *self.translations)  # validated with the message

    def digest(self) -> str:
        """Return the SHA-256 of the content, equal for equal moments in different zones.

        It covers what is not a default, so that a field of a later release changes no digest. Keys and approvals
        depend on it: within a schema version no default changes, and an upgraded message keeps its digest.
        """
        content = self.model_dump(mode="python", exclude_defaults=True, exclude={"schema_version"})
        text = json.dumps(content, default=_canonical, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def followed_by(
        self,
        stage: Stage,
        *,
        headline: str,
        incident: str | None,
        corrects: PublicationId | None = None,
        reopens: bool = False,
        **changes: object,
    ) -> Message:
        """Return the next message of the same incident.

        Category, severity, certainty, place, source, hashtags, language, exercise, sender and basis are the same.
        Urgency, times, link, images, description, instruction, what is known, and translations belong to the earlier
        message only.

        Args:
            stage: The stage of the new message.
            headline: Its headline.
            incident: The id of the incident, or `None` for the correction or cancellation of a standalone message.
            corrects: The publication that it corrects or cancels.
            reopens: It corrects an end, and the incident goes on.
            changes: Any other field of `Message` but `lifecycle`.

        Raises:
            TypeError: `lifecycle` was given.
            pydantic.ValidationError: A field is wrong. The text names it.
        """
        if "lifecycle" in changes:
            raise TypeError("lifecycle follows from stage, incident, corrects and reopens; leave it out")
        carried = {name: getattr(self, name) for name in _CARRIED}
        lifecycle = Lifecycle(stage=stage, incident=incident, corrects=corrects, reopens=reopens or None)
        return Message.model_validate({**carried, "headline": headline, **changes, "lifecycle": lifecycle})


_CARRIED = (
    "category",
    "severity",
    "certainty",
    "location",
    "source",
    "hashtags",
    "language",
    "exercise",
    "sender",
    "basis",
)


def _canonical(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    raise TypeError(f"{type(value).__name__} has no canonical form")


def read(source: str | bytes | Mapping[str, Any]) -> Message:
    """Read a message.

    Without `schema_version`, JSON is read as this release's. An image is given by its data or digest.

    Raises:
        UnsupportedVersion: A newer policenotify wrote it.
        pydantic.ValidationError: It is not JSON, or not a message. The text names each wrong field.
    """
    return _read(source, None)


def read_stored(source: str | Mapping[str, Any]) -> Message:
    """Read a message that the journal stores; see `read`. Slips of typing are not looked for again."""
    return _read(source, KNOWN)


def _read(source: str | bytes | Mapping[str, Any], context: Mapping[str, bool] | None) -> Message:
    if isinstance(source, Mapping):
        raw = dict(source)
    else:
        try:
            raw = json.loads(source)
        except (ValueError, RecursionError):
            return Message.model_validate_json(source)  # its error names the place in the JSON
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UnsupportedVersion("message", version, SCHEMA_VERSION)
    return Message.model_validate(raw, context=context)
