"""A report as HTML, and its file, written whole or not at all."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import cache, partial
from html.parser import HTMLParser
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import click

from policenotify.cli.output import people, plain
from policenotify.cli.usage import BadParameter
from policenotify.errors import MissingExtra
from policenotify.translation import AnyText, Text, word_in

if TYPE_CHECKING:
    from jinja2 import Environment

    from policenotify.cli.report.builder import Report
    from policenotify.cli.report.cards import Device


OPTION: Final = "--html"
GENERATOR: Final = '<meta name="generator" content="policenotify'
"""The beginning of a report. Only a file that has it is overwritten."""

_BEGINNING = 2048  # characters in which it must be

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a mail may load: only its own styles (*Content Security Policy Level 3*)."""

PAGE_POLICY: Final = f"{POLICY}; img-src data:"
"""What a page may load: its own styles and pictures."""

DEV_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'"
"""That of a page of fake networks, whose form is sent to its server."""

_WIDTHS: Final = (240, 360, 520, 670)
_HEAD: Final = (
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    '<meta name="referrer" content="no-referrer"><base target="_blank">'
    "<style>*{-webkit-print-color-adjust:exact;print-color-adjust:exact}</style>"
)
_INSIDE = 40  # pixels: padding and border of the page in the frame, on both sides
_LETTER = 9.0  # pixels: the average letter of a wide font at 16 pixels
_BREAK = 2.0  # letters for which a line has no room left, because the next word is longer
_LINE = 24  # pixels: 16 at a line height of 1.5
_MARGIN = 18  # pixels around a block, on average
_BLOCKS = frozenset({"p", "h1", "h2", "h3", "tr", "li"})
_LARGER = {"h1": 1.4, "h2": 1.1}


class PageFile:
    """The file that a report is written to. Enter it before anything is run.

    An earlier report is overwritten; any other file is not. Nothing is changed before `write`.

    Raises:
        click.BadParameter: The file cannot be written, or is not a report.
        MissingExtra: jinja2 is not installed.
    """

    def __init__(self, file: str) -> None:
        self.path: Path = Path(file).expanduser().resolve()
        self._draft = self.path.with_name(f".{self.path.name[:100]}.{secrets.token_hex(4)}.tmp")

    def __enter__(self) -> Self:
        if find_spec("jinja2") is None:
            raise MissingExtra(Text("{option} (jinja2 is not installed)", option=OPTION), "cli")
        if self.path.is_dir():
            raise _refused(
                Text(
                    "{path} is a folder; add a name, such as {name}.html.",
                    path=self.path,
                    name=self.path.name or "page",
                )
            )
        try:
            if self.path.exists() and not _is_report(self.path):
                raise _refused(
                    Text("{path} exists already, and is not a page of policenotify. Give another name.", path=self.path)
                )
            self._draft.touch(mode=0o600)  # proves that the page can be written; it may show drafts
        except OSError as error:
            raise _refused(
                Text(
                    "{path} cannot be written ({strerror}). Nothing was done.", path=self.path, strerror=error.strerror
                )
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draft.unlink(missing_ok=True)

    def write(self, report: Report, language: str = "en") -> None:
        """Write the report, whole."""
        self._draft.write_text(html(report, language), encoding="utf-8", errors="replace")
        self._draft.replace(self.path)

    @property
    def text(self) -> Text:
        """Where it is."""
        return Text("The page: {path}", path=self.path)

    def __str__(self) -> str:
        return str(self.text)


def _is_report(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return GENERATOR in file.read(_BEGINNING)


def _refused(why: AnyText) -> click.BadParameter:
    return BadParameter(why, param_hint=OPTION)


def html(report: Report, language: str = "en") -> str:
    """Return a report as one page that loads nothing, runs nothing and sends nothing.

    Its labels are in the language. What the public reads keeps its own.
    """
    return _rendered("page.html.j2", language, page=report, policy=PAGE_POLICY)


def dev_html(devices: Sequence[Device], language: str = "en", **shown: object) -> str:
    """Return the page of fake networks, on which each post stands as in a report.

    Args:
        devices: Their posts.
        language: The language of the labels.
        shown: What else its template shows.
    """
    page = {"kind": "dev", "devices": devices}
    return _rendered("dev.html.j2", language, page=page, policy=DEV_POLICY, **shown)


def _rendered(name: str, language: str, **shown: object) -> str:
    language = language.partition("-")[0]
    translate = partial(word_in, language=language)
    template = _environment(language).get_template(name)
    return template.render(version=version("policenotify"), language=language, t=translate, **shown)


@cache
def _environment(language: str) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from policenotify.cli.report.cards import STAGES, data_url, initials, notes_of, tone
    from policenotify.render.locales import LOCALES
    from policenotify.text import sms

    locale = LOCALES[language]

    def day(at: datetime) -> str:
        return f"{locale.weekdays[at.weekday()]} {at.day} {locale.months[at.month - 1]} {at.year}"

    def short(at: datetime) -> str:
        return f"{at.day} {locale.months[at.month - 1]}, {at:%H:%M}"

    environment = Environment(
        loader=PackageLoader("policenotify.cli.report"),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "iso": lambda at: at.isoformat(timespec="seconds"),
        "clock": lambda at: f"{at:%H:%M}",
        "day": day,
        "short": short,
        "initials": initials,
        "people": people,
        "tone": tone,
        "data_url": data_url,
        "mail_frame": MailFrame,
    }
    levels = {"block": "bad", "second": "wait", "advise": "none"}
    environment.globals |= {"STAGES": STAGES, "LEVELS": levels, "notes_of": notes_of, "sms": sms}
    return environment


def _printable(value: object) -> object:
    """Remove control characters from every text. Escaped markup has none left."""
    return plain(value) if type(value) is str else value


class MailFrame:
    """The formatted version of a mail, for a frame."""

    def __init__(self, html: str) -> None:
        self._html = html

    @property
    def document(self) -> str:
        """The page for the frame."""
        head = re.search(r"<head\b[^>]*>", self._html, re.IGNORECASE)
        at = head.end() if head else 0
        return f"{self._html[:at]}{_HEAD}{self._html[at:]}"

    @property
    def heights(self) -> tuple[int, ...]:
        """Estimated heights in frames 240, 360, 520 and 670 pixels wide.

        No script may measure them.
        """
        blocks = _Blocks()
        blocks.feed(self._html)
        blocks.close()
        return tuple(blocks.height(width - _INSIDE) for width in _WIDTHS)


class _Blocks(HTMLParser):
    """The lines of a page's body, each with its factor of size."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, float]] = []
        self.blocks = 0
        self._skip = False
        self._larger = 1.0
        self._open = False

    def height(self, width: int) -> int:
        """Return the estimated height of the page in pixels."""
        rows = sum(
            math.ceil(max(len(line) / (width / (_LETTER * size) - _BREAK), 1)) * _LINE * size
            for line, size in self.lines
        )
        return math.ceil(rows + self.blocks * _MARGIN + _INSIDE + _LINE)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._skip = self._skip or tag in {"title", "style"}
        if tag in _BLOCKS:
            self.blocks += 1
            self._larger = _LARGER.get(tag, 1.0)
        if tag in _BLOCKS or tag == "br":
            self._open = False

    def handle_endtag(self, tag: str) -> None:
        if tag in {"title", "style"}:
            self._skip = False
        if tag in _BLOCKS:
            self._larger, self._open = 1.0, False

    def handle_data(self, data: str) -> None:
        if self._skip or not data.strip():
            return
        before = self.lines.pop()[0] if self._open else ""
        self.lines.append((before + " ".join(data.split()) + " ", self._larger))
        self._open = True
