"""The schema of the settings, and the rules between their parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, model_validator

from policenotify.errors import JournalMissing, SettingsError
from policenotify.journal.permissions import exposures
from policenotify.model.channel_settings import ChannelSettings, Name, Zone
from policenotify.model.languages import best_match
from policenotify.model.lifecycle import FrozenModel
from policenotify.model.location import ShortText
from policenotify.model.message import CategoryCode, Language
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.reminders import ReminderPolicy
from policenotify.publishing.routing import Route
from policenotify.render.locales import PROFILES, Locale
from policenotify.render.locales.loader import SHIPPED
from policenotify.settings.audiences import AudienceSettings, FunctionName, Recipients
from policenotify.settings.fields import LinkHost, Masked, Reason
from policenotify.translation import AnyText, Text, lines_of
from policenotify.validation import did_you_mean, indented, validation_errors

if TYPE_CHECKING:
    from policenotify.journal.keys import Keys


class ChannelTable(ChannelSettings):
    """One account, with the options of its network.

    Attributes:
        recipients: The audience of this channel alone: a list of addresses or numbers, or a table as an audience has
            it, such as `{ file = "secrets/press.txt" }` with one per line, where `#` begins a comment.
        audiences: The audiences of its messages, by name, on a network that writes to people.
        options: The rest of the table: the options of the network.
    """

    recipients: Recipients | None = None
    audiences: tuple[Name, ...] = ()
    options: Annotated[dict[str, object], Masked] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _split_options(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        if "network" not in given and (similar := get_close_matches("network", given, n=1)):
            raise ValueError(Text("{name!r} is not known. Did you mean 'network'?", name=similar[0]))
        fields = {name: value for name, value in given.items() if name in OF_THE_CHANNEL}
        return {**fields, "options": {name: value for name, value in given.items() if name not in OF_THE_CHANNEL}}

    @model_validator(mode="after")
    def _names_its_people_once(self) -> Self:
        if self.recipients is not None and self.audiences:
            raise ValueError(Text("write recipients or audiences, not both: an audience may have addresses, or a file"))
        if self.most_cost is not None and self.price is None:
            raise ValueError(Text("most_cost needs a price: what one message to one person costs"))
        return self


IN_DJANGO = "django"
"""The value of `journal` for a journal in the database of a Django project."""

OF_THE_CHANNEL = frozenset(ChannelTable.model_fields) - {"options"}
"""The keys of a channel that are not options of its network."""


class WordListSettings(FrozenModel):
    """A desk's change of a word list of the checks.

    Attributes:
        add: Entries besides those shipped: `"auteur(|s) du vol"`, `"handicap*"`.
        remove: Entries that do not count any more, as the shipped list writes them, each with the reason.
        off: The reason why nothing of the list counts.
    """

    add: tuple[str, ...] = ()
    remove: dict[str, Reason] = Field(default_factory=dict)
    off: Reason = ""


class Settings(FrozenModel):
    """The settings of an installation.

    Attributes:
        schema_version: Version of the settings' schema.
        sender: The service's name, for messages that give none.
        zone: The time zone of the readers.
        journal: A path, relative to the settings file, an SQLAlchemy URL (which may hold a password), or `"django"`
            for a journal in the database of a Django project.
        keys: Path of the keys file, relative to the settings file.
        wait: How long a publication waits for the networks. A number is in seconds.
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
        may: A function of yours, as `module:function`, that decides which actor may do what.
    """

    schema_version: Literal[1] = 1
    sender: ShortText
    zone: Zone = ZoneInfo("Europe/Paris")
    journal: SecretStr = SecretStr("policenotify.db")
    keys: Path = Path("policenotify.keys")
    wait: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(seconds=20)
    channels: dict[Name, ChannelTable] = Field(min_length=1)
    audiences: dict[Name, AudienceSettings] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    reminders: ReminderPolicy = ReminderPolicy()
    approval: tuple[ApprovalRule, ...] = ()
    language: Literal["en", "fr"] | None = None
    categories: dict[CategoryCode, dict[str, object]] = Field(default_factory=dict)
    languages: dict[Language, Path] = Field(default_factory=dict)
    links: tuple[LinkHost, ...] = ()
    law: tuple[Name, ...] = ("fr",)
    words: dict[Name, WordListSettings] = Field(default_factory=dict)
    may: FunctionName | None = None

    _place: Path = PrivateAttr(default=Path())
    _faults: dict[str, Text] = PrivateAttr(default_factory=dict)
    _elsewhere: frozenset[tuple[str, str]] = PrivateAttr(default=frozenset())
    _languages: dict[str, Locale] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        if errors := [*self._language_errors(), *self._reference_errors()]:
            raise ValueError(Text.join("\n", errors))
        return self

    def _language_errors(self) -> Iterator[AnyText]:
        known = dict.fromkeys((*SHIPPED, *self.languages), "")
        for name, channel in self.channels.items():
            for language in channel.languages:
                if best_match(language, known) is None:
                    add = Text('Add a file: [languages] {language} = "words/{language}.toml"', language=language)
                    hint = Text.join(" ", (did_you_mean(language, known), add))
                    yield _unknown(f"channels.{name}.languages", language, hint)

    def _reference_errors(self) -> Iterator[AnyText]:
        names = {*self.channels, *(tag for channel in self.channels.values() for tag in channel.tags)}
        categories = {*PROFILES, *self.categories}
        references: list[tuple[str, Iterable[str], Iterable[str]]] = [
            *((f"channels.{name}.audiences", each.audiences, self.audiences) for name, each in self.channels.items()),
            ("reminders.to", self.reminders.to, self.channels),
            *self._words(),
        ]
        for number, rule in enumerate(self.approval):
            references.append((f"approval[{number}].categories", rule.categories, categories))
        for number, route in enumerate(self.routes):
            references.append((f"routes[{number}].to", route.to, names))
            references.append((f"routes[{number}].categories", route.categories, categories))
        for place, named, given in references:
            known = {*given}
            yield from (_unknown(place, name, did_you_mean(name, known)) for name in sorted({*named} - known))
        for number, route in enumerate(self.routes):
            for name in sorted({*route.to} & {*self.reminders.to}):
                yield Text(
                    "routes[{number}].to: {name!r} is a duty channel (reminders.to); it carries nothing else.",
                    number=number,
                    name=name,
                )

    def _words(self) -> Iterator[tuple[str, Iterable[str], Iterable[str]]]:
        """Yield where word lists and their entries are named, what is named, and what is known."""
        if not self.words:
            return
        from policenotify.checks.words import LANGUAGES, shipped_words  # noqa: PLC0415 - reading settings needs no checks

        shipped = [shipped_words(language) for language in LANGUAGES]
        yield "words", self.words, chain(*shipped)
        for name, change in self.words.items():
            yield f"words.{name}.remove", change.remove, chain(*(words.get(name, ()) for words in shipped))

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

    def read_once(self, read: Callable[[Self], dict[str, Locale]]) -> Mapping[str, Locale]:
        """Return the languages that a function reads, and reads at the first call only."""
        if not self._languages:
            self._languages = read(self)
        return self._languages

    @property
    def exposure(self) -> AnyText:
        """Who else may read the settings file, and what to do. Empty if no one may."""
        return Text.join(". ", exposures(self._place)) if self._place.is_file() else ""

    def exposed_options(self, channel: str) -> Mapping[str, object]:
        """Return the options of a channel that are written in the settings themselves, if others may read these."""
        options = self.channels[channel].options.items() if self.exposure else ()
        return {name: value for name, value in options if (channel, name) not in self._elsewhere}

    @property
    def faults(self) -> Mapping[str, Text]:
        """Why a secret cannot be read, in lines, by the channel that waits for it."""
        return self._faults

    @classmethod
    def from_table(
        cls,
        table: Mapping[str, object],
        place: Path,
        faults: Mapping[str, Iterable[AnyText]] | None = None,
        elsewhere: Iterable[tuple[str, str]] = (),
    ) -> Self:
        """Validate the table of a file.

        The faults are why secrets cannot be read, by channel. *elsewhere* are the channels and options that are kept
        elsewhere.

        Raises:
            SettingsError: Something is wrong. There is one line for each.
        """
        try:
            settings = cls.model_validate(table)
        except ValidationError as error:
            lines = chain((each.line for each in validation_errors(error, cls)), *(faults or {}).values())
            raise settings_error(place, lines) from None  # its cause may quote a value
        settings._place = place  # noqa: SLF001 - of this very class
        settings._faults = {name: Text.join("\n", lines) for name, lines in (faults or {}).items()}  # noqa: SLF001 - the same
        settings._elsewhere = frozenset(elsewhere)  # noqa: SLF001 - the same
        return settings


def settings_error(place: Path, lines: Iterable[AnyText]) -> SettingsError:
    """Return an error that names the file, with a line for each thing that is wrong."""
    below = (indented(line) for line in chain.from_iterable(map(lines_of, lines)))
    return SettingsError(Text.join("\n", [Text("The settings {place} are wrong:", place=place), *below]))


def _unknown(place: str, name: str, hint: AnyText) -> Text:
    return Text("{place}: there is no {name!r}. {hint}", place=place, name=name, hint=hint)
