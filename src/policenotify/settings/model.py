"""What the settings of an installation say: their form, and what holds between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from policenotify.channel import USUAL_ON_CORRECTION, USUAL_ON_UNKNOWN, BySeverity, OnCorrection, OnUnknown
from policenotify.errors import JournalMissing, SettingsError
from policenotify.model.cap import Severity
from policenotify.model.languages import matching
from policenotify.model.message import CategoryCode, Language, Sentence
from policenotify.model.rate import EXAMPLES, Rate
from policenotify.publishing.reminders import ReminderPolicy
from policenotify.render.locales import PROFILES, WORDS
from policenotify.text.spans import mentioned
from policenotify.validation import did_you_mean, format_validation_errors, path, sentence

_SEVERITIES = ("severe", "minor")  # the fields of BySeverity


def _seconds(value: object) -> object:
    """A number of seconds, also where it comes from the environment and so is a text."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value) else value


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"there is no time zone {value!r}; write one such as 'Europe/Paris'") from None


def _rate(value: object) -> Rate:
    if not isinstance(value, str):
        raise ValueError(f"write a rate such as {EXAMPLES}")  # noqa: TRY004 - pydantic wants this one
    return Rate.read(value)


def _by_severity(usual: BySeverity[str], *choices: str) -> Callable[[object], BySeverity[str]]:
    """Make the reader of a choice for every message, or of a table with one by severity."""

    def read(value: object) -> BySeverity[str]:
        by = dict.fromkeys(_SEVERITIES, value) if isinstance(value, str) else value
        if (
            isinstance(by, dict)
            and by
            and by.keys() <= set(_SEVERITIES)
            and all(each in choices for each in by.values())
        ):
            return replace(usual, **by)
        one = " or ".join(f'"{each}"' for each in choices)
        raise ValueError(f'write {one} for every message, or {{ severe = "{usual.severe}", minor = "{usual.minor}" }}')

    return read


def _by_severity_schema(*choices: str) -> WithJsonSchema:
    """Return the JSON Schema of what `_by_severity` reads."""
    one: dict[str, object] = {"type": "string", "enum": list(choices)}
    table = {"properties": dict.fromkeys(_SEVERITIES, one), "additionalProperties": False, "minProperties": 1}
    return WithJsonSchema({"anyOf": [one, {"type": "object", **table}]})


def _area(value: str) -> str:
    if not re.fullmatch(r"commune:\d[\dAB]\d{3}|epci:\d{9}|dept:(\d[\dAB]|\d{3})", value):
        raise ValueError(f"{value!r} is no area; write one such as 'dept:34', 'commune:34172' or 'epci:243400017'")
    return value


def _handle(value: str) -> str:
    handle = value.removeprefix("@")
    if [found.value for found in mentioned(f"@{handle}")] != [handle]:
        raise ValueError(f"{value!r} is no account; write one such as 'Prefet34', or 'name@server' on Mastodon")
    return handle


def _masked(given: dict[str, object] | tuple[str, ...]) -> dict[str, str] | tuple[str, ...]:
    """What a dump shows of values that may be secret: that they are there, and not what they say."""
    mask = str(SecretStr("any"))  # as the journal's URL is shown
    return dict.fromkeys(given, mask) if isinstance(given, dict) else (mask,) * len(given)


_Masked = PlainSerializer(_masked)

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_NEAR_TAGS = 0.75  # so like `tags`, another name in a channel's table is a misspelt one

Name = Annotated[str, StringConstraints(pattern=_NAME)]
"""Of a channel or a tag."""


def _names_in(value: object) -> frozenset[str]:
    """Return the names in a value that should be a list of tags, in whatever form they are written."""
    values = value if isinstance(value, list) else [value]
    parts = chain.from_iterable(re.split(r"[\s,;]+", each) for each in values if isinstance(each, str))
    return frozenset(part for part in parts if re.fullmatch(_NAME, part))


OnUnknownSetting = Annotated[
    BySeverity[OnUnknown],
    PlainValidator(_by_severity(USUAL_ON_UNKNOWN, "resend", "hold")),
    PlainSerializer(asdict),
    _by_severity_schema("resend", "hold"),
]
"""`"hold"`, or `{ severe = "resend", minor = "hold" }`."""

OnCorrectionSetting = Annotated[
    BySeverity[OnCorrection],
    PlainValidator(_by_severity(USUAL_ON_CORRECTION, "reply", "edit", "both")),
    PlainSerializer(asdict),
    _by_severity_schema("reply", "edit", "both"),
]
"""`"reply"`, or `{ severe = "both", minor = "edit" }`."""

Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
"""A time zone by its name in the IANA database: `Europe/Paris`."""

AreaCode = Annotated[str, AfterValidator(_area)]
"""An area by its code in the COG: `commune:34172`, `epci:243400017`, `dept:34`."""


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RecipientSettings(_Part):
    """Who is written to.

    Attributes:
        addresses: The addresses.
        file: A file with one address per line; `#` begins a comment. It is read again at each publication.
    """

    addresses: Annotated[tuple[str, ...], _Masked] = Field(default=(), repr=False)
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, given: object) -> object:
        if isinstance(given, list):
            return {"addresses": given}
        if not isinstance(given, dict):
            raise ValueError('write a list of addresses, or { file = "…" }')  # noqa: TRY004 - pydantic wants this one
        return given

    def reader(self, directory: Path, at: str) -> Callable[[], tuple[str, ...]]:
        """A function that says who is to be written to now; it raises `SettingsError`."""
        if self.file is None:
            return lambda: self.addresses
        file = directory / self.file

        def read() -> tuple[str, ...]:
            try:
                lines = file.read_text("utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
                raise SettingsError(f"{at}: the file {file} cannot be read ({why}).") from None  # may show an address
            except ValueError:  # a NUL in it
                raise SettingsError(f"{at}: {str(self.file)!r} is no name of a file.") from None
            addresses = (re.split(r"(?:^|\s)#", line)[0].strip() for line in lines)
            return tuple(dict.fromkeys(filter(None, addresses)))

        return read


class ChannelSettings(_Part):
    """One account and its network's options: see [`ChannelConfig`][policenotify.channel.ChannelConfig].

    Attributes:
        network: Which network it is on.
        languages: What its readers read.
        tags: Names by which routes may mean several channels.
        exercise: It is for exercises only.
        retired: It opens nothing new.
        without_opening: What becomes of an end whose opening never appeared there.
        on_unknown: What becomes of a post in doubt: one choice for every message, or a table by severity.
        on_correction: What a correction does: one choice for every message, or a table by severity.
        on_cancellation: What a cancellation does.
        mentions: Accounts that its posts may mention.
        recipients: Who is written to.
        rate: How fast it may go at most: `30 per 5 min`, `100 per day, 20 at once`.
        options: Everything else in the table: the network's own options.
    """

    network: str
    languages: tuple[Language, ...] = Field(default=("fr",), min_length=1)
    tags: frozenset[Name] = frozenset()
    exercise: bool = False
    retired: bool = False
    without_opening: Literal["standalone", "skip"] = "standalone"
    on_unknown: OnUnknownSetting = USUAL_ON_UNKNOWN
    on_correction: OnCorrectionSetting = USUAL_ON_CORRECTION
    on_cancellation: Literal["reply", "delete", "both"] = "reply"
    mentions: frozenset[Annotated[str, AfterValidator(_handle)]] = frozenset()
    recipients: RecipientSettings | None = None
    rate: Annotated[Rate | None, PlainValidator(_rate), WithJsonSchema({"type": "string"})] = None
    options: Annotated[dict[str, object], _Masked] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _set_options_apart(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        ours = {name: value for name, value in given.items() if name in OF_THE_CHANNEL}
        return {**ours, "options": {name: value for name, value in given.items() if name not in OF_THE_CHANNEL}}

    @property
    def likely_tags(self) -> frozenset[str]:
        """Its tags, and those that stand under a misspelt name: routes mean it by them while it cannot be used."""
        near = (name for name in self.options if get_close_matches(name.lower(), ["tags"], cutoff=_NEAR_TAGS))
        return self.tags.union(*(_names_in(self.options[name]) for name in near))


IN_DJANGO = "django"
"""As a `journal`: it is in the database of a Django project."""

OF_THE_CHANNEL = frozenset(ChannelSettings.model_fields) - {"options"}


class RouteSettings(_Part):
    """What goes where: see [`Route`][policenotify.publishing.routing.Route].

    Attributes:
        categories: Category codes; empty: all.
        at_least: From which severity on; `None`: all.
        areas: `commune:34172`, `epci:243400017` or `dept:34`, by their codes in the COG; empty: everywhere.
        to: Channels or tags.
    """

    categories: frozenset[CategoryCode] = frozenset()
    at_least: Severity | None = None
    areas: tuple[AreaCode, ...] = ()
    to: tuple[Name, ...] = Field(min_length=1)


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


_Span = Annotated[timedelta, BeforeValidator(_seconds)]


class ReminderSettings(_Part):
    """Reminders of overdue words: see [`ReminderPolicy`][policenotify.publishing.reminders.ReminderPolicy].

    Attributes:
        after: How long after the deadline each reminder is raised.
        every: How long after the last of these, and each further one, another follows.
        to: The duty channels, which carry nothing else.
    """

    after: tuple[_Span, ...] = ReminderPolicy().after
    every: _Span = ReminderPolicy().every
    to: Annotated[tuple[Name, ...], BeforeValidator(_listed)] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self.policy()
        return self

    def policy(self) -> ReminderPolicy:
        """Return the policy for the publisher."""
        return ReminderPolicy(after=self.after, every=self.every, to=self.to)


class Settings(_Part):
    """The settings of an installation.

    Attributes:
        schema_version: Version of this form.
        sender: The service's name, in messages that give none.
        zone: In whose time readers are told when.
        journal: A path, from the settings file on, an SQLAlchemy URL (which may hold a password), or `"django"`: in
            the database of a Django project.
        keys: Path of the keys file, from the settings file on.
        wait: How long a publication waits for the networks; a number is seconds.
        channels: The accounts, by name.
        routes: What goes where; none: everything everywhere.
        reminders: When the desk is reminded of a word that it owes, and on which channels.
        categories: Changes to the built-in profiles, and new ones, by category code.
        languages: Files of words, from the settings file on, by language: one for a shipped language changes it.
    """

    schema_version: Literal[1] = 1
    sender: Sentence
    zone: Zone = ZoneInfo("Europe/Paris")
    journal: SecretStr = SecretStr("policenotify.db")
    keys: Path = Path("policenotify.journal.keys")
    wait: Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))] = timedelta(seconds=20)
    channels: dict[Name, ChannelSettings] = Field(min_length=1)
    routes: tuple[RouteSettings, ...] = ()
    reminders: ReminderSettings = ReminderSettings()
    categories: dict[CategoryCode, dict[str, object]] = Field(default_factory=dict)
    languages: dict[Language, Path] = Field(default_factory=dict)

    _place: Path = PrivateAttr(default=Path())
    _faults: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        known = {*self.channels, *(tag for channel in self.channels.values() for tag in channel.likely_tags)}
        categories = {*PROFILES, *self.categories}
        spoken = {*WORDS, *self.languages}
        wrong: list[str] = []
        for name, channel in self.channels.items():
            wrong += _wordless(name, channel, spoken)
        wrong += self._duty_is_apart()
        for number, route in enumerate(self.routes):
            for name in sorted(set(route.to) - known):
                hint = did_you_mean(name, known)
                wrong += [f"routes[{number}].to: {name!r} is no channel and no tag. {hint}"]
            for code in sorted(route.categories - categories):
                hint = did_you_mean(code, categories)
                wrong += [f"routes[{number}].categories: there is no category {code!r}. {hint}"]
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def _duty_is_apart(self) -> Iterator[str]:
        for name in self.reminders.to:
            if name not in self.channels:
                yield f"reminders.to: {name!r} is no channel. {did_you_mean(name, self.channels)}"
        for number, route in enumerate(self.routes):
            for name in sorted({*route.to} & {*self.reminders.to}):
                yield f"routes[{number}].to: {name!r} is a duty channel (reminders.to); it carries nothing else."

    @property
    def place(self) -> Path:
        """The file that they were read from."""
        return self._place

    @property
    def keys_path(self) -> Path:
        """Where the keys file is."""
        return self._place.parent / self.keys

    @property
    def hosted(self) -> bool:
        """The journal is in the database of a Django project, which alone knows where that is."""
        return self.journal.get_secret_value() == IN_DJANGO

    @property
    def journal_url(self) -> str:
        """Where the journal is: an absolute path or a URL. It may hold a password.

        Raises:
            JournalMissing: Only a Django project knows.
        """
        if self.hosted:
            raise JournalMissing(
                "The journal is in the database of a Django project, and only the project knows which. Nothing was "
                "sent, and nothing was changed. Run the command there:",
                instead="python manage.py policenotify",
            )
        journal = self.journal.get_secret_value()
        return journal if "://" in journal else str(self._place.parent / journal)

    @property
    def faults(self) -> Mapping[str, str]:
        """What is wrong with single channels, in lines by name: these cannot be used, and the others can."""
        return {name: "\n".join(lines) for name, lines in self._faults.items()}

    @classmethod
    def made(
        cls,
        table: Mapping[str, object],
        place: Path,
        origins: Mapping[str, str],
        *,
        faults: Mapping[str, Iterable[str]] | None = None,
    ) -> Self:
        """Validate a table of settings.

        Args:
            table: What the file and the environment say.
            place: The file.
            origins: Which field comes from which environment variable.
            faults: What is known to be wrong with single channels, by name; what else is wrong with one is added to
                `faults` of the result. `None`: anything that is wrong is an error.

        Raises:
            SettingsError: Something is wrong; one line for each.
        """
        known = None if faults is None else {name: [*lines] for name, lines in faults.items()}
        try:
            settings = cls.model_validate(table if known is None else _with_sound_channels(table, known))
        except ValidationError as error:
            lines = [*format_validation_errors(error, cls), *chain.from_iterable((known or {}).values())]
            raise wrong(place, lines, origins) from None  # its cause may quote a value
        settings._place, settings._origins = place, dict(origins)  # noqa: SLF001 - of this very class
        settings._faults = {name: tuple(lines) for name, lines in (known or {}).items()}  # noqa: SLF001 - the same
        return settings

    def error(self, lines: list[str]) -> SettingsError:
        """An error that names the settings' file, and the variable where a value comes from one."""
        return wrong(self._place, lines, self._origins)

    def fault(self, lines: Iterable[str]) -> str:
        """The same lines as one text of whole sentences, without the file."""
        sentences = map(sentence, "\n".join(lines).splitlines())
        return " ".join(_with_origins(sentences, self._origins))


def wrong(place: Path, lines: list[str], origins: Mapping[str, str]) -> SettingsError:
    """An error that names the file, and the environment variable where a value comes from one."""
    indented = (f"  {line}" for line in _with_origins(lines, origins))
    return SettingsError("\n".join([f"The settings {place} are wrong:", *indented]))


def _with_origins(lines: Iterable[str], origins: Mapping[str, str]) -> Iterator[str]:
    for line in "\n".join(lines).splitlines():
        origin = origins.get(line.partition(": ")[0])
        yield f"{line}{f' (It comes from the environment variable {origin}.)' if origin else ''}"


def _wordless(name: str, channel: ChannelSettings, spoken: Iterable[str]) -> Iterator[str]:
    """Yield a line for each language of a channel for which there are no words."""
    known = dict.fromkeys(spoken, "")
    for language in channel.languages:
        if matching(language, known) is None:
            drop = f'Drop them in: [languages] {language} = "words/{language}.toml"'
            hint = did_you_mean(language, known)
            yield f"channels.{name}.languages: there are no words for {language!r}. {hint} {drop}"


def _with_sound_channels(table: Mapping[str, object], faults: dict[str, list[str]]) -> Mapping[str, object]:
    """Return the table with what is wrong within its channels taken out, and noted in *faults* by channel."""
    channels, files = table.get("channels"), table.get("languages")
    if not isinstance(channels, dict):
        return table
    spoken = {*WORDS, *(files if isinstance(files, dict) else ())}
    sound = {}
    for name, given in channels.items():
        kept = given if isinstance(given, dict) else {}
        try:
            lines = list(_wordless(name, ChannelSettings.model_validate(given), spoken))
            bad = {"languages"} if lines else set()
        except ValidationError as error:
            lines = format_validation_errors(error, ChannelSettings, at=path("channels", name))
            bad = {str(slip["loc"][0]) for slip in error.errors(include_url=False, include_input=False) if slip["loc"]}
        if lines:
            faults[name] = [*lines, *faults.get(name, ())]
            kept = {"network": "", **{field: value for field, value in kept.items() if field not in bad}}
            if "tags" in bad:  # what routes mean by them must wait for it all the same
                kept["tags"] = sorted(_names_in(given["tags"]))
        sound[name] = kept
    return {**table, "channels": sound}
