"""A report as HTML, and its file."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from policenotify.cli.output import counts, plain, replace_file
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

_HEAD: Final = (
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    '<meta name="referrer" content="no-referrer"><base target="_blank">'
    "<style>*{-webkit-print-color-adjust:exact;print-color-adjust:exact}</style>"
)


def page_path(typed: str) -> Path:
    """Return the path of a report that is to be written: a new file, or an earlier report.

    Raises:
        click.BadParameter: It is another file, or its folder cannot be written.
        MissingExtra: jinja2 is not installed.
    """
    if find_spec("jinja2") is None:
        raise MissingExtra(Text("{option} (jinja2 is not installed)", option=OPTION), "cli")
    path = Path(typed).expanduser().resolve()
    if path.exists() and not _is_report(path):
        raise _refused(Text("{path} exists already, and is not a page of policenotify. Give another name.", path=path))
    if not os.access(path.parent, os.W_OK):
        why = os.strerror(errno.EACCES if path.parent.exists() else errno.ENOENT)
        raise _refused(Text("{path} cannot be written ({strerror}). Nothing was done.", path=path, strerror=why))
    return path


def write_page(path: Path, report: Report, language: str = "en") -> Text:
    """Write a report, readable by its owner alone as it may show drafts, and return where it is.

    Raises:
        SettingsError: The disk is full, for example.
    """
    replace_file(path, html(report, language).encode(errors="replace"))
    return Text("The page: {path}", path=path)


def _is_report(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return path.is_file() and GENERATOR in file.read(_BEGINNING)
    except OSError:
        return False


def _refused(why: AnyText) -> click.BadParameter:
    return BadParameter(why, param_hint=OPTION)


def html(report: Report, language: str = "en") -> str:
    """Return a report as one page that loads nothing, runs nothing and sends nothing.

    Its labels are in the language. What the public reads keeps its own.
    """
    return _rendered("page.html.j2", language, page=report, policy=PAGE_POLICY)


def dev_html(devices: Sequence[Device], language: str = "en", **shown: object) -> str:
    """Return the page of fake networks, on which each post stands as in a report, with what else its template shows."""
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

    from policenotify.cli.report.cards import STAGES, data_url
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
        "counts": counts,
        "data_url": data_url,
        "framed": _framed,
    }
    levels = {"block": "bad", "second": "wait", "advise": "none"}
    environment.globals |= {"STAGES": STAGES, "LEVELS": levels, "sms": sms}
    return environment


def _printable(value: object) -> object:
    """Remove control characters from every text. Escaped markup has none left."""
    return plain(value) if type(value) is str else value


def _framed(mail: str) -> str:
    """Return the formatted version of a mail for a frame, in which it loads nothing."""
    head = re.search(r"<head\b[^>]*>", mail, re.IGNORECASE)
    at = head.end() if head else 0
    return f"{mail[:at]}{_HEAD}{mail[at:]}"
