"""The language of the command line: that of the installation, else that of the process."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from policenotify.translation import Text, languages, word_in

METAVARS: Final = (
    "INTEGER RANGE", "PUBLICATION", "RECIPIENTS", "DIRECTORY", "RECIPIENT", "REFERENCE", "AUDIENCE", "DELIVERY",
    "HEADLINE", "INCIDENT", "ADDRESS", "CHANNEL", "COMMAND", "SECONDS", "FOLDER", "REASON", "DRAFT", "LEVEL", "SEALS",
    "WHICH", "ARGS", "FILE", "NAME", "ROAD", "ROLE", "TEXT", "TIME", "WORD", "AGE", "KEY", "TAG", "URL", "WHO", "TO",
)  # fmt: skip
"""The names of values in a line of usage. They are translated, too: `FICHIER`."""

_METAVAR: Final = re.compile(rf"\b(?:{'|'.join(METAVARS)})\b")
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # POSIX.1-2017, section 8.2, in their order
_ROW = re.compile(r"(?P<name>\s*\S.*\s{2,})(?P<meaning>\S.*)")  # a name, at least two spaces, its meaning
_FILE_NAME = "policenotify.toml"  # as in `policenotify.settings.loader`, which help and completion do not import


def desk_language(settings: str | None) -> str:
    """Return the `language` of the settings, else that of the process, if there are texts in it, else English.

    Settings that cannot be read have none: the command itself reports what is wrong with them.
    """
    language = os.environ.get("POLICENOTIFY_LANGUAGE") or None  # as for every setting, it takes precedence
    if not language:
        name = settings or os.environ.get("POLICENOTIFY_SETTINGS") or _FILE_NAME
        with suppress(OSError, ValueError):
            language = tomllib.loads(Path(name).read_text(encoding="utf-8")).get("language")
    if not isinstance(language, str):
        named = next(filter(None, map(os.environ.get, _VARIABLES)), "")
        language = named.partition(".")[0].partition("@")[0].partition("_")[0].lower()
    return language if language.partition("-")[0] in languages() else "en"


def metavars(text: str, language: str) -> str:
    """Return a line of usage with the names of its values in the language: `FICHIER` for `FILE`."""
    return _METAVAR.sub(lambda match: word_in(match[0], language), text)


class Formatter(click.HelpFormatter):
    """Help in the desk's language. Examples stay as they are."""

    language = "en"

    def _translated(self, text: str) -> str:
        return word_in(text, self.language)

    def _meaning(self, text: str) -> str:
        """Translate the meaning of an option, and what click adds to it: `[default: 5]`, `[required]`."""
        whole = self._translated(text)
        meaning, bracket, more = text.rpartition("  [")
        if whole != text or not bracket:
            return whole
        parts = (self._addition(part) for part in more.removesuffix("]").split("; "))
        shown = Text.join(Text("; "), parts).in_(self.language)
        return f"{self._translated(meaning)}  [{shown}]"

    def _addition(self, text: str) -> str:
        name, colon, value = text.partition(": ")
        known = Text("default: {value}", value=value) if colon and name == "default" else Text.word(text)
        return known.in_(self.language)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line."""
        named = metavars(args, self.language)
        super().write_usage(prog, named, self._translated("Usage:") + " " if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        super().write_heading(self._translated(f"{heading}:").removesuffix(":"))

    def write_text(self, text: str) -> None:
        """Write paragraphs. Of one that is not wrapped, lines are translated each for itself."""
        super().write_text("\n\n".join(self._paragraph(part) for part in text.split("\n\n")))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names with their meanings."""
        named = [(metavars(name, self.language), self._meaning(meaning)) for name, meaning in rows]
        super().write_dl(named, col_max, col_spacing)

    def _paragraph(self, text: str) -> str:
        if not text.lstrip().startswith("\b"):
            return self._translated(" ".join(text.split()))
        return "\n".join(self._lines(text.split("\n")))

    def _lines(self, lines: Sequence[str]) -> Iterator[str]:
        for line in lines:
            if row := _ROW.fullmatch(line):
                yield row["name"] + self._translated(row["meaning"])
            else:
                yield self._translated(line) if line.rstrip().endswith(":") else line


class Context(click.Context):
    """The context of a command, whose help is in the desk's language."""

    def make_formatter(self) -> click.HelpFormatter:
        """Return the formatter of the help."""
        formatter = Formatter(width=self.terminal_width, max_width=self.max_content_width)
        formatter.language = getattr(self.find_root().obj, "language", "en")
        return formatter
