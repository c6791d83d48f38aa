"""The tables of audiences, and the audiences that they describe."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from policenotify.audiences.files import CsvFile, TextFile
from policenotify.audiences.function import FunctionAudience
from policenotify.audiences.model import Audience
from policenotify.audiences.reader import COLUMNS, RowReader
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import FrozenModel
from policenotify.model.message import CategoryCode, Language
from policenotify.publishing.routing import AreaCode
from policenotify.settings.fields import Masked, imported
from policenotify.translation import Text
from policenotify.validation import did_you_mean

FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""A function of the installation: `module:function`."""

KINDS: Final = ("addresses", "file", "csv", "function")
"""The keys of the sources of subscribers. An audience has one of them."""


class AudienceSettings(FrozenModel):
    """A list of subscribers from one source: addresses, a file or a function.

    See [`Subscriber`][policenotify.audiences.model.Subscriber].

    Attributes:
        addresses: The addresses themselves.
        file: A text file with one address per line, where `#` begins a comment.
        csv: A table in UTF-8 with a line of column names above it, separated by `,`, `;` or tabs. Columns: `address`,
            `language`, `areas`, `longitude` and `latitude`, `categories`, `severity`, `consent_at`, `consent_source`,
            `consent_purpose`. Only `address` is required.
        columns: The table's own names of columns: `{ address = "Adresse électronique" }`.
        function: A function that yields addresses or mappings, as `module:function`.
        language: The language of people for whom none is given. By default the channel's main language.
        areas: The areas of people for whom none is given. By default everywhere.
        categories: The categories for people for whom none is given. By default all.
        at_least: The least severity for people for whom none is given. By default any.
        purpose: The purpose of consents that name none.
        checked: An address must be a mail address or a telephone number. `false` for networks with other addresses.
    """

    addresses: Annotated[tuple[str, ...] | None, Masked] = Field(default=None, repr=False)
    file: Path | None = None
    csv: Path | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    function: FunctionName | None = None
    language: Language | None = None
    areas: tuple[AreaCode, ...] = ()
    categories: frozenset[CategoryCode] = frozenset()
    at_least: Severity | None = None
    purpose: str = ""
    checked: bool = True

    @model_validator(mode="after")
    def _is_one_kind(self) -> AudienceSettings:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if not kinds:
            raise ValueError(Text("write one of {kinds}", kinds=", ".join(KINDS)))
        if len(kinds) > 1:
            raise ValueError(
                Text(
                    "write one of {kinds}, not {kinds_2}",
                    kinds=", ".join(KINDS),
                    kinds_2=Text.join(Text(" and "), kinds),
                )
            )
        if self.columns and self.csv is None:
            raise ValueError(Text("columns is for csv only"))
        if unknown := [name for name in self.columns if name not in COLUMNS]:
            raise ValueError(
                Text(
                    "columns: {unknown!r} is not known. {did_you_mean}",
                    unknown=unknown[0],
                    did_you_mean=did_you_mean(unknown[0], COLUMNS),
                )
            )
        return self

    @property
    def path(self) -> Path | None:
        """The file that it is read from, if any."""
        return self.file or self.csv

    def audience(self, name: str, at: str, directory: Path, categories: Collection[str]) -> Audience:
        """Return the audience of this name. Nothing of it is read.

        Errors name *at*, its place in the settings. Paths are relative to *directory*.

        Raises:
            SettingsError: A function cannot be used.
        """
        reader = RowReader(
            checked=self.checked,
            known_categories=frozenset(categories),
            language=self.language or "",
            areas=self.areas,
            categories=self.categories,
            severity=self.at_least,
            purpose=self.purpose,
        )
        if self.file is not None:
            return TextFile(name=name, path=directory / self.file, at=at, reader=reader)
        if self.csv is not None:
            return CsvFile(name=name, path=directory / self.csv, at=at, columns=self.columns, reader=reader)
        if self.function is not None:
            function = imported(self.function, f"{at}.function")
            return FunctionAudience(name=name, function=function, at=at, reader=reader)
        addresses: Any = self.addresses  # the one source that is left
        return FunctionAudience(name=name, function=lambda: addresses, reader=reader)


def _of_a_channel(given: object) -> object:
    """Read a list of addresses, or a table. A network may have other addresses than those of mails and telephones."""
    if isinstance(given, list):
        given = {"addresses": given}
    if not isinstance(given, dict):
        raise ValueError(Text('write a list of addresses, or {{ file = "…" }}'))  # noqa: TRY004 - pydantic wants this one
    return {"checked": False, **given}


Recipients = Annotated[AudienceSettings, BeforeValidator(_of_a_channel)]
"""An audience in the table of its channel, which checks its addresses."""
