"""The schema of the settings, and the rules between their parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError, model_validator

from policenotify.errors import JournalMissing, SettingsError
from policenotify.model.cap import Severity
from policenotify.model.channel_settings import ChannelSettings, Name
from policenotify.model.languages import best_match
from policenotify.model.location import ShortText
from policenotify.model.message import CategoryCode, Language
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.reminders import ReminderPolicy
from policenotify.render.locales import PROFILES
from policenotify.render.locales.loader import SHIPPED
from policenotify.settings.audiences import AudienceSettings, FunctionName, RecipientSettings
from policenotify.settings.fields import (
    AreaCode,
    Duration,
    LinkHost,
    Masked,
    Reason,
    SettingsTable,
    Zone,
    names_in,
)
from policenotify.translation import AnyText, Text, lines_of
from policenotify.validation import did_you_mean, indented, path, sentence, validation_errors

if TYPE_CHECKING:
    from policenotify.checks.words import WordListChange
    from policenotify.journal.keys import Keys


class ChannelTable(ChannelSettings):
    """One account, with the options of its network.

    Attributes:
        recipients: The recipients of its messages: the short form of one audience.
        audiences: The audiences of its messages, by name, on a network that writes to people.
        options: The rest of the table: the options of the network.
    """

    recipients: RecipientSettings | None = None
    audiences: tuple[Name, ...] = ()
    options: Annotated[dict[str, object], Masked] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _split_options(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        fields = {name: value for name, value in given.items() if name in OF_THE_CHANNEL}
        return {**fields, "options": {name: value for name, value in given.items() if name not in OF_THE_CHANNEL}}

    @model_validator(mode="after")
    def _names_its_people_once(self) -> Self:
        if self.recipients is not None and self.audiences:
            raise ValueError(Text("write recipients or audiences, not both: an audience may have addresses, or a file"))
        if self.most_cost is not None and self.price is None:
            raise ValueError(Text("most_cost needs a price: what one message to one person costs"))
        return self

    @property
    def likely_tags(self) -> frozenset[str]:
        """Its tags, and those under a misspelt name, which routes may use."""
        similar = (name for name in self.options if get_close_matches(name.lower(), ["tags"], cutoff=0.75))
        return self.tags.union(*(names_in(self.options[name]) for name in similar))


IN_DJANGO = "django"
"""The value of `journal` for a journal in the database of a Django project."""

AUDIENCE_FAULT = "audiences:"
"""What stands before the name of an audience in `Settings.faults`. No channel has such a name."""

OF_THE_CHANNEL = frozenset(ChannelTable.model_fields) - {"options"}
"""The keys of a channel that are not options of its network."""


class RouteSettings(SettingsTable):
    """The channels of some messages.

    See [`Route`][policenotify.publishing.routing.Route].

    Attributes:
        categories: Category codes. Empty means all.
        at_least: The lowest severity. `None` means all.
        areas: `commune:34172`, `epci:243400017` or `dept:34`, by their codes in the COG. Empty means everywhere.
        to: Channels or tags.
    """

    categories: frozenset[CategoryCode] = frozenset()
    at_least: Severity | None = None
    areas: tuple[AreaCode, ...] = ()
    to: tuple[Name, ...] = Field(min_length=1)


class ReminderSettings(SettingsTable):
    """Reminders of overdue incidents.

    See [`ReminderPolicy`][policenotify.publishing.reminders.ReminderPolicy].

    Attributes:
        after: The time from the deadline to each reminder.
        every: The time from the last of these to the next one, and between all further ones.
        to: The duty channels, which carry nothing else.
    """

    after: tuple[Duration, ...] = ReminderPolicy().after
    every: Duration = ReminderPolicy().every
    to: Annotated[tuple[Name, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)] = ()

    @model_validator(mode="after")
    def _validate(self) -> Self:
        self.policy()
        return self

    def policy(self) -> ReminderPolicy:
        """Return the policy for the publisher."""
        return ReminderPolicy(after=self.after, every=self.every, to=self.to)


class WordListSettings(SettingsTable):
    """A desk's change of a word list of the checks.

    Attributes:
        add: Entries besides those shipped: `"auteur(|s) du vol"`, `"handicap*"`.
        remove: Entries that do not count any more, as the shipped list writes them, each with the reason.
        off: The reason why nothing of the list counts.
    """

    add: tuple[str, ...] = ()
    remove: dict[str, Reason] = Field(default_factory=dict)
    off: Reason = ""

    def change(self) -> WordListChange:
        """Return the change for the checks."""
        from policenotify.checks.words import WordListChange  # noqa: PLC0415 - reading settings needs no checks

        return WordListChange(add=self.add, remove=self.remove, off=self.off)


class Settings(SettingsTable):
    """The settings of an installation.

    Attributes:
        schema_version: Version of the settings' schema.
        sender: The service's name, for messages that give none.
        zone: The time zone of the readers.
        journal: A path, relative to the settings file, an SQLAlchemy URL (which may hold a password), or `"django"`
            for a journal in the database of a Django project.
        keys: Path of the keys file, relative to the settings file.
        wait: How long a publication waits for the networks. A number is in seconds.
        pictures: The folder of the images that messages in JSON may name by path, relative to the settings file.
            Without it they may name none.
        channels: The accounts, by name.
        audiences: The lists of subscribers, by name.
        routes: Which messages go to which channels. Without routes every message goes to every channel.
        reminders: When the desk is reminded of an overdue incident, and on which channels.
        approval: Which messages others read before they are published.
        language: The language of the desk: of the command line, its findings, receipts, errors and pages. The default
            is that of the process (`LC_ALL`, `LC_MESSAGES`, `LANG`). Logs and JSON are English.
        categories: Changes to the shipped categories, and new ones, by code.
        languages: Language files, relative to the settings file. One for a shipped language changes it.
        links: Hosts to which messages may link: `police.fr`, or `.gouv.fr` for all below it. Without it any is allowed.
        law: Whose law the checks know: `fr`, or the names of installed packages with that of another country.
        words: Changes to the word lists of the checks, by the name of the list.
        may: A function of yours, as `module:function`. It decides which actor may publish, overrule what the checks
            block, draft, submit, approve, return, reject, withdraw, publish urgently, read a second time, stop, resume,
            resolve, purge, erase, suppress, release, move, export, restore or rotate.
    """

    schema_version: Literal[1] = 1
    sender: ShortText
    zone: Zone = ZoneInfo("Europe/Paris")
    journal: SecretStr = SecretStr("policenotify.db")
    keys: Path = Path("policenotify.keys")
    wait: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(seconds=20)
    pictures: Path | None = None
    channels: dict[Name, ChannelTable] = Field(min_length=1)
    audiences: dict[Name, AudienceSettings] = Field(default_factory=dict)
    routes: tuple[RouteSettings, ...] = ()
    reminders: ReminderSettings = ReminderSettings()
    approval: tuple[ApprovalRule, ...] = ()
    language: Literal["en", "fr"] | None = None
    categories: dict[CategoryCode, dict[str, object]] = Field(default_factory=dict)
    languages: dict[Language, Path] = Field(default_factory=dict)
    links: tuple[LinkHost, ...] = ()
    law: tuple[Name, ...] = ("fr",)
    words: dict[Name, WordListSettings] = Field(default_factory=dict)
    may: FunctionName | None = None

    _place: Path = PrivateAttr(default=Path())
    _faults: dict[str, tuple[AnyText, ...]] = PrivateAttr(default_factory=dict)
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        errors = [
            *chain.from_iterable(
                (*_language_errors(name, channel, self.languages), *_audience_errors(name, channel, self.audiences))
                for name, channel in self.channels.items()
            ),
            *self._duty_errors(),
            *self._word_errors(),
            *self._route_errors(),
        ]
        if errors:
            raise ValueError(Text.join("\n", errors))
        return self

    def _duty_errors(self) -> Iterator[AnyText]:
        for name in self.reminders.to:
            if name not in self.channels:
                yield Text(
                    "reminders.to: {name!r} is not a channel. {did_you_mean}",
                    name=name,
                    did_you_mean=did_you_mean(name, self.channels),
                )
        for number, route in enumerate(self.routes):
            for name in sorted({*route.to} & {*self.reminders.to}):
                yield Text(
                    "routes[{number}].to: {name!r} is a duty channel (reminders.to); it carries nothing else.",
                    number=number,
                    name=name,
                )

    def _word_errors(self) -> Iterator[AnyText]:
        if not self.words:
            return
        from policenotify.checks.words import LANGUAGES, shipped_words  # noqa: PLC0415 - the same

        known = {name for language in LANGUAGES for name in shipped_words(language)}
        for name, change in self.words.items():
            if name not in known:
                yield Text(
                    "words: there is no list {name!r}. {did_you_mean}",
                    name=name,
                    did_you_mean=did_you_mean(name, known),
                )
            entries = {entry for language in LANGUAGES for entry in shipped_words(language).get(name, ())}
            for entry in sorted(change.remove.keys() - entries):
                yield Text(
                    "words.{name}.remove: {entry!r} is not in the list. {did_you_mean}",
                    name=name,
                    entry=entry,
                    did_you_mean=did_you_mean(entry, entries),
                )

    def _route_errors(self) -> Iterator[AnyText]:
        names = {*self.channels, *(tag for channel in self.channels.values() for tag in channel.likely_tags)}
        named = any(route.categories for route in self.routes) or any(each.categories for each in self.approval)
        categories = {*PROFILES, *self.categories} if named else set()
        for number, approval in enumerate(self.approval):
            for code in sorted(approval.categories - categories):
                hint = did_you_mean(code, categories)
                yield Text(
                    "approval[{number}].categories: there is no category {code!r}. {hint}",
                    number=number,
                    code=code,
                    hint=hint,
                )
        for number, route in enumerate(self.routes):
            for name in sorted({*route.to} - names):
                yield Text(
                    "routes[{number}].to: {name!r} is neither a channel nor a tag. {did_you_mean}",
                    number=number,
                    name=name,
                    did_you_mean=did_you_mean(name, names),
                )
            for code in sorted(route.categories - categories):
                hint = did_you_mean(code, categories)
                yield Text(
                    "routes[{number}].categories: there is no category {code!r}. {hint}",
                    number=number,
                    code=code,
                    hint=hint,
                )

    @property
    def place(self) -> Path:
        """The file that they were read from."""
        return self._place

    @property
    def keys_path(self) -> Path:
        """The path of the keys file."""
        return self._place.parent / self.keys

    def load_keys(self) -> Keys:
        """Read the keys of the installation; see `Keys.load`."""
        from policenotify.journal.keys import Keys  # noqa: PLC0415 - brings the ciphers

        return Keys.load(self.keys_path)

    @property
    def pictures_path(self) -> Path | None:
        """The path of the folder of images, if there is one."""
        return None if self.pictures is None else (self._place.parent / self.pictures).resolve()

    @property
    def hosted(self) -> bool:
        """True if the journal is in the database of a Django project."""
        return self.journal.get_secret_value() == IN_DJANGO

    @property
    def journal_url(self) -> str:
        """The absolute path or URL of the journal, which may hold a password.

        Raises:
            JournalMissing: Only a Django project knows it.
        """
        if self.hosted:
            raise JournalMissing(
                Text(
                    "The journal is in the database of a Django project, and only the project knows which. "
                    "Nothing was sent, and nothing was changed. Run the command there:"
                ),
                hint="python manage.py policenotify",
            )
        journal = self.journal.get_secret_value()
        return journal if "://" in journal else str(self._place.parent / journal)

    @property
    def faults(self) -> Mapping[str, Text]:
        """The errors of the channels that cannot be used, in lines, by name, and of audiences by `audiences:NAME`."""
        return {name: Text.join("\n", lines) for name, lines in self._faults.items()}

    @classmethod
    def from_table(
        cls,
        table: Mapping[str, object],
        place: Path,
        origins: Mapping[str, str],
        *,
        faults: Mapping[str, Iterable[AnyText]] | None = None,
    ) -> Self:
        """Validate a table of settings.

        Args:
            table: The values of the file and the environment.
            place: The file.
            origins: The environment variable of each field that comes from one.
            faults: The known errors of single channels, by name, and of audiences, by `audiences:NAME`. Further ones
                are added to `faults` of the result. `None` means that any error is raised.

        Raises:
            SettingsError: Something is wrong. There is one line for each.
        """
        known: dict[str, list[AnyText]] | None = (
            None if faults is None else {name: [*lines] for name, lines in faults.items()}
        )
        try:
            settings = cls.model_validate(table if known is None else _with_valid_tables(table, known))
        except ValidationError as error:
            lines = [
                *(each.line for each in validation_errors(error, cls)),
                *chain.from_iterable((known or {}).values()),
            ]
            raise settings_error(place, lines, origins) from None  # its cause may quote a value
        settings._place, settings._origins = place, dict(origins)  # noqa: SLF001 - of this very class
        settings._faults = {name: tuple(lines) for name, lines in (known or {}).items()}  # noqa: SLF001 - the same
        return settings

    def error(self, lines: Iterable[AnyText]) -> SettingsError:
        """Return an error that names the settings file and environment variables."""
        return settings_error(self._place, lines, self._origins)

    def fault(self, lines: Iterable[AnyText]) -> Text:
        """Return the lines as one text of whole sentences, without the file."""
        return Text.join(" ", _with_origins(map(sentence, chain.from_iterable(map(lines_of, lines))), self._origins))


def settings_error(place: Path, lines: Iterable[AnyText], origins: Mapping[str, str]) -> SettingsError:
    """Return an error that names the file, and the environment variable of a value."""
    below = (indented(line) for line in _with_origins(lines, origins))
    return SettingsError(Text.join("\n", [Text("The settings {place} are wrong:", place=place), *below]))


def _with_origins(lines: Iterable[AnyText], origins: Mapping[str, str]) -> Iterator[AnyText]:
    for line in chain.from_iterable(map(lines_of, lines)):
        origin = origins.get(str(line).partition(": ")[0])
        if origin:
            yield Text("{line} (It comes from the environment variable {origin}.)", line=line, origin=origin)
        else:
            yield line


def _language_errors(name: str, channel: ChannelTable, files: Iterable[str]) -> Iterator[AnyText]:
    known = dict.fromkeys((*SHIPPED, *files), "")
    for language in channel.languages:
        if best_match(language, known) is None:
            add = Text('Add a file: [languages] {language} = "words/{language}.toml"', language=language)
            remedy = Text.join(" ", (did_you_mean(language, known), add))
            yield Text(
                "channels.{name}.languages: there are no phrases for {language!r}. {remedy}",
                name=name,
                language=language,
                remedy=remedy,
            )


def _audience_errors(name: str, channel: ChannelTable, audiences: Iterable[str]) -> Iterator[AnyText]:
    for audience in channel.audiences:
        if audience not in audiences:
            hint = did_you_mean(audience, audiences)
            yield Text(
                "channels.{name}.audiences: there is no audience {audience!r}. {hint}",
                name=name,
                audience=audience,
                hint=hint,
            )


_PAIRED = ("audiences", "most_cost")  # fields of a channel that depend on others


def _with_valid_tables(table: Mapping[str, object], faults: dict[str, list[AnyText]]) -> Mapping[str, object]:
    """Return the table without the errors of its channels and audiences, which *faults* gets."""
    channels, audiences, files = table.get("channels"), table.get("audiences"), table.get("languages")
    if isinstance(audiences, dict):
        table = {**table, "audiences": _valid_audiences(audiences, faults)}
    if not isinstance(channels, dict):
        return table
    valid = {}
    for name, given in channels.items():
        kept = given if isinstance(given, dict) else {}
        try:
            channel = ChannelTable.model_validate(given)
            lines = list(_language_errors(name, channel, files if isinstance(files, dict) else ()))
            wrong_fields = {"languages"} if lines else set()
            if wrong := list(_audience_errors(name, channel, audiences if isinstance(audiences, dict) else ())):
                lines, wrong_fields = [*lines, *wrong], {*wrong_fields, "audiences"}
        except ValidationError as error:
            lines = [each.line for each in validation_errors(error, ChannelTable, at=path("channels", name))]
            if "network" not in kept and (near := get_close_matches("network", map(str, kept), n=1)):
                slip = Text("is not known. Did you mean {near!r}?", near="network")
                lines.append(Text("{place}: {text}", place=path("channels", name, near[0]), text=slip))
            details = error.errors(include_url=False, include_input=False)
            # What contradicts another field names none.
            wrong_fields = {str(detail["loc"][0]) if detail["loc"] else each for detail in details for each in _PAIRED}
        if lines:
            faults[name] = [*lines, *faults.get(name, ())]
            kept = {"network": "", **{field: value for field, value in kept.items() if field not in wrong_fields}}
            if "tags" in wrong_fields:  # what a route addresses by them must wait for this channel all the same
                kept["tags"] = sorted(names_in(given["tags"]))
        valid[name] = kept
    return {**table, "channels": valid}


def _valid_audiences(audiences: Mapping[str, object], faults: dict[str, list[AnyText]]) -> dict[str, object]:
    """Return audiences that can be validated, and add the errors of the others to *faults*."""
    valid: dict[str, object] = {}
    for name, given in audiences.items():
        fault = f"{AUDIENCE_FAULT}{name}"
        if fault not in faults:
            try:
                AudienceSettings.model_validate(given)
            except ValidationError as error:
                faults[fault] = [
                    each.line for each in validation_errors(error, AudienceSettings, at=path("audiences", name))
                ]
        valid[name] = {"addresses": []} if fault in faults else given
    return valid
