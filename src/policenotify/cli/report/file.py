"""The file of the page: proved before anything is run, whole or not there at all."""

from __future__ import annotations

import secrets
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import click

from policenotify.cli.report.values import Page
from policenotify.errors import MissingExtra

OPTION: Final = "--html"
GENERATOR: Final = '<meta name="generator" content="policenotify'
"""How a page of ours begins; only such a file is written over."""

_HEAD = 2048  # characters in which it must be

_Command = TypeVar("_Command", bound=Any)


def html_option(command: _Command) -> _Command:
    """The option `--html FILE`."""
    more = "Write a page that shows every network as its readers see it, for a browser or a printer."
    option: _Command = click.option(OPTION, "html", metavar="FILE", help=more)(command)
    return option


class PageFile:
    """Where a page is going to be. Enter it before anything is run; leave it, and what was written is there.

    An earlier page of ours is written over; any other file is not. Until `write`, nothing is changed.

    Raises:
        click.BadParameter: It cannot be written, or is something else.
        MissingExtra: jinja2 is not installed.
    """

    def __init__(self, file: str) -> None:
        self.path: Path = Path(file).expanduser().resolve()
        self._draft = self.path.with_name(f".{self.path.name[:100]}.{secrets.token_hex(4)}.tmp")

    def __enter__(self) -> Self:
        if find_spec("jinja2") is None:
            raise MissingExtra(f"{OPTION} (jinja2 is not installed)", "cli")
        if self.path.is_dir():
            raise _refused(f"{self.path} is a folder; add a name, such as {self.path.name or 'page'}.html.")
        try:
            if self.path.exists() and not _is_page(self.path):
                raise _refused(f"{self.path} is there already, and is no page of policenotify. Give another name.")
            self._draft.touch(mode=0o600)  # the best proof that the page can be written; it may show drafts
        except OSError as error:
            raise _refused(f"{self.path} cannot be written ({error.strerror}). Nothing was done.") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draft.unlink(missing_ok=True)

    def write(self, page: Page) -> None:
        """Put the page there, whole."""
        from policenotify.cli.report.renderer import html

        self._draft.write_text(html(page), encoding="utf-8", errors="replace")
        self._draft.replace(self.path)

    def __str__(self) -> str:
        return f"The page: {self.path}"


def _is_page(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as there:
        return GENERATOR in there.read(_HEAD)


def _refused(why: str) -> click.BadParameter:
    return click.BadParameter(why, param_hint=OPTION)
