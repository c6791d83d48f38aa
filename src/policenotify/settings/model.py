"""What the settings of an installation say: their form, and what holds between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
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

from policenotify.errors import JournalMissing, SettingsError
from policenotify.message import CategoryCode, Language, Sentence
from policenotify.rate import EXAMPLES, Rate
from policenotify.reminders import Reminding
from policenotify.scales import Severity
from policenotify.slips import nearest, slips
from policenotify.text.spans import mentioned
from policenotify.words import PROFILES, WORDS
from policenotify.words.tags import matching


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

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Of a channel or a tag."""

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
            addresses = (re.split(r"(?:^|\s)#", line)[0].strip() for line in lines)
            return tuple(dict.fromkeys(filter(None, addresses)))

        return read


class ChannelSettings(_Part):
    """One account of ours: how it is used ([`Configured`][policenotify.channel.Configured]) and its network's options.

    Attributes:
        network: Which network it is on.
        languages: What its readers read.
        tags: Names by which routes may mean several channels.
        exercise: It is for exercises only.
        retired: It opens nothing new.
        without_opening: What becomes of an end whose opening never appeared there.
        on_unknown: What becomes of a post in doubt, at severity Severe and above.
        on_unknown_minor: The same below Severe.
        on_correction: What a correction does, at severity Severe and above.
        on_correction_minor: The same below Severe.
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
    on_unknown: Literal["resend", "hold"] = "resend"
    on_unknown_minor: Literal["resend", "hold"] = "hold"
    on_correction: Literal["reply", "edit", "both"] = "both"
    on_correction_minor: Literal["reply", "edit", "both"] = "edit"
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


IN_DJANGO = "django"
"""As a `journal`: it is in the database of a Django project."""

OF_THE_CHANNEL = frozenset(ChannelSettings.model_fields) - {"options"}


class RouteSettings(_Part):
    """What goes where: see [`Route`][policenotify.plan.Route].

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
    """When the desk is reminded of a word that it owes: see [`Reminding`][policenotify.reminders.Reminding].

    Attributes:
        after: How long after the deadline each reminder is raised.
        every: How long after the last of these, and each further one, another follows.
        to: The duty channels, which carry nothing else.
    """

    after: tuple[_Span, ...] = Reminding().after
    every: _Span = Reminding().every
    to: Annotated[tuple[Name, ...], BeforeValidator(_listed)] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self.reminding()
        return self

    def reminding(self) -> Reminding:
        """It as the publisher takes it."""
        return Reminding(after=self.after, every=self.every, to=self.to)


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
    keys: Path = Path("policenotify.keys")
    wait: Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))] = timedelta(seconds=20)
    channels: dict[Name, ChannelSettings] = Field(min_length=1)
    routes: tuple[RouteSettings, ...] = ()
    reminders: ReminderSettings = ReminderSettings()
    categories: dict[CategoryCode, dict[str, object]] = Field(default_factory=dict)
    languages: dict[Language, Path] = Field(default_factory=dict)

    _place: Path = PrivateAttr(default=Path())
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        known = {*self.channels, *(tag for channel in self.channels.values() for tag in channel.tags)}
        categories = {*PROFILES, *self.categories}
        spoken = dict.fromkeys((*WORDS, *self.languages), "")
        wrong: list[str] = []
        for name, channel in self.channels.items():
            for language in channel.languages:
                if matching(language, spoken) is None:
                    at = f"channels.{name}.languages"
                    drop = f'Drop them in: [languages] {language} = "words/{language}.toml"'
                    wrong += [f"{at}: there are no words for {language!r}. {nearest(language, spoken)} {drop}"]
        wrong += self._duty_is_apart()
        for number, route in enumerate(self.routes):
            for name in sorted(set(route.to) - known):
                hint = nearest(name, known)
                wrong += [f"routes[{number}].to: {name!r} is no channel and no tag. {hint}"]
            for code in sorted(route.categories - categories):
                hint = nearest(code, categories)
                wrong += [f"routes[{number}].categories: there is no category {code!r}. {hint}"]
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def _duty_is_apart(self) -> Iterator[str]:
        for name in self.reminders.to:
            if name not in self.channels:
                yield f"reminders.to: {name!r} is no channel. {nearest(name, self.channels)}"
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

    @classmethod
    def made(cls, table: Mapping[str, object], place: Path, origins: Mapping[str, str]) -> Self:
        """Validate a table of settings.

        Args:
            table: What the file and the environment say.
            place: The file.
            origins: Which field comes from which environment variable.

        Raises:
            SettingsError: Something is wrong; one line for each.
        """
        try:
            settings = cls.model_validate(table)
        except ValidationError as error:
            raise wrong(place, slips(error, cls), origins) from None  # its cause may quote a value
        settings._place, settings._origins = place, dict(origins)  # noqa: SLF001 - of this very class
        return settings

    def error(self, lines: list[str]) -> SettingsError:
        """An error that names the settings' file, and the variable where a value comes from one."""
        return wrong(self._place, lines, self._origins)


def wrong(place: Path, lines: list[str], origins: Mapping[str, str]) -> SettingsError:
    """An error that names the file, and the environment variable where a value comes from one."""
    told = []
    for line in "\n".join(lines).splitlines():
        origin = origins.get(line.partition(": ")[0])
        told.append(f"  {line}{f' (It comes from the environment variable {origin}.)' if origin else ''}")
    return SettingsError("\n".join([f"The settings {place} are wrong:", *told]))
